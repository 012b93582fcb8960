"""The functions behind the modules, with torch's signatures.

`from dlcourse.mini.nn import functional as F`.  Shapes: B batch, C channels, H and W height and
width, K classes.  A function is written in the file of its family and named in that file's
`__all__`; a family's name is never that of a function.
"""

from dlcourse.mini.nn.functional import (
    activation,
    adaptive,
    affine,
    attention,
    classification,
    convolution,
    distance,
    lookup,
    margin,
    noise,
    normalization,
    padding,
    pooling,
    rearranging,
    regression,
    resampling,
    sampling,
    sequence,
    unpooling,
)

FAMILIES = (
    activation, adaptive, affine, attention, classification, convolution, distance, lookup, margin,
    noise, normalization, padding, pooling, rearranging, regression, resampling, sampling, sequence,
    unpooling,
)  # fmt: skip

globals().update({name: getattr(family, name) for family in FAMILIES for name in family.__all__})

__all__ = [name for family in FAMILIES for name in family.__all__]
