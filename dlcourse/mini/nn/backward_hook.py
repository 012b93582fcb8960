"""How a module's full backward hooks see the gradients of all its inputs and outputs."""

from dlcourse.mini._core import Function, Tensor
from dlcourse.mini._grad_mode import is_grad_enabled
from dlcourse.mini.ops.shape import alias


class BackwardHookFunction(Function):
    """Several tensors, unchanged, through one node: its hooks see all their gradients at once."""

    @staticmethod
    def forward(ctx, *tensors):
        outs = tuple([alias(t, t._data.view()) for t in tensors])
        fixed = [o for o, n in zip(outs, ctx.needs_input_grad, strict=True) if not n]
        ctx.mark_non_differentiable(*fixed)
        return outs

    @staticmethod
    def backward(ctx, *grads):
        return grads


class BackwardWatch:
    """Stands at the entrance and the exit of one call of a module and runs its backward hooks."""

    def __init__(self, module):
        self.module, self.hooks = module, tuple(module._backward_hooks.values())
        self.pre_hooks = tuple(module._backward_pre_hooks.values())
        self.count, self.where, self.grad_outputs = 0, [], None

    def inputs(self, args):
        """The arguments of the call, led through the entrance."""
        self.count = len(args)
        self.where, args = _through_one_node(args, lambda node: node.register_hook(self.entrance))
        return args

    def outputs(self, out):
        """The results of the call, led through the exit."""
        outs = out if isinstance(out, tuple) else (out,)
        at, outs = _through_one_node(outs, lambda node: node.register_prehook(self.exit))
        self.out_where, self.out_count = at, len(outs)
        return outs if isinstance(out, tuple) else outs[0]

    def exit(self, grads):
        """The gradients of the results are complete: keep them for the entrance."""
        grads = _spread(grads, self.out_where, self.out_count)
        for hook in self.pre_hooks:
            new = hook(self.module, grads)
            if new is not None:
                grads = new if isinstance(new, tuple) else (new,)
        self.grad_outputs = grads
        if not self.where:  # no input requires a gradient: there will be no entrance
            self.run((None,) * self.count)
        return tuple([grads[i] for i in self.out_where]) if self.pre_hooks else None

    def entrance(self, grad_inputs, _):
        """The gradients of the arguments are complete: run the hooks."""
        grads = self.run(_spread(grad_inputs, self.where, self.count))
        return tuple([grads[i] for i in self.where])

    def run(self, grads):
        """Call the hooks in turn; what one returns (not None) replaces the gradients."""
        for hook in self.hooks:
            new = hook(self.module, grads, self.grad_outputs)
            if new is not None:
                grads = new if isinstance(new, tuple) else (new,)
        return grads


def _through_one_node(args, attach):
    """Lead all tensors through one new node, if one requires a gradient; also says where."""
    where = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    if not is_grad_enabled() or not any(args[i].requires_grad for i in where):
        return [], args
    tensors = BackwardHookFunction.apply(*[args[i] for i in where])
    attach(next(t.grad_fn for t in tensors if t.requires_grad))
    out = list(args)
    for i, tensor in zip(where, tensors, strict=True):
        out[i] = tensor
    return where, tuple(out)


def _spread(grads, where, count):
    out = [None] * count
    for i, grad in zip(where, grads, strict=True):
        out[i] = grad
    return tuple(out)
