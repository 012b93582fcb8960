"""Attention (Vaswani et al. 2017).  T queries, S keys, E features, nh heads of hs features."""

import math
import warnings

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.nn.functional.affine import linear
from dlcourse.mini.nn.functional.noise import dropout
from dlcourse.mini.ops.attention import ScaledDotProductAttention, SplitHeads
from dlcourse.mini.ops.creation import random_source, zeros
from dlcourse.mini.ops.operation import check_broadcast, plain
from dlcourse.mini.ops.shape import cat
from dlcourse.mini.ops.softmax import softmax

import numpy as np

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`softmax(scale * query @ key^T + mask) @ value` for (..., T, E), (..., S, E), (..., S, Ev).

    `attn_mask` (..., T, S) is True where a query may look, or a float that is added; `is_causal`
    lets query t look at keys 0 to t.  `scale` is 1 / sqrt(E) unless given.  With `enable_gqa` key
    and value may have fewer heads, each serving several of the query.
    """
    _check_attention(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _repeated(key, query), _repeated(value, query)
    for other in (key, value):
        check_broadcast(query.shape[:-2], other.shape[:-2])
    mask = _causal_mask(query, key) if is_causal else _additive(attn_mask, query.dtype)
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    shape = (*batch, query.shape[-2], key.shape[-2])
    if mask is not None:
        check_broadcast(shape, mask.shape)
        if np.broadcast_shapes(mask.shape, shape) != shape:
            raise RuntimeError(
                f"attn_mask of shape {list(mask.shape)} must not be larger than {list(shape)}"
            )
    keep = None
    if dropout_p > 0:
        keep = (random_source().random(shape, np.float32) >= dropout_p).astype(query.dtype.numpy)
        keep /= 1 - dropout_p if dropout_p < 1 else 1
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else plain(scale)
    return ScaledDotProductAttention.apply(query, key, value, mask, keep, scale)


def _check_attention(query, key, value, attn_mask, dropout_p, is_causal):
    tensors = {"query": query, "key": key, "value": value}
    if min(t.ndim for t in tensors.values()) < 2:
        dims = [f"{name}.dim: {t.ndim}" for name, t in tensors.items()]
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"{dims[0]} {dims[1]} and {dims[2]} instead."
        )
    if query.dtype is not key.dtype or query.dtype is not value.dtype:
        names = [f"{name}.dtype: {t.dtype.c_type}" for name, t in tensors.items()]
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"{names[0]} {names[1]} and {names[2]} instead."
        )
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")
    if attn_mask is not None and is_causal:
        # NB: in torch some kernels take a mask beside is_causal, and some refuse.
        raise RuntimeError("Explicit attn_mask should not be set when is_causal=True")
    if attn_mask is not None and attn_mask.dtype.name not in ("bool", query.dtype.name):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {attn_mask.dtype.c_type} and  query.dtype: {query.dtype.c_type} "
            "instead."
        )
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(
            f"query and key must have the same number of features, but got {query.shape[-1]} and "
            f"{key.shape[-1]}"
        )
    if key.shape[-2] != value.shape[-2]:
        # NB: in torch a value longer than the key gives, in four dimensions, senseless numbers.
        raise RuntimeError(
            f"key and value must have the same length, but got {key.shape[-2]} and "
            f"{value.shape[-2]}"
        )


def _repeated(x, query):
    """Each head of x (..., nh', S, E) as often as the heads of the query need it."""
    heads, wanted = x.shape[-3], query.shape[-3]
    if heads == 0 or wanted % heads:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in "
            f"query, but got {heads} and {wanted}"
        )
    repeated = x.unsqueeze(-3).expand(*x.shape[:-2], wanted // heads, *x.shape[-2:])
    return repeated.reshape(*x.shape[:-3], wanted, *x.shape[-2:])


def _causal_mask(query, key):
    """-inf above the diagonal: no query looks ahead."""
    shape = query.shape[-2], key.shape[-2]
    return wrap(np.triu(np.full(shape, -np.inf, query.dtype.numpy), 1))


def _additive(mask, dtype):
    """A boolean mask as one to be added: 0 where it is True, else -inf."""
    if mask is None or mask.dtype.is_floating_point:
        return mask
    return wrap(np.where(mask._data, 0, -np.inf).astype(dtype.numpy))


# -- several heads ---------------------------------------------------------------------------------


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
    add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None,
    need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
    k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """What `nn.MultiheadAttention` computes, with all its weights as arguments.

    query (T, B, E) or (T, E), key and value (S, B, *) or (S, *).  In boolean masks, (B, S) for keys
    and (T, S) or (B * nh, T, S) for pairs, True means: do not look; float masks are added.  Returns
    (output (T, B, E), weights (B, T, S) or, not averaged, (B, nh, T, S); None if not needed).
    """
    if static_k is not None or static_v is not None:
        raise NotImplementedError("mini does not support static_k and static_v: pass key and value")
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    # batch first inside: (B, T, E); what was one tensor stays one
    if batched:
        query, key, value = alike(lambda x: x.transpose(0, 1), query, key, value)
    else:
        query, key, value = alike(lambda x: x.unsqueeze(0), query, key, value)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    hint = is_causal and key_padding_mask is None and not need_weights
    mask = None if hint else _merged_mask(query, key, num_heads, attn_mask, key_padding_mask)
    if use_separate_proj_weight:
        weights = q_proj_weight, k_proj_weight, v_proj_weight
        q, k, v = _projected(query, key, value, weights, in_proj_bias, num_heads)
    elif query is key and key is value:
        q, k, v = SplitHeads.apply(linear(query, in_proj_weight, in_proj_bias), 3, num_heads)
    else:
        weights = in_proj_weight.split(in_proj_weight.shape[0] // 3)
        q, k, v = _projected(query, key, value, weights, in_proj_bias, num_heads)
    k, v, mask = _extended(k, v, mask, bias_k, bias_v, add_zero_attn)
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        scores = q / math.sqrt(q.shape[-1]) @ k.mT
        weights = softmax(scores if mask is None else scores + mask, -1)
        weights = dropout(weights, dropout_p)
        out = weights @ v
    else:
        weights, out = None, scaled_dot_product_attention(q, k, v, mask, dropout_p, hint)
    out = out.transpose(1, 2).reshape(query.shape)  # (B, T, E)
    out = linear(out, out_proj_weight, out_proj_bias)
    if need_weights and average_attn_weights:
        weights = weights.mean(1)
    if batched:
        return out.transpose(0, 1), weights
    return out.squeeze(0), None if weights is None else weights.squeeze(0)


def alike(function, *tensors):
    """`function(tensor)` of each; equal objects stay equal objects."""
    made = {}
    for tensor in tensors:
        if id(tensor) not in made:
            made[id(tensor)] = function(tensor)
    return [made[id(tensor)] for tensor in tensors]


def _projected(query, key, value, weights, bias, num_heads):
    """Queries, keys and values (B, nh, T or S, hs), each by its own weights."""
    biases = (None,) * 3 if bias is None else bias.split(bias.shape[0] // 3)
    inputs = query, key, value
    return [
        SplitHeads.apply(linear(x, w, b), 1, num_heads)[0]
        for x, w, b in zip(inputs, weights, biases, strict=True)
    ]


def _extended(k, v, mask, bias_k, bias_v, add_zero_attn):
    """Keys and values with a learnt one and one of zeros at the end, which all may look at."""
    batch, heads, _, size = k.shape
    if (bias_k is None) != (bias_v is None):
        here, missing = ("k", "v") if bias_v is None else ("v", "k")
        raise AssertionError(f"bias_{here} is set but bias_{missing} is None")
    shape, extra = (batch, heads, 1, size), 0
    if bias_k is not None:
        k, v = (
            cat([x, b.reshape(1, heads, 1, size).expand(shape)], 2)
            for x, b in ((k, bias_k), (v, bias_v))
        )
        extra += 1
    if add_zero_attn:
        k, v = (cat([x, zeros(shape, dtype=x.dtype)], 2) for x in (k, v))
        extra += 1
    if mask is not None and extra:
        mask = cat([mask, zeros((*mask.shape[:-1], extra), dtype=mask.dtype)], -1)
    return k, v, mask


def _merged_mask(query, key, num_heads, attn_mask, key_padding_mask):
    """Both masks as one to be added, (B or 1, nh or 1, T or 1, S)."""
    (batch, time, _), source, dtype = query.shape, key.shape[1], query.dtype
    both = attn_mask is not None and key_padding_mask is not None
    if both and attn_mask.dtype is not key_padding_mask.dtype:
        warnings.warn(
            "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type "
            "for both instead.",
            stacklevel=4,
        )
    if attn_mask is not None:
        wanted = (time, source) if attn_mask.ndim == 2 else (batch * num_heads, time, source)
        if attn_mask.shape != wanted:
            raise RuntimeError(
                f"The shape of the {attn_mask.ndim}D attn_mask is {attn_mask.shape}, but should be "
                f"{wanted}."
            )
        attn_mask = _forbidding(attn_mask, "attn_mask", dtype)
        shape = (1, 1) if attn_mask.ndim == 2 else (batch, num_heads)
        attn_mask = attn_mask.reshape(*shape, time, source)
    if key_padding_mask is None:
        return attn_mask
    for dim, wanted in enumerate((batch, source)):
        if key_padding_mask.shape[dim] != wanted:
            raise AssertionError(
                f"Expected key_padded_mask.shape[{dim}] to be {wanted}, but got "
                f"{key_padding_mask.shape[dim]}"
            )
    padding = _forbidding(key_padding_mask, "key_padding_mask", dtype)
    padding = padding.reshape(batch, 1, 1, source)
    return padding if attn_mask is None else attn_mask + padding


def _forbidding(mask, name, dtype):
    """A boolean mask, True where nobody may look, as one to be added."""
    if not mask.dtype.is_floating_point and mask.dtype.name != "bool":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return mask if mask.dtype.is_floating_point else _additive(~mask, dtype)


def _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether there is a batch dimension."""
    if query.ndim not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{query.ndim}-D query tensor"
        )
    rank = query.ndim
    given = f"For {'batched (3-D)' if rank == 3 else 'unbatched (2-D)'} `query`, expected "
    if key.ndim != rank or value.ndim != rank:
        raise AssertionError(
            f"{given}`key` and `value` to be {rank}-D but found {key.ndim}-D and {value.ndim}-D "
            "tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.ndim != rank - 1:
        raise AssertionError(
            f"{given}`key_padding_mask` to be `None` or {rank - 1}-D but found "
            f"{key_padding_mask.ndim}-D tensor instead"
        )
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(
            f"{given}`attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D tensor "
            "instead"
        )
    if rank == 2 and attn_mask is not None and attn_mask.ndim == 3:
        wanted = num_heads, query.shape[0], key.shape[0]
        if attn_mask.shape != wanted:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {wanted} but got {attn_mask.shape}"
            )
    return rank == 3


def _check_sizes(query, key, value, embed_dim, num_heads, separate):
    """Of tensors with the batch first; the sentences name torch's order."""
    if query.shape[2] != embed_dim:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim}, but got {query.shape[2]}"
        )
    if embed_dim % num_heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    of_key, of_value = (x.transpose(0, 1).shape for x in (key, value))
    if separate and of_key[:2] != of_value[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {of_key[:2]} do not match value's {of_value[:2]}"
        )
    if not separate and of_key != of_value:
        raise AssertionError(f"key shape {of_key} does not match value shape {of_value}")
