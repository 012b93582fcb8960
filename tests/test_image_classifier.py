"""The program of the image classifier, and the parts that its notebook shares with it."""

import argparse
import json

import pytest

torch = pytest.importorskip("torch")

from dlcourse.models import ColorCNN  # noqa: E402
from dlcourse.models.color_cnn import Stage, Whiten, whitening_filters  # noqa: E402
from dlcourse.projects import image_classifier as project  # noqa: E402

from torch.utils.data import TensorDataset  # noqa: E402

TINY = project.replace(project.SMALL, widths=(4, 6, 8), epochs=2, batch_size=16)


def images(count=40, seed=0):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def few():
    return TensorDataset(images(), torch.arange(40) % 10)


def change(monkeypatch, **changes):
    """The program with some of its parts changed."""
    monkeypatch.setattr(project, "PROJECT", project.replace(project.PROJECT, **changes))


@pytest.fixture
def quick(monkeypatch, tmp_path, few):
    """The program on forty images of noise and a small recipe, with an empty folder to work in."""
    change(
        monkeypatch,
        load=lambda data, train: few,
        recipes={"shipped": TINY},
        ablation={"a": TINY, "b": project.replace(TINY, residual=False)},
        held_out={"shipped": 10},
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    project.add_arguments(parser)
    options = ["--precision", "float32", "--device", "cpu", *arguments]
    return project.main(parser.parse_args(options))


def record(path):
    drop = ("minutes", "processor_minutes", "command", "resumed")
    return {k: v for k, v in json.loads(path.read_text()).items() if k not in drop}


# ------------------------------------------------------------------------------------ the program


def test_a_run_records_what_it_did(quick, capsys):
    assert run("--out", "a.json") == 0
    found = json.loads((quick / "a.json").read_text())
    assert found["recipe"]["widths"] == [4, 6, 8]
    assert len(found["train_loss"]) == 2
    assert found["accuracy"] == (40 - found["wrong"]) / 40
    assert len(found["errors"]) == min(found["wrong"], 20)
    assert sum(map(sum, found["confusion"])) == found["images"] == 40
    assert {"command", "date", "versions", "hardware", "seed"} <= found.keys()
    picture = project.unpack(found["errors"][0]["image"], (3, 32, 32))
    assert (picture >= 0).all()
    assert "right" in capsys.readouterr().out
    assert run("--out", "b.json") == 0
    assert record(quick / "a.json") == record(quick / "b.json")


def test_saved_weights_load_into_a_network_that_saw_no_data(quick, few):
    assert run("--out", "a.json") == 0
    model = project.build(TINY)
    saved = torch.load(quick / "a.model.pt", weights_only=True)
    model.load_state_dict(saved["model"])
    probability = project.probabilities(model, few)
    right = (probability.argmax(1) == few.tensors[1]).float().mean().item()
    assert right == pytest.approx(json.loads((quick / "a.json").read_text())["accuracy"])


def test_the_ablation_records_one_look_and_six(quick, capsys):
    assert run("--ablation", "2", "--out", "a.json") == 0
    found = record(quick / "a.json")["found"]
    assert found.keys() == {"a", "b"}
    for runs in found.values():
        assert {key: len(values) for key, values in runs.items()} == {
            "accuracy": 2,
            "accuracy_with_six_looks": 2,
        }
    one, six = (values[0] for values in found["a"].values())
    assert capsys.readouterr().out.startswith(f"seed 0  {'a':24} {one}  with six looks {six}\n")


def test_a_variant_that_diverges_is_recorded_as_such(quick, monkeypatch):
    def diverging(*args, **options):
        raise FloatingPointError("the loss became nan")

    change(monkeypatch, train=diverging)
    assert run("--ablation", "1", "--out", "a.json") == 0
    nothing = {"accuracy": [None], "accuracy_with_six_looks": [None]}
    assert record(quick / "a.json")["found"] == {"a": nothing, "b": nothing}


# ---------------------------------------------------------------------------------------- its parts


def test_whitened_patches_are_uncorrelated():
    smooth = torch.nn.functional.avg_pool2d(images(50), 3, 1)  # neighbours alike
    filters = whitening_filters(smooth, eps=0.0)
    answers = torch.nn.functional.conv2d(smooth, filters)  # (N, 12, H, W)
    covariance = answers.permute(1, 0, 2, 3).flatten(1).double().cov()
    torch.testing.assert_close(covariance, torch.eye(12).double(), rtol=0, atol=1e-3)


def test_whitening_leaves_the_images_alone_and_takes_them_in_parts():
    smooth = torch.nn.functional.avg_pool2d(images(300), 3, 1).double()
    before = smooth.clone()
    filters = whitening_filters(smooth.to(memory_format=torch.channels_last), size=1, eps=0.0)
    assert torch.equal(smooth, before)
    colours = smooth.permute(1, 0, 2, 3).flatten(1)  # (C, N H W): a patch is a pixel
    values, vectors = torch.linalg.eigh(colours.cov(correction=0))
    want = (vectors.T / values.sqrt()[:, None]).flip(0)[..., None, None].float()
    torch.testing.assert_close(filters.abs(), want.abs(), rtol=1e-4, atol=1e-5)


def test_the_first_layer_holds_each_filter_and_its_opposite():
    layer = Whiten()
    layer.learn(images())
    out = layer(images(3, seed=1))
    assert out.shape == (3, 24, 31, 31)
    torch.testing.assert_close(out[:, :12], -out[:, 12:])
    assert not layer.weight.requires_grad
    assert [name for name, _ in layer.named_parameters()] == ["bias"]


@pytest.mark.parametrize("options", [{}, {"whiten": False}, {"batch_norm": False}])
def test_the_network_gives_one_row_of_logits_an_image(options):
    model = ColorCNN((4, 6, 8), **options)
    model(images(5)).sum().backward()
    assert model(images(5)).shape == (5, 10)
    assert all(p.grad is not None for p in model.parameters())


def test_a_residual_stage_adds_its_branch():
    stage = Stage(3, 4, batch_norm=False, residual=True).eval()
    x = images(2)
    both = stage(x)
    stage.residual = False
    branch = stage(x)
    pooled = torch.relu(torch.nn.functional.max_pool2d(stage.conv1(x), 2))
    torch.testing.assert_close(both, pooled + branch)


def test_augmentation_by_nothing_changes_nothing(few):
    same = project.RandomFlipShift(pixels=0, flip=False)(few.tensors[0])
    assert torch.equal(same, few.tensors[0])


def test_images_are_mirrored_half_of_the_time_and_moved_within_limits():
    image = images(1).expand(200, -1, -1, -1)
    generator = torch.Generator().manual_seed(0)
    flipped = project.RandomFlipShift(pixels=0, generator=generator)(image)
    mirrored = (flipped == image.flip(3)).flatten(1).all(1)
    assert ((flipped == image).flatten(1).all(1) | mirrored).all()
    assert 70 < mirrored.sum() < 130
    moved = project.RandomFlipShift(pixels=2, flip=False, generator=generator)(image)
    shifts = set()
    for one in moved:
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                there = one[:, 2 + dy : 30 + dy, 2 + dx : 30 + dx]
                if torch.equal(there, image[0, :, 2:30, 2:30]):
                    shifts.add((dy, dx))
    assert len(shifts) == 25


def test_cutout_covers_one_whole_square():
    cut = project.RandomFlipShift(pixels=0, flip=False, cutout=8)(images(30) * 0.4)
    grey = (cut == 0.5).all(1)  # (B, H, W)
    assert (grey.sum((1, 2)) == 64).all()
    assert (grey.any(1).sum(1) == 8).all()
    assert (grey.float().mean(0) > 0).any()


def test_six_looks_are_three_places_and_their_mirror(few):
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.zeros(len(x), 10)

    p = project.probabilities(Spy(), few, looks=project.SIX_LOOKS)
    assert torch.allclose(p, torch.tensor(0.1))
    assert len(seen) == 6
    for plain, mirrored in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(plain.flip(3), mirrored)
    assert torch.equal(seen[1], few.tensors[0])


def test_what_is_decayed_are_weights_alone(few, monkeypatch):
    caught = {}
    sgd = torch.optim.SGD

    def spy(groups, **options):
        caught["decay"] = {g["weight_decay"]: {p.ndim for p in g["params"]} for g in groups}
        return sgd(groups, **options)

    monkeypatch.setattr(torch.optim, "SGD", spy)
    project.train(project.build(TINY, few), TINY, few, seed=0, progress=False)
    assert caught["decay"][0.0] == {1}
    assert min(caught["decay"][TINY.weight_decay]) > 1
