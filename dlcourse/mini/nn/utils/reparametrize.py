"""The older weight_norm and spectral_norm, by a hook that computes the weight before forward."""

from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from dlcourse.mini.nn.functional.distance import normalize
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.nn.utils.parametrizations import norm_except_dim
from dlcourse.mini.ops.creation import randn

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class Hook:
    """Computes `module.<name>` before each forward."""

    def __init__(self, module, name):
        self.name = name
        for other in module._forward_pre_hooks.values():
            if isinstance(other, type(self)) and other.name == name:
                raise RuntimeError(
                    f"Cannot register two {type(self).__name__} hooks on the same parameter {name}"
                )

    def attach(self, module):
        setattr(module, self.name, self.compute(module))
        self.handle = module.register_forward_pre_hook(self)

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute(module))


class WeightNorm(Hook):
    def __init__(self, module, name, dim):
        super().__init__(module, name)
        self.dim = dim
        weight = getattr(module, name)
        delattr(module, name)
        module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight, dim).detach()))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        self.behind = (f"{name}_g", f"{name}_v")
        self.attach(module)

    def compute(self, module):
        g, v = (getattr(module, name) for name in self.behind)
        return v * (g / norm_except_dim(v, self.dim))


class SpectralNorm(Hook):
    def __init__(self, module, name, n_power_iterations, eps, dim):
        super().__init__(module, name)
        self.times, self.eps, self.dim = n_power_iterations, eps, dim
        weight = getattr(module, name)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", Parameter(weight.detach()))
        matrix = self.matrix(weight)
        for letter, size in zip("uv", matrix.shape, strict=True):
            start = normalize(randn(size, dtype=weight.dtype), dim=0, eps=eps)
            module.register_buffer(f"{name}_{letter}", start)
        self.behind = (f"{name}_orig", f"{name}_u", f"{name}_v")
        setattr(module, name, weight.detach())
        self.handle = module.register_forward_pre_hook(self)

    def matrix(self, weight):
        return weight.movedim(self.dim, 0).flatten(1)

    def compute(self, module):
        weight, u, v = (getattr(module, name) for name in self.behind)
        matrix = self.matrix(weight)
        if module.training:
            with no_grad():
                for _ in range(self.times):
                    v.copy_(normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(normalize(matrix.mv(v), dim=0, eps=self.eps))
        return weight / u.clone().dot(matrix.mv(v.clone()))


def weight_norm(module, name="weight", dim=0):
    """Train a weight's length (weight_g) apart from its direction (weight_v)."""
    # NB: in torch this older form warns that it is deprecated.
    WeightNorm(module, name, dim)
    return module


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value before each forward."""
    if dim is None:
        dim = int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))
    SpectralNorm(module, name, n_power_iterations, eps, dim)
    return module


def _remove(module, name, kind, what):
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, kind) and hook.name == name:
            break
    else:
        raise ValueError(f"{what} of '{name}' not found in {module}")
    with no_grad():
        weight = hook.compute(module).detach()
    for attribute in (name, *hook.behind):
        delattr(module, attribute)
    hook.handle.remove()
    module.register_parameter(name, Parameter(weight))
    return module


def remove_weight_norm(module, name="weight"):
    """Make the weight a Parameter again."""
    return _remove(module, name, WeightNorm, "weight_norm")


def remove_spectral_norm(module, name="weight"):
    """Make the weight a Parameter again."""
    return _remove(module, name, SpectralNorm, "spectral_norm")
