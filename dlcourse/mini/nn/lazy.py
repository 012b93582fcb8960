"""Layers that learn the size of their input from the first input they see."""

from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from dlcourse.mini.nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Sides,
)
from dlcourse.mini.nn.instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from dlcourse.mini.nn.linear import Linear
from dlcourse.mini.nn.parameter import Uninitialized, UninitializedBuffer, UninitializedParameter
from dlcourse.mini.ops.creation import tensor


class Lazy:
    """Sets the sizes of a module right before its first `forward`, and makes it `becomes`."""

    becomes = None

    def _wait(self):
        self._first = self.register_forward_pre_hook(_set_up_by_input, with_kwargs=True)
        self._loading = self.register_load_state_dict_pre_hook(_set_up_by_state)

    def has_uninitialized_params(self):
        """Whether a parameter or buffer waits for its shape."""
        own = (*self._parameters.values(), *self._buffers.values())
        return any(isinstance(tensor, Uninitialized) for tensor in own)

    def reset_parameters(self):
        if not self.has_uninitialized_params() and self._size_is_known():
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Give all that waits its shape, as this input asks, and its first values."""
        waited = self.has_uninitialized_params()
        self._learn_size(input)
        if waited:
            with no_grad():
                for name, shape in self._shapes().items():
                    if getattr(self, name) is not None:
                        getattr(self, name).materialize(shape)
                self.reset_parameters()


def _set_up_by_input(module, args, kwargs):
    module.initialize_parameters(*args, **kwargs)
    module._first.remove()
    module._loading.remove()
    del module._first, module._loading
    module.__class__ = module.becomes


def _set_up_by_state(module, state_dict, prefix, *_):
    for name, own in (*module._parameters.items(), *module._buffers.items()):
        value = state_dict.get(prefix + name)
        known = value is not None and not isinstance(value, Uninitialized)
        if isinstance(own, Uninitialized) and known:
            own.materialize(tuple(value.shape))


class LazyLinear(Lazy, Linear):
    """Linear whose in_features is the last size of the first input."""

    becomes = Linear

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        super().__init__(0, 0, False)
        options = {"device": device, "dtype": dtype}
        self.out_features = out_features
        self.weight = UninitializedParameter(**options)
        if bias:
            self.bias = UninitializedParameter(**options)
        self._wait()

    def _size_is_known(self):
        return self.in_features != 0

    def _learn_size(self, input):
        self.in_features = self.in_features or input.shape[-1]

    def _shapes(self):
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class LazyConvolutional(Lazy):
    """The common part: in_channels is the number of channels of the first input."""

    def _start_lazy(self, out_channels, bias, **options):
        self.out_channels = out_channels
        self.weight = UninitializedParameter(**options)
        if bias:
            self.bias = UninitializedParameter(**options)
        self._wait()

    def _size_is_known(self):
        return self.in_channels != 0

    def _learn_size(self, input):
        n = self.n
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = self.in_channels or input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")

    def _shapes(self):
        first, second = self.in_channels, self.out_channels
        if not self.transposed:
            first, second = second, first
        weight = (first, second // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)}


class LazyConv(LazyConvolutional):
    """The common part of LazyConv1d, LazyConv2d and LazyConv3d."""

    def __init__(
        self, out_channels: int, kernel_size: Sides, stride: Sides = 1, padding: Sides | str = 0,
        dilation: Sides = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device=None, dtype=None,
    ):  # fmt: skip
        options = stride, padding, dilation, groups, False, padding_mode
        super().__init__(0, 0, kernel_size, *options)
        self._start_lazy(out_channels, bias, device=device, dtype=dtype)


class LazyConvTranspose(LazyConvolutional):
    """The common part of LazyConvTranspose1d, LazyConvTranspose2d and LazyConvTranspose3d."""

    def __init__(
        self, out_channels: int, kernel_size: Sides, stride: Sides = 1, padding: Sides = 0,
        output_padding: Sides = 0, groups: int = 1, bias: bool = True, dilation: Sides = 1,
        padding_mode: str = "zeros", device=None, dtype=None,
    ):  # fmt: skip
        options = stride, padding, output_padding, groups, False, dilation, padding_mode
        super().__init__(0, 0, kernel_size, *options)
        self._start_lazy(out_channels, bias, device=device, dtype=dtype)


class LazyNorm(Lazy):
    """The common part: num_features is the number of channels of the first input."""

    def __init__(
        self, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**options)
        if affine and bias:
            self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = tensor(0)
        self._wait()

    def reset_running_stats(self):
        if not self.has_uninitialized_params() and self._size_is_known():
            super().reset_running_stats()

    def _size_is_known(self):
        return self.num_features != 0

    def _learn_size(self, input):
        # NB: in torch num_features stays 0 where nothing waits for it: without parameters and
        # statistics, and after load_state_dict.
        self.num_features = self.num_features or input.shape[1]

    def _shapes(self):
        names = "weight", "bias", "running_mean", "running_var"
        return dict.fromkeys(names, (self.num_features,))


class LazyConv1d(LazyConv, Conv1d):
    """Conv1d whose in_channels comes from the first input."""

    becomes = Conv1d


class LazyConv2d(LazyConv, Conv2d):
    """Conv2d whose in_channels comes from the first input."""

    becomes = Conv2d


class LazyConv3d(LazyConv, Conv3d):
    """Conv3d whose in_channels comes from the first input."""

    becomes = Conv3d


class LazyConvTranspose1d(LazyConvTranspose, ConvTranspose1d):
    """ConvTranspose1d whose in_channels comes from the first input."""

    becomes = ConvTranspose1d


class LazyConvTranspose2d(LazyConvTranspose, ConvTranspose2d):
    """ConvTranspose2d whose in_channels comes from the first input."""

    becomes = ConvTranspose2d


class LazyConvTranspose3d(LazyConvTranspose, ConvTranspose3d):
    """ConvTranspose3d whose in_channels comes from the first input."""

    becomes = ConvTranspose3d


class LazyBatchNorm1d(LazyNorm, BatchNorm1d):
    """BatchNorm1d whose num_features comes from the first input."""

    becomes = BatchNorm1d


class LazyBatchNorm2d(LazyNorm, BatchNorm2d):
    """BatchNorm2d whose num_features comes from the first input."""

    becomes = BatchNorm2d


class LazyBatchNorm3d(LazyNorm, BatchNorm3d):
    """BatchNorm3d whose num_features comes from the first input."""

    becomes = BatchNorm3d


class LazyInstanceNorm1d(LazyNorm, InstanceNorm1d):
    """InstanceNorm1d whose num_features comes from the first input."""

    becomes = InstanceNorm1d


class LazyInstanceNorm2d(LazyNorm, InstanceNorm2d):
    """InstanceNorm2d whose num_features comes from the first input."""

    becomes = InstanceNorm2d


class LazyInstanceNorm3d(LazyNorm, InstanceNorm3d):
    """InstanceNorm3d whose num_features comes from the first input."""

    becomes = InstanceNorm3d
