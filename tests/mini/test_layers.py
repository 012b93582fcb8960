"""What the rows of convolutions, pooling, normalisation and resampling cannot say."""

from dlcourse import mini
from dlcourse.mini import nn

import numpy as np
import pytest
import torch
from both import agree, same_error
from rows_modules import floats
from test_modules import check_fused

IMAGES = floats(2, 3, 6, 7)


def chosen_output_size(f):
    """Sizes that a stride confuses can be told apart."""
    layer = f.nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    x = f.tensor(IMAGES.astype(np.float32))
    sizes = ([11, 13], (12, 14), [2, 2, 12, 13])
    return [tuple(layer(x, output_size=size).shape) for size in sizes] + [tuple(layer(x).shape)]


def running_statistics_of_instances(f):
    x = f.tensor(IMAGES)
    mean, var = f.zeros(3, dtype=f.float64), f.ones(3, dtype=f.float64)
    seen = []
    for momentum in (0.1, 0.5):
        f.nn.functional.instance_norm(x, mean, var, momentum=momentum)
        seen += [mean.clone(), var.clone()]
    return seen


def zero_vectors(f):
    """The norm has no derivative at 0: it is taken as 0."""
    found = []
    for p in (1, 1.5, 2, 3, float("inf")):
        x = f.tensor([[0.0, 0.0], [0.0, 3.0]], requires_grad=True)
        f.nn.functional.normalize(x, p=p, eps=1e-3).sum().backward()
        found.append(x.grad)
        y = f.tensor([[0.0, 0.0], [0.0, 3.0]], requires_grad=True)
        f.nn.functional.pairwise_distance(y, f.zeros(2, 2), p, eps=0).sum().backward()
        found.append(y.grad)
    z = f.zeros(2, 3, requires_grad=True)
    f.nn.functional.cosine_similarity(z, f.ones(2, 3)).sum().backward()
    return [*found, z.grad]


@pytest.mark.parametrize(
    "program", [chosen_output_size, running_statistics_of_instances, zero_vectors]
)
def test_program(program):
    agree(program)


ERRORS = {
    "output size out of reach": lambda f: f.nn.ConvTranspose2d(3, 4, 3, stride=2)(
        f.ones(2, 3, 5, 5), output_size=(20, 20)
    ),
    "output size too short": lambda f: f.nn.ConvTranspose2d(3, 4, 3)(
        f.ones(2, 3, 5, 5), output_size=[2]
    ),
    "reflected transpose": lambda f: f.nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    "circular border of a vector": lambda f: f.nn.CircularPad2d(1)(f.ones(2)),
    "channels and groups of a transpose": lambda f: f.nn.ConvTranspose1d(3, 4, 1, groups=2),
    "groups that do not divide": lambda f: f.nn.GroupNorm(3, 4),
    "vectors for InstanceNorm2d": lambda f: f.nn.InstanceNorm2d(3)(f.ones(2, 3)),
    "other channels for InstanceNorm": lambda f: f.nn.InstanceNorm2d(3, affine=True)(
        f.ones(2, 4, 2, 3)
    ),
    "images for BatchNorm3d": lambda f: f.nn.BatchNorm3d(3)(f.ones(2, 3, 4, 4)),
    "mixed types": lambda f: f.nn.LayerNorm(3)(f.ones(2, 3, dtype=f.float64)),
    "no size for Unflatten": lambda f: f.nn.Unflatten(1, 4),
    "half a size for Unflatten": lambda f: f.nn.Unflatten(1, (2, 0.5)),
    "probability of Dropout2d": lambda f: f.nn.Dropout2d(1.5),
    "unknown padding mode": lambda f: f.nn.Conv1d(3, 4, 1, padding_mode="mirror"),
}
OTHER_WORDS = {"unknown padding mode"}  # torch lists the modes in the order of a set


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


@pytest.mark.parametrize("args", [(16, 32, 5), (16, 32, 5, 1, 0, 0, 4)])
def test_transposed_layers_start_as_torchs(args):
    mini.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = nn.ConvTranspose2d(*args), torch.nn.ConvTranspose2d(*args)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        a, b = a.detach().numpy(), b.detach().numpy()
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.1)
        assert a.std() == pytest.approx(b.std(), rel=0.3 if a.ndim == 1 else 0.02)


# -- fused against plain ---------------------------------------------------------------------------


def test_padding_is_its_plain_composition():
    from dlcourse.mini.ops.pad import ConstantPadND, constant_pad_plain

    for pads in (((0, 0), (1, 2), (0, 3), (2, 0)), ((0, 0), (-1, 2), (3, -2), (0, -1))):
        check_fused(
            lambda x, p=pads: ConstantPadND.apply(x, p, 2.0),
            lambda x, p=pads: constant_pad_plain(x, p, 2.0),
            IMAGES,
        )


@pytest.mark.parametrize("how", ["reflect", "edge", "wrap"])
def test_continuing_is_its_plain_composition(how):
    from dlcourse.mini.ops.pad import continued, continued_plain

    for dim, before, after in ((2, 3, 2), (3, 0, 5), (0, 1, 1)):
        check_fused(
            lambda x, a=(dim, before, after, how): continued(x, *a),
            lambda x, a=(dim, before, after, how): continued_plain(x, *a),
            IMAGES,
        )


@pytest.mark.parametrize("shape", [(7,), (6, 7)])
def test_layer_normalisation_is_its_plain_composition(shape):
    from dlcourse.mini.ops.layer_norm import FusedRmsNorm, NativeLayerNorm

    for affine in ((True, True), (True, False), (False, False)):
        arrays = [IMAGES, *[floats(*shape) for wanted in affine if wanted]]
        none = (None,) * affine.count(False)
        check_fused(
            lambda *a, n=none: NativeLayerNorm.apply(*a, *n, shape, 1e-3),
            lambda *a, n=none: NativeLayerNorm.plain(*a, *n, shape, 1e-3),
            *arrays,
        )
        check_fused(
            lambda *a, n=none[1:]: FusedRmsNorm.apply(*a[:2], *n, shape, 1e-3),
            lambda *a, n=none[1:]: FusedRmsNorm.plain(*a[:2], *n, shape, 1e-3),
            *arrays[:2],
        )
    # A bias alone, which the second derivative of torch cannot cope with.
    check_fused(
        lambda x, b: NativeLayerNorm.apply(x, None, b, shape, 1e-3),
        lambda x, b: NativeLayerNorm.plain(x, None, b, shape, 1e-3),
        *(IMAGES, floats(*shape)),
    )


def test_channels_that_InstanceNorm_does_not_use_are_warned_of():
    for f in (mini, torch):
        with pytest.warns(UserWarning, match="does not match num_features. You can silence"):
            f.nn.InstanceNorm1d(3)(f.ones(2, 4, 5))


@pytest.mark.parametrize(
    ("name", "shape", "drawn"),
    [
        ("dropout1d", (200, 50, 3), (200, 50, 1)),
        ("dropout1d", (900, 3), (900, 1)),
        ("dropout2d", (100, 50, 3, 2), (100, 50, 1, 1)),
        ("dropout3d", (100, 50, 3, 2, 2), (100, 50, 1, 1, 1)),
        ("dropout3d", (900, 3, 2, 2), (900, 1, 1, 1)),
    ],
)
def test_channels_are_dropped_whole(name, shape, drawn):
    x = mini.ones(*shape, requires_grad=True)
    function = getattr(nn.functional, name)
    mini.manual_seed(0)
    y = function(x, 0.25)
    values = y.detach().numpy()
    kept = values.reshape(*drawn[: drawn.index(1)], -1)
    assert (kept == kept[..., :1]).all()
    np.testing.assert_allclose(np.unique(values), [0, 1 / 0.75], rtol=1e-6)
    assert abs((values == 0).mean() - 0.25) < 0.05
    y.sum().backward()
    assert mini.equal(x.grad, y.detach())
    mini.manual_seed(0)
    z = x.detach() * 1
    assert function(z, 0.25, inplace=True) is z
    assert mini.equal(z, y)


@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(name, p):
    mini.manual_seed(0)
    x = mini.randn(400, 300, requires_grad=True)
    y = getattr(nn.functional, name)(x, p, training=True)
    ours = y.detach().numpy()
    torch.manual_seed(0)
    theirs = getattr(torch.nn.functional, name)(torch.randn(400, 300), p, training=True).numpy()
    assert abs(ours.mean()) < 0.01
    assert ours.std() == pytest.approx(1, abs=0.01)
    lowest = np.unique(np.round(theirs, 4), return_counts=True)
    lowest = lowest[0][lowest[1].argmax()]  # what dropped elements become
    dropped = np.abs(ours - lowest) < 1e-4
    assert dropped.mean() == pytest.approx(p, abs=0.01)
    y.sum().backward()
    slopes = np.unique(x.grad.numpy())
    assert len(slopes) == 2
    assert slopes[0] == 0
    z = x.detach() * 1
    mini.manual_seed(0)
    mini.randn(400, 300)
    assert mini.equal(getattr(nn.functional, name)(z, p, True, True), y)


def test_what_is_not_supported_is_said():
    with pytest.raises(NotImplementedError, match="antialias"):
        nn.functional.interpolate(mini.ones(1, 1, 4, 4), 2, mode="bilinear", antialias=True)
    with pytest.raises(NotImplementedError, match="out="):
        nn.functional.normalize(mini.ones(1, 4), out=mini.ones(1, 4))
    for name in ("SyncBatchNorm", "FractionalMaxPool2d"):
        assert not hasattr(nn, name)


def test_corners_that_nobody_chose_are_warned_of():
    for f in (mini, torch):
        with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
            grid = f.nn.functional.affine_grid(f.ones(1, 2, 3), (1, 1, 2, 2))
        with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
            f.nn.functional.grid_sample(f.ones(1, 1, 2, 2), grid)
