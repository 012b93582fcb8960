"""The figures of the course, one message each: arrays in, the Axes out, so that you may go on.

"Arrays" are NumPy arrays, lists, or tensors of mini or torch. All draw into `ax` if one is given.
"""

from __future__ import annotations

import math

from dlcourse.plots.arrays import is_tensor, tensor_like, to_numpy
from dlcourse.plots.colors import COLORS
from dlcourse.plots.style import ENGINES, OTHERS, looks, new_axes

import numpy as np

FEW = 30  # up to so many points each gets a marker


# -- curves and bars ---------------------------------------------------------------------------


def curves(series, x=None, *, xlabel="step", ylabel="loss", smooth=None, log=False, ax=None):
    """Learning curves on one axis.

    Args:
        series: {name: y}, or {name: (x, y)}; y holds one number a step. Names that begin with
            mini, torch or `by hand` get the look of that engine.
        x: what all y are drawn over; by default 1, 2, 3, ...
        smooth: draw the mean of this many steps, which the label says, over the faint raw curve.
        log: whether the y axis is logarithmic.

    A curve that stops being finite is drawn up to there, and its label says where that is.
    Raises: ValueError for shapes that do not fit and, with log, for numbers <= 0.
    """
    if not series:
        raise ValueError("curves expects at least one curve, e.g. curves({'mini': losses})")
    ax = new_axes(ax)
    for (name, values), look in zip(series.items(), looks(series), strict=True):
        at, y = _curve(name, values, x)
        if log and (y[np.isfinite(y)] <= 0).any():
            raise ValueError(f"a logarithmic axis shows numbers > 0, but {name!r} has others")
        label, end = str(name), len(y)
        if not np.isfinite(y).all():
            end = int(np.argmin(np.isfinite(y)))
            label += f" (not finite from {at[end]:g} on)"
        at, y = at[:end], y[:end]
        if smooth is not None:
            ax.plot(at, y, color=look["color"], linestyle="-", linewidth=0.8, alpha=0.3)
            at, y = _running_mean(name, at, y, smooth)
            label += f" (mean of {smooth})"
        ax.plot(at, y, **{**look, "marker": look["marker"] if len(y) <= FEW else ""}, label=label)
        if end < len(to_numpy(values[1] if _is_pair(values) else values)) and end:
            ax.plot(at[-1:], y[-1:], marker="x", color=look["color"], markersize=10, mew=2.5)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    ax.legend()
    return ax


def _is_pair(values):
    return isinstance(values, tuple) and len(values) == 2 and np.ndim(to_numpy(values[0])) == 1


def _curve(name, values, x):
    """(x, y) as float arrays of one length."""
    at, y = values if _is_pair(values) else (x, values)
    y = to_numpy(y).astype(float)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"curves expects one number a step, but {name!r} has shape {y.shape}")
    at = np.arange(1, len(y) + 1) if at is None else to_numpy(at).astype(float)
    if at.shape != y.shape:
        raise ValueError(f"{name!r} has {len(y)} values, but x has shape {at.shape}")
    return at, y


def _running_mean(name, at, y, smooth):
    """The mean of `smooth` neighbours, at their middle; no invented values at the ends."""
    if not isinstance(smooth, int) or not 1 <= smooth <= len(y):
        raise ValueError(
            f"smooth must be an int from 1 to the {len(y)} values of {name!r}, but got {smooth!r}"
        )
    mean = np.full(smooth, 1 / smooth)
    return np.convolve(at, mean, "valid"), np.convolve(y, mean, "valid")


def bars(values, *, xlabel, spread=None, fmt=".3g", ax=None):
    """Horizontal bars from zero, each with its number.

    Args:
        values: {name: number}.
        spread: {name: (low, high)}, drawn as a whisker.
        fmt: how numbers are written, e.g. ".2f".

    Raises: ValueError for what is not one number a name.
    """
    names, spread = list(values), spread or {}
    numbers = [to_numpy(value).astype(float) for value in values.values()]
    for name, number in zip(names, numbers, strict=True):
        if number.size != 1:
            raise ValueError(
                f"bars expects one number a name, but {name!r} has shape {number.shape}"
            )
    unknown = set(spread) - set(values)
    if unknown or not names:
        what = f"spread names {sorted(unknown)}, which values does not" if unknown else "no values"
        raise ValueError(f"bars got {what}")
    ax = new_axes(ax, (5.6, 0.8 + 0.42 * len(names)))
    ends = [float(number.reshape(())) for number in numbers]
    for i, (end, look) in enumerate(zip(ends, looks(names), strict=True)):
        ax.barh(i, end, color=look["color"], height=0.62)
        low, high = spread.get(names[i], (end, end))
        if high > low:
            ax.plot([low, high], [i, i], color=COLORS["ink"], marker="|", linestyle="-", lw=1.5)
        ax.annotate(
            _minus(f"{end:{fmt}}"),
            (max(end, high) if end >= 0 else 0, i),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(range(len(names)), [str(name) for name in names])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.margins(x=0.14)
    ax.set(xlabel=xlabel)
    return ax


def histogram(values, *, xlabel, bins=30, ylabel="count", ax=None):
    """How numbers are distributed: an array of any shape, or {name: array} on common bins."""
    groups = values if isinstance(values, dict) else {"": values}
    arrays = {name: to_numpy(value).astype(float).ravel() for name, value in groups.items()}
    every = np.concatenate(list(arrays.values())) if arrays else np.empty(0)
    if every.size == 0 or not np.isfinite(every).all():
        what = "no numbers" if every.size == 0 else f"{(~np.isfinite(every)).sum()} not finite"
        raise ValueError(f"histogram expects finite numbers, but got {what}")
    ax = new_axes(ax)
    edges = np.histogram_bin_edges(every, bins)
    only = [ENGINES["mini"]] if list(arrays) == [""] else looks(arrays)
    for (name, array), look in zip(arrays.items(), only, strict=True):
        counts, _ = np.histogram(array, edges)
        line = {"color": look["color"], "linestyle": look["linestyle"]}
        ax.stairs(counts, edges, fill=True, color=look["color"], alpha=0.2)
        ax.stairs(counts, edges, linewidth=2, label=str(name), **line)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_ylim(bottom=0)
    if list(arrays) != [""]:
        ax.legend()
    return ax


# -- images ------------------------------------------------------------------------------------


def image_grid(
    images, labels=None, predictions=None, *, titles=None, classes=None, columns=None, cmap="gray"
):
    """Images side by side, pixel for pixel, with what they are and what was predicted.

    Args:
        images: (N, H, W), (N, 1, H, W), (N, 3, H, W) or (N, H, W, 3); whole numbers 0 to 255, or
            real ones: colours from 0 to 1, greys from their lowest to their highest.
        labels, predictions: N whole numbers; a wrong prediction gets a cross and a frame.
        titles: N texts, instead of labels.
        classes: names of the classes.
        columns: by default as many as the texts leave room for.

    Raises: ValueError for shapes that do not fit, NaN, or colours outside 0 to 1.
    """
    pixels = _pixels(images, cmap)
    n, height, width = pixels.shape[:3]
    texts, wrong = _image_texts(n, labels, predictions, titles, classes)
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
    rows = math.ceil(n / (columns or max(1, min(8, 56 // max(longest, 1)))))
    columns = columns or math.ceil(n / rows)  # rows of one length, if that can be
    gap = max(2, width // 12)
    inch = 5.6 / (columns * (width + gap))  # inches a pixel
    lines = max((text.count("\n") + 1 for text in texts), default=0)
    strip = math.ceil((0.17 * lines + 0.05) / inch) if lines else 0
    cell_h, cell_w = height + strip + gap, width + gap
    canvas = np.zeros((rows * cell_h, columns * cell_w, 4), np.uint8)  # clear between the images
    ax = new_axes(None, (5.6, rows * cell_h * inch))
    ax.set_axis_off()
    for i in range(n):
        top, left = i // columns * cell_h, i % columns * cell_w + gap // 2
        canvas[top : top + height, left : left + width] = pixels[i]
        if wrong[i]:
            frame = {"fill": False, "edgecolor": COLORS["torch"], "linewidth": 2.5}
            _rectangle(ax, left - 0.5, top - 0.5, width, height, **frame)
        if lines:
            where = (left + width / 2 - 0.5, top + height - 0.5 + 0.035 / inch)
            weight = "bold" if wrong[i] else "normal"
            ax.text(
                *where, texts[i], ha="center", va="top", size=10, weight=weight, linespacing=1.1
            )
    ax.imshow(canvas, interpolation="none", aspect="equal")
    ax.set(xlim=(-0.5, columns * cell_w - 0.5), ylim=(rows * cell_h - 0.5, -1.5))
    return ax


def _rectangle(ax, x, y, width, height, **look):
    ax.add_patch(_patches().Rectangle((x, y), width, height, **look))


def _patches():
    import matplotlib.patches

    return matplotlib.patches


def _pixels(images, cmap):
    """(N, H, W, 4) bytes."""
    images = to_numpy(images)
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)  # torch keeps channels first
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.size == 0 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
        raise ValueError(
            "image_grid expects images of shape (N, H, W), (N, 1, H, W), (N, 3, H, W) or "
            f"(N, H, W, 3), but got {images.shape}"
            + (": for one image, give images[None]" if images.ndim == 2 else "")
        )
    if images.dtype != np.uint8:
        images = _to_bytes(images)
    alpha = np.full((*images.shape[:3], 1), 255, np.uint8)
    if images.ndim == 3:
        images = np.round(255 * _color_map(cmap)(images)[..., :3]).astype(np.uint8)
    return np.concatenate([images, alpha], axis=3)


def _color_map(name):
    import matplotlib

    return matplotlib.colormaps[name]


def _to_bytes(images):
    images = images.astype(float)
    if not np.isfinite(images).all():
        raise ValueError("image_grid expects finite numbers, but got NaN or infinity")
    low, high = images.min(), images.max()
    if images.ndim == 4 and (low < 0 or high > 1):
        raise ValueError(
            f"colours must lie between 0 and 1, but these go from {low:.3g} to {high:.3g}: undo "
            "the normalisation first (images * std + mean), or give uint8"
        )
    if images.ndim == 3 and (low < 0 or high > 1):
        images = (images - low) / max(high - low, 1e-12)
    return np.round(images * 255).astype(np.uint8)


def _image_texts(n, labels, predictions, titles, classes):
    """(a text for each image, whether its prediction is wrong)."""
    for what, values in [("labels", labels), ("predictions", predictions), ("titles", titles)]:
        if values is not None and len(values) != n:
            raise ValueError(f"image_grid got {n} images, but {len(values)} {what}")
    if titles is not None and (labels is not None or predictions is not None):
        raise ValueError("image_grid takes titles, or labels and predictions, not both")
    if titles is not None:
        return [str(title) for title in titles], [False] * n
    named = _class_names(classes)
    true = None if labels is None else _whole_numbers(labels, "labels")
    guess = None if predictions is None else _whole_numbers(predictions, "predictions")
    if guess is None or true is None:
        shown = true if guess is None else guess
        return ([named(k) for k in shown] if shown is not None else []), [False] * n
    wrong = [bool(a != b) for a, b in zip(guess, true, strict=True)]
    pairs = [(named(a), named(b)) for a, b in zip(guess, true, strict=True)]
    between = "\n" if max(len(a + b) for a, b in pairs) > 4 and any(wrong) else ", "
    texts = [f"✗ {a}{between}is {b}" if w else a for (a, b), w in zip(pairs, wrong, strict=True)]
    return texts, wrong


def _class_names(classes):
    return lambda k: str(classes[k]) if classes is not None else str(k)


def _whole_numbers(values, what):
    array = to_numpy(values)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        advice = ": take .argmax(1) first" if array.ndim == 2 else ""
        raise ValueError(
            f"{what} must be whole numbers of shape (N,), but got {array.dtype} of shape "
            f"{array.shape}{advice}"
        )
    return [int(value) for value in array]


def confusion_matrix(labels, predictions, *, classes=None, ax=None):
    """How often each class (a row) was taken for each class (a column).

    Right answers stand on the diagonal in green, errors beside it in purple: the stronger the
    colour, the more frequent.

    Args:
        labels, predictions: N whole numbers each.
        classes: names, or how many there are.
    """
    true, guess = _whole_numbers(labels, "labels"), _whole_numbers(predictions, "predictions")
    if len(true) != len(guess) or not true:
        raise ValueError(f"expected as many labels as predictions: {len(true)} and {len(guess)}")
    names = list(range(classes)) if isinstance(classes, int) else classes
    names = list(range(max(true + guess) + 1)) if names is None else list(names)
    k = len(names)
    if min(true + guess) < 0 or max(true + guess) >= k:
        raise ValueError(f"classes are 0 to {k - 1}, but there is {min(true + guess)} to "
                         f"{max(true + guess)}")  # fmt: skip
    counts = np.zeros((k, k), int)
    np.add.at(counts, (true, guess), 1)
    ax = new_axes(ax, (5.6, 5.2))
    errors = counts - np.diag(np.diag(counts))
    for i, j in np.argwhere(counts):
        share = counts[i, j] / (counts[i].sum() if i == j else errors.max())
        color = COLORS["green" if i == j else "purple"]
        shade = {"facecolor": color, "alpha": 0.1 + 0.4 * share**2, "linewidth": 0}
        _rectangle(ax, j - 0.5, i - 0.5, 1, 1, **shade)
        ax.text(j, i, str(counts[i, j]), ha="center", va="center", size=10 if k <= 10 else 7)
    ax.set_xticks(range(k), names)
    ax.set_yticks(range(k), names)
    if max(len(str(name)) for name in names) > 3:
        ax.tick_params(axis="x", rotation=90)
    ax.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal")
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.grid(False)
    ax.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    ax.grid(True, which="minor")
    ax.tick_params(which="both", length=0)
    return ax


# -- functions ---------------------------------------------------------------------------------


def function_and_tangent(f, at, slope, *, xlim=None, xlabel="x", ylabel="f(x)", ax=None):
    """A curve and its tangent: the derivative that autograd gives is the slope of this line.

    Args:
        f: a function of one number; of tensors, where `at` is a tensor.
        at: where it is touched, a number or several.
        slope: the derivative there, as many numbers.
    """
    points = np.atleast_1d(to_numpy(at)).astype(float)
    slopes = np.atleast_1d(to_numpy(slope)).astype(float)
    if points.shape != slopes.shape or points.ndim != 1:
        raise ValueError(f"expected a slope for each point: got {points.shape} and {slopes.shape}")
    low, high = xlim or (points.min() - 2, points.max() + 2)
    ax = new_axes(ax)
    xs = np.linspace(low, high, 201)
    y, touched = _call_each(f, at, xs), _call_each(f, at, points)
    ax.plot(xs, y, label=ylabel, color=COLORS["ink"], linestyle="-", linewidth=2)
    reach = 0.22 * (high - low)
    for i, (x0, y0, m) in enumerate(zip(points, touched, slopes, strict=True)):
        look = OTHERS[i % len(OTHERS)] if len(points) > 1 else ENGINES["mini"]
        ends = np.array([x0 - reach, x0 + reach])
        line = {"color": look["color"], "linestyle": "-", "linewidth": 2.4}
        ax.plot(ends, y0 + m * (ends - x0), label=_minus(f"slope {m:.4g} at {x0:.4g}"), **line)
        ax.plot([x0], [y0], color=look["color"], marker=look["marker"], markersize=8, linestyle="")
    finite = y[np.isfinite(y)]
    room = 0.12 * (finite.max() - finite.min() or 1)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(low, high))
    ax.set_ylim(finite.min() - room, finite.max() + room)
    ax.legend()
    return ax


def _minus(text):
    return text.replace("-", "−")  # the sign as wide as a plus


def _call_each(f, like, xs):
    """f of every number in `xs`, as a tensor where `like` is one."""
    like = like[0] if isinstance(like, (list, tuple)) else like
    kind = (lambda x: tensor_like(like, x)) if is_tensor(like) else float
    return np.array([float(to_numpy(f(kind(x))).reshape(())) for x in xs])


def loss_surface(f, xlim, ylim, *, paths=None, levels=None, xlabel="x", ylabel="y", ax=None):
    """Contours of f(x, y), and the paths on which optimisers went down.

    Args:
        f: a function of two arrays, giving an array (it is called once, with a grid).
        paths: {name: (n, 2) positions}; a ring marks the start and a star the end.
        levels: the values at which to draw contours; by default twelve, close where it is low.
    """
    x, y = np.meshgrid(np.linspace(*xlim, 101), np.linspace(*ylim, 101))
    z = to_numpy(f(x, y)).astype(float)
    if z.shape != x.shape or not np.isfinite(z).all():
        raise ValueError(f"f must give finite numbers of shape {x.shape}, but gave {z.shape}")
    ax = new_axes(ax, (5.6, 4.4))
    if levels is None:
        levels = z.min() + (z.max() - z.min()) * np.linspace(0, 1, 13) ** 2
    shades = [(*_rgb(COLORS["sky"]), 0.04 + 0.03 * i) for i in range(len(levels) - 1)]
    bands = ax.contourf(x, y, z, levels=levels, colors=shades)
    bands.set(edgecolor=COLORS["muted"], linewidth=0.7)
    for (name, path), look in zip((paths or {}).items(), looks(paths or {}), strict=True):
        path = to_numpy(path).astype(float)
        if path.ndim != 2 or path.shape[1] != 2 or not len(path):
            raise ValueError(f"a path has shape (n, 2), but {name!r} has {path.shape}")
        every = max(1, len(path) // 20)
        ax.plot(*path.T, **look, markersize=4, markevery=every, label=str(name))
        ring = {"markerfacecolor": COLORS["paper"], "mew": 2, "linestyle": ""}
        ax.plot(*path[0], marker="o", color=look["color"], markersize=9, **ring)
        ax.plot(*path[-1], marker="*", color=look["color"], markersize=13, linestyle="")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim)
    ax.grid(False)
    if paths:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(paths))
    return ax


def _rgb(color):
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def decision_boundary(model, points, labels, *, threshold=0.0, xlabel="x1", ylabel="x2", ax=None):
    """What a classifier of points in the plane answers everywhere, and the points themselves.

    Args:
        model: a module of mini or torch, or any function of an (n, 2) array. It gives (n, K)
            scores, of which the highest counts; or (n,) or (n, 1) scores, where class 1 is above
            `threshold` (0.0 suits logits, 0.5 probabilities); or (n,) whole numbers, the classes.
        points: (N, 2).
        labels: N whole numbers.

    A module is asked in eval mode and put back into the mode it was in.
    """
    points, labels = to_numpy(points).astype(float), np.array(_whole_numbers(labels, "labels"))
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
        raise ValueError(
            f"decision_boundary expects points (N, 2) and labels (N,), but got {points.shape} and "
            f"{labels.shape}"
        )
    low, high = points.min(0), points.max(0)
    low, high = low - 0.1 * (high - low) - 1e-6, high + 0.1 * (high - low) + 1e-6
    x, y = np.meshgrid(np.linspace(low[0], high[0], 121), np.linspace(low[1], high[1], 121))
    margins = _margins(_ask(model, np.stack([x.ravel(), y.ravel()], 1)), threshold)
    ax = new_axes(ax, (5.6, 4.4))
    kinds = [ENGINES["mini"], ENGINES["torch"], *OTHERS]
    for k, margin in enumerate(margins):
        margin, look = margin.reshape(x.shape), kinds[k % len(kinds)]
        if margin.max() > 0:
            field = np.minimum(margin, margin[margin > 0].max())
            ax.contourf(x, y, field, levels=[0, field.max() * 1.01], colors=[look["color"]],
                        alpha=0.15)  # fmt: skip
            if margin.min() < 0:
                ax.contour(x, y, field, levels=[0], colors=[COLORS["ink"]], linewidths=1.2)
    for k in range(max(len(margins), labels.max() + 1)):
        look, mine = kinds[k % len(kinds)], labels == k
        edge = {"edgecolors": COLORS["paper"], "linewidths": 0.7}
        dots = {"color": look["color"], "marker": look["marker"], "s": 42, "zorder": 3}
        ax.scatter(*points[mine].T, **dots, **edge, label=f"class {k}")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.grid(False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    return ax


def _ask(model, grid):
    """The model's answers for an (n, 2) array, as an array."""
    if not hasattr(model, "parameters"):
        return to_numpy(model(grid))
    parameter = next(iter(model.parameters()), None)
    if parameter is None:
        raise ValueError("decision_boundary expects a module with parameters, or a function")
    was_training = model.training
    model.eval()
    try:
        return to_numpy(model(tensor_like(parameter, grid)))
    finally:
        model.train(was_training)


def _margins(answer, threshold):
    """For each class by how much it wins: positive where it is the answer."""
    if answer.ndim == 1 and answer.dtype.kind in "iub":
        return [np.where(answer == k, 1.0, -1.0) for k in range(int(answer.max()) + 1)]
    if answer.ndim == 2 and answer.shape[1] == 1:
        answer = answer[:, 0]
    if answer.ndim == 1:
        return [threshold - answer, answer - threshold]
    if answer.ndim != 2:
        raise ValueError(f"the model must give (n, K), (n, 1) or (n,), but gave {answer.shape}")
    others = [np.delete(answer, k, axis=1).max(1) for k in range(answer.shape[1])]
    return [answer[:, k] - other for k, other in enumerate(others)]
