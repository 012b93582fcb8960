"""Sums of products named by letters: einsum and tensordot, by way of `bmm`."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.linalg import matmul
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np

# Letters for the dimensions that an ellipsis stands for: no equation can hold them.
HIDDEN = [chr(0x3B1 + i) for i in range(24)]


def einsum(equation, *operands):
    """The sum of products that `equation` names, such as "bij,bjk->bik"; "..." broadcasts."""
    if not isinstance(equation, str):
        raise TypeError("mini's einsum takes an equation such as 'ij,jk->ik', not lists of indices")
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    inputs, output = _parse(equation.replace(" ", ""), operands)
    sizes = _sizes(inputs, operands)
    for letter in output:
        if letter not in sizes:
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any "
                "input operand"
            )
    terms = [_diagonal(*term) for term in zip(operands, inputs, strict=True)]
    result, letters = terms[0]
    for position, (operand, own) in enumerate(terms[1:], 1):
        later = set(output).union(*(other for _, other in terms[position + 1 :]))
        result, letters = _pair(result, letters, operand, own, later, sizes)
    result, letters = _drop(result, letters, set(output))
    return result.permute([letters.index(letter) for letter in output])


def _parse(equation, operands):
    """The letters of each operand and of the output, ellipses spelled out."""
    left, arrow, right = equation.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        more = "more" if len(operands) > len(inputs) else "fewer"
        raise RuntimeError(
            f"einsum(): {more} operands were provided than specified in the equation"
        )
    ndims = [
        x._data.ndim - len(part.replace("...", ""))
        for x, part in zip(operands, inputs, strict=True)
    ]
    widest = max((n for n, part in zip(ndims, inputs, strict=True) if "..." in part), default=0)
    hidden = "".join(HIDDEN[:widest])
    spelled = []
    for number, (part, n) in enumerate(zip(inputs, ndims, strict=True)):
        if n < 0 or (n > 0 and "..." not in part):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(part)}) does not match "
                f"the number of dimensions ({operands[number]._data.ndim}) for operand {number} "
                "and no ellipsis was given"
            )
        spelled.append(part.replace("...", hidden[widest - n :]))
        for letter in part.replace("...", ""):
            if not (letter.isascii() and letter.isalpha()):
                raise RuntimeError(
                    f"einsum(): invalid subscript given at index {equation.index(letter)} in the "
                    "equation string, subscripts must be in [a-zA-Z]"
                )
    if arrow:
        out = right.replace("...", hidden)
        if len(set(out)) != len(out):
            raise RuntimeError("einsum(): output subscript appears more than once in the output")
        return spelled, out
    every = "".join(inputs).replace("...", "")
    return spelled, hidden + "".join(sorted(c for c in set(every) if every.count(c) == 1))


def _sizes(inputs, operands):
    """{letter: size}; sizes of one letter agree, or one of them is 1."""
    sizes = {}
    for number, (letters, x) in enumerate(zip(inputs, operands, strict=True)):
        for letter, size in zip(letters, x._data.shape, strict=True):
            known = sizes.get(letter, 1)
            if size != known and 1 not in (size, known):
                raise RuntimeError(
                    f"einsum(): subscript {letter} has size {size} for operand {number} which does "
                    f"not broadcast with previously seen size {known}"
                )
            sizes[letter] = size if known == 1 else known
    return sizes


def _diagonal(x, letters):
    """A letter that an operand has twice means its diagonal."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            size = x._data.shape[first]
            if x._data.shape[second] != size:
                raise RuntimeError(
                    f"einsum(): subscript {letter} is repeated for operand 0 but the sizes don't "
                    f"match, {x._data.shape[second]} != {size}"
                )
            order = [first, second] + [d for d in range(len(letters)) if d not in (first, second)]
            along = wrap(np.arange(size))
            x = x.permute(order)[along, along]
            letters = letter + "".join(letters[d] for d in order[2:])
    return x, letters


def _drop(x, letters, keep):
    """Sum over the letters that nobody asks for any more."""
    gone = [d for d, letter in enumerate(letters) if letter not in keep]
    if not gone:
        return x, letters
    return x.sum(gone), "".join(letter for letter in letters if letter in keep)


def _pair(x, mine, y, yours, later, sizes):
    """The product of two operands, summed over the letters that nobody needs later."""
    x, mine = _drop(x, mine, set(yours) | later)
    y, yours = _drop(y, yours, set(mine) | later)
    # A letter of size 1 beside a larger one broadcasts: bring both to the full size.
    x, y = (
        t.expand(
            [
                sizes[letter] if letter in other else n
                for letter, n in zip(own, t._data.shape, strict=True)
            ]
        )
        for t, own, other in ((x, mine, yours), (y, yours, mine))
    )
    both = [letter for letter in mine if letter in yours]
    batch = [letter for letter in both if letter in later]
    summed = [letter for letter in both if letter not in later]
    left = [letter for letter in mine if letter not in both]
    right = [letter for letter in yours if letter not in both]
    shape_x, shape_y = (
        dict(zip(mine, x._data.shape, strict=True)),
        dict(zip(yours, y._data.shape, strict=True)),
    )
    if not summed:  # nothing to add up: a product element by element
        a = x.permute([mine.index(c) for c in batch + left])
        b = y.permute([yours.index(c) for c in batch + right])
        a = a.reshape([shape_x[c] for c in batch + left] + [1] * len(right))
        b = b.reshape([shape_y[c] for c in batch] + [1] * len(left) + [shape_y[c] for c in right])
        return a * b, "".join(batch + left + right)
    count = {
        name: math.prod(shape[c] for c in group)
        for name, shape, group in (("batch", shape_x, batch), ("left", shape_x, left),
                                   ("summed", shape_x, summed), ("right", shape_y, right))
    }  # fmt: skip
    a = x.permute([mine.index(c) for c in batch + left + summed])
    b = y.permute([yours.index(c) for c in batch + summed + right])
    lead = [count["batch"]] if batch else []
    product = matmul(
        a.reshape([*lead, count["left"], count["summed"]]),
        b.reshape([*lead, count["summed"], count["right"]]),
    )
    shape = [shape_x[c] for c in batch + left] + [shape_y[c] for c in right]
    return product.reshape(shape), "".join(batch + left + right)


def tensordot(a, b, dims=2):
    """Products summed over the last `dims` of a and the first of b, or over two lists of dims."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int | np.integer):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        dims = list(range(a._data.ndim - dims, a._data.ndim)), list(range(dims))
    of_a, of_b = ([d] if isinstance(d, int | np.integer) else list(d) for d in dims)
    of_a = [wrap_dim(d, a._data.ndim) for d in of_a]
    of_b = [wrap_dim(d, b._data.ndim) for d in of_b]
    if len(of_a) != len(of_b):
        raise RuntimeError("both dimension lists should have same length")
    for i, j in zip(of_a, of_b, strict=True):
        if a._data.shape[i] != b._data.shape[j]:
            raise RuntimeError(
                "contracted dimensions need to match, but first has size "
                f"{a._data.shape[i]} in dim {i} and second has size {b._data.shape[j]} in dim {j}"
            )
    keep_a = [d for d in range(a._data.ndim) if d not in of_a]
    keep_b = [d for d in range(b._data.ndim) if d not in of_b]
    count = math.prod(a._data.shape[d] for d in of_a)
    shape = [a._data.shape[d] for d in keep_a] + [b._data.shape[d] for d in keep_b]
    rows = math.prod(a._data.shape[d] for d in keep_a)
    left = a.permute(keep_a + of_a).reshape(rows, count)
    right = b.permute(of_b + keep_b)
    return matmul(left, right.reshape(count, math.prod(shape[len(keep_a) :]))).reshape(shape)
