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


@pytest.mark.parametrize("program", [chosen_output_size])
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
