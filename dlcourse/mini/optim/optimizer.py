"""Optimizer: parameter groups, state, and the loop that every optimiser shares."""

import functools
import warnings
from collections import OrderedDict, defaultdict
from copy import deepcopy

from dlcourse.mini._core import RemovableHandle, Tensor, wrap
from dlcourse.mini._dtype import get_default_dtype
from dlcourse.mini._grad_mode import enable_grad, no_grad
from dlcourse.mini.nn.module import zero_grad
from dlcourse.mini.ops.inplace import note_write

import numpy as np

# What the functions registered with an optimiser hang on.
HOOKS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre",
         "load_state_dict_post")  # fmt: skip


def hooked(step):
    """`step` between the hooks that were registered, and noted for the schedulers."""

    @functools.wraps(step)
    def wrapped(self, *args, **kwargs):
        self._stepped = True
        if "_hooks" not in vars(self):  # one around another optimizer, without `__init__`
            return step(self, *args, **kwargs)
        for hook in list(self._hooks["step_pre"].values()):
            # torch's hooks see the optimizer among the arguments, too
            result = hook(self, (self, *args), kwargs)
            if result is None:
                continue
            if not isinstance(result, tuple) or len(result) != 2:
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got "
                    f"{result}."
                )
            args, kwargs = result[0][1:], result[1]
        out = step(self, *args, **kwargs)
        for hook in list(self._hooks["step_post"].values()):
            hook(self, (self, *args), kwargs)
        return out

    return wrapped


class _Required:
    def __repr__(self):
        return "<required parameter>"


required = _Required()  # as a default: each group must give this option itself


class Optimizer:
    """Changes parameters by their gradients.

    A subclass gives the options and their defaults to `__init__` and defines
    `update(x, grad, state, group)`: change the array `x`, in place, by the array `grad`, keeping
    tensors in the dict `state`; or it defines `step` itself, as one does for torch.
    `param_groups` is a list of dicts, "params" and options.
    """

    _stepped = False  # whether `step` was ever called: what the schedulers warn about

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = hooked(cls.step)

    def __init__(self, params, defaults):
        self._hooks = {name: OrderedDict() for name in HOOKS}
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
        """Add a group, `{"params": tensors, option: value}`; options left out take the defaults.

        The tensors may be (name, tensor) pairs; the names are kept as "param_names".
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        param_group["params"] = params = _listed(param_group["params"])
        named = [p for p in params if isinstance(p, tuple)]
        if named:
            if len(named) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            param_group["param_names"] = [name for name, _ in named]
            param_group["params"] = params = [param for _, param in named]
        self._check_group(param_group)
        for name, value in self.defaults.items():
            if value is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, value)
        self.param_groups.append(param_group)

    def _check_group(self, group):
        for name in group.keys() - self.defaults.keys():
            from difflib import get_close_matches  # rarely needed, and slow to import

            meant = get_close_matches(name, self.defaults, n=1, cutoff=0.8)
            if meant:
                # NB: in torch a misspelt option of a group is kept and has no effect.
                raise TypeError(
                    f"{type(self).__name__} has no option {name}; did you mean {meant[0]}?"
                )
        for param in group["params"]:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(param).__name__}"
                )
            if not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        if len({id(p) for p in group["params"]}) != len(group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error",
                stacklevel=4,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                which = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {which} to the optimizer"
                )
        known = {id(p) for other in self.param_groups for p in other["params"]}
        if any(id(p) in known for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or fill them with zeros."""
        zero_grad((p for group in self.param_groups for p in group["params"]), set_to_none)

    @hooked
    def step(self, closure=None):
        """Change every parameter that has a gradient; a `closure` computes the loss first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad(), np.errstate(all="ignore"):
            for group in map(plain, self.param_groups):
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

    # -- hooks -------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook):
        """`hook(optimizer, args, kwargs)` runs before `step`; it may return new (args, kwargs)."""
        return self._register("step_pre", hook)

    def register_step_post_hook(self, hook):
        """`hook(optimizer, args, kwargs)` runs after `step`."""
        return self._register("step_post", hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """`hook(optimizer)` runs before `state_dict`."""
        return self._register("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """`hook(optimizer, state_dict)` runs after `state_dict`; it may return another."""
        return self._register("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """`hook(optimizer, state_dict)` runs before `load_state_dict`; it may return another."""
        return self._register("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """`hook(optimizer)` runs after `load_state_dict`."""
        return self._register("load_state_dict_post", hook, prepend)

    def _register(self, kind, hook, prepend=False):
        handle = RemovableHandle(self._hooks[kind], hook)
        if prepend:
            self._hooks[kind].move_to_end(handle.id, last=False)
        return handle

    # -- saving ------------------------------------------------------------------------------------

    def state_dict(self):
        """`{"state": {number of a parameter: {name: tensor}}, "param_groups": [options]}`."""
        for hook in self._hooks["state_dict_pre"].values():
            hook(self)
        params = [p for group in self.param_groups for p in group["params"]]
        number = {id(p): i for i, p in reversed(list(enumerate(params)))}
        groups = [
            {**_options(group), "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {number.get(id(p), p): s for p, s in self.state.items()}
        out = {"state": state, "param_groups": groups}
        for hook in self._hooks["state_dict_post"].values():
            result = hook(self, out)
            out = out if result is None else result
        return out

    def load_state_dict(self, state_dict):
        """Take over options and state, of mini or of torch, by the order of the parameters."""
        state_dict = dict(state_dict)
        for hook in self._hooks["load_state_dict_pre"].values():
            result = hook(self, state_dict)
            state_dict = state_dict if result is None else result
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
            param = params.get(number)
            state[number if param is None else param] = _copied(None, values, param)
        self.param_groups = [
            {**o, **{k: _copied("step", v) for k, v in _options(s).items()}} for s, o in pairs
        ]
        self.state = state
        for hook in self._hooks["load_state_dict_post"].values():
            hook(self)

    def __getstate__(self):
        """What is copied and pickled: all but the hooks, as in torch."""
        names = "defaults", "state", "param_groups"
        return {name: vars(self)[name] for name in names}

    def __setstate__(self, state):
        vars(self).update({"_hooks": {name: OrderedDict() for name in HOOKS}, **state})

    def __repr__(self):
        out = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            out += f"\nParameter Group {i}\n"
            out += "".join(f"    {key}: {group[key]}\n" for key in sorted(_options(group)))
        return out + ")"


def _options(group):
    return {key: value for key, value in group.items() if key != "params"}


def _listed(params):
    if isinstance(params, Tensor):
        return [params]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of "
            "tensors in sets will change between runs. Please use a list instead."
        )
    return list(params)


def _copied(name, value, param=None):
    """A copy of a piece of state: in the type of its parameter, but for the count of steps."""
    if isinstance(value, dict):
        return {key: _copied(key, item, param) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_copied(None, item, param) for item in value])
    number = isinstance(value, np.generic)  # which would pass for an array
    if not isinstance(value, Tensor) and (number or not hasattr(value, "__array__")):
        return deepcopy(value)
    array = value._data if isinstance(value, Tensor) else np.asarray(value)
    return wrap(np.array(array, array.dtype if name == "step" else param._data.dtype))


# -- what the optimisers share ---------------------------------------------------------------------


def plain(group):
    """The group with numbers in the place of 0-d tensors: `lr` may be one."""
    if not any(isinstance(value, Tensor) for value in group.values()):
        return group
    return {k: v.item() if isinstance(v, Tensor) else v for k, v in group.items()}


def count(start=0.0):
    """A number kept as state: 0-d, float32 (float64 where that is the default)."""
    wide = get_default_dtype().numpy == np.float64
    return wrap(np.array(start, np.float64 if wide else np.float32))


def descent(x, grad, group):
    """The gradient to go against: turned round by `maximize`, and with the pull of weight decay.

    Decoupled weight decay shrinks `x` at once instead.
    """
    if group["maximize"]:
        grad = -grad
    decay = group["weight_decay"]
    if decay and group.get("decoupled_weight_decay"):
        x *= 1 - group["lr"] * decay
    elif decay:
        grad = grad + decay * x
    return grad


# What torch calls them when it refuses them; all must be 0 at least.
_NAMES = {"lr": "learning rate", "eps": "epsilon value"}


def checked(**options):
    """The options as a dict, or an error in torch's words."""
    lr = options["lr"]
    if isinstance(lr, Tensor) and lr._data.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    for name, value in options.items():
        if name == "betas":
            for i, beta in enumerate(value):
                check(beta, 0 <= beta < 1, f"beta parameter at index {i}")
        elif isinstance(value, int | float | Tensor) and name not in ("t0", "lambd"):
            check(value, value >= 0, _NAMES.get(name, f"{name} value"))
    check_ways(**options)
    return options


def check(value, ok, what):
    """Refuse an option with torch's sentence."""
    if not ok:
        raise ValueError(f"Invalid {what}: {value}")


def check_ways(foreach=None, fused=None, differentiable=False, capturable=False, **options):
    """Refuse what mini cannot do; `foreach` and `fused` ask for speed, and change no number."""
    # NB: in torch foreach and fused choose another implementation; mini has one, and takes both.
    for name, value in (("differentiable", differentiable), ("capturable", capturable)):
        if value:
            raise NotImplementedError(
                f"mini's optimizers do not support {name}={value} (leave it out)"
            )
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
