"""Models of one class trained as one, and their tangent kernels in two ways."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jacrev, jvp, stack_module_state, vjp, vmap


def make_model():
    return nn.ModuleList(
        nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 3))
        for _ in range(4)
    )


def kernel_of_jacobians(f, params, x1, x2):
    def jacobian(x):
        rows = vmap(jacrev(f), (None, 0))(params, x)
        return [j.flatten(2) for j in rows.values()]

    pairs = zip(jacobian(x1), jacobian(x2), strict=True)
    return torch.stack([torch.einsum("Naf,Mbf->NMab", a, b) for a, b in pairs]).sum(0)


def kernel_of_products(f, params, x1, x2):
    def of_two(a, b):
        def through(u):
            out, vjp_fn = vjp(lambda p: f(p, a), params)
            return jvp(lambda p: f(p, b), (params,), vjp_fn(u))[1]

        return vmap(through)(torch.eye(3)).T

    return vmap(vmap(of_two, (None, 0)), (0, None))(x1, x2)


def main(model):
    models = [m.eval() for m in model]
    params, buffers = stack_module_state(models)
    skeleton = copy.deepcopy(models[0])
    x = torch.arange(20.0).mul(0.61).cos().reshape(10, 2)
    y = (x.sum(1) > 0).long()

    def predict(params, buffers, x):
        return functional_call(skeleton, (params, buffers), (x,))

    def loss(params, buffers, x):
        return F.cross_entropy(predict(params, buffers, x), y)

    losses = []
    for _ in range(3):
        slopes = vmap(grad(loss), (0, 0, None))(params, buffers, x)
        params = {k: p - 0.3 * slopes[k] for k, p in params.items()}
        losses += vmap(loss, (0, 0, None))(params, buffers, x).tolist()
    outs = vmap(predict, in_dims=(0, 0, None), randomness="same")(params, buffers, x)
    first = {k: p[0].detach() for k, p in params.items()}

    def one(params, x):
        return functional_call(skeleton, params, (x.unsqueeze(0),)).squeeze(0)

    kernel = kernel_of_jacobians(one, first, x[:3], x[3:5])
    assert torch.allclose(kernel, kernel_of_products(one, first, x[:3], x[3:5]))
    spread = outs.softmax(-1).std(0).mean()
    return losses + kernel.flatten().tolist() + [outs.mean().item(), spread.item()]
