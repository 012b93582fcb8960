"""The rows of test_functional for attention."""

from optable import B, I, T, row

Q, K, V = T((2, 3, 4, 5)), T((2, 3, 6, 5)), T((2, 3, 6, 5))
SAME = (T((2, 3, 4, 5)),) * 3
SMALL = -0.5, 0.5
NO = -float("inf")
SOME = ((0.0, NO, 0.5), (NO, NO, NO), (0.0, 0.0, 1.0))
WIDE = T((2, 3, 4))  # (T, B, E)


def attend(*args, **options):
    return row("scaled_dot_product_attention", *args, **options)


def heads(query, key, value, *args, nh=2, width=4, weights=True, bias=True, **options):
    """multi_head_attention_forward with weights of its own."""
    return row(
        "multi_head_attention_forward",
        query,
        key,
        value,
        width,
        nh,
        T((3 * width, width), *SMALL) if weights else None,
        T((3 * width,), *SMALL) if bias else None,
        *args,
        out_proj_weight=T((width, width), *SMALL),
        out_proj_bias=T((width,)),
        **{"bias_k": None, "bias_v": None, "add_zero_attn": False, "dropout_p": 0.0, **options},
    )


ROWS = [
    attend(Q, K, V),
    attend(*SAME, is_causal=True),
    attend(Q, K, V, is_causal=True),
    attend(T((4, 5)), T((6, 5)), T((6, 2))),
    attend(T((3, 4, 5)), T((3, 6, 5)), T((3, 6, 2)), scale=0.3),
    attend(Q, K, V, B((4, 6))),
    attend(Q, K, V, B((2, 1, 4, 6))),
    attend(Q, K, V, B((3, 4, 6))),
    attend(Q, K, V, T((4, 6), grad=False)),
    attend(Q, K, V, T((2, 3, 4, 6))),
    attend(Q, K, V, attn_mask=T((4, 6))),
    attend(T((2, 3, 2)), T((2, 3, 2)), T((2, 3, 2)), T((3, 3), values=SOME, grad=False)),
    attend(T((2, 6, 4, 5)), T((2, 3, 4, 5)), T((2, 3, 4, 5)), enable_gqa=True),
    attend(Q, T((2, 1, 6, 5)), T((2, 1, 6, 5)), enable_gqa=True),
    attend(Q, K, V, dropout_p=1.0),
    attend(T((2, 0, 5)), T((2, 6, 5)), T((2, 6, 5))),
    attend(Q, K, T((2, 3, 6, 5), grad=False)),
    attend(T((2, 3, 4, 5), grad=False), K, V),
    heads(WIDE, WIDE, WIDE),
    heads(WIDE, T((5, 3, 4)), T((5, 3, 4)), average_attn_weights=False),
    heads(WIDE, WIDE, WIDE, attn_mask=T((2, 2)), key_padding_mask=T((3, 2), grad=False)),
    heads(WIDE, WIDE, WIDE, bias_k=T((1, 1, 4)), bias_v=T((1, 1, 4)), add_zero_attn=True),
    heads(
        WIDE,
        T((5, 3, 2)),
        T((5, 3, 6)),
        weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=T((4, 4), *SMALL),
        k_proj_weight=T((4, 2), *SMALL),
        v_proj_weight=T((4, 6), *SMALL),
    ),
]

ERRORS = [
    attend(Q, K, V, I((4, 6))),
    attend(Q, K, T((6,)), _sentence=False),
    attend(Q, K, T((2, 3, 6, 5), grad=False), dropout_p=1.5),
    attend(Q, T((2, 3, 6, 4)), V, _sentence=False),
    attend(Q, T((2, 2, 6, 5)), T((2, 2, 6, 5))),
    attend(Q, T((2, 2, 6, 5)), T((2, 2, 6, 5)), enable_gqa=True, _sentence=False),
    attend(Q, K, V, T((3, 6)), _sentence=False),
    attend(Q, K, V, T((2, 2, 3, 4, 6)), _sentence=False),
    heads(WIDE, WIDE, WIDE, is_causal=True),
    heads(WIDE, WIDE, WIDE, attn_mask=T((2, 3))),
    heads(WIDE, WIDE, WIDE, attn_mask=T((2, 2, 2))),
    heads(WIDE, WIDE, WIDE, attn_mask=T((2,))),
    heads(WIDE, WIDE, WIDE, attn_mask=I((2, 2))),
    heads(WIDE, WIDE, WIDE, key_padding_mask=B((2, 3))),
    heads(WIDE, WIDE, WIDE, key_padding_mask=B((3, 3))),
    heads(WIDE, WIDE, WIDE, key_padding_mask=B((3,))),
    heads(WIDE, T((3, 4)), T((3, 4))),
    heads(T((2, 4)), T((3, 2, 4)), T((3, 2, 4))),
    heads(T((2, 4)), T((2, 4)), T((2, 4)), attn_mask=T((3, 2, 2))),
    heads(T((2, 3, 3)), WIDE, WIDE),
    heads(T((4,)), WIDE, WIDE),
    heads(WIDE, WIDE, T((5, 3, 4))),
    heads(WIDE, WIDE, WIDE, nh=3),
    heads(WIDE, WIDE, WIDE, bias_k=T((1, 1, 4))),
]
