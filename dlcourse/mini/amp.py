"""Mixed precision: for graphics cards alone, without which programs that switch it on run, too."""

import contextlib
import warnings

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
        self._enabled, self._scale, self._growth_tracker = enabled, float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._used = False  # whether scale() was called
        self._finite, self._stepped = {}, set()  # by optimizer, since the last update()

    def is_enabled(self):
        """Whether it scales at all."""
        return self._enabled

    def scale(self, outputs):
        """The outputs, tensors in lists and tuples, times the scale."""
        if not self._enabled:
            return outputs
        self._used = True
        if isinstance(outputs, Tensor):
            return outputs * wrap(np.asarray(self._scale, np.float32))
        return type(outputs)(self.scale(output) for output in outputs)

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
        if not grads:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        for grad in grads:
            grad._data *= grad._data.dtype.type(1 / self._scale)
        self._finite[id(optimizer)] = all(np.isfinite(grad._data).all() for grad in grads)

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step(), unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        self._check("step")
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale=None):
        """Adjust the scale to how the steps went, or to `new_scale`."""
        if not self._enabled:
            return
        self._check("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._finite:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif not all(self._finite.values()):
            self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale, self._growth_tracker = self._scale * self._growth_factor, 0
        self._finite, self._stepped = {}, set()

    def get_scale(self):
        """The scale; 1 when disabled."""
        return self._scale if self._enabled else 1.0

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
        self._scale, self._growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
