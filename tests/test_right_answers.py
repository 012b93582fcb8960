"""Right answers that are written in another way than the solution: their checks accept them.

tests/test_exercises.py holds each check to its solution and to its wrong answers.  Here stand
answers to which a check could be too strict: lists for arrays, tensors for arrays, another order of
the same sums.
"""

import itertools
import math

import dlcourse.exercises
from dlcourse import mini

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

F = mini.nn.functional
ANSWERS = []


def accepted(name):
    """Decorate an answer to the exercise of that name."""

    def add(answer):
        ANSWERS.append(pytest.param(name, answer, id=f"{name}-{answer.__name__}"))
        return answer

    return add


@accepted("recurrent_networks.combine")
def by_einsum_in_a_list(first, second):
    A = np.einsum("ij,jk->ik", second[0], first[0])
    return [torch.tensor(A), np.einsum("ij,j->i", second[0], first[1]) + second[1]]


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


@accepted("convolution.receptive_field")
def from_sizes_and_jumps(layers, p):
    start, size, jump = 0, 1, 1
    for k, stride, padding, dilation in layers:
        start, size = start - padding * jump, size + dilation * (k - 1) * jump
        jump *= stride
    return [p * jump + start, p * jump + start + size - 1]


@accepted("convolution.blur_pool")
def blur_by_means_of_two(x):
    x = F.pad(x, (1, 1, 1, 1), "reflect")
    return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=2)


@accepted("convolution.blur_pool")
def blur_by_slices(x):
    (H, W), padded = x.shape[2:], F.pad(x, (1, 1, 1, 1), "reflect")
    places = itertools.product((0, 1, 2), repeat=2)
    parts = [padded[:, :, i : i + H, j : j + W] * ((2 - abs(i - 1)) * (2 - abs(j - 1)))
             for i, j in places]  # fmt: skip
    return sum(parts)[:, :, ::2, ::2] / 16


@accepted("convolution.winograd")
def winograd_by_the_papers_matrices(x, w):
    of_pixels = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    of_weights = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    of_products = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
    return of_products @ ((of_weights @ w) * (of_pixels @ x))


@accepted("convolution.same_pads")
def pads_by_search(n, k, stride, dilation):
    total, span = 0, dilation * (k - 1) + 1
    while n + total < span or (n + total - span) // stride + 1 < math.ceil(n / stride):
        total += 1
    return np.array([total // 2, (total + 1) // 2])


@accepted("modern_convnets.squeeze_excite")
def gates_by_convolutions(x, W1, W2):
    squeezed = F.relu(F.conv2d(F.adaptive_avg_pool2d(x, 1), W1[:, :, None, None]))
    return x * F.sigmoid(F.conv2d(squeezed, W2[:, :, None, None]))


@accepted("modern_convnets.largest_depth")
def counts_up(stem, growth, channels):
    depth, copied = 0, 0
    while copied + stem + depth * growth <= channels:
        depth, copied = depth + 1, copied + stem + depth * growth
    return depth


@accepted("datasets_and_loaders.budget_batches")
def batches_as_arrays(lengths, budget):
    order, batches, start = np.argsort(lengths), [], 0
    for i in range(1, len(order) + 1):
        if i == len(order) or (i + 1 - start) * lengths[order[i]] > budget:
            batches.append(order[start:i])
            start = i
    return batches


@accepted("datasets_and_loaders.thresholdout")
def answers_with_a_list(train, holdout, threshold, eta, xi):
    if abs(train - holdout) - eta <= threshold:
        return [train, 0]
    return [holdout + xi, 1]


@accepted("datasets_and_loaders.shuffle_buffer")
def gives_before_it_takes(stream, size, rng):
    buffer = []
    for item in stream:
        buffer.append(item)
        if len(buffer) == size:
            yield buffer.pop(rng.integers(size))
    while buffer:
        yield buffer.pop(rng.integers(len(buffer)))


@accepted("data_preparation.out_of_fold")
def codes_by_pandas(categories, y, folds):
    table, codes = pd.DataFrame({"c": categories, "y": y}), pd.Series(index=range(len(y)))
    for fold in np.unique(folds):
        other = table[folds != fold]
        means = other.groupby("c")["y"].mean()
        codes[folds == fold] = table["c"][folds == fold].map(means).fillna(other["y"].mean())
    return codes


@accepted("training_loop.order")
def order_one_by_one(n, seed, epoch, position):
    rng = np.random.default_rng([seed, epoch])
    return (int(i) for i in rng.permutation(n)[position:])


@accepted("training_loop.auc")
def auc_by_torch(scores, positive):
    scores, positive = torch.tensor(scores), torch.tensor(positive)
    negatives, wanted = scores[~positive].sort().values, scores[positive]
    sides = [torch.searchsorted(negatives, wanted, right=side) for side in (False, True)]
    return (sides[0] + sides[1]).double().mean() / 2 / len(negatives)


@accepted("debugging.train_epoch")
def leaves_the_model_in_evaluation(model, optimizer, loss_fn, batches):
    model.train()
    losses, sizes = [], []
    for x, y in batches:
        loss = loss_fn(model(x), y)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(y))
    model.eval()
    return np.average(losses, weights=sizes)


@accepted("debugging.masked_mean")
def mean_of_filled(losses, lengths):
    behind = mini.arange(losses.shape[1])[None] >= lengths[:, None]
    return losses.masked_fill(behind, 0.0).sum() / lengths.sum()


@accepted("debugging.rows_mixed")
def by_gradients(function, x):
    x = x.detach().clone().requires_grad_()
    out = function(x)
    for i in range(len(x)):
        (g,) = mini.autograd.grad(out[i].sum(), x, retain_graph=True)
        if bool((g[mini.arange(len(x)) != i] != 0).any()):
            return True
    return False


@accepted("name_generator.mixed_bigram")
def mixes_in_place(counts, weight):
    unigram = counts.sum(axis=0) / counts.sum()
    for row in counts:
        row[:] = row / row.sum() if row.sum() else unigram
        row *= 1 - weight
        row += weight * unigram
    return counts


@accepted("name_generator.nucleus")
def nucleus_by_a_loop(p, mass):
    kept, held = [0.0] * len(p), 0.0
    for i in sorted(range(len(p)), key=lambda i: -p[i]):
        if held < mass:
            kept[i], held = p[i], held + p[i]
    return [value / held for value in kept]


@accepted("name_generator.belongs")
def belongs_by_torch(cost_f, cost_m, share_f=0.5):
    difference = torch.as_tensor(cost_m) - torch.as_tensor(cost_f)
    return (difference + math.log(share_f / (1 - share_f))).sigmoid()


@accepted("attention.grouped_attention")
def lays_the_queries_of_a_group_after_one_another(q, k, v):
    B, nh, T, hs = q.shape
    rows = q.reshape(B, k.shape[1], -1, hs)
    return ((rows @ k.mT / math.sqrt(hs)).softmax(-1) @ v).reshape(B, nh, T, hs)


@accepted("attention.grouped_attention")
def takes_a_slice_for_each_group(q, k, v):
    n = q.shape[1] // k.shape[1]
    groups = [slice(i, i + 1) for i in range(k.shape[1])]
    attend = F.scaled_dot_product_attention
    parts = [attend(q[:, g.start * n : g.stop * n], k[:, g], v[:, g]) for g in groups]
    return mini.cat(parts, 1)


@accepted("attention.combine")
def combines_in_a_list(y1, L1, y2, L2):
    share = 1 / (1 + np.exp(np.clip(L2 - L1, -700, 700)))
    return [share * y1 + (1 - share) * y2, np.logaddexp(L1, L2)]


@accepted("transformer.read_the_clock")
def compares_with_all_rows(p):
    angle = np.arange(10_000)[:, None] * 10_000.0 ** (-np.arange(0, len(p), 2) / len(p))
    table = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(10_000, -1)
    return abs(table - p).sum(axis=1).argmin()


@accepted("transformer.hears_the_future")
def changes_one_input_after_the_other(model, x):
    before = model(x).numpy()
    for s in range(1, len(x)):
        changed = x.numpy().copy()
        changed[s] += 1
        if (model(mini.tensor(changed)).numpy()[:s] != before[:s]).any():
            return True
    return False


@accepted("transformer.alibi_step")
def rewards_what_is_further_on(q, keys, values):
    q, keys, values = map(torch.tensor, (q, keys, values))
    nh, T, _ = keys.shape
    slopes = 2.0 ** (-8 * torch.arange(1, nh + 1, dtype=q.dtype) / nh)
    bonus = slopes[:, None, None] * torch.arange(T)
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(q[:, None], keys, values, attn_mask=bonus)[:, 0]


@accepted("text_generation.best_temperature")
def follows_newton(logits, targets):
    beta, truth = 1.0, logits[np.arange(len(targets)), targets]
    for _ in range(50):
        p = np.exp(beta * (logits - logits.max(axis=1, keepdims=True)))
        p /= p.sum(axis=1, keepdims=True)
        mean = (p * logits).sum(axis=1, keepdims=True)
        variance = (p * (logits - mean) ** 2).sum(axis=1)
        beta -= (mean[:, 0] - truth).mean() / variance.mean()
    return 1 / beta


@accepted("text_generation.longest_copy")
def lengthens_the_best_so_far(written, source):
    best = ""
    for start in range(len(written)):
        end = start + len(best) + 1
        while end <= len(written) and written[start:end] in source:
            best, end = written[start:end], end + 1
    return best


@accepted("text_generation.penalize")
def penalizes_by_torch(logits, seen, penalty):
    out, at = torch.as_tensor(logits).clone(), torch.as_tensor(list(seen))
    out[at] = torch.where(out[at] < 0, out[at] * penalty, out[at] / penalty)
    return out


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_another_right_answer_is_accepted(name, answer):
    verdict = dlcourse.exercises.find(name).verdict(answer)
    assert verdict.state == "right", verdict
