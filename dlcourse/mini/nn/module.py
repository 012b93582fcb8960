"""Module: parameters, buffers and submodules under names, and what one does to all of them."""

from collections import OrderedDict
from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import bfloat16, float16, float32, float64
from dlcourse.mini._dtype import dtype as Dtype
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.hooked import Hooked
from dlcourse.mini.nn.parameter import Buffer, Parameter, Uninitialized
from dlcourse.mini.ops.creation import require_cpu

import numpy as np


class Keys(NamedTuple):
    """What `load_state_dict` returns: names that it missed and names that it did not expect."""

    missing_keys: list
    unexpected_keys: list

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"Keys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Registry(dict):
    """A module's own members of one kind by name; what is written here is written to the module."""

    def __init__(self, module, kind):
        super().__init__(module._own(kind))
        self.module, self.kind = module, kind

    def __setitem__(self, name, value):
        register = {"module": self.module.add_module, "buffer": self.module.register_buffer}
        register.get(self.kind, self.module.register_parameter)(name, value)
        super().__setitem__(name, value)

    def __delitem__(self, name):
        super().__delitem__(name)
        delattr(self.module, name)

    def pop(self, name):
        """Take out the member of this name, and return it."""
        value = self[name]
        del self[name]
        return value


class Module(Hooked):
    """The base of all layers and models.

    A subclass calls `super().__init__()`, assigns its parameters and submodules as attributes, and
    defines `forward`.
    """

    # NB: in torch _parameters, _buffers and _modules hold the values; in mini they are ordinary
    # attributes, _kinds remembers which names are registered as what, and those three are views
    # that cannot be written to.

    def __init__(self):
        object.__setattr__(self, "_kinds", {})  # {name: "parameter", "buffer" or "module"}
        self.training = True
        self._transient = set()  # buffers that state_dict leaves out
        self._start_hooks()

    def forward(self, *args):
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args, **kwargs):
        if (
            self._forward_pre_hooks
            or self._forward_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        ):
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # -- registration ------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        kind = _kind_of(value)
        kinds = vars(self).get("_kinds")
        if kind == "buffer" and kinds is not None:
            return self.register_buffer(name, value, value.persistent)
        if kinds is None:
            if kind is not None:
                what = {"parameter": "parameters"}.get(kind, kind)
                raise AttributeError(f"cannot assign {what} before Module.__init__() call")
            return object.__setattr__(self, name, value)
        registered = kinds.get(name)
        if kind is not None:
            kinds[name] = kind
        elif registered is None or value is None:
            pass  # an ordinary attribute, or "no such parameter"
        elif registered != "buffer" or not isinstance(value, Tensor):
            what, wanted = _NAMES[registered]
            raise TypeError(
                f"cannot assign '{_type_name(value)}' as {what} '{name}' "
                f"({wanted} or None expected)"
            )
        return object.__setattr__(self, name, value)

    def __getattr__(self, name):
        """For a subclass that has its own, and asks here for what is registered."""
        if name in vars(self).get("_kinds", ()):
            return vars(self)[name]
        message = f"'{type(self).__name__}' object has no attribute '{name}'"
        raise AttributeError(message, name=name, obj=self)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        self._kinds.pop(name, None)
        self._transient.discard(name)

    def _check_new(self, what, name, value, type_, type_name):
        if "_kinds" not in vars(self):
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and self._kinds.get(name) != what:
            raise KeyError(f"attribute '{name}' already exists")
        if value is not None and not isinstance(value, type_):
            if type_ is Module:
                raise TypeError(f"{_type_name(value)} is not a Module subclass")
            raise TypeError(
                f"cannot assign '{_type_name(value)}' object to {what} '{name}' "
                f"({type_name} or None required)"
            )

    def register_parameter(self, name, param):
        """Register a Parameter, or None for "no such parameter"."""
        self._check_new("parameter", name, param, Parameter, "mini.nn.Parameter")
        self._kinds[name] = "parameter"
        object.__setattr__(self, name, param)

    def register_buffer(self, name, tensor, persistent=True):
        """Register state that is no parameter, such as a running mean."""
        self._check_new("buffer", name, tensor, Tensor, "mini Tensor")
        self._kinds[name] = "buffer"
        object.__setattr__(self, name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name, module):
        """Register a submodule under a name made at run time."""
        self._check_new("module", name, module, Module, "")
        self._kinds[name] = "module"
        object.__setattr__(self, name, module)

    register_module = add_module

    # -- what is inside ----------------------------------------------------------------------------

    def _own(self, kind):
        return [(n, getattr(self, n)) for n, k in self._kinds.items() if k == kind]

    @property
    def _parameters(self):
        return Registry(self, "parameter")

    @property
    def _buffers(self):
        return Registry(self, "buffer")

    @property
    def _modules(self):
        return Registry(self, "module")

    def named_children(self):
        """(name, module) of the direct submodules."""
        seen = set()
        for name, module in self._own("module"):
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        """The direct submodules, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) of this module and all below it, each module once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._own("module"):
            if module is not None:
                yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self):
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _named(self, kind, prefix, recurse, remove_duplicate):
        seen = set()
        modules = (
            self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        )
        for path, module in modules:
            for name, tensor in module._own(kind):
                if tensor is not None and tensor not in seen:
                    if remove_duplicate:
                        seen.add(tensor)
                    yield _join(path, name), tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Parameter), each Parameter once."""
        return self._named("parameter", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """All Parameters, each once; without `recurse` this module's own."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, buffer)."""
        return self._named("buffer", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """All buffers; without `recurse` this module's own."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        """The submodule with a dotted name such as "encoder.0"; itself for the empty string."""
        module = self
        for name in target.split(".") if target else ():
            if module._kinds.get(name) != "module":
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
        return module

    def set_submodule(self, target, module, strict=False):
        """Put `module` where the dotted name `target` says; with `strict` one must be there."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The Parameter with a dotted name such as "encoder.0.weight"."""
        return self._get(target, "parameter", "an nn.Parameter")

    def get_buffer(self, target):
        """The buffer with a dotted name such as "norm.running_mean"."""
        return self._get(target, "buffer", "a buffer")

    def _get(self, target, kind, wanted):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if module._kinds.get(name) != kind:
            raise AttributeError(f"`{name}` is not {wanted}")
        return getattr(module, name)

    # -- what one does to all of it ----------------------------------------------------------------

    def apply(self, fn):
        """Call `fn(module)` on all submodules, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode=True):
        """Training mode, for modules that behave otherwise then (Dropout, BatchNorm)."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Let all parameters require a gradient, or none."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or fill them with zeros."""
        zero_grad(self.parameters(), set_to_none)

    def to(self, *args, dtype=None, device=None, non_blocking=False, memory_format=None):
        """`to(dtype)`, `to("cpu")`, `to(tensor)`: convert all floating point state, in place.

        `memory_format` is the order in memory of what has 4 dimensions (channels_last) or 5.
        """
        if args and isinstance(args[-1], bool):
            args = args[:-1]  # non_blocking: on the CPU there is nothing to wait for
        for arg in args:
            if isinstance(arg, Dtype | Tensor):
                dtype = arg if isinstance(arg, Dtype) else arg.dtype
            else:
                require_cpu(arg)
        require_cpu(device)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )
        for tensor in (*self.parameters(), *self.buffers()):
            if memory_format is not None and tensor.dim() in (4, 5):
                tensor._data = memory_format.arranged(tensor._data)
            if dtype is None or not tensor.dtype.is_floating_point:
                continue
            if isinstance(tensor, Uninitialized):
                tensor.retype(dtype)
            else:
                tensor._data = tensor._data.astype(dtype.numpy, copy=False)
                if tensor._grad is not None:
                    tensor._grad = wrap(tensor._grad._data.astype(dtype.numpy, copy=False))
        return self

    def float(self):
        """All floating point state to float32."""
        return self.to(float32)

    def double(self):
        """All floating point state to float64."""
        return self.to(float64)

    def half(self):
        """All floating point state to float16."""
        return self.to(float16)

    def bfloat16(self):
        """Refused: NumPy has no bfloat16."""
        return self.to(bfloat16)

    def type(self, dst_type):
        """All floating point state to that dtype."""
        return self.to(dst_type)

    def cpu(self):
        """Itself: mini knows no other device."""
        return self

    def cuda(self, device=None):
        """Refused: mini knows no other device."""
        raise AssertionError("Torch not compiled with CUDA enabled")

    def compile(self, *args, **kwargs):
        """Nothing: mini has no compiler."""

    # -- state -------------------------------------------------------------------------------------

    def _own_state(self):
        """(name, tensor) of what of this module itself belongs into a checkpoint."""
        for kind in ("parameter", "buffer"):
            for name, tensor in self._own(kind):
                if tensor is not None and name not in self._transient:
                    yield name, tensor

    def _state(self, prefix=""):
        """(dotted name, tensor) of all that belongs into a checkpoint, as torch orders it."""
        for name, tensor in self._own_state():
            yield prefix + name, tensor
        for name, module in self._own("module"):
            if module is not None:
                yield from module._state(f"{prefix}{name}.")

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """{dotted name: tensor} of parameters and buffers; the memory is shared."""
        out = OrderedDict() if destination is None else destination
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        for name, tensor in self._own_state():
            out[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, module in self._own("module"):
            if module is not None:
                module.state_dict(destination=out, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            if hook(self, out, prefix, {}) is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return out

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the values of `state_dict` (tensors or arrays) into this module's tensors.

        Everything is checked before anything is written.  With `strict=False` names may be missing
        or unexpected; shapes must match in any case.  With `assign` the tensors of `state_dict`
        take the place of this module's, with their dtype and memory.
        """
        # NB: in torch what fits is written even when an error is raised for the rest.
        own, errors, values = dict(self._state()), [], {}
        state_dict = self._before_loading(state_dict, strict, errors)
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        if strict and missing:
            errors.append(f"Missing key(s) in state_dict: {_quoted(missing)}. ")
        if strict and unexpected:
            errors.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        for name in [name for name in own if name in state_dict]:
            value = values[name] = _as_tensor(state_dict[name])
            if value is None:
                errors.append(
                    f'While copying the parameter named "{name}", expected mini.Tensor or '
                    f"Tensor-like object from checkpoint but received {type(state_dict[name])}"
                )
            elif isinstance(value, Uninitialized) and isinstance(own[name], Uninitialized):
                del values[name]  # both wait for their shapes: nothing to copy
            elif value.shape != own[name].shape:
                errors.append(
                    f"size mismatch for {name}: copying a param with shape {value.shape} "
                    f"from checkpoint, the shape in current model is {own[name].shape}."
                )
        if errors:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(errors)
            )
        with no_grad():
            for name, value in values.items():
                if assign:
                    self._assign(name, value, own[name])
                else:
                    own[name].copy_(value)
        keys = Keys(missing, unexpected)
        for module in self.modules():
            for hook in module._load_state_dict_post_hooks.values():
                hook(module, keys)
        return keys

    def _before_loading(self, state_dict, strict, errors):
        """Let the hooks change a copy of the state_dict."""
        state_dict = dict(state_dict)
        for path, module in self.named_modules():
            prefix = path + "." if path else ""
            for hook in module._load_state_dict_pre_hooks.values():
                hook(module, state_dict, prefix, {}, strict, [], [], errors)
        return state_dict

    def _assign(self, target, value, old):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if isinstance(old, Parameter) and not isinstance(value, Parameter):
            value = Parameter(value, old.requires_grad)
        object.__setattr__(module, name, value)

    # -- printing ----------------------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses in `repr`, if there are no submodules."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(module).replace("\n", "\n  ")
            for name, module in self._own("module")
        ]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        lines += children
        inside = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({inside})"


# -- helpers ---------------------------------------------------------------------------------------

_NAMES = {
    "parameter": ("parameter", "mini.nn.Parameter"),
    "buffer": ("buffer", "mini.Tensor"),
    "module": ("child module", "mini.nn.Module"),
}


def _kind_of(value):
    if isinstance(value, Parameter):
        return "parameter"
    if isinstance(value, Buffer):
        return "buffer"
    return "module" if isinstance(value, Module) else None


def _type_name(value):
    return "mini.Tensor" if type(value) is Tensor else type(value).__name__


def _join(prefix, name):
    return f"{prefix}.{name}" if prefix else name


def _quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def _as_tensor(value):
    """A tensor of mini, an array, or what turns into an array (a tensor of torch does)."""
    if isinstance(value, Tensor):
        return value
    return wrap(np.asarray(value)) if hasattr(value, "__array__") else None


def zero_grad(parameters, set_to_none):
    """Forget the gradients, or fill them with zeros, in place and without history."""
    for parameter in parameters:
        if set_to_none:
            parameter._grad = None
        elif parameter._grad is not None:
            parameter._grad.detach_()
            parameter._grad.zero_()
