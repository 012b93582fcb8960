"""Writing in place: versions, views, leaves.  Each program runs under mini and under torch."""

from dlcourse import mini

import pytest
from both import agree, same_error


def leaf(f, *values):
    return f.tensor(values, dtype=f.float64, requires_grad=True)


# -- values and gradients --------------------------------------------------------------------------


def on_a_computed_tensor(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 2
    b.mul_(3).add_(a, alpha=2)
    b.sum().backward()
    return b, a.grad


def history_of_what_was_overwritten_is_gone(f):
    a, c = leaf(f, 1.0, 2.0), leaf(f, 3.0, 4.0)
    b = a * 2
    b.copy_(c)
    b.sum().backward()
    return b, a.grad, c.grad


def on_a_view(f):
    a = leaf(f, 1.0, 2.0, 3.0)
    b = a * 2
    b[1:].mul_(a[:2])
    (b * b).sum().backward()
    return b, a.grad


def on_a_view_of_a_view(f):
    a = leaf(f, 1.0, 2.0, 3.0, 4.0)
    b = (a * a).reshape(2, 2)
    c = b.t()[0]
    c.mul_(a[0])
    out = (b * f.tensor([[1.0, 10.0], [100.0, 1000.0]], dtype=f.float64)).sum()
    out.backward()
    return b, c, a.grad


def on_the_base_of_a_view(f):
    a = leaf(f, 1.0, 2.0, 3.0)
    b = a * 2
    v = b[:2]
    b.mul_(a)
    (v * v).sum().backward()
    return v, a.grad


def on_one_of_two_views(f):
    a = leaf(f, 1.0, 2.0, 3.0)
    b = a * 2
    v, w = b[:2], b[1:]
    v.mul_(5)
    (w * a[1:]).sum().backward()
    return w, a.grad


def views_that_gradients_come_to_later(f):
    base = f.zeros(3, dtype=f.float64)
    v = base[1:]
    a = leaf(f, 3.0)
    v.add_(a)
    (base * base).sum().backward()
    return base, v, v.requires_grad, base.requires_grad, a.grad


def set_items(f):
    a, b = leaf(f, 1.0, 2.0, 3.0), leaf(f, 5.0)
    x = a * 1
    x[1] = b[0] * 2
    x[0] = 7
    x[f.tensor([False, False, True])] = b
    (x * x).sum().backward()
    return x, a.grad, b.grad


def set_items_by_indices(f):
    a, v = leaf(f, 1.0, 2.0, 3.0, 4.0).reshape(2, 2), leaf(f, 5.0, 6.0)
    x = a * 1
    x[:, f.tensor([1])] = v.reshape(2, 1)
    x[f.tensor([0, 1]), f.tensor([0, 0])] *= 2
    return x, *f.autograd.grad((x * x).sum(), [a, v])


def set_items_of_plain_data(f):
    x = f.arange(12).reshape(3, 4)
    x[0] = 100
    x[1, 1:3] = f.tensor([7, 8])
    x[x > 90] = -1
    x[2] = x[0]
    x[..., -1] += 1
    x[1][0] = 55
    return x


def fills(f):
    a = leaf(f, 1.0, 2.0, 3.0)
    x, y, z = a * 1, a * 2, a * 3
    x.fill_(4)
    y[:1].zero_()
    z[0].fill_(5.0)
    (x * x + y * y + z * z).sum().backward()
    return x, y, z, a.grad


def copies(f):
    a, b = leaf(f, 1.0, 2.0, 3.0), f.ones((2, 3), dtype=f.float64)
    b.copy_(a)
    c = f.zeros(3)
    c.copy_(a)  # from float64 to float32
    d = f.zeros(3, dtype=f.int64)
    d.copy_(a.detach())
    (b.sum() * 2 + c.sum()).backward()
    return b, c, d, a.grad


def operators(f):
    a = leaf(f, 1.0, 2.0)
    x = a * 1
    same = x
    x += a
    x *= 2
    x -= 1
    x /= a
    x **= 2
    x.sum().backward()
    return x, same is x, a.grad


def unary_in_place(f):
    a = leaf(f, 0.5, 1.5)
    out = []
    for name in (
        "neg_",
        "exp_",
        "log_",
        "sqrt_",
        "abs_",
        "sin_",
        "cos_",
        "tanh_",
        "sigmoid_",
        "relu_",
    ):
        x = a * 1.1
        getattr(x, name)()
        out += [x, *f.autograd.grad((x * a).sum(), a)]
    return out


def a_leaf_inside_no_grad(f):
    a = leaf(f, 1.0, 2.0)
    with f.no_grad():
        a.mul_(2)
        a[0] = 9
        a -= 1
    (a * a).sum().backward()
    return a, a.grad, a.is_leaf, a.requires_grad


def a_detached_leaf(f):
    a = leaf(f, 1.0, 2.0)
    a.detach().mul_(2)
    (a * a).sum().backward()
    return a, a.grad


def versions(f):
    a = f.zeros(4)
    seen = [a._version]
    view, away = a[1:], a.detach()
    for write in (lambda: a.add_(1), lambda: view.mul_(2), lambda: away.fill_(3), a.zero_,
                  lambda: view.__setitem__(0, 1), lambda: a.reshape(2, 2).add_(1)):  # fmt: skip
        write()
        seen.append((a._version, view._version, away._version))
    return seen, a.data._version, a.clone()._version


def what_needs_no_saved_value_may_change(f):
    a = leaf(f, 1.0, 2.0)
    b = a + 1
    c = b + a
    b.mul_(10)  # Add saved nothing
    c.sum().backward()
    return a.grad


def what_stands_beside_a_constant_may_change(f):
    """Of a product backward asks for the constant alone; so it is for quotients and mixtures."""
    a, fixed = leaf(f, [1.0, 2.0], [3.0, 4.0]), f.tensor([[2.0, 0.5], [1.5, 3.0]]).double()
    grads = []
    for use in (
        lambda x: x * 2, lambda x: 0.5 * x, lambda x: x / fixed, lambda x: x % 2,
        lambda x: x @ fixed, lambda x: fixed @ x, lambda x: x @ fixed[0],
        lambda x: x[0] @ fixed[0],
        lambda x: f.lerp(x, fixed, 0.3), lambda x: f.lerp(fixed, x, fixed), lambda x: f.fmod(x, 2),
        lambda x: f.addcmul(fixed, x, fixed), lambda x: f.addcdiv(fixed, x, fixed),
        lambda x: f.addmm(fixed, x, fixed), lambda x: f.einsum("ij,kj->ik", x, fixed),
    ):  # fmt: skip
        b = a + 1
        c = use(b)
        b.mul_(10)
        grads.append(f.autograd.grad(c.sum(), a)[0])
    return grads


def a_weight_changed_before_backward_of_a_first_layer(f):
    w, b, x = leaf(f, [1.0, 2.0], [3.0, 4.0]), leaf(f, 1.0, 1.0), f.tensor([[2.0, 0.5]]).double()
    loss = f.nn.functional.linear(x, w, b).sum() + (x @ w).sum() + (w @ x[0]).sum()
    with f.no_grad():
        w.mul_(2)
    loss.backward()
    return w.grad, b.grad


def states_in_one_tensor(f):
    """Each is computed from the one before, in the same memory."""
    drive, states = leaf(f, 1.0, 2.0, 3.0, 4.0), f.zeros(4).double()
    for t in range(4):
        states[t] = drive[t] if t == 0 else 0.9 * states[t - 1] + drive[t] / 2
    boxes = drive.view(2, 2).clone()
    boxes[..., :1] = boxes[..., :1] * 2 - 0.5
    boxes[..., 1:] = (boxes[..., 1:] * 2) ** 2 * f.tensor([1.5])
    (states.pow(2).sum() + boxes.sum()).backward()
    return states, boxes, drive.grad


def saved_in_no_grad_does_not_matter(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 2
    with f.no_grad():
        unused = b * b
    b.add_(1)
    (b + a).sum().backward()
    return a.grad, unused


def requires_grad_in_place(f):
    a = f.ones(2)
    return a.requires_grad_().requires_grad, a.requires_grad_(False).requires_grad, a.requires_grad


def detached_in_place(f):
    a = leaf(f, 1.0)
    b = a * 2
    b.detach_()
    return b.requires_grad, b.is_leaf, b


def second_derivative_through_a_write(f):
    a = leaf(f, 0.5, 1.5, 2.5)
    b = a * a
    b[1:].mul_(a[:2])
    b.sin_()
    (g,) = f.autograd.grad(b.sum(), a, create_graph=True)
    return g, *f.autograd.grad((g * g).sum(), a)


def hooks_keep_to_the_value_they_were_given_for(f):
    a, seen = leaf(f, 1.0, 2.0), []
    b = a * 2
    b.register_hook(lambda g: seen.append(g.clone()))
    b.mul_(5)
    b.sum().backward()
    return seen, a.grad


PROGRAMS = [
    on_a_computed_tensor, history_of_what_was_overwritten_is_gone, on_a_view, on_a_view_of_a_view,
    on_the_base_of_a_view, on_one_of_two_views, views_that_gradients_come_to_later, set_items,
    set_items_by_indices, set_items_of_plain_data, fills, copies, operators, unary_in_place,
    a_leaf_inside_no_grad, a_detached_leaf, versions, what_needs_no_saved_value_may_change,
    what_stands_beside_a_constant_may_change, a_weight_changed_before_backward_of_a_first_layer,
    states_in_one_tensor,
    saved_in_no_grad_does_not_matter, requires_grad_in_place, detached_in_place,
    second_derivative_through_a_write, hooks_keep_to_the_value_they_were_given_for,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_in_place(program):
    agree(program)


# -- what must be refused --------------------------------------------------------------------------


def changed_after_saving(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 2
    c = b * b
    b.add_(1)
    c.sum().backward()


def output_changed(f):
    a = leaf(f, 1.0, 2.0)
    b = a.exp()
    b.add_(1)
    b.sum().backward()


def changed_through_a_view(f):
    b = leaf(f, 1.0, 2.0) * 2
    c = b * b
    b[0] = 5
    c.sum().backward()


def changed_through_detach(f):
    b = leaf(f, 1.0, 2.0) * 2
    c = b * b
    b.detach().zero_()
    c.sum().backward()


def leaf_changed_between(f):
    w = leaf(f, 1.0, 2.0)
    loss = (w * w).sum()
    with f.no_grad():
        w.sub_(0.1)
    loss.backward()


def changed_by_itself(f):
    b = leaf(f, 3.0) * 1
    b.mul_(b).sum().backward()


def view_made_in_no_grad(f):
    a = leaf(f, 1.0, 2.0) * 1
    with f.no_grad():
        v = a[:1]
    v.mul_(2)


ERRORS = {
    "changed after saving": changed_after_saving,
    "output changed": output_changed,
    "changed through a view": changed_through_a_view,
    "changed through detach": changed_through_detach,
    "leaf changed between": leaf_changed_between,
    "changed by itself": changed_by_itself,
    "leaf": lambda f: leaf(f, 1.0).add_(1),
    "leaf by operator": lambda f: leaf(f, 1.0).__iadd__(1),
    "leaf by index": lambda f: leaf(f, 1.0).__setitem__(0, 1),
    "view of a leaf": lambda f: leaf(f, 1.0, 2.0)[:1].add_(1),
    "view made in no_grad": view_made_in_no_grad,
    "does not fit": lambda f: f.ones(3).add_(f.ones(2, 3)),
    "does not broadcast": lambda f: f.ones(3).add_(f.ones(2)),
    "float into integers": lambda f: f.ones(2, dtype=f.int64).add_(1.5),
    "integers into booleans": lambda f: f.tensor([True]).add_(1),
    "expanded": lambda f: f.ones(1).expand(3).add_(1),
    "copy of another size": lambda f: f.ones(3).copy_(f.ones(2)),
    "detach_ of a view": lambda f: (leaf(f, 1.0, 2.0) * 1)[:1].detach_(),
    "value of another size": lambda f: f.ones(3).__setitem__(slice(2), f.ones(3)),
    "index out of range": lambda f: f.ones(3).__setitem__(3, 1),
    "negative std": lambda f: f.ones(3).normal_(0, -1),
}
OTHER_WORDS = {
    "view made in no_grad", "view of a leaf", "leaf by index", "changed through a view",
    "detach_ of a view",
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


@pytest.mark.parametrize("write", [lambda x: x.add_(1.5), lambda x: x.add_(mini.ones(7, 3))])
def test_a_refused_write_changes_nothing(write):
    x = mini.arange(3)
    with pytest.raises(RuntimeError):
        write(x)
    assert x.tolist() == [0, 1, 2]
    assert x._version == 0


def test_an_index_that_changes_after_its_use_does_no_harm():
    # In torch backward refuses; mini keeps a copy, which is small beside what it indexes.
    x = mini.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    index, mask, rows = mini.tensor([1]), mini.tensor([True, False]), mini.tensor([[1, 1]])
    y = x[index].sum() + x[mask].sum() * 10 + x.gather(0, rows).sum() * 100
    y = y + x.index_select(0, index).sum() * 1000
    y = y + mini.zeros(2, 2).scatter_add(0, rows, x[:1])[1, 0]
    index.fill_(0)
    mask.fill_(True)
    rows.fill_(0)
    y.backward()
    assert x.grad.tolist() == [[11, 10], [1101, 1101]]


def test_pieces_are_views_of_one_node():
    """Writing to the whole, or to a piece, after the cut: the gradients follow."""
    x = mini.arange(6.0).requires_grad_()
    whole = x * 1
    first, _ = whole.split(3)
    whole.mul_(5)  # first is taken again
    (first**2).sum().backward()
    assert x.grad.tolist() == [0, 50, 100, 0, 0, 0]
    x = mini.ones(4, requires_grad=True)
    a, b = (x * 1).chunk(2)
    assert a.grad_fn is b.grad_fn
    a.mul_(5)
    (a.sum() + 2 * b.sum()).backward()
    assert x.grad.tolist() == [5, 5, 2, 2]
    rows = (x * 1).reshape(2, 2)
    first, second = rows.unbind()
    rows[0].mul_(3)
    (first.sum() + second.sum()).backward()
    assert x.grad.tolist() == [8, 8, 3, 3]


@pytest.mark.parametrize("name", ["fill_", "masked_fill", "masked_fill_"])
def test_what_fills_gets_its_gradient(name):
    def program(f):
        value, x = f.tensor(2.0, requires_grad=True), f.ones(2, 3, requires_grad=True)
        mask = () if name == "fill_" else (f.tensor([True, False, True]),)
        out = getattr(x * 3, name)(*mask, value**2)
        (out**2).sum().backward()
        return out, value.grad, x.grad

    agree(program)
    for f_value in ([1.0, 2.0], [[1.0]]):
        same_error(
            lambda f, v=f_value: getattr(f.ones(2), name)(
                *(() if name == "fill_" else (f.tensor([True, False]),)), f.tensor(v)
            )
        )
