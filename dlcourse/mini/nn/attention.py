"""Attention with several heads (Vaswani et al. 2017)."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn import init
from dlcourse.mini.nn.functional.attention import alike
from dlcourse.mini.nn.linear import Linear
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.ops.creation import empty


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear, under the name that torch prints."""


class MultiheadAttention(Module):
    """Each query becomes a mean of values, weighted by how its key answers, in several heads.

    forward(query (T, B, E), key (S, B, kdim), value (S, B, vdim)), or the batch first, or no batch.
    In boolean masks True means: do not look.  Returns (output, weights or None); see
    `functional.multi_head_attention_forward`.
    """

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False,
        kdim=None, vdim=None, batch_first=False, device=None, dtype=None,
    ):  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.batch_first, self.add_zero_attn = batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        same = self._qkv_same_embed_dim

        def parameter(name, *shape, wanted=True):
            weight = Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, weight)

        parameter("q_proj_weight", embed_dim, embed_dim, wanted=not same)
        parameter("k_proj_weight", embed_dim, self.kdim, wanted=not same)
        parameter("v_proj_weight", embed_dim, self.vdim, wanted=not same)
        parameter("in_proj_weight", 3 * embed_dim, embed_dim, wanted=same)
        parameter("in_proj_bias", 3 * embed_dim, wanted=bias)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias, device=device, dtype=dtype
        )
        parameter("bias_k", 1, 1, embed_dim, wanted=add_bias_kv)
        parameter("bias_v", 1, 1, embed_dim, wanted=add_bias_kv)
        self._reset_parameters()

    def _reset_parameters(self):
        weights = self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        for weight in weights:
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
        average_attn_weights=True, is_causal=False,
    ):  # fmt: skip
        swap = self.batch_first and query.ndim == 3
        if swap:
            query, key, value = alike(lambda x: x.transpose(0, 1), query, key, value)
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, self.training, key_padding_mask, need_weights,
            attn_mask, not self._qkv_same_embed_dim, self.q_proj_weight, self.k_proj_weight,
            self.v_proj_weight, average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return out.transpose(0, 1) if swap else out, weights
