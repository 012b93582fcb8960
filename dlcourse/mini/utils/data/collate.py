"""From samples to a batch: default_collate, and default_convert for single samples."""

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.creation import from_numpy, tensor
from dlcourse.mini.ops.shape import stack

import numpy as np


def default_convert(data):
    """Arrays as tensors, inside containers, too; everything else as it is."""
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind in "fiub":
        return from_numpy(np.asarray(data))
    if isinstance(data, Mapping):
        return _mapping_like(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _sequence_like(data, [default_convert(item) for item in data])
    return data


def default_collate(batch):
    """A list of samples as one batch: tensors stacked, numbers as a tensor, item by item."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, np.ndarray) and first.dtype.kind in "fiub":
        return stack([from_numpy(np.asarray(array)) for array in batch])
    if isinstance(first, np.generic) and first.dtype.kind in "fiub":
        return from_numpy(np.array(batch))
    if isinstance(first, float):
        return from_numpy(np.array(batch, np.float64))  # float64, as in torch
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        parts = {key: default_collate([sample[key] for sample in batch]) for key in first}
        return _mapping_like(first, parts)
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return _sequence_like(
            first, [default_collate(list(part)) for part in zip(*batch, strict=True)]
        )
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        f"{type(first)}"
    )


def _mapping_like(mapping, values):
    """`values` in a mapping of that kind, with whatever else it holds; a dict if that fails."""
    try:
        if not isinstance(mapping, MutableMapping):
            return type(mapping)(values)
        out = copy.copy(mapping)
        out.update(values)
    except TypeError:
        return values
    return out


def _sequence_like(sequence, items):
    """`items` in a sequence of that kind; of tuples, as in torch, a list, but of named tuples."""
    if isinstance(sequence, tuple):
        return type(sequence)(*items) if hasattr(sequence, "_fields") else items
    try:
        if not isinstance(sequence, MutableSequence):
            return type(sequence)(items)
        out = copy.copy(sequence)
        for i, item in enumerate(items):
            out[i] = item
    except TypeError:
        return items
    return out
