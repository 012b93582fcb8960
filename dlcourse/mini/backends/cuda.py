"""How a graphics card would multiply matrices: the switches are kept, and change nothing."""

__all__ = ["enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp", "is_built"]


class Switches:
    """Those of matrix products; any other is refused, as in torch."""

    __slots__ = (
        "allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction",
        "allow_tf32",
    )  # fmt: skip

    def __init__(self):
        self.allow_tf32 = False
        self.allow_fp16_reduced_precision_reduction = True
        self.allow_bf16_reduced_precision_reduction = True


matmul = Switches()


def is_built():
    """False: mini has nothing for graphics cards."""
    return False


def enable_flash_sdp(enabled):
    """Nothing: mini has one way to compute attention."""


enable_math_sdp = enable_mem_efficient_sdp = enable_flash_sdp
