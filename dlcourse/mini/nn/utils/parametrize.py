"""Parameters that are computed from others whenever they are read.

register_parametrization(layer, "weight", Symmetric()) makes layer.weight the output of Symmetric()
of what is trained now, layer.parametrizations.weight.original.
"""

from collections.abc import Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.container import ModuleDict, ModuleList
from dlcourse.mini.nn.parameter import Parameter

__all__ = [
    "ParametrizationList", "is_parametrized", "register_parametrization", "remove_parametrizations",
]  # fmt: skip


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, one after another, and what they compute it from.

    That is `original`, or `original0`, `original1`, ... if the first has a `right_inverse` that
    returns several tensors.
    """

    def __init__(self, modules, original, unsafe=False):
        super().__init__(modules)
        self.unsafe = unsafe
        new = original
        with no_grad():
            for module in reversed(self):
                new = _undone(module, new)
        self.is_tensor = isinstance(new, Tensor)
        if not self.is_tensor and not isinstance(new, Sequence):
            raise ValueError(_NO_TENSORS + f"Got {type(new).__name__}")
        for i, part in enumerate(() if self.is_tensor else new):
            if not isinstance(part, Tensor):
                got = type(part).__name__
                raise ValueError(_NO_TENSORS + f"Got element {i} of the sequence with type {got}.")
        if self.is_tensor and new.dtype is not original.dtype:
            raise ValueError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
            )
        parts = [new] if self.is_tensor else list(new)
        if not unsafe:
            with no_grad():
                now = self._computed_from(parts)
            _check(original, now, "`unsafe` flag", "unparametrized {}", "parametrized {}")
        if self.is_tensor:  # the same tensor, which an optimizer may know
            original.data = new.detach().clone()
            _register(self, "original", original)
            return
        for i, part in enumerate(parts):
            part = part.detach()
            if isinstance(original, Parameter):
                part = Parameter(part, original.requires_grad)
            _register(self, f"original{i}", part)

    def originals(self):
        """The tensors behind."""
        if self.is_tensor:
            return [self.original]
        names = [n for n in self._kinds if n.startswith("original")]
        return [getattr(self, name) for name in names]

    def right_inverse(self, value):
        """Make the tensors behind such that the computed one is `value`."""
        with no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
            parts = [value] if self.is_tensor else value
            for original, new in zip(self.originals(), parts, strict=True):
                original.copy_(new)

    def forward(self):
        return self._computed_from(self.originals())

    def _computed_from(self, originals):
        first, *rest = self
        value = first(*originals)
        for module in rest:
            value = module(value)
        return value


_NO_TENSORS = "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "


def _undone(module, value):
    """What `module` computes `value` from; without a `right_inverse`, the same."""
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


def _register(module, name, tensor):
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check(before, now, flag, was, got):
    """A parametrization returns a tensor of the same shape and dtype."""
    if not isinstance(now, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(now).__name__}.")
    rule = "Registering a parametrization may not change the {} of the tensor, unless " + flag
    _compare(before, now, rule, was, got)


def _compare(before, now, rule, was, got):
    """Refuse another dtype or shape; what is said has a {} for which of them it is."""
    for what in ("dtype", "shape"):
        old, new = getattr(before, what), getattr(now, what)
        if old != new:
            said = f"{rule} is enabled.\n{was}: {old}\n{got}: {new}"
            raise ValueError(said.replace("{}", what))


def _computed(name):
    """The property that stands in the place of a parametrized tensor."""

    def read(self):
        return self.parametrizations[name]()

    def write(self, value):
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Compute `module.<tensor_name>` by the module `parametrization` from now on; returns `module`.

    Its class becomes a subclass of what it was.  `unsafe`: do not check that shape and dtype stay.
    """
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_another(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
        return module
    if tensor_name not in {**module._parameters, **module._buffers}:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    parametrizations = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        kind = type(module)
        module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), {})
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = parametrizations
    setattr(type(module), tensor_name, _computed(tensor_name))
    return module


def _check_another(module, name, parametrization):
    """What is added to others maps the computed tensor to its like, and back."""
    with no_grad():
        before = getattr(module, name)
        now = parametrization(before)
        was, got = f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}"
        _check(before, now, "the `unsafe` flag", was, got)
        back = _undone(parametrization, now)
    if not isinstance(back, Tensor):
        got = type(back).__name__
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {got}")
    rule = (
        "The tensor returned by parametrization.right_inverse must have the same {} as "
        f"module.{name}, unless the `unsafe` flag"
    )
    _compare(before, back, rule, was, "returned {}")


def is_parametrized(module, tensor_name=None):
    """Whether the module has computed tensors, or one of this name."""
    found = vars(module).get("parametrizations")
    return found is not None and (tensor_name is None or tensor_name in found)


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make the tensor a Parameter again: as computed now, or the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if not leave_parametrized and not parametrizations.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    original = parametrizations.originals()[0]
    if leave_parametrized:
        with no_grad():
            value = parametrizations().detach().clone()
        if parametrizations.is_tensor:  # the same tensor, which an optimizer may know
            original.data = value
        elif isinstance(original, Parameter):
            original = Parameter(value, original.requires_grad)
        else:
            original = value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if len(module.parametrizations) == 0:
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module
