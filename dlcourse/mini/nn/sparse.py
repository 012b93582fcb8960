"""Tables of learnt rows."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn import init
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty


class Table(Module):
    """The common part of Embedding and EmbeddingBag: the table and what is done to its rows."""

    def _start(self, rows, width, padding_idx, weight, freeze, device, dtype):
        if padding_idx is not None and not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        self.num_embeddings, self.embedding_dim = rows, width
        self.padding_idx = None if padding_idx is None else padding_idx % rows
        if weight is None:
            self.weight = Parameter(empty(rows, width, dtype=dtype, device=device), not freeze)
            self.reset_parameters()
            return
        if weight.shape != (rows, width):
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        self.weight = Parameter(weight, not freeze)

    def reset_parameters(self):
        """Normal with variance 1; zeros in row `padding_idx`."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx].fill_(0)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, *args, **kwargs):
        """A table of given rows (rows, D), which are not trained unless freeze=False."""
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        return cls._of(embeddings, freeze, *args, **kwargs)

    def _sizes(self):
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Embedding(Table):
    """Numbers (*) to their rows (*, embedding_dim); see `functional.embedding`."""

    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._start(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def _of(
        cls, embeddings, freeze, padding_idx=None, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, sparse=False,
    ):  # fmt: skip
        options = padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        return cls(*embeddings.shape, *options, embeddings, freeze)

    def forward(self, input):
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip

    def extra_repr(self):
        said = [self._sizes()]
        said += [f"padding_idx={self.padding_idx}"] * (self.padding_idx is not None)
        said += [f"max_norm={self.max_norm}"] * (self.max_norm is not None)
        said += [f"norm_type={self.norm_type}"] * (self.norm_type != 2)
        said += [f"scale_grad_by_freq={self.scale_grad_by_freq}"] * self.scale_grad_by_freq
        return ", ".join(said + ["sparse=True"] * self.sparse)


class EmbeddingBag(Table):
    """The sum, mean or maximum of the rows of each bag; see `functional.embedding_bag`."""

    def __init__(
        self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0,
        scale_grad_by_freq=False, mode="mean", sparse=False, _weight=None,
        include_last_offset=False, padding_idx=None, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self._start(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    @classmethod
    def _of(
        cls, embeddings, freeze, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
        mode="mean", sparse=False, include_last_offset=False, padding_idx=None,
    ):  # fmt: skip
        options = max_norm, norm_type, scale_grad_by_freq, mode, sparse
        out = cls(*embeddings.shape, *options, embeddings, include_last_offset, padding_idx)
        out.weight.requires_grad = not freeze
        return out

    def forward(self, input, offsets=None, per_sample_weights=None):
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self):
        said = [self._sizes()]
        said += [f"max_norm={self.max_norm}"] * (self.max_norm is not None)
        said += [f"norm_type={self.norm_type}"] * (self.norm_type != 2)
        said += [f"scale_grad_by_freq={self.scale_grad_by_freq}"] * self.scale_grad_by_freq
        said += [f"mode={self.mode!r}"]
        return ", ".join(
            said + [f"padding_idx={self.padding_idx}"] * (self.padding_idx is not None)
        )
