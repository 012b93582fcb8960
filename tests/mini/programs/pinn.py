"""A network that solves a heat equation, by second derivatives at each point; then MAML of it."""

import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap


def make_model():
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 1))


def main(model):
    points = torch.arange(24.0).mul(0.47).sin().reshape(12, 2)

    def u(params, point):
        return functional_call(model, params, (point,)).squeeze(-1)

    def residual(params, point, rate):
        slope = grad(u, argnums=1)(params, point)
        bend = hessian(u, argnums=1)(params, point)
        return slope[0] - rate * bend[1, 1]

    def loss_of(params, points, rate=0.4):
        inside = vmap(residual, (None, 0, None))(params, points, rate)
        edge = vmap(u, (None, 0))(params, points.clone()) - torch.sin(points[:, 1])
        return (inside**2).mean() + (edge**2).mean()

    params = dict(model.named_parameters())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(3):
        loss = loss_of(params, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    def task_loss(params, rate):
        slopes = grad(loss_of)(params, points[:6], rate)
        adapted = {k: p - 0.05 * slopes[k] for k, p in params.items()}
        return loss_of(adapted, points[6:], rate)

    fixed = {k: p.detach() for k, p in params.items()}
    meta = grad(lambda p: task_loss(p, 0.3) + task_loss(p, 0.9))(fixed)
    point = points[0]
    laplacian = hessian(u, 1)(fixed, point).trace()
    mixed = jacfwd(jacrev(u, argnums=1), argnums=1)(fixed, point)
    by_all = jacrev(jacrev(u, argnums=1))(fixed, point)
    assert all(p.grad is not None for p in model.parameters())
    return (
        losses + [m.sum().item() for m in meta.values()] + [laplacian.item()]
        + mixed.flatten().tolist() + [j.norm().item() for j in by_all.values()]
    )  # fmt: skip
