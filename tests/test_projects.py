"""The worked projects as programs, and the parts that their notebooks share with them."""

import argparse
import json
import math

import pytest

torch = pytest.importorskip("torch")

from benchmarks import bench, live  # noqa: E402
from dlcourse import datasets, projects  # noqa: E402
from dlcourse.__main__ import _projects  # noqa: E402
from dlcourse.book import torch_map  # noqa: E402
from dlcourse.models import DigitsCNN, LeNet  # noqa: E402
from dlcourse.projects import _record  # noqa: E402
from dlcourse.projects import handwritten_digits as digits  # noqa: E402
from dlcourse.projects._judging import summary  # noqa: E402

from torch.utils.data import TensorDataset  # noqa: E402

RECORDS = sorted(datasets.embedded_path("results/README.md").parent.glob("*.json"))


@pytest.fixture(scope="module")
def few():
    """Forty of the shipped digits: enough for every line, done in no time."""
    images, labels = digits.load("shipped", train=True).tensors
    return TensorDataset(images[:40], labels[:40])


def change(monkeypatch, **changes):
    """The program with some of its parts changed."""
    monkeypatch.setattr(digits, "PROJECT", digits.replace(digits.PROJECT, **changes))


@pytest.fixture
def quick(monkeypatch, tmp_path, few):
    """The program on forty digits and a small recipe, with an empty folder to work in."""
    tiny = digits.Recipe(width=2, epochs=3, batch_size=16)
    change(
        monkeypatch,
        load=lambda data, train: few,
        recipes={"small": tiny},
        ablation={"a": tiny, "b": digits.replace(tiny, schedule="constant")},
        held_out={"shipped": 10},
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    digits.add_arguments(parser)
    return digits.main(parser.parse_args(["--precision", "float32", *arguments]))


def without_time(path):
    drop = ("minutes", "processor_minutes", "command", "resumed")
    return {k: v for k, v in json.loads(path.read_text()).items() if k not in drop}


# ------------------------------------------------------------------------------------ the program


def test_a_run_records_what_it_did(quick, capsys):
    assert run("--out", "out/a.json") == 0
    record = json.loads((quick / "out/a.json").read_text())
    assert record["recipe"]["epochs"] == 3
    assert len(record["train_loss"]) == 3
    assert record["accuracy"] == (40 - record["wrong"]) / 40
    assert record["wrong"] == len(record["errors"])
    assert sum(map(sum, record["confusion"])) == record["images"] == 40
    assert {"command", "date", "versions", "hardware", "seed", "minutes"} <= record.keys()
    assert str(quick) not in (quick / "out/a.json").read_text()
    assert sorted(path.name for path in (quick / "out").iterdir()) == ["a.json", "a.model.pt"]
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"40 images, {record['parameters']} parameters, 3 epochs, float32"
    assert last.startswith(f"{record['accuracy']:.2%} right ({record['wrong']} of 40 wrong), ")
    assert f"{record['accuracy_with_nine_looks']:.2%} with nine looks; " in last


def test_the_same_seed_gives_the_same_record_and_another_another(quick):
    for seed, name in [(0, "a"), (0, "b"), (1, "c")]:
        assert run("--seed", str(seed), "--out", f"{name}.json") == 0
    a, b, c = (without_time(quick / f"{name}.json") for name in "abc")
    assert a == b
    assert a["train_loss"] != c["train_loss"]


def test_interrupted_and_resumed_is_as_if_never_interrupted(quick, monkeypatch, capsys):
    assert run("--out", "straight.json") == 0
    calls = 0
    loss = torch.nn.CrossEntropyLoss.forward

    def interrupting(self, outputs, targets):
        nonlocal calls
        calls += 1
        if calls == 5:  # in the second epoch of three steps each
            raise KeyboardInterrupt
        return loss(self, outputs, targets)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.CrossEntropyLoss, "forward", interrupting)
        assert run("--out", "a.json") == 130
    assert "--resume" in capsys.readouterr().err
    assert not (quick / "a.json").exists()
    assert run("--out", "a.json", "--resume") == 0
    assert without_time(quick / "a.json") == without_time(quick / "straight.json")


def test_an_interrupted_run_is_not_thrown_away_by_forgetting_an_option(quick, capsys):
    (quick / "a.checkpoint.pt").write_bytes(b"hours of work")
    assert run("--out", "a.json") == 1
    assert "--resume" in capsys.readouterr().err
    assert (quick / "a.checkpoint.pt").read_bytes() == b"hours of work"
    assert run("--out", "a.json", "--restart") == 0


def test_a_damaged_checkpoint_is_one_clear_line(quick, capsys):
    (quick / "a.checkpoint.pt").write_bytes(b"hours of work")
    assert run("--out", "a.json", "--resume") == 1
    assert capsys.readouterr().err.startswith("error: a.checkpoint.pt is damaged or is no")


def test_missing_data_is_one_clear_line(quick, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.chdir(quick)
    monkeypatch.setenv("DLCOURSE_DATA", str(quick / "nothing"))

    def unreachable(*args, **kwargs):
        raise datasets.DataError("no network")

    monkeypatch.setattr(datasets, "mnist", unreachable)
    assert run("--data", "full", "--out", "a.json") == 1
    assert capsys.readouterr().err == "error: no network\n"


def test_the_full_set_is_never_replaced_by_the_small_one(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        datasets, "mnist", lambda **options: seen.update(options) or datasets.digits()
    )
    digits.load("full", train=False)
    assert seen == {"train": False, "fallback": False}


def test_a_place_that_cannot_be_written_is_told_before_training(quick, capsys):
    (quick / "a.json").mkdir()
    assert run("--out", "a.json") == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--epochs", "0"], ["--seed", "-1"], ["--ablation", "0"]])
def test_options_out_of_range_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        run(*option)
    assert "must be" in capsys.readouterr().err


def test_an_unknown_device_is_one_clear_line(quick, capsys):
    assert run("--device", "abacus") == 1
    assert capsys.readouterr().err.startswith("error: --device abacus")


def test_the_ablation_records_every_variant_and_seed_and_can_be_resumed(quick, monkeypatch, capsys):
    assert run("--ablation", "2", "--out", "straight.json") == 0
    said = capsys.readouterr().out
    done = 0

    def interrupting(*args, **options):
        nonlocal done
        done += 1
        if done == 3:
            raise KeyboardInterrupt
        return digits.train(*args, **options)

    with monkeypatch.context() as patch:
        change(patch, train=interrupting)
        assert run("--ablation", "2", "--out", "a.json") == 130
    assert run("--ablation", "2", "--out", "a.json") == 1  # asks for --resume or --restart
    assert run("--ablation", "2", "--out", "a.json", "--resume") == 0
    record = without_time(quick / "a.json")
    assert record == without_time(quick / "straight.json")
    assert (record["train_images"], record["images"]) == (30, 10)
    accuracies = {name: runs["accuracy"] for name, runs in record["found"].items()}
    assert {name: len(runs) for name, runs in accuracies.items()} == {"a": 2, "b": 2}
    assert said.splitlines()[0] == f"seed 0  {'a':24} {accuracies['a'][0]}"


def test_variants_are_trained_as_long_and_judged_on_as_many_as_was_asked_for(quick):
    assert run("--ablation", "1", "--epochs", "1", "--validate", "20", "--out", "a.json") == 0
    record = json.loads((quick / "a.json").read_text())
    assert (record["train_images"], record["images"]) == (20, 20)
    assert {record["epochs"], *(recipe["epochs"] for recipe in record["recipes"].values())} == {1}


@pytest.mark.parametrize(
    "option", [["--seed", "1"], ["--recipe", "small"], ["--precision", "bfloat16"]]
)
def test_an_ablation_ignores_no_option(option, quick, capsys):
    assert run("--ablation", "1", *option) == 1
    assert "leave --recipe, --seed and --precision out" in capsys.readouterr().err


def test_an_ablation_is_not_resumed_with_another_number_of_epochs(quick, capsys):
    assert run("--ablation", "1", "--epochs", "1", "--out", "a.json") == 0
    kept = (quick / "a.json").read_text()
    assert run("--ablation", "2", "--epochs", "2", "--out", "a.json", "--resume") == 1
    assert "has epochs 1, this run 2" in capsys.readouterr().err
    assert (quick / "a.json").read_text() == kept


def test_the_command_in_a_record_repeats_its_figures_and_names_no_folder():
    typed = ["train", "x", "--resume", "--out", "/home/me/x.json", "--seed", "3", "--out=y"]
    assert _record._command(typed) == "python -m dlcourse train x --seed 3"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_shipped_record_says_how_to_repeat_it(path):
    record, programs = _record.read_record(path), _projects()
    assert {"command", "date", "versions", "hardware"} <= record.keys()
    commands = [f"python -m dlcourse train {p}" for p in programs]
    commands += [module.COMMAND for module in (torch_map, bench, live)]
    assert record["command"].startswith(tuple(commands))
    assert f"`{path.name}`" in path.with_name("README.md").read_text("utf-8")


def test_a_record_that_is_not_there_is_named():
    with pytest.raises(datasets.DataError, match="nothing_of_the_kind"):
        projects.recorded("nothing_of_the_kind")


# ---------------------------------------------------------------------------------------- its parts


@pytest.mark.parametrize("model", [LeNet(), DigitsCNN(4), DigitsCNN(4, batch_norm=False)])
def test_models_give_one_row_of_logits_an_image(model):
    assert model(torch.rand(3, 1, 28, 28)).shape == (3, 10)


def test_the_tutorials_network_sees_pixels_from_minus_one_to_one():
    seen = []
    model = digits.build(digits.TUTORIAL)
    model[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 28, 28))
    assert [image.unique().item() for image in seen[0]] == [-1.0, 0.0, 1.0]


def test_augmentation_by_nothing_changes_nothing(few):
    images = few.tensors[0]
    nothing = digits.RandomAffine(degrees=0, shear=0, log_scale=0, pixels=0)
    torch.testing.assert_close(nothing(images), images, rtol=0, atol=1e-5)


def dot(row, column):
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, row, column] = 1
    return image


def centre(images):
    """Centre of mass of each image: (B, 2) as row, column."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(28.0)] * 2, indexing="ij"), dim=-1)
    return (images.unsqueeze(-1) * grid).sum((1, 2, 3)) / images.sum((1, 2, 3)).unsqueeze(1)


def test_each_amount_of_the_augmentation_keeps_its_limit():
    generator = torch.Generator().manual_seed(0)
    far = dot(13, 20).expand(500, -1, -1, -1)  # 6 to the right of the middle

    def moved(**limits):
        none = {"degrees": 0, "shear": 0, "log_scale": 0, "pixels": 0}
        return centre(digits.RandomAffine(**none | limits, generator=generator)(far))

    shift = moved(pixels=2) - torch.tensor([13.0, 20.0])
    assert 1.8 < shift.abs().max() <= 2.01
    turn = moved(degrees=15) - 13.5
    radius, angle = turn.norm(dim=1), torch.atan2(turn[:, 0], turn[:, 1])
    torch.testing.assert_close(radius, torch.full_like(radius, 6.52), rtol=0.05, atol=0)
    assert math.radians(8) < angle.max() < math.radians(21)  # the dot itself lies 4 degrees off
    stretch = (moved(log_scale=0.12) - 13.5)[:, 1] / 6.5
    assert 1.08 < stretch.max() < math.exp(0.12) + 0.01
    assert math.exp(-0.12) - 0.01 < stretch.min() < 0.93


def test_each_image_gets_its_own_amounts_from_the_generator():
    images = dot(10, 10).expand(4, -1, -1, -1)
    one, other = (
        digits.RandomAffine(generator=torch.Generator().manual_seed(3))(images) for _ in range(2)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_augmentation_follows_the_images_type(few):
    doubles = few.tensors[0].double()
    assert digits.RandomAffine()(doubles).dtype == torch.float64


def test_hold_out_takes_the_end(few):
    rest, end = digits.hold_out(few, 10)
    assert torch.equal(torch.cat([rest.tensors[0], end.tensors[0]]), few.tensors[0])
    assert len(end) == 10
    for count in (0, 40):
        with pytest.raises(ValueError, match=f"cannot hold {count} of 40"):
            digits.hold_out(few, count)


def test_nine_looks_shift_by_one_pixel_and_lose_nothing(few):
    images = few.tensors[0]
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.zeros(len(x), 10)

    digits.probabilities(Spy(), few, looks=digits.NINE_LOOKS)
    assert len(seen) == 9
    for (dy, dx), moved in zip(digits.NINE_LOOKS, seen, strict=True):
        inner = images[:, :, 1:-1, 1:-1]
        assert torch.equal(moved[:, :, 1 + dy : 27 + dy, 1 + dx : 27 + dx], inner)
        assert moved.shape == images.shape


def test_summary_counts_and_keeps_errors():
    images = torch.arange(3 * 784).view(3, 1, 28, 28) % 256 / 255
    data = TensorDataset(images, torch.tensor([1, 2, 2]))
    probability = torch.zeros(3, 10)
    probability[0, 1] = probability[1, 2] = probability[2, 7] = 1
    found = summary(probability, data)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["confusion"][2][7] == found["confusion"][2][2] == found["confusion"][1][1] == 1
    (error,) = found["errors"]
    assert (error["index"], error["label"], error["guess"]) == (2, 2, 7)
    assert torch.equal(torch.tensor(digits.unpack(error["image"])), (images[2, 0] * 255).byte())
    found = summary(probability, data, errors_kept=0)
    assert (found["wrong"], found["errors"]) == (1, [])
