"""LSTM and GRU: a layer in one direction as one node, beside the steps that define it.

The rows of a batch come packed: those of time 0 first, then those of time 1, `batch_sizes[t]` of
them, which never grows with t (a sequence that has ended gives no more rows).  A plain batch
(T, B, I) is the case in which all batch sizes are B.  Letters: N rows in all, I inputs, H hidden.

What makes it fast: one product for all inputs, one for all weight gradients, one exp for all gates
of a step, and memory that the steps share.
"""

from itertools import accumulate

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.norm import Fused
from dlcourse.mini.ops.shape import cat

import numpy as np


def steps(batch_sizes, reverse=False):
    """(rows, batch size) of each step, in the order in which the layer takes them."""
    ends = accumulate(batch_sizes)
    each = [(slice(end - n, end), n) for n, end in zip(batch_sizes, ends, strict=True)]
    return each[::-1] if reverse else each


def sweep(cell, x, states, batch_sizes, reverse):
    """Run `cell(x_t, states) -> states` over packed rows: (the first state of each row, states).

    A state has a row for each sequence.  The rows of sequences that have ended, or, in reverse,
    have not begun, are left as they are.
    """
    outs = []
    for rows, n in steps(batch_sizes, reverse):
        new = cell(x[rows], tuple([s[:n] for s in states]))
        outs.append(new[0])
        states = tuple(
            [a if n == len(s) else cat([a, s[n:]]) for a, s in zip(new, states, strict=True)]
        )
    return cat(outs[::-1] if reverse else outs), *states


# -- one step, as its formula ----------------------------------------------------------------------


def linear(x, weight, bias):
    """`x @ weight^T + bias`."""
    out = x @ weight.t()
    return out if bias is None else out + bias


def rnn_step(x, h, w_ih, w_hh, b_ih, b_hh, nonlinearity):
    """The hidden state after x: nonlinearity(W_ih x + b_ih + W_hh h + b_hh) (Elman 1990)."""
    return nonlinearity(linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh))


def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr=None):
    """Hidden and cell state after x (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, f, g, o = gates; c' = f * c + i * g; h' = o * tanh(c'), projected by w_hr if there is one.
    """
    gates = linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)
    i, f, g, o = gates.split(gates.shape[1] // 4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h if w_hr is None else h @ w_hr.t(), c


def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    """The hidden state after x (Cho et al. 2014): h' = (1 - z) * n + z * h.

    Reset r, update z, n = tanh(x_n + r * h_n).
    """
    x, hidden = linear(x, w_ih, b_ih), linear(h, w_hh, b_hh)
    size = h.shape[1]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = x.split(size, 1), hidden.split(size, 1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return n + z * (h - n)


# -- a layer as one node ---------------------------------------------------------------------------


class Recurrent(Fused):
    """What the layers share: products over all rows at once."""

    def inputs(self):
        """The arrays among the arguments of forward; None where there is none."""
        saved = iter(self.saved_tensors)
        return [next(saved)._data if a is Tensor else None for a in self.args]

    def gradients(self, states, grad_x, grad_h, x, w_ih, before):
        """Gradients of x, the states, both weights and both biases, None where nobody needs them.

        `grad_x` and `grad_h` are those of W_ih x + b_ih and W_hh h + b_hh (N, gates); `before`
        (N, H) is the hidden state that each row started from.
        """
        needs_x, *_ = self.needs_input_grad
        needs = self.needs_input_grad[1 + len(states) :]
        return [
            grad_x @ w_ih if needs_x else None,
            *states,
            grad_x.T @ x if needs[0] else None,
            grad_h.T @ before if needs[1] else None,
            grad_x.sum(0) if needs[2] else None,
            grad_h.sum(0) if needs[3] else None,
        ]

    def answer(self, arrays):
        """Arrays as the Tensors that backward returns, for each argument of forward."""
        arrays += [None] * (len(self.needs_input_grad) - len(arrays))
        return tuple([None if a is None else wrap(a) for a in arrays])


class LstmLayer(Recurrent):
    """Packed rows x (N, I), h (B, H or P), c (B, H) to (out (N, H or P), h, c)."""

    @staticmethod
    def plain(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse):
        """What an LSTM layer is."""

        def cell(x, states):
            return lstm_step(x, *states, w_ih, w_hh, b_ih, b_hh, w_hr)

        return sweep(cell, x, (h, c), batch_sizes, reverse)

    @staticmethod
    def forward(ctx, x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse):
        ctx.remember(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse)
        size, dtype = c._data.shape[1], x._data.dtype
        # sigmoid(x) = 1 / (1 + exp(-x)) for i, f and o; tanh(x) = 2 * sigmoid(2 * x) - 1 for g
        scale = np.repeat(np.array([-1, -1, -2, -1], dtype), size)
        gates = x._data @ (w_ih._data.T * scale)  # (N, 4 * H)
        if b_ih is not None:
            gates += (b_ih._data + b_hh._data) * scale
        recurrent = np.multiply(w_hh._data.T, scale, order="C")  # the products of steps read it so
        n_rows = len(gates)
        ctx.gates, ctx.before = gates, np.empty((n_rows, h._data.shape[1]), dtype)
        ctx.cells, ctx.tanh = np.empty((2, n_rows, size), dtype)
        ctx.hidden = out = np.empty((n_rows, size), dtype)
        if w_hr is not None:
            out = np.empty_like(ctx.before)
        h, c = h._data.copy(), c._data.copy()
        work, product = np.empty_like(c), np.empty((len(c), 4 * size), dtype)
        for rows, n in steps(batch_sizes, reverse):
            a, cell, tmp, add = gates[rows], c[:n], work[:n], product[:n]
            ctx.before[rows], ctx.cells[rows] = h[:n], cell
            np.matmul(h[:n], recurrent, out=add)
            a += add
            np.exp(a, out=a)
            a += 1
            np.reciprocal(a, out=a)
            new = a[:, 2 * size : 3 * size]
            new *= 2
            new -= 1
            cell *= a[:, size : 2 * size]
            cell += np.multiply(a[:, :size], new, out=tmp)
            np.multiply(np.tanh(cell, out=ctx.tanh[rows]), a[:, 3 * size :], out=ctx.hidden[rows])
            if w_hr is not None:
                np.matmul(ctx.hidden[rows], w_hr._data.T, out=out[rows])
            h[:n] = out[rows]
        return wrap(out), wrap(h), wrap(c)

    def fast(self, grad_out, grad_h, grad_c):
        x, _, _, w_ih, w_hh, _, _, w_hr, *_ = self.inputs()
        *_, batch_sizes, reverse = self.args
        size = grad_c.shape[1]
        grad_gates, grad_projected = np.empty_like(self.gates), np.empty_like(self.before)
        dh, dc = grad_h.copy(), grad_c.copy()
        work = np.empty((3, *dc.shape), dc.dtype)
        wide = np.empty((len(dc), 4 * size), dc.dtype)
        is_tanh = np.repeat(np.array([0, 0, 1, 0], dc.dtype), size)
        for rows, n in reversed(steps(batch_sizes, reverse)):
            a, da, tanh, cell = self.gates[rows], grad_gates[rows], self.tanh[rows], dc[:n]
            i, f, g, o = (a[:, k * size : (k + 1) * size] for k in range(4))
            di, df, dg, do = (da[:, k * size : (k + 1) * size] for k in range(4))
            hidden = np.add(dh[:n], grad_out[rows], out=grad_projected[rows])
            if w_hr is not None:
                hidden = hidden @ w_hr
            np.multiply(hidden, tanh, out=do)
            # dL/dc += dL/dh * o * (1 - tanh(c)^2)
            tmp, slope, _ = work[:, :n]
            np.multiply(hidden, o, out=tmp)
            np.multiply(tanh, tanh, out=slope)
            np.subtract(1, slope, out=slope)
            cell += np.multiply(tmp, slope, out=tmp)
            np.multiply(cell, g, out=di)
            np.multiply(cell, self.cells[rows], out=df)
            np.multiply(cell, i, out=dg)
            cell *= f
            # through the gates: s * (1 - s) of a sigmoid, (1 + t) * (1 - t) of a tanh
            slopes = np.subtract(1, a, out=wide[:n])
            da *= slopes
            np.add(a, is_tanh, out=slopes)
            da *= slopes
            np.matmul(da, w_hh, out=dh[:n])
        out = self.gradients((dh, dc), grad_gates, grad_gates, x, w_ih, self.before)
        if w_hr is not None:
            out.append(grad_projected.T @ self.hidden)
        return self.answer(out)


class GruLayer(Recurrent):
    """Packed rows x (N, I), h (B, H) to (out (N, H), h)."""

    @staticmethod
    def plain(x, h, w_ih, w_hh, b_ih, b_hh, batch_sizes, reverse):
        """What a GRU layer is."""

        def cell(x, states):
            return (gru_step(x, *states, w_ih, w_hh, b_ih, b_hh),)

        return sweep(cell, x, (h,), batch_sizes, reverse)

    @staticmethod
    def forward(ctx, x, h, w_ih, w_hh, b_ih, b_hh, batch_sizes, reverse):
        ctx.remember(x, h, w_ih, w_hh, b_ih, b_hh, batch_sizes, reverse)
        size, dtype = h._data.shape[1], x._data.dtype
        gates = x._data @ w_ih._data.T  # (N, 3 * H)
        if b_ih is not None:
            gates += b_ih._data
        recurrent = np.ascontiguousarray(w_hh._data.T)
        n_rows = len(gates)
        ctx.gates = gates  # r, z, n of each row
        # the state before each row; its part of n before the reset gate; the state after
        ctx.before, ctx.candidate, out = np.empty((3, n_rows, size), dtype)
        h = h._data.copy()
        work, product = np.empty_like(h), np.empty((len(h), 3 * size), dtype)
        for rows, n in steps(batch_sizes, reverse):
            a, state, tmp, add = gates[rows], h[:n], work[:n], product[:n]
            ctx.before[rows] = state
            np.matmul(state, recurrent, out=add)
            if b_hh is not None:
                add += b_hh._data
            both, new = a[:, : 2 * size], a[:, 2 * size :]
            both += add[:, : 2 * size]
            np.negative(both, out=both)  # sigmoid(x) = 1 / (1 + exp(-x))
            np.exp(both, out=both)
            both += 1
            np.reciprocal(both, out=both)
            ctx.candidate[rows] = add[:, 2 * size :]
            new += np.multiply(a[:, :size], add[:, 2 * size :], out=tmp)
            np.tanh(new, out=new)
            state -= new
            state *= a[:, size : 2 * size]
            state += new  # n + z * (h - n)
            out[rows] = state
        return wrap(out), wrap(h)

    def fast(self, grad_out, grad_h):
        x, _, w_ih, w_hh, *_ = self.inputs()
        *_, batch_sizes, reverse = self.args
        size = grad_h.shape[1]
        grad_x, dh = np.empty_like(self.gates), grad_h.copy()
        grad_hidden = np.empty_like(self.gates)  # the same but for n, which the reset gate scales
        work = np.empty((2, *dh.shape), dh.dtype)
        for rows, n in reversed(steps(batch_sizes, reverse)):
            a, da, state = self.gates[rows], grad_x[rows], dh[:n]
            r, z, new = (a[:, k * size : (k + 1) * size] for k in range(3))
            dr, dz, dn = (da[:, k * size : (k + 1) * size] for k in range(3))
            tmp, slope = work[:, :n]
            state += grad_out[rows]
            # dL/dz = dL/dh * (h - n) * z * (1 - z)
            np.subtract(1, z, out=slope)
            np.subtract(self.before[rows], new, out=dz)
            dz *= state
            np.multiply(state, slope, out=dn)
            slope *= z
            dz *= slope
            # dL/dn = dL/dh * (1 - z) * (1 - n^2)
            np.multiply(new, new, out=tmp)
            dn *= np.subtract(1, tmp, out=tmp)
            # dL/dr = dL/dn * h_n * r * (1 - r)
            np.subtract(1, r, out=tmp)
            tmp *= r
            np.multiply(dn, self.candidate[rows], out=dr)
            dr *= tmp
            inner = grad_hidden[rows]
            inner[:, : 2 * size] = da[:, : 2 * size]
            np.multiply(dn, r, out=inner[:, 2 * size :])
            state *= z
            state += inner @ w_hh
        return self.answer(self.gradients((dh,), grad_x, grad_hidden, x, w_ih, self.before))
