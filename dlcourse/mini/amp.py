"""Mixed precision: for graphics cards alone, without which programs that switch it on run, too."""

import contextlib
import math
import warnings
from collections.abc import Iterable

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._device import require_cpu
from dlcourse.mini._dtype import bfloat16, float16

import numpy as np

__all__ = ["GradScaler", "autocast"]


class autocast(contextlib.ContextDecorator):
    """A context in which types stay as they are."""

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        if enabled and str(device_type) != "cpu":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2
            )
        elif enabled and dtype not in (None, bfloat16, float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast. CPU "
                "Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
        elif enabled:
            # NB: in torch the CPU computes in bfloat16 inside, which mini does not know.
            raise NotImplementedError("mini has no autocast on the CPU: leave enabled=False")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


class GradScaler:
    """Scales a loss up, so that no small gradient of float16 is lost, and the gradients down again.

    A step whose gradients are not finite is left out, and the scale made smaller; after
    `growth_interval` good ones it is made larger.  As torch's it is disabled where the device is
    "cuda" and there is none; then everything is handed on as it came.
    Source: Micikevicius et al. 2018.
    """

    def __init__(self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5,
                 growth_interval=2000, enabled=True):  # fmt: skip
        if enabled and str(device) == "cuda":
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )
            enabled = False
        if enabled:
            require_cpu(device)
            _check_factors(growth_factor, backoff_factor)
        self._enabled, self._scale, self._growth_tracker = enabled, float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._used = False  # whether scale() was called
        # By optimizer, since the last update(); None where there was no gradient.
        self._finite, self._stepped = {}, set()

    def __getstate__(self):
        if self._finite:
            raise AssertionError(
                "A GradScaler instance may only be pickled at the beginning of an iteration, or at "
                "the end after scaler.update()."
            )
        return vars(self).copy()

    def is_enabled(self):
        """Whether it scales at all."""
        return self._enabled

    def scale(self, outputs):
        """The outputs, a tensor or lists and tuples of them, times the scale."""
        if not self._enabled:
            return outputs
        if not isinstance(outputs, Tensor | Iterable):
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")
        if not self._used:
            self._used, self._scale = True, _single(self._scale)
        if isinstance(outputs, Tensor):
            return outputs * wrap(np.asarray(self._scale, np.float32))
        scaled = map(self.scale, outputs)
        return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled

    def _check(self, name):
        if not self._used:
            raise AssertionError(
                f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )

    def unscale_(self, optimizer):
        """Divide the gradients by the scale, to clip them, say, before `step`."""
        if not self._enabled:
            return
        self._check("unscale_")
        if id(optimizer) in self._stepped:
            raise RuntimeError("unscale_() is being called after step().")
        if id(optimizer) in self._finite:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        params = [p for group in optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in params if p.grad is not None]
        if any(grad.dtype == float16 for grad in grads):
            raise ValueError("Attempting to unscale FP16 gradients.")
        inverse = _single(1 / self._scale if self._scale else math.inf)
        for grad in grads:
            grad._data *= grad._data.dtype.type(inverse)
        finite = all(np.isfinite(grad._data).all() for grad in grads)
        self._finite[id(optimizer)] = finite if grads else None

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step(), unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check("step")
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        if self._finite[id(optimizer)] is None:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        self._stepped.add(id(optimizer))
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale=None):
        """Adjust the scale to how the steps went, or to `new_scale`."""
        if not self._enabled:
            return
        self._check("update")
        finite = [f for f in self._finite.values() if f is not None]
        if new_scale is not None:
            _check_scale(new_scale)
            self._scale = _single(new_scale)
        elif not finite:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif not all(finite):
            self._scale, self._growth_tracker = _single(self._scale * self._backoff_factor), 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                larger = _single(self._scale * self._growth_factor)
                self._scale = larger if math.isfinite(larger) else self._scale
                self._growth_tracker = 0
        self._finite, self._stepped = {}, set()

    def get_scale(self):
        """The scale; 1 when disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self):
        """What the scale is multiplied by after `growth_interval` good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Multiply by `new_factor` from now on."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """What the scale is multiplied by after gradients that are not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Multiply by `new_factor` from now on."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """How many good steps it takes to grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Grow after `new_interval` of them from now on."""
        self._growth_interval = new_interval

    def state_dict(self):
        """What to keep in a checkpoint; nothing when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict):
        """Go on from what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        scale = state_dict["scale"]
        self._scale = _single(scale) if self._used else scale
        self._growth_tracker = state_dict["_growth_tracker"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]


def _single(number):
    """As float32 has it, which is what the scale is kept in."""
    with np.errstate(over="ignore"):
        return float(np.float32(float(number)))


def _check_factors(growth, backoff):
    if not growth > 1:
        raise AssertionError("The growth factor must be > 1.0.")
    if not backoff < 1:
        raise AssertionError("The backoff factor must be < 1.0.")


def _check_scale(scale):
    if isinstance(scale, Tensor) and (scale.numel() != 1 or scale.requires_grad):
        raise AssertionError(
            "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
            "torch.FloatTensor with requires_grad=False."
        )
