"""MAML: a gradient through steps of gradient descent on each task."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call


def make_model():
    return nn.Sequential(
        nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 1)
    )


def argforward(x, weights):
    """The same network, of a list of weights."""
    x = F.relu(F.linear(x, weights[0], weights[1]))
    x = torch.tanh(F.linear(x, weights[2], weights[3]))
    return F.linear(x, weights[4], weights[5])


def inner_loop(model, x, y, steps=2, lr=0.05):
    fast = {name: weight.clone() for name, weight in model.named_parameters()}
    for _ in range(steps):
        loss = F.mse_loss(functional_call(model, fast, (x,)), y)
        grads = torch.autograd.grad(loss, fast.values(), create_graph=True)
        fast = {
            name: weight - lr * grad
            for (name, weight), grad in zip(fast.items(), grads, strict=True)
        }
    return fast


def main(model):
    meta_optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x = torch.linspace(-3, 3, 10).view(-1, 1)
    support, query = x[::2], x[1::2]
    losses = []
    for _ in range(5):
        meta_loss = 0.0
        for amplitude, phase in ((1.0, 0.0), (2.0, 0.5)):
            fast = inner_loop(model, support, amplitude * torch.sin(support + phase))
            target = amplitude * torch.sin(query + phase)
            meta_loss = meta_loss + F.mse_loss(functional_call(model, fast, query), target)
        meta_optimizer.zero_grad()
        meta_loss.backward()
        meta_optimizer.step()
        losses.append(meta_loss.item() / 2)
    weights = [w.clone() for w in model.parameters()]
    loss = F.mse_loss(argforward(query, weights), query)
    grads = torch.autograd.grad(loss, weights)
    adapted = [w - 0.01 * g for w, g in zip(weights, grads, strict=True)]
    vector = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(vector * 0.5, model.parameters())
    return losses + argforward(query, adapted).flatten().tolist() + model(query).flatten().tolist()
