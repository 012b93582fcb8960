"""Long chains of elementwise steps, done piece by piece.

Each step of `0.5 * x * (1 + tanh(x))` walks over a whole array, and makes one.  Done for a piece at
a time, what a step leaves is still in the processor's nearest cache when the next one wants it, and
what is made on the way is as small as a piece.
"""

PIECE = 1 << 14  # elements


def pieces(*arrays):
    """Tuples of views, together all of `arrays` (of one shape); the whole where that is small."""
    first = arrays[0]
    if first.size <= PIECE or not all(a.flags.c_contiguous for a in arrays):
        return [arrays]
    flat = [a.reshape(-1) for a in arrays]
    return [tuple([a[i : i + PIECE] for a in flat]) for i in range(0, first.size, PIECE)]
