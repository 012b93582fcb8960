"""Pruning: a mask of zeros and ones on a weight, chosen by size, by structure or at random.

l1_unstructured(layer, "weight", 0.3) makes weight_orig the parameter that is trained, weight_mask a
buffer, and weight their product, computed anew before each forward.
"""

from abc import ABC, abstractmethod
from numbers import Integral, Real

from dlcourse.mini.nn.utils.convert_parameters import parameters_to_vector
from dlcourse.mini.ops.creation import ones_like, rand
from dlcourse.mini.ops.random import rand_like

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
    "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
    "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
    "random_structured", "random_unstructured", "remove",
]  # fmt: skip


class BasePruningMethod(ABC):
    """A way to choose what is pruned: `compute_mask(t, default_mask)` says which elements stay.

    PRUNING_TYPE says what of a tensor that is pruned already it chooses from: what is left of it
    ("unstructured"), the channels that are not all zero ("structured"), everything ("global").
    """

    _tensor_name = None

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The new mask, by the importances `t`, on top of `default_mask`."""

    def apply_mask(self, module):
        """The tensor behind times the mask."""
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune `module.<name>` by cls(*args, **kwargs), on top of what was pruned before."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        tensor = getattr(module, name)
        scores = _scores(importance_scores, tensor, f"parameter {name} of {module}")
        key, before = _found(module, name)
        if before is None:
            mask = method.compute_mask(scores, default_mask=ones_like(tensor))
            delattr(module, name)
            module.register_parameter(f"{name}_orig", tensor)
        else:
            if not isinstance(before, PruningContainer):
                before = PruningContainer(before)
            before.add_pruning_method(method)
            method = before
            mask = getattr(module, f"{name}_mask").detach().clone()
            mask = method.compute_mask(scores, default_mask=mask)
            del module._forward_pre_hooks[key]
        module.register_buffer(f"{name}_mask", mask)
        method(module, ())
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """`t` times its new mask; nothing is remembered."""
        scores = _scores(importance_scores, t, "tensor t")
        default_mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default_mask)

    def remove(self, module):
        """Make the pruned tensor the parameter, under its own name."""
        name = self._tensor_name
        pruned, original = self.apply_mask(module), getattr(module, f"{name}_orig")
        for attribute in (name, f"{name}_orig", f"{name}_mask"):
            delattr(module, attribute)
        original.data = pruned.data  # the same tensor, which an optimizer may know
        setattr(module, name, original)


def _scores(scores, tensor, what):
    if scores is None:
        return tensor
    if scores.shape != tensor.shape:
        raise AssertionError(
            f"importance_scores should have the same shape as {what}, got {scores.shape} vs "
            f"{tensor.shape}"
        )
    return scores


def _found(module, name):
    """(its id, the hook that prunes this tensor), or None twice."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None, None


class PruningContainer(BasePruningMethod):
    """Several methods that prune one tensor, one after another."""

    def __init__(self, *methods):
        self._pruning_methods = ()
        if len(methods) == 1:
            self._tensor_name = methods[0]._tensor_name
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Append a method for the same tensor."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method._tensor_name != self._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, idx):
        return self._pruning_methods[idx]

    def compute_mask(self, t, default_mask):
        """The mask of the last method on what the others have left."""
        method = self._pruning_methods[-1]
        part = _left(method, default_mask)
        mask = default_mask.to(t.dtype).clone()
        chosen = method.compute_mask(t[part], default_mask=default_mask[part])
        mask[part] = chosen.to(mask.dtype)
        return mask


def _left(method, mask):
    """The index of what a method chooses from."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return (slice(None),) * mask.ndim
    if method.PRUNING_TYPE != "structured":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError(
            'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
        )
    dim = method.dim + mask.ndim if method.dim < 0 else method.dim
    if dim < 0:
        raise IndexError(f"Index is out of bounds for tensor with dimensions {mask.ndim}")
    left = mask.sum([d for d in range(mask.ndim) if d != dim]) != 0
    return (*(slice(None),) * dim, left)


# -- methods ---------------------------------------------------------------------------------------


def _check_amount(amount):
    if not isinstance(amount, Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (not isinstance(amount, Integral) and amount > 1):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )
    return amount


def _count(amount, size):
    """How many of `size` to prune: an int says it, a float the share."""
    count = amount if isinstance(amount, Integral) else round(amount * size)
    if count > size:
        raise ValueError(
            f"amount={count} should be smaller than the number of parameters to prune={size}"
        )
    return count


class Identity(BasePruningMethod):
    """Prunes nothing, but makes weight_orig and weight_mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        return default_mask


class _Unstructured(BasePruningMethod):
    """The elements of the lowest rank, `amount` of them."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount):
        self.amount = _check_amount(amount)

    def compute_mask(self, t, default_mask):
        count = _count(self.amount, t.numel())
        mask = default_mask.clone().contiguous()
        mask.view(-1)[self.rank(t).reshape(-1).argsort()[:count]] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Elements at random: a share, or a number of them."""

    def rank(self, t):
        return rand_like(t)


class L1Unstructured(_Unstructured):
    """The elements of the smallest absolute value: a share, or a number of them."""

    def rank(self, t):
        return t.detach().abs()


class _Structured(BasePruningMethod):
    """The channels along `dim` of the lowest rank, `amount` of them."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        self.amount, self.dim = _check_amount(amount), dim

    def compute_mask(self, t, default_mask):
        if t.ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.ndim} dims"
            )
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = _count(self.amount, t.shape[self.dim])  # an error below -t.ndim
        dim = self.dim % t.ndim
        mask = default_mask.to(t.dtype).clone()
        mask[(*(slice(None),) * dim, self.rank(t.detach(), dim).argsort()[:count])] = 0
        return mask


class RandomStructured(_Structured):
    """Channels at random: a share, or a number of them."""

    def rank(self, t, dim):
        return rand(t.shape[dim])


class LnStructured(_Structured):
    """The channels with the smallest norm of order `n`: a share, or a number of them."""

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount, dim)
        self.n = n

    def rank(self, t, dim):
        return t.norm(self.n, [d for d in range(t.ndim) if d != dim])


class CustomFromMask(BasePruningMethod):
    """The elements where `mask` is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


# -- functions -------------------------------------------------------------------------------------


def identity(module, name):
    """Prune nothing, but as the others do; returns `module`, as they do."""
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune elements at random: a share (a float), or a number of them (an int)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the elements of the smallest absolute value, or absolute importance."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune channels along `dim` at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the channels along `dim` with the smallest norm of order `n`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Prune the elements where `mask` is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune several (module, name) as if they were one tensor; `kwargs` are the method's."""
    parameters, scores = list(parameters), importance_scores or {}
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    tensors = [getattr(module, name) for module, name in parameters]
    masks = [
        getattr(module, f"{name}_mask", ones_like(t))
        for (module, name), t in zip(parameters, tensors, strict=True)
    ]
    ranked = [scores.get(key, t) for key, t in zip(parameters, tensors, strict=True)]
    container = PruningContainer(method)
    mask = container.compute_mask(parameters_to_vector(ranked), parameters_to_vector(masks))
    parts = mask.split([t.numel() for t in tensors])
    for (module, name), t, part in zip(parameters, tensors, parts, strict=True):
        custom_from_mask(module, name, part.view_as(t))


def remove(module, name):
    """Make the pruned tensor the parameter again, for good; returns `module`."""
    key, hook = _found(module, name)
    if hook is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module):
    """Whether a tensor of the module, or of one in it, is pruned."""
    hooks = [hook for m in module.modules() for hook in m._forward_pre_hooks.values()]
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)
