"""The hooks of Module: functions that run before and after forward, backward and its state."""

import warnings

from dlcourse.mini._core import RemovableHandle
from dlcourse.mini.nn.backward_hook import BackwardWatch


class Hooked:
    """Registers hooks, and runs those of forward and backward around a call."""

    def _start_hooks(self):
        self._forward_pre_hooks, self._forward_hooks = {}, {}
        self._with_kwargs, self._always_called = set(), set()  # ids of hooks
        self._backward_pre_hooks, self._backward_hooks = {}, {}
        self._state_dict_pre_hooks, self._state_dict_hooks = {}, {}
        self._load_state_dict_pre_hooks, self._load_state_dict_post_hooks = {}, {}

    # -- registration ------------------------------------------------------------------------------

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """`hook(module, args)` runs before forward; what it returns (not None) replaces args."""
        handle = _added(self._forward_pre_hooks, hook, prepend)
        if with_kwargs:
            self._with_kwargs.add(handle.id)
        return handle

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """`hook(module, args, output)` runs after forward; what it returns replaces the output.

        With `always_call` it runs even when forward or another hook raised; output may be None.
        """
        handle = _added(self._forward_hooks, hook, prepend)
        if with_kwargs:
            self._with_kwargs.add(handle.id)
        if always_call:
            self._always_called.add(handle.id)
        return handle

    def register_full_backward_hook(self, hook, prepend=False):
        """`hook(module, grad_input, grad_output)` runs when both are known.

        Both are tuples, with None where no gradient is needed.  What it returns (not None)
        replaces grad_input.
        """
        return _added(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """`hook(module, grad_output)` runs before the module's backward; it may replace them."""
        return _added(self._backward_pre_hooks, hook, prepend)

    def register_state_dict_pre_hook(self, hook):
        """`hook(module, prefix, keep_vars)` runs before `state_dict` collects the tensors."""
        return _added(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """`hook(module, state_dict, prefix, local_metadata)` may change the state_dict in place."""
        return _added(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook):
        """`hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)` runs before loading and may change the state_dict in place."""
        return _added(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook):
        """`hook(module, incompatible_keys)` runs after loading and may change the keys in place."""
        return _added(self._load_state_dict_post_hooks, hook)

    # -- a call ------------------------------------------------------------------------------------

    def _call_with_hooks(self, args, kwargs):
        called, last = set(), [args, kwargs, None]  # what a hook sees: arguments and output
        try:
            return self._call_each_hook(called, last)
        except Exception:
            for key, hook in tuple(self._forward_hooks.items()):
                if key in self._always_called and key not in called:
                    self._run_silenced(key, hook, last)
            raise

    def _run_silenced(self, key, hook, last):
        """Run a hook after an error, which is the one to be raised."""
        try:
            new = self._run_forward_hook(key, hook, *last)
            last[2] = last[2] if new is None else new
        except Exception as error:
            warnings.warn(
                "module forward hook with ``always_call=True`` raised an exception that was "
                f"silenced as another error was raised in forward: {error}",
                stacklevel=4,
            )

    def _call_each_hook(self, called, last):
        args, kwargs, _ = last
        for key, hook in tuple(self._forward_pre_hooks.items()):
            with_kwargs = key in self._with_kwargs
            new = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if new is not None and with_kwargs:
                if not isinstance(new, tuple) or len(new) != 2:
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {new}."
                    )
                args, kwargs = new
            elif new is not None:
                args = new if isinstance(new, tuple) else (new,)
            last[:2] = args, kwargs
        watch = None
        if self._backward_hooks or self._backward_pre_hooks:
            watch = BackwardWatch(self)
            args = watch.inputs(args)
        last[2] = out = self.forward(*args, **kwargs)
        for key, hook in tuple(self._forward_hooks.items()):
            called.add(key)
            new = self._run_forward_hook(key, hook, args, kwargs, out)
            last[2] = out = out if new is None else new
        return watch.outputs(out) if watch else out

    def _run_forward_hook(self, key, hook, args, kwargs, out):
        return hook(self, args, kwargs, out) if key in self._with_kwargs else hook(self, args, out)


def _added(hooks, hook, prepend=False):
    """The handle of a hook that now stands last among `hooks`, or first."""
    before = list(hooks.items())
    handle = RemovableHandle(hooks, hook)
    if prepend:
        for key, other in before:  # taken out and put back, they stand behind it
            del hooks[key]
            hooks[key] = other
    return handle
