"""A neural ordinary differential equation: Runge-Kutta steps, gradients by the adjoint equation.

The adjoint (Chen et al. 2018) is a Function whose backward runs the equation in reverse and asks
`autograd.grad` for products with the Jacobian; plain backpropagation through the steps is beside
it, and a density that flows along (a trace by second derivatives).
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable


class Dynamics(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))

    def forward(self, t, y):
        return self.net(torch.cat([y, t.expand(len(y), 1)], -1))


def make_model():
    return Dynamics()


def rk4(f, state, start, end, steps=4):
    """`state`, a tuple of tensors, carried from `start` to `end`."""
    h = (end - start) / steps
    move = lambda slope, size: tuple(s + size * k for s, k in zip(state, slope, strict=True))
    for i in range(steps):
        t = start + i * h
        k1 = f(t, state)
        k2 = f(t + h / 2, move(k1, h / 2))
        k3 = f(t + h / 2, move(k2, h / 2))
        k4 = f(t + h, move(k3, h))
        slopes = zip(k1, k2, k3, k4, strict=True)
        state = move([(a + 2 * (b + c) + d) / 6 for a, b, c, d in slopes], h)
    return state


class Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, f, y, times, *parameters):
        ctx.f = f
        (out,) = rk4(lambda t, s: (f(t, s[0]),), (y,), *times)
        ctx.save_for_backward(out, times, *parameters)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        out, times, *parameters = ctx.saved_tensors

        def reverse(t, state):
            with torch.enable_grad():
                y = state[0].detach().requires_grad_(True)
                slope = ctx.f(t.detach(), y)
                grads = torch.autograd.grad(slope, (y, *parameters), -state[1], allow_unused=True)
            return slope.detach(), *(
                torch.zeros_like(p) if g is None else g
                for g, p in zip(grads, (y, *parameters), strict=True)
            )

        start = out, grad_output, *[torch.zeros_like(p) for p in parameters]
        _, grad_y, *grads = rk4(reverse, start, *times.flip(0), steps=8)
        return None, grad_y, None, *grads


def divergence(slope, y):
    """The trace of the Jacobian, row by row of the batch."""
    trace = 0.0
    for i in range(y.shape[1]):
        (row,) = torch.autograd.grad(slope[:, i].sum(), y, create_graph=True)
        trace += row[:, i]
    return trace.view(len(y), 1)


def main(model):
    f, losses = model, []
    angle = torch.linspace(0, 6, 9).unsqueeze(1)
    y0 = torch.cat([angle.cos(), angle.sin()], 1)
    goal, times = y0 * torch.tensor([1.5, 0.5]), torch.tensor([0.0, 1.0])
    optimizer = torch.optim.Adam(f.parameters(), lr=2e-2)
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(Adjoint.apply(f, y0, times, *f.parameters()), goal)
        loss.backward()
        by_adjoint = [p.grad.clone() for p in f.parameters()]
        (plain,) = rk4(lambda t, s: (f(t, s[0]),), (y0,), *times)
        direct = torch.autograd.grad(nn.functional.mse_loss(plain, goal), list(f.parameters()))
        optimizer.step()
        gap = max((a - b).abs().max() for a, b in zip(by_adjoint, direct, strict=True))
        losses += [loss.item(), float(gap < 1e-3), sum(g.norm() for g in direct).item()]
    prior = torch.distributions.MultivariateNormal(torch.zeros(2), 0.5 * torch.eye(2))
    for _ in range(2):

        def flow(t, state):
            y = state[0] if state[0].requires_grad else state[0].requires_grad_(True)
            slope = f(t, y)
            return slope, -divergence(slope, y)

        optimizer.zero_grad()
        z, change = rk4(flow, (goal.clone(), torch.zeros(len(goal), 1)), *times.flip(0), steps=2)
        loss = -(prior.log_prob(z) - change.squeeze(-1)).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
