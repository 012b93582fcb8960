"""The project tabular_regression: copies, parts, rows, losses, intervals, and the program."""

import argparse
import itertools
import json
import math
from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")

from dlcourse import datasets, projects, training  # noqa: E402
from dlcourse.projects import tabular_regression as project  # noqa: E402

import numpy as np  # noqa: E402

STONE = {"carat": 0.7, "cut": "Ideal", "color": "G", "clarity": "VS1", "depth": 61.8,
         "table": 56, "x": 5.7, "y": 5.73, "z": 3.53}  # fmt: skip


@pytest.fixture(scope="module")
def few():
    return datasets.diamonds().iloc[::150].reset_index(drop=True)


@pytest.fixture
def quick(few, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "diamonds", lambda: few)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    project.add_arguments(parser)
    return project.main(parser.parse_args(["--device", "cpu", *arguments]))


def test_impossible_lengths_are_dropped_and_others_kept():
    table = pd.DataFrame([STONE, STONE | {"z": 0}, STONE | {"y": 58.9}])
    assert len(project.clean(table)) == 1


def test_copies_have_one_key_and_are_in_one_part(few):
    twin = STONE | {"x": STONE["y"], "y": STONE["x"], "cut": "Premium", "depth": 60, "price": 1}
    other = STONE | {"clarity": "VS2"}
    keys = project.stone_keys(pd.DataFrame([STONE, twin, other]))
    assert keys[0] == keys[1] != keys[2]
    parts = project.split(few)
    assert sum(map(len, parts.values())) == len(few)
    keys = [set(project.stone_keys(rows)) for rows in parts.values()]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(keys, 2))
    assert 0.6 < len(parts["train"]) / len(few) < 0.8


def test_rows_hold_numbers_and_codes():
    rows = project.encode(pd.DataFrame([STONE]))
    assert rows.tolist() == [[0.7, 61.8, 56, 5.7, 5.73, 3.53, 2, 3, 4]]
    hot = project.one_hot(rows)
    assert hot.shape == (1, 26)
    assert hot[0, :6].tolist() == pytest.approx(
        [math.log(0.7), 61.8, 56, *np.log([5.7, 5.73, 3.53])]
    )
    assert hot[0, 6:].nonzero().flatten().tolist() == [2, 8, 16]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"color": "K"}, "color 'K' is unknown; known, worst first: J, I, H, G, F, E, D"),
        ({"carat": None}, "carat is to be a number, got None"),
        ({"x": float("nan")}, "x is missing"),
        ({"z": 0}, "z must be above 0 and at most 12 mm, got 0"),
        ({"y": 58.9}, "y must be above 0 and at most 12 mm, got 58.9"),
        ({"depth": float("inf")}, "depth must be above 0, got inf"),
        ({"cut": None}, "cut None is unknown"),
    ],
)
def test_what_is_no_stone_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        project.price(project.build(project.Recipe()), STONE | change)


def test_a_missing_column_is_named():
    stone = {name: value for name, value in STONE.items() if name != "table"}
    with pytest.raises(ValueError, match="the column 'table' is missing"):
        project.price(project.build(project.Recipe()), stone)


def test_losses_are_those_of_the_definitions():
    m, s, y = (torch.randn(7, 1, dtype=torch.float64) for _ in range(3))
    wanted = torch.nn.functional.gaussian_nll_loss(m, y, s.exp())
    assert torch.isclose(project.gaussian_nll(torch.cat([m, s], 1), y), wanted)
    outputs, y = torch.zeros(2, 3), torch.tensor([[1.0], [-1.0]])
    assert project.pinball(outputs, y).item() == pytest.approx((1.5 + 1.5) / 2)


def test_scores_by_hand():
    found = project.scores(np.log([100.0, 100, 100]), np.log([110.0, 80, 100]))
    assert found["median"] == pytest.approx(10)
    assert found["rmse"] == pytest.approx(math.sqrt((math.log(1.1) ** 2 + math.log(0.8) ** 2) / 3))


def test_the_conformal_promise_is_kept_exactly():
    for miss in (0.5, 0.3, 0.2):
        hits = [
            order[-1] <= project.conformal_radius(np.array(order[:-1]), miss)
            for order in itertools.permutations(range(5))
        ]
        assert sum(hits) * 5 == math.ceil(5 * (1 - miss) - 1e-9) * len(hits)
    assert project.conformal_radius(np.arange(9.0), 0.05) == math.inf


def test_the_network_beats_the_mean_and_is_saved_with_its_preparation(few, tmp_path):
    data = {part: project.tensors(rows) for part, rows in project.split(project.clean(few)).items()}
    recipe = project.Recipe(hidden=16, layers=1, epochs=60, batch_size=32)
    training.seed_everything(0)
    model = project.build(recipe)
    project.train(model, recipe, data["train"], seed=0, progress=False)
    rows, y = data["test"].tensors
    y = y[:, 0].numpy()
    mean = project.scores(y, np.full(len(y), y.mean()))["rmse"]
    assert project.scores(y, project.predict(model, rows)[:, 0])["rmse"] < mean / 3
    project.save_model(tmp_path / "m.pt", model, recipe)
    again, _ = project.load_model(tmp_path / "m.pt")
    assert project.price(again, STONE) == project.price(model, STONE)
    training.save_checkpoint(tmp_path / "other.pt", model=model)
    with pytest.raises(training.CheckpointError, match="holds no model of prices"):
        project.load_model(tmp_path / "other.pt")


@pytest.mark.parametrize("loss", list(project.LOSSES))
def test_the_program_trains_the_network_by_every_loss(loss, quick):
    assert run("--loss", loss, "--epochs", "2", "--out", "out.json") == 0
    record = json.loads((quick / "out.json").read_text())
    assert record["recipe"]["loss"] == loss
    assert set(record["scores"]) == {"train", "valid", "test"}
    project.load_model(quick / "out.model.pt")
    assert not (quick / "out.checkpoint.pt").exists()


@pytest.mark.parametrize("model", ["mean", "per carat", "linear", "line + trees"])
def test_the_program_fits_baselines(model, quick):
    pytest.importorskip("sklearn")
    assert run("--model", model, "--out", "out.json") == 0


def test_trees_behind_a_line_are_fitted_to_what_it_leaves_over(few):
    pytest.importorskip("sklearn")
    rows, y = project.tensors(project.clean(few)).tensors
    y = y[:, 0].numpy()
    models = project.baselines()
    assert tuple(models) == project.BASELINES
    both, line = models["line + trees"].fit(rows, y), models["linear"].fit(rows, y)
    left = both.predict(rows) - line.predict(rows)
    assert left == pytest.approx(both.trees.predict(rows))
    assert np.std(y - both.predict(rows)) < np.std(y - line.predict(rows)) / 2
    far = rows.clone()
    far[:, 0] *= 100  # trees are flat out there, and the line is not
    assert both.predict(far).std() == pytest.approx(line.predict(far).std(), rel=0.3)


def test_the_program_refuses_options_of_another_model(quick, capsys):
    assert run("--model", "mean", "--epochs", "3") == 1
    assert "--loss and --epochs are of --model mlp" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_to_the_same_result(quick, monkeypatch):
    assert run("--epochs", "3", "--out", "whole.json") == 0
    fit, stopped = project.fit, []

    def stops(*args, **options):
        if not stopped:
            stopped.append(fit(*args, **options | {"epochs": 1}))
            raise KeyboardInterrupt
        return fit(*args, **options)

    monkeypatch.setattr(project, "fit", stops)
    assert run("--epochs", "3", "--out", "parts.json") == 130
    assert run("--epochs", "3", "--out", "parts.json", "--resume") == 0
    whole, parts = (json.loads((quick / f"{n}.json").read_text()) for n in ("whole", "parts"))
    assert whole["scores"] == parts["scores"]


# ------------------------------------------------------------------------------- the comparison


def runs_of(path):
    """The runs of a comparison, without their times."""
    runs = json.loads(path.read_text())["runs"]
    return {name: run["scores"] for name, run in runs.items()}


@pytest.fixture
def short(quick, monkeypatch):
    """A comparison of all models on two sizes, and of one variant."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(project, "SIZES", (100,))
    monkeypatch.setattr(project, "VARIANTS", {"wider": project.Recipe(hidden=80)})
    return quick


def test_a_comparison_has_every_model_size_and_seed_and_can_be_resumed(short, monkeypatch, capsys):
    compare = ("--compare", "2", "--epochs", "1")
    assert run(*compare, "--out", "straight.json") == 0
    train, done = project.train, []

    def interrupting(*arguments, **options):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(project, "train", interrupting)
        assert run(*compare, "--out", "a.json") == 130
    assert 0 < len(runs_of(short / "a.json")) < len(runs_of(short / "straight.json"))
    assert run(*compare, "--out", "a.json") == 1
    assert run("--compare", "2", "--epochs", "2", "--out", "a.json", "--resume") == 1
    assert "made with other recipes" in capsys.readouterr().err
    assert run(*compare, "--out", "a.json", "--resume") == 0
    runs = runs_of(short / "a.json")
    assert runs == runs_of(short / "straight.json")
    assert runs["linear, 100, seed 0"] != runs["linear, 100, seed 1"]  # drawn from other stones
    assert runs["mlp, all, seed 0"] != runs["mlp, all, seed 1"]

    networks = {f"{m}, all, seed {s}" for m in ("mlp", "wider") for s in (0, 1)}
    others = {f"{m}, all, seed 0" for m in project.MODELS[:-1]}
    assert set(runs) == networks | others | {
        f"{m}, 100, seed {s}" for m in project.MODELS for s in (0, 1)
    }


@pytest.mark.parametrize("option", [("--model", "mean"), ("--loss", "l1"), ("--size", "100")])
def test_a_comparison_of_everything_refuses_to_be_of_one_thing(option, quick, capsys):
    assert run("--compare", "1", *option) == 1
    assert "it compares all of them" in capsys.readouterr().err


def test_the_shipped_comparison_is_of_this_program(few):
    record = projects.recorded("tabular_regression")
    recipes = {"mlp": project.Recipe(), **project.VARIANTS}
    assert record["recipes"] == {name: asdict(recipe) for name, recipe in recipes.items()}
    assert record["epochs"] is None
    last = record["seeds"] - 1
    for size in (*project.SIZES, "all"):
        assert f"mlp, {size}, seed {last}" in record["runs"]


def test_few_stones_get_small_batches_and_many_passes():
    recipe = project.Recipe()
    assert project.for_size(recipe, 100).epochs == 100
    assert project.for_size(recipe, 1000).epochs == 50
    assert project.for_size(recipe, 10_000).batch_size == 32
    assert project.for_size(recipe, 10_001) == recipe


def test_a_damaged_or_missing_set_is_one_clear_error(monkeypatch, tmp_path, capsys):
    def damaged():
        raise datasets.DataError("diamonds.csv.bz2 is damaged")

    monkeypatch.setattr(datasets, "diamonds", damaged)
    assert run("--out", str(tmp_path / "out.json")) == 1
    assert capsys.readouterr().err == "error: diamonds.csv.bz2 is damaged\n"
