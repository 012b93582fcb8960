"""Right answers that are written in another way than the solution: their checks accept them.

tests/test_exercises.py holds each check to its solution and to its wrong answers.  Here stand
answers to which a check could be too strict: lists for arrays, tensors for arrays, another order of
the same sums.
"""

import math

import dlcourse.exercises

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ANSWERS = []


def accepted(name):
    """Decorate an answer to the exercise of that name."""

    def add(answer):
        ANSWERS.append(pytest.param(name, answer, id=f"{name}-{answer.__name__}"))
        return answer

    return add


@accepted("recurrent_networks.combine")
def as_an_array(first, second):
    return np.array([first[0] * second[0], second[0] * first[1] + second[1]])


@accepted("recurrent_networks.combine")
def as_a_tensor(first, second):
    return torch.tensor([first[0] * second[0], second[0] * first[1] + second[1]])


@accepted("recurrent_networks.clip_by_norm")
def with_torch_s_small_number(grads, max_norm):
    norm = math.sqrt(sum(float((g**2).sum()) for g in grads))
    return [g * min(1, max_norm / (norm + 1e-6)) for g in grads], norm


@accepted("recurrent_networks.last_states")
def rows_in_a_list(out, lengths):
    return [out[row, n - 1] for row, n in enumerate(lengths)]


@accepted("multilayer_perceptron.parity")
def counts_the_zeros():
    return -np.ones((3, 3)), np.array([3, 2, 1]), np.array([[-1, 2, -2]]), np.array([1])


@accepted("multilayer_perceptron.balance")
def balance_by_torch(W1, b1, W2):
    W1, b1, W2 = map(torch.tensor, (W1, b1, W2))
    u, v = torch.cat([W1, b1[:, None]], 1).norm(dim=1), W2.norm(dim=0)
    into, out = ((u * v).sqrt() / torch.where(n > 0, n, torch.inf) for n in (u, v))
    return into[:, None] * W1, into * b1, W2 * out


@accepted("multilayer_perceptron.interpolate")
def interpolate_by_torch(t, y):
    slopes = np.diff(y) / np.diff(t)
    change = np.diff(slopes, prepend=0, append=0)
    return torch.tensor(t), torch.tensor(change), torch.tensor(y[:1])


@accepted("multilayer_perceptron.pieces")
def from_the_slopes_between(slopes, kinks, weights):
    places = np.unique(kinks)
    between = np.concatenate([[places[0] - 1], (places[1:] + places[:-1]) / 2, [places[-1] + 1]])
    slope = [(weights * slopes * (slopes * (x - kinks) > 0)).sum() for x in between]
    return 1 + np.count_nonzero(np.diff(slope))


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_another_right_answer_is_accepted(name, answer):
    verdict = dlcourse.exercises.find(name).verdict(answer)
    assert verdict.state == "right", verdict
