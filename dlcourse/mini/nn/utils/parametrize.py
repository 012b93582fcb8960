"""Parameters that are computed from others whenever they are read.

register_parametrization(layer, "weight", Symmetric()) makes layer.weight the output of Symmetric()
of what is trained now, layer.parametrizations.weight.original.
"""

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

    def __init__(self, modules, original):
        super().__init__(modules)
        new = original
        with no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    new = module.right_inverse(new)
        self.is_tensor = isinstance(new, Tensor)
        trained = isinstance(original, Parameter)
        for name, value in zip(self.names(new), self.parts(new), strict=True):
            value = value.detach()
            if trained:
                self.register_parameter(name, Parameter(value, original.requires_grad))
            else:
                self.register_buffer(name, value)

    def names(self, new):
        """The names of the tensors behind."""
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(len(new))]

    def parts(self, new):
        """One tensor or several as a sequence."""
        return [new] if self.is_tensor else list(new)

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
            for original, new in zip(self.originals(), self.parts(value), strict=True):
                original.copy_(new)

    def forward(self):
        first, *rest = self
        value = first(*self.originals())
        for module in rest:
            value = module(value)
        return value


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
        module.parametrizations[tensor_name].append(parametrization)
        return module
    if tensor_name not in {**module._parameters, **module._buffers}:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    parametrizations = ParametrizationList([parametrization], original)
    with no_grad():
        now = parametrizations()
    if not unsafe and (now.shape != original.shape or now.dtype is not original.dtype):
        raise ValueError(
            "Registering a parametrization may not change the shape or the dtype of the tensor, "
            f"unless `unsafe` flag is enabled.\nunparametrized: {tuple(original.shape)}, "
            f"{original.dtype}\nparametrized: {tuple(now.shape)}, {now.dtype}"
        )
    delattr(module, tensor_name)
    if not is_parametrized(module):
        kind = type(module)
        module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), {})
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = parametrizations
    setattr(type(module), tensor_name, _computed(tensor_name))
    return module


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
    with no_grad():
        value = (parametrizations() if leave_parametrized else original).detach()
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, Parameter(value, original.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    if len(module.parametrizations) == 0:
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module
