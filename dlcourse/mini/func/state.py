"""Modules as functions of their parameters and buffers."""

from collections import Counter

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.shape import stack

__all__ = ["functional_call", "stack_module_state"]


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """`module(*args, **kwargs)` with the tensors given, by dotted names, in the place of its own.

    The module is as it was afterwards; a buffer that it has replaced by then, not in place, stands
    in the dict.  Several dicts count as one; `tie_weights` replaces a tensor under all its names,
    `strict` wants every tensor to be given.
    """
    given = asked = _as_one(parameter_and_buffer_dicts)
    own = dict(module.named_parameters(remove_duplicate=False))
    own |= dict(module.named_buffers(remove_duplicate=False))
    if tie_weights:
        _check_tied(own, given)
        by_identity = {id(own[name]): tensor for name, tensor in given.items() if name in own}
        tied = {n: by_identity[id(t)] for n, t in own.items() if id(t) in by_identity}
        given = {**tied, **given}
    _check(module, own, given, strict)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    places = {name: _place(module, name) for name in given if name in own}
    try:
        for name, (owner, attribute) in places.items():
            object.__setattr__(owner, attribute, given[name])
        return module(*args, **(kwargs or {}))
    finally:
        for name, (owner, attribute) in places.items():
            if name in asked:
                asked[name] = vars(owner).get(attribute, given[name])
            object.__setattr__(owner, attribute, own[name])


def _as_one(dicts):
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, list | tuple):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    counts = Counter(name for d in dicts for name in d)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
            "ambiguous"
        )
    return {name: tensor for d in dicts for name, tensor in d.items()}


def _check_tied(own, given):
    """A tensor of several names has to be given one value."""
    for tensor in {id(own[name]): own[name] for name in given if name in own}.values():
        names = [name for name, other in own.items() if other is tensor]
        if len({id(given[name]) for name in names if name in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. "
                "Consider using tie_weights=False"
            )


def _check(module, own, given, strict):
    lines = []
    for what, names in (("Unexpected", given.keys() - own), ("Missing", own.keys() - given)):
        if names:
            lines.append(f"{what} key(s): {', '.join(map(repr, sorted(names)))}.")
    if strict and lines:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(lines)
        )
    for tensor in given.values():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{tensor} is not an instance of mini.Tensor")


def _place(module, name):
    """The submodule that holds a tensor, and the name it has there."""
    path, _, attribute = name.rpartition(".")
    return module.get_submodule(path), attribute


def stack_module_state(models):
    """(parameters, buffers) of models of one class: dicts of tensors with a new first dim.

    The parameters are new leaves.  vmap of a functional_call maps over the models.
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    params = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return _all_stacked(params), _all_stacked(buffers)


def _all_stacked(dicts):
    return {name: _stacked(name, [tensors[name] for tensors in dicts]) for name in dicts[0]}


def _stacked(name, tensors):
    wanted = {tensor.requires_grad for tensor in tensors}
    if len(wanted) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    return stack(tensors).detach().requires_grad_(wanted.pop())
