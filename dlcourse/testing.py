"""The one module that sees mini and torch: compare their values, carry weights across."""

from collections.abc import Mapping, Sequence

from dlcourse import mini

import numpy as np
import torch

TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""{dtype: (rtol, atol)}, those of `torch.testing.assert_close`; other types must be equal."""


def assert_matches(mini_value, torch_value, rtol=None, atol=None):
    """Raise AssertionError unless |mini - torch| <= atol + rtol * |torch| for every element.

    Tensors must agree in shape, type and value (NaN where the other has NaN); modules in names,
    parameters, buffers and gradients; tuples, lists and dicts item by item.  The tolerances depend
    on the type of the numbers unless given: `TOLERANCES`.  The message names the worst element.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("give both rtol and atol, or neither")
    _compare(mini_value, torch_value, rtol, atol, "")


def _compare(ours, theirs, rtol, atol, path):
    if isinstance(ours, mini.nn.Module) or isinstance(theirs, torch.nn.Module):
        _compare_modules(ours, theirs, rtol, atol, path)
    elif isinstance(ours, Mapping):
        _require(isinstance(theirs, Mapping), path, ours, theirs)
        missing = ours.keys() ^ theirs.keys()
        if missing:
            raise AssertionError(f"{_at(path)}only one side has the keys {sorted(missing)}")
        for key in ours:
            _compare(ours[key], theirs[key], rtol, atol, f"{path}[{key!r}]")
    elif isinstance(ours, Sequence) and not isinstance(ours, str | mini.Size):
        _require(isinstance(theirs, Sequence), path, ours, theirs)
        if len(ours) != len(theirs):
            raise AssertionError(f"{_at(path)}{len(ours)} items in mini, {len(theirs)} in torch")
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            _compare(a, b, rtol, atol, f"{path}[{i}]")
    elif ours is None or theirs is None or isinstance(ours, str | mini.Size):
        if ours != theirs:
            raise AssertionError(f"{_at(path)}mini has {ours!r}, torch has {theirs!r}")
    else:
        _compare_arrays(_array(ours), _array(theirs), rtol, atol, path)


def _compare_modules(ours, theirs, rtol, atol, path):
    both = isinstance(ours, mini.nn.Module) and isinstance(theirs, torch.nn.Module)
    _require(both, path, ours, theirs)
    _compare(ours.state_dict(), theirs.state_dict(), rtol, atol, f"{path}.state_dict()")
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        _compare(parameter.grad, gradients[name].grad, rtol, atol, f"{path}.{name}.grad")


def _compare_arrays(ours, theirs, rtol, atol, path):
    if ours.shape != theirs.shape:
        raise AssertionError(f"{_at(path)}mini has shape {ours.shape}, torch {theirs.shape}")
    if ours.dtype != theirs.dtype:
        raise AssertionError(f"{_at(path)}mini has dtype {ours.dtype}, torch {theirs.dtype}")
    if rtol is None:
        rtol, atol = TOLERANCES.get(ours.dtype.name, (0, 0))
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        error = np.where(same, 0.0, np.abs(a - b))
        excess = error - (atol + rtol * np.abs(b))
        bad = ~same & ~(excess <= 0)
    if bad.any():
        badness = np.where(bad, np.nan_to_num(excess, nan=np.inf), -np.inf)
        worst = tuple(int(i) for i in np.unravel_index(np.argmax(badness), bad.shape))
        raise AssertionError(
            f"{_at(path)}{bad.sum()} of {bad.size} elements differ; the worst, at {worst}: "
            f"mini {ours[worst]!s}, torch {theirs[worst]!s}, difference {error[worst]:.3g}, "
            f"allowed {atol + rtol * abs(b[worst]):.3g} (rtol={rtol}, atol={atol})"
        )


def _array(value):
    if isinstance(value, mini.Tensor | torch.Tensor):
        return value.detach().numpy(force=True)  # torch keeps some zeros without memory
    return np.asarray(value)


def _require(ok, path, ours, theirs):
    if not ok:
        raise AssertionError(
            f"{_at(path)}mini has a {type(ours).__name__}, torch a {type(theirs).__name__}"
        )


def _at(path):
    return f"{path.lstrip('.')}: " if path else ""


def copy_weights(source, target):
    """Copy parameters and buffers by name from a module of mini to one of torch, or the reverse.

    Names and shapes must agree; otherwise RuntimeError says what is missing, unexpected or of
    another size, and nothing is written.  Returns `target`.
    """
    for module in (source, target):
        if not isinstance(module, mini.nn.Module | torch.nn.Module):
            raise TypeError(
                f"copy_weights takes modules of mini or torch, got {type(module).__name__}"
            )
    arrays = {name: tensor.numpy() for name, tensor in source.state_dict().items()}
    if isinstance(target, mini.nn.Module):
        target.load_state_dict(arrays)
        return target
    kept = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    try:
        target.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    except RuntimeError:  # torch writes what fits before it raises
        target.load_state_dict(kept)
        raise
    return target
