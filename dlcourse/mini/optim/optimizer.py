"""Optimizer: parameter groups, state, and the loop that every optimiser shares."""

import warnings
from collections import defaultdict
from copy import deepcopy

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import enable_grad, no_grad
from dlcourse.mini.nn.module import zero_grad
from dlcourse.mini.ops.inplace import note_write

import numpy as np


class Optimizer:
    """Changes parameters by their gradients.

    A subclass gives the options and their defaults to `__init__` and defines
    `update(x, grad, state, group)`: change the array `x`, in place, by the array `grad`, keeping
    tensors in the dict `state`.  `param_groups` is a list of dicts, "params" and options.
    """

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got mini.{params.dtype.scalar_type}Tensor"
            )
        self.defaults, self.state, self.param_groups = defaults, defaultdict(dict), []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a group, {"params": tensors, option: value}; options left out take the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        unknown = sorted(param_group.keys() - self.defaults.keys() - {"params", "name"})
        if unknown:
            # NB: in torch a misspelt option of a group is kept and has no effect.
            raise TypeError(f"{type(self).__name__} has no option {', '.join(unknown)}")
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(param).__name__}"
                )
            if not param.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        if len({id(p) for p in params}) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error",
                stacklevel=3,
            )
        known = {id(p) for group in self.param_groups for p in group["params"]}
        if any(id(p) in known for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or fill them with zeros."""
        zero_grad((p for group in self.param_groups for p in group["params"]), set_to_none)

    def step(self, closure=None):
        """Change every parameter that has a gradient; a `closure` computes the loss first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad(), np.errstate(all="ignore"):
            for group in self.param_groups:
                for param in group["params"]:
                    if param._grad is None:
                        continue
                    state = self.state.get(param, {})
                    self.update(param._data, param._grad._data, state, group)
                    if state:
                        self.state[param] = state
                    note_write(param)
        return loss

    def update(self, x, grad, state, group):
        raise NotImplementedError

    def state_dict(self):
        """{"state": {number of a parameter: {name: tensor}}, "param_groups": [options]}."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {id(p): i for i, p in reversed(list(enumerate(params)))}
        groups = [
            {**group, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {number[id(p)]: dict(s) for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over options and state, of mini or of torch, by the order of the parameters."""
        saved, own = state_dict["param_groups"], self.param_groups
        if len(saved) != len(own):
            raise ValueError("loaded state dict has a different number of parameter groups")
        pairs = list(zip(saved, own, strict=True))
        if any(len(s["params"]) != len(o["params"]) for s, o in pairs):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        params = {n: p for s, o in pairs for n, p in zip(s["params"], o["params"], strict=True)}
        state = defaultdict(dict)
        for number, values in state_dict["state"].items():
            param = params[number]
            state[param] = {name: _copied(name, value, param) for name, value in values.items()}
        self.param_groups = [
            {**o, **deepcopy(_options(s)), "params": o["params"]} for s, o in pairs
        ]
        self.state = state

    def __repr__(self):
        out = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            out += f"\nParameter Group {i}\n"
            out += "".join(f"    {key}: {group[key]}\n" for key in sorted(_options(group)))
        return out + ")"


def _options(group):
    return {key: value for key, value in group.items() if key != "params"}


def _copied(name, value, param):
    """A copy of a piece of state: in the type of its parameter, but for the count of steps."""
    if not isinstance(value, Tensor) and not hasattr(value, "__array__"):
        return deepcopy(value)
    array = value._data if isinstance(value, Tensor) else np.asarray(value)
    return Tensor(np.array(array, array.dtype if name == "step" else param._data.dtype))


def check(value, ok, what):
    """Refuse an option with torch's sentence."""
    if not ok:
        raise ValueError(f"Invalid {what}: {value}")


def refuse(**options):
    """torch's ways of being fast on a GPU are no options of mini: say so."""
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"mini's optimizers do not support {name}={value}")
