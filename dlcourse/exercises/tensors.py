"""Exercises of the chapter tensors. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="shape",
    solution=(4, 5),
    reasoning=(
        "`a[:, None]` has shape (4, 1). Aligned from the right with (3, 1, 5) it reads (1, 4, 1), "
        "so the sum has shape (3, 4, 5); `sum(0)` removes the first dimension."
    ),
    shown="Align from the right, stretch the ones, and only then reduce.",
)
def check_shape(answer):
    try:
        answer = tuple(int(size) for size in answer)
    except (TypeError, ValueError):
        raise Hint("A shape is a tuple of whole numbers, such as `(2, 3)`.") from None
    if answer == (3, 4, 5):
        raise Hint("That is the shape before `sum(0)`. Which dimension does the sum remove?")
    if answer == (1, 4, 5):
        raise Hint("`sum(0)` removes its dimension; `keepdim=True` would leave a 1.")
    if answer == (3, 5):
        raise Hint("Dimension 0 is the *first* one of the broadcast result. Write that shape down.")
    if answer == (4, 1, 5):
        raise Hint(
            "`a[:, None]` is (4, 1): its 4 stands over the 1 of (3, 1, 5), not over the 3. Align "
            "from the right."
        )
    expect(
        answer == (4, 5),
        "Not yet. Write (4, 1) under (3, 1, 5), flush right, and read off each column.",
    )


check_shape.wrong("before `sum(0)`", (3, 4, 5))
check_shape.wrong("would leave a 1", (1, 4, 5))
check_shape.wrong("the *first* one", (3, 5))
check_shape.wrong("Align from the right", (4, 1, 5))
check_shape.wrong("flush right", (5,))
check_shape.wrong("a tuple of whole numbers", "(4, 5)")


# -- by hand -----------------------------------------------------------------------------------


def antidiagonal(n):
    """(shape, stride, offset) of the antidiagonal of a row-major (n, n) matrix."""
    return (n,), (n - 1,), n - 1


@exercise(
    solution=antidiagonal,
    reasoning=r"""Element $i$ of the antidiagonal is the entry $(i,\, n - 1 - i)$ of the matrix.
Its address is $i \cdot n + (n - 1 - i) = (n - 1) + i\,(n - 1)$: an offset and a stride, both $n -
1$. For the main diagonal, $i \cdot n + i$ gives offset 0 and stride $n + 1$.""",
    shown="A diagonal is a stride like any other: no element is copied to look along it.",
)
def check_antidiagonal(antidiagonal):
    answer = antidiagonal(4)
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        raise Hint("Return three things: the shape, the stride and the offset.")
    shape, stride, offset = (_whole(part) for part in answer)
    if (stride, offset) == ((5,), (0,)):
        raise Hint("That is the main diagonal. The other one starts at the end of the first row.")
    if offset == (4,):
        raise Hint("Offset 4 is the start of the second row. Count from 0 to the end of the first.")
    if stride == (5,):
        raise Hint("A step goes one row down *and one column to the left*.")
    if stride == (4,):
        raise Hint("A step of n stays in its column: it goes down, but not to the left.")
    if len(shape) != 1:
        raise Hint(f"The antidiagonal has one dimension, yours has shape {shape}.")
    for n in (1, 4, 7):
        shape, stride, offset = (_whole(part) for part in antidiagonal(n))
        found = [offset[0] + i * stride[0] for i in range(shape[0])]
        wanted = [i * n + (n - 1 - i) for i in range(n)]
        if n > 1 and found == wanted[::-1]:
            raise Hint("The right cells from the other end. Begin at the upper right corner.")
        expect(
            found == wanted,
            f"For n = {n} the addresses should be {wanted}, yours are {found}.",
        )


def _whole(part):
    return tuple(int(k) for k in part) if isinstance(part, tuple | list) else (int(part),)


@check_antidiagonal.wrong("main diagonal")
def main_diagonal(n):
    return (n,), (n + 1,), 0


@check_antidiagonal.wrong("start of the second row")
def starts_too_late(n):
    return (n,), (n - 1,), n


@check_antidiagonal.wrong("one column to the left")
def goes_right(n):
    return (n,), (n + 1,), n - 1


@check_antidiagonal.wrong("stays in its column")
def goes_down(n):
    return (n,), (n,), n - 1


@check_antidiagonal.wrong("from the other end")
def begins_below(n):
    return (n,), (1 - n,), n * (n - 1)


@check_antidiagonal.wrong("three things")
def forgets_the_offset(n):
    return (n,), (n - 1,)


@check_antidiagonal.wrong("For n = 1")
def only_four(n):
    return (4,), (3,), 3


# -- change the code ---------------------------------------------------------------------------


def unbroadcast(grad, shape):
    """The adjoint of np.broadcast_to: sum `grad` down to `shape`."""
    lead = grad.ndim - len(shape)
    grad = grad.sum(axis=tuple(range(lead)))  # dimensions that were added in front
    ones = tuple(d for d, size in enumerate(shape) if size == 1)
    return grad.sum(axis=ones, keepdims=True)  # dimensions that were stretched


@exercise(
    solution=unbroadcast,
    reasoning="""Broadcasting does two things: it adds dimensions in front and it stretches ones.
The adjoint undoes both by a sum, the first without a trace, the second with `keepdims=True`. A
sum over no axis at all, `axis=()`, changes nothing, so no case needs an `if`.""",
    shown="Copying forward is summing backward, for every pair of shapes.",
)
def check_unbroadcast(unbroadcast):
    rng = np.random.default_rng(0)
    for shape, big in (
        ((3,), (2, 3)),
        ((2, 1), (2, 3)),
        ((1, 3, 1), (4, 2, 3, 5)),
        ((2, 3), (2, 3)),
        ((), (2, 3)),
        ((3,), (3, 3)),
        ((3, 1), (3, 3)),
    ):
        grad = rng.normal(size=big)
        try:
            got = np.asarray(unbroadcast(grad.copy(), shape))
        except ValueError as error:
            raise Hint(
                f"From {big} down to {shape}, NumPy stops: {error}. Which dimensions to sum is "
                "told by their place, counted from the right, and not by their size alone."
            ) from None
        x = mini.zeros(shape, dtype=mini.float64, requires_grad=True)
        x.expand(big).backward(mini.tensor(grad))
        truth = x.grad.numpy()
        if got.shape != shape:
            if got.shape == big:
                raise Hint(
                    f"From {big} down to {shape}: yours still has shape {got.shape}. Dimensions "
                    "that were added in front have to be summed, too."
                )
            if got.size == truth.size:
                raise Hint(
                    f"From {big} down to {shape}: yours has shape {got.shape}. A dimension of "
                    "size 1 that was stretched goes back to 1, and does not vanish: `keepdims`."
                )
            raise Hint(f"From {big} down to {shape}: yours has shape {got.shape}.")
        factor = grad.size / max(truth.size, 1)
        if factor > 1 and close(got * factor, truth):
            raise Hint("That is the mean. The chain rule *adds* the contributions of all uses.")
        expect_close(got, truth, f"unbroadcast from {big} to {shape}")


@check_unbroadcast.wrong("added in front")
def forgets_the_front(grad, shape):
    ones = tuple(d for d, size in enumerate(shape) if size == 1)
    return grad.sum(axis=ones, keepdims=True)


@check_unbroadcast.wrong("does not vanish")
def loses_the_ones(grad, shape):
    lead = grad.ndim - len(shape)
    return grad.sum(tuple(range(lead)) + tuple(lead + d for d, n in enumerate(shape) if n == 1))


@check_unbroadcast.wrong("That is the mean")
def takes_the_mean(grad, shape):
    return unbroadcast(grad, shape) * int(np.prod(shape)) / grad.size


@check_unbroadcast.wrong("not by their size alone")
def looks_at_sizes_alone(grad, shape):
    stretched = tuple(d for d, size in enumerate(grad.shape) if size not in shape)
    return grad.sum(stretched).reshape(shape)


@check_unbroadcast.wrong("unbroadcast from")
def takes_the_first(grad, shape):
    lead = grad.ndim - len(shape)
    return grad[(0,) * lead + tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


# -- einsum ------------------------------------------------------------------------------------


def einsum_vjp(equation, a, b, grad_output):
    """The gradients of einsum(equation, a, b) by a and by b."""
    inputs, out = equation.split("->")
    of_a, of_b = inputs.split(",")
    ones_a, ones_b = np.ones_like(a), np.ones_like(b)  # for letters that no one else has
    grad_a = np.einsum(f"{out},{of_b},{of_a}->{of_a}", grad_output, b, ones_a)
    grad_b = np.einsum(f"{out},{of_a},{of_b}->{of_b}", grad_output, a, ones_b)
    return grad_a, grad_b


@exercise(
    solution=einsum_vjp,
    reasoning="""A sum of products is linear in each of its factors. The derivative by an entry
of `a` is what stands beside it, weighted with the incoming gradient and summed over the letters
that `a` does not have: the same sentence with `a` and the result changing places. Along a letter
that only `a` has, all these derivatives are the same: multiplying by ones expands them.""",
    shown="One rule differentiates the dot product, the matrix product and the batched one.",
)
def check_einsum_vjp(einsum_vjp):
    rng = np.random.default_rng(0)
    sizes = {"b": 2, "i": 3, "j": 4, "k": 5}
    plain = "bij,bj->bi", "ij,jk->ik", "i,j->ji", "bij,bij->b", "j,j->"
    for equation in (*plain, "ij,k->ik", "i,bij->j", "ij,jk->"):
        inputs, out = equation.split("->")
        of_a, of_b = inputs.split(",")
        a, b, grad = (rng.normal(size=[sizes[c] for c in part]) for part in (of_a, of_b, out))
        leaves = [mini.tensor(array, requires_grad=True) for array in (a, b)]
        mini.einsum(equation, *leaves).backward(mini.tensor(grad))
        wanted = [leaf.grad.numpy() for leaf in leaves]
        try:
            got = [np.asarray(part) for part in einsum_vjp(equation, a, b, grad)]
        except (RuntimeError, ValueError) as error:
            if equation not in plain:
                raise Hint(
                    f"What you make of {equation!r} is refused: {error}. A letter that only "
                    "one operand has was summed at once: its gradient is expanded along it."
                ) from None
            raise Hint(
                f"What you make of {equation!r} is refused: {error}. Let `einsum` do it, and "
                "name the letters of each operand in the order in which you pass them."
            ) from None
        except (AttributeError, TypeError) as error:
            if "ndarray" not in str(error):
                raise
            raise Hint(
                "`a`, `b` and `grad_output` are NumPy arrays: take `np.einsum`, or make tensors "
                "of them first."
            ) from None
        expect(len(got) == 2, "Return two arrays: the gradient by `a` and the one by `b`.")
        if [g.shape for g in got] == [w.shape for w in wanted[::-1]] and a.shape != b.shape:
            raise Hint("The two gradients have changed places: the one by `a` comes first.")
        for name, g, w, array in zip("ab", got, wanted, (a, b), strict=True):
            if g.shape != w.shape:
                raise Hint(
                    f"For {equation!r} the gradient by `{name}` has shape {g.shape}, and "
                    f"`{name}` has {array.shape}. Which letters must stand behind the arrow? Are "
                    "those of each operand in the order in which you pass them?"
                )
            expect_close(g, w, f"the gradient by {name} for {equation!r}")


@check_einsum_vjp.wrong("changed places")
def changes_places(equation, a, b, grad_output):
    return einsum_vjp(equation, a, b, grad_output)[::-1]


@check_einsum_vjp.wrong("behind the arrow")
def transposes(equation, a, b, grad_output):
    return tuple(g.T for g in einsum_vjp(equation, a, b, grad_output))


@check_einsum_vjp.wrong("in the order in which you pass")
def mixes_operands(equation, a, b, grad_output):
    inputs, out = equation.split("->")
    of_a, of_b = inputs.split(",")
    grad_a = np.einsum(f"{of_b},{out}->{of_a}", grad_output, b)
    grad_b = np.einsum(f"{of_a},{out}->{of_b}", grad_output, a)
    return grad_a, grad_b


@check_einsum_vjp.wrong("only one operand has")
def forgets_the_lonely_letter(equation, a, b, grad_output):
    inputs, out = equation.split("->")
    of_a, of_b = inputs.split(",")
    grad_a = np.einsum(f"{out},{of_b}->{of_a}", grad_output, b)
    grad_b = np.einsum(f"{out},{of_a}->{of_b}", grad_output, a)
    return grad_a, grad_b


@check_einsum_vjp.wrong("make tensors of them first")
def passes_arrays_to_mini(equation, a, b, grad_output):
    inputs, out = equation.split("->")
    of_a, of_b = inputs.split(",")
    grad_a = mini.einsum(f"{out},{of_b}->{of_a}", grad_output, b)
    return grad_a, mini.einsum(f"{out},{of_a}->{of_b}", grad_output, a)


@check_einsum_vjp.wrong("the gradient by a")
def ignores_grad_output(equation, a, b, grad_output):
    return einsum_vjp(equation, a, b, np.ones_like(grad_output))


# -- build new ---------------------------------------------------------------------------------


def windows(x, size):
    """All windows of `size` neighbours, a view: (T,) -> (T - size + 1, size)."""
    (step,) = x.stride()
    return x.as_strided((len(x) - size + 1, size), (step, step))


@exercise(
    solution=windows,
    reasoning="""One step down starts one element later, one step to the right goes one element
on: both strides are the stride of `x`, which need not be 1. Neighbouring windows share all but
one element, and in memory they really do. This view, times a kernel, is a convolution.""",
    shown="A matrix larger than the memory it lies in, at no cost. Multiply it with a kernel.",
)
def check_windows(windows):
    import torch

    base = torch.arange(8.0)
    try:
        got = windows(base, 3)
    except RuntimeError as error:
        if "out of bounds" not in str(error):
            raise
        raise Hint(
            "The last of your windows reach beyond the end of `x`: there are T - size + 1 of them."
        ) from None
    expect(isinstance(got, torch.Tensor), "Return a tensor of torch: `x.as_strided(...)`.")
    wanted = [[i, i + 1.0, i + 2] for i in range(6)]
    if got.shape == (2, 3):
        raise Hint("Two windows side by side. They overlap: the next starts one element later.")
    if got.shape == (5, 3):
        raise Hint("One window is missing: the last one starts at T - size, and it counts, too.")
    if got.shape == (3, 6):
        raise Hint("One window a *row*: the shape is (T - size + 1, size).")
    expect_close(got, wanted, "windows(arange(8), 3)")
    thinned = torch.arange(16.0)[1::2]
    wanted = [[2 * i + 1.0, 2 * i + 3, 2 * i + 5] for i in range(6)]
    got = windows(thinned, 3)
    if close(got, [[i + 1.0, i + 2, i + 3] for i in range(6)]):
        raise Hint("`x` may be a view with a stride of its own: ask `x.stride()`.")
    if close(got, [[2.0 * i, 2 * i + 2, 2 * i + 4] for i in range(6)]):
        raise Hint(
            "Yours start where the storage starts; `x` starts at `x.storage_offset()`. Without an "
            "offset, `as_strided` takes the one of `x`."
        )
    expect_close(got, wanted, "windows(arange(16)[1::2], 3)")
    base = torch.arange(8.0)
    got = windows(base, 3)
    base[2] = 100.0
    expect(
        all(close(got[row, 2 - row], 100.0) for row in range(3)),
        "Writing to `x` does not show in your windows: they are a copy. `as_strided` makes a view.",
    )


@check_windows.wrong("They overlap")
def side_by_side(x, size):
    return x[: len(x) // size * size].reshape(-1, size)


@check_windows.wrong("One window is missing")
def one_too_few(x, size):
    (step,) = x.stride()
    return x.as_strided((len(x) - size, size), (step, step))


@check_windows.wrong("beyond the end of `x`")
def one_for_each_number(x, size):
    (step,) = x.stride()
    return x.as_strided((len(x), size), (step, step))


@check_windows.wrong("a stride of its own")
def assumes_stride_one(x, size):
    return x.as_strided((len(x) - size + 1, size), (1, 1))


@check_windows.wrong("where the storage starts")
def starts_at_zero(x, size):
    (step,) = x.stride()
    return x.as_strided((len(x) - size + 1, size), (step, step), 0)


@check_windows.wrong("they are a copy")
def stacks(x, size):
    import torch

    return torch.stack([x[i : i + size] for i in range(len(x) - size + 1)])


@check_windows.wrong("One window a *row*")
def lies_down(x, size):
    return windows(x, size).T


# -- read a paper ------------------------------------------------------------------------------


def kahan_sum(numbers):
    """The sum of a float32 array, in float32, with Kahan's correction (1965)."""
    total = lost = np.float32(0)
    for number in numbers:
        number = number - lost  # give back what the last addition lost
        larger = total + number
        lost = (larger - total) - number  # what was really added, less what should have been
        total = larger
    return total


@exercise(
    solution=kahan_sum,
    reasoning="""`larger - total` is what was really added; less `number`, it is the rounding
error of this addition, with its sign. Both subtractions are exact as long as the number is not
larger than the sum. Subtracted from the next number, the error is made good, and that of the whole
sum no longer grows with its length.""",
    shown="One float32 more of memory, and the error no longer grows with the number of terms.",
)
def check_kahan_sum(kahan_sum):
    numbers = np.full(5000, 0.1, np.float32)
    truth = float(np.sum(numbers, dtype=np.float64))
    got = kahan_sum(numbers.copy())
    expect(
        not isinstance(got, float | np.float64),
        "Your sum is a float64. Sum in float32: `np.float32(0)` is where to start.",
    )
    naive = np.float32(0)
    for number in numbers:
        naive += number
    if got == naive:
        raise Hint(
            "That is the sum without a correction, and its third decimal is wrong. Is what was "
            "lost computed, and given back to the *next* number?"
        )
    if not 0.5 * truth < float(got) < 1.5 * truth:
        raise Hint(
            f"Your sum of 5000 tenths is {float(got):.6g}. Is `lost` computed while `total` still "
            "is the sum *before* this addition?"
        )
    if got == turns_the_sign(numbers):
        raise Hint("The error is not made good but made twice: the correction has the wrong sign.")
    error = abs(float(got) - truth)
    expect(
        error <= float(np.spacing(np.float32(truth))),
        f"Nearer, but off by {error:.2g}. What is lost in one addition is made good once.",
    )
    last = np.zeros(4096, np.float32)  # in pairs, each of the small ones meets a sum of 1
    last[[0, *2 ** np.arange(12)]] = [1.0] + [0.9 * 2.0**-24] * 12
    expect(
        float(kahan_sum(last)) > 1.0,
        "The sum of 1 and twelve small numbers is 1 in yours. A sum in pairs loses less than one "
        "from left to right, but what it loses is gone. Keep it, and give it to the next number.",
    )
    large = np.array([1.0] + [2.0**-25] * 2048, np.float32)
    expect_close(
        float(kahan_sum(large)), 1.0 + 2048 * 2.0**-25, "the sum of 1 and 2048 times 2**-25"
    )
    with np.errstate(all="ignore"):
        beyond = float(kahan_sum(np.array([3e38, 3e38, -3e38], np.float32)))
    expect(
        not np.isfinite(beyond),
        f"Your sum of 3e38, 3e38 and -3e38 is {beyond:.6g}, but in float32 the first two are "
        "infinite already. So you sum in a wider type, and round at the end.",
    )


@check_kahan_sum.wrong("without a correction")
def without_correction(numbers):
    total = np.float32(0)
    for number in numbers:
        total = total + number
    return total


@check_kahan_sum.wrong("A sum in pairs")
def in_pairs(numbers):
    while len(numbers) > 1:
        if len(numbers) % 2:
            numbers = np.append(numbers, np.float32(0))
        numbers = numbers[::2] + numbers[1::2]
    return numbers[0]


@check_kahan_sum.wrong("is a float64")
def in_float64(numbers):
    return np.sum(numbers, dtype=np.float64)


@check_kahan_sum.wrong("a wider type")
def rounds_at_the_end(numbers):
    return np.float32(np.sum(numbers, dtype=np.float64))


@check_kahan_sum.wrong("wrong sign")
def turns_the_sign(numbers):
    total = lost = np.float32(0)
    for number in numbers:
        number = number + lost
        larger = total + number
        lost = (larger - total) - number
        total = larger
    return total


@check_kahan_sum.wrong("*before* this addition")
def overwrites_too_early(numbers):
    total = lost = np.float32(0)
    for number in numbers:
        number = number - lost
        total = larger = total + number
        lost = (larger - total) - number
    return total
