"""Sequences of unequal lengths: padded to one length, or packed so that no row is padding."""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.creation import full
from dlcourse.mini.ops.shape import cat

import numpy as np

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The rows of all sequences, those of time 0 first, then time 1, ...

    `batch_sizes[t]` says how many sequences last beyond time t.  `sorted_indices` is the order, by
    falling length, in which the sequences stand, `unsorted_indices` the way back.
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """The data in another type."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def float(self):
        """The data as float32."""
        return type(self)(self.data.float(), *self[1:])

    def double(self):
        """The data as float64."""
        return type(self)(self.data.double(), *self[1:])

    def long(self):
        """The data as int64."""
        return type(self)(self.data.long(), *self[1:])

    def int(self):
        """The data as int32."""
        return type(self)(self.data.int(), *self[1:])

    def cpu(self):
        """Itself: mini knows no other device."""
        return self

    @property
    def is_cuda(self):
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one."""
    return None if permutation is None else wrap(np.argsort(permutation._data))


def _arrange(rows, index, padding_value):
    """rows[index] for an array of indices; -1 stands for a row of padding."""
    padding = full((1, *rows.shape[1:]), padding_value, dtype=rows.dtype)
    index = np.where(index < 0, len(rows), index)
    flat = cat([rows, padding]).index_select(0, wrap(index.ravel()))
    return flat.reshape(*index.shape, *rows.shape[1:])


def pad_sequence(
    sequences, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (L, *) of several lengths as one, (T, B, *) or (B, T, *), T the greatest length."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    try:
        sequences = list(sequences)
    except TypeError:
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        ) from None
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    lengths = np.array([len(s) for s in sequences])
    time = np.arange(lengths.max())
    if padding_side == "left":
        time = time - lengths.max() + lengths[:, None]
    starts = np.cumsum(lengths) - lengths
    inside = (time >= 0) & (time < lengths[:, None])  # (B, T)
    index = np.where(inside, starts[:, None] + time, -1)
    return _arrange(cat(sequences), index if batch_first else index.T, padding_value)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list:
    """The sequences of a padded batch, each in its own length."""
    # NB: in torch padded_sequences is left transposed unless batch_first.
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(batch, lengths, strict=True)]


def pack_padded_sequence(
    input: Tensor, lengths, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch (T, B, *) or (B, T, *).

    `lengths` must not grow unless `enforce_sorted` is off: then the sequences are sorted first.
    """
    lengths = np.asarray(lengths._data if isinstance(lengths, Tensor) else lengths, np.int64)
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
    batch = input if batch_first else input.transpose(0, 1)
    _check_lengths(batch, lengths)
    active = np.arange(lengths[0])[:, None] < lengths  # (T, B)
    times, members = np.nonzero(active)
    members = members if order is None else order[members]
    data = batch[wrap(members), wrap(times)]
    sorted_indices = None if order is None else wrap(order)
    return PackedSequence(data, wrap(active.sum(1)), sorted_indices)


def _check_lengths(batch, lengths):
    if batch.shape.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != len(batch):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={len(batch)})"
        )
    if (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if lengths[0] > batch.shape[1]:
        raise RuntimeError(
            f"Expected the longest length to be at most {batch.shape[1]}, the number of time steps "
            f"of the batch, but got {lengths[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(padded batch, lengths): undoes pack_padded_sequence, the original order included."""
    sizes = sequence.batch_sizes._data
    longest = len(sizes)
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {longest}"
        )
    active = np.arange(sizes[0]) < sizes[:, None]  # (T, B)
    index = np.full((total_length or longest, sizes[0]), -1)
    index[:longest][active] = np.arange(sizes.sum())
    lengths = active.sum(0)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices._data
        index, lengths = index[:, order], lengths[order]
    padded = _arrange(sequence.data, index.T if batch_first else index, padding_value)
    return padded, wrap(lengths)


def pack_sequence(sequences, enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of tensors (L, *)."""
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list:
    """The list of tensors that was packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
