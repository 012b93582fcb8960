"""Mixed precision, for graphics cards alone: programs that switch it on run here without it."""

import contextlib
import warnings

__all__ = ["GradScaler", "autocast"]


class autocast(contextlib.ContextDecorator):
    """A context in which types stay as they are."""

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        if enabled and str(device_type) == "cpu":
            # NB: in torch the CPU computes in bfloat16 inside, which mini does not know.
            raise NotImplementedError("mini has no autocast on the CPU: leave enabled=False")
        if enabled:
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2
            )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


class GradScaler:
    """Scales losses of float16; here it is disabled, as torch's is without a graphics card."""

    def __init__(self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5,
                 growth_interval=2000, enabled=True):  # fmt: skip
        if enabled:
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )

    def is_enabled(self):
        """False."""
        return False

    def scale(self, outputs):
        """The outputs themselves."""
        return outputs

    def unscale_(self, optimizer):
        """Nothing: nothing was scaled."""

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step()."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Nothing: there is no scale."""

    def get_scale(self):
        """1."""
        return 1.0

    def state_dict(self):
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state_dict):
        """Nothing to restore."""
