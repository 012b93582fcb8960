"""The project name_generator: its models, scores, samples, and the program."""

import argparse
import itertools
import json
import math

import pytest

torch = pytest.importorskip("torch")

from dlcourse import datasets, training  # noqa: E402
from dlcourse.models.ngram import NGram  # noqa: E402
from dlcourse.projects import name_generator as project  # noqa: E402

import numpy as np  # noqa: E402

FEW = ["anna", "hannah", "al", "mary", "maria", "jo", "noah", "ann"]
NETS = list(project.RECIPES)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """The program on eight names and small recipes, with an empty folder to work in."""
    names = datasets.names

    def few(group="given", split=None):
        names(group, split)  # complains of groups that are not there
        return {"train": FEW, "valid": FEW[:3], "test": FEW[3:5]}[split]

    monkeypatch.setattr(datasets, "names", few)
    for name, recipe in project.RECIPES.items():
        tiny = project.replace(recipe, hidden=8, embedding=4, epochs=3, batch_size=4)
        monkeypatch.setitem(project.RECIPES, name, tiny)
    monkeypatch.setattr(project, "CONDITION_EPOCHS", 3)
    monkeypatch.setattr(project, "ORDERS", (1, 2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    project.add_arguments(parser)
    return project.main(parser.parse_args(["--device", "cpu", *arguments]))


def net(name, seed=0):
    training.seed_everything(seed)
    return project.build(project.replace(project.RECIPES[name], hidden=8, embedding=4)).double()


def biased():
    """A bigram of which everything can be worked out: random logits, ends are frequent."""
    model = net("bigram")
    with torch.no_grad():
        model.table.weight.normal_(generator=torch.Generator().manual_seed(0))
        model.table.weight[:, 0] += 3
    return model


# ------------------------------------------------------------------------------ names as numbers


def test_names_become_numbers_and_names_again():
    assert project.encode("Abz") == [1, 2, 26]
    assert project.decode([1, 2, 26, 0, 5]) == project.decode([1, 2, 26]) == "abz"
    data = project.as_tensors(["ab", "c"], ["female", ""])
    assert data.tensors[0].tolist() == [[27, 1, 2], [0, 3, 0]]
    assert data.tensors[1].tolist() == [[1, 2, 0], [3, 0, -100]]


@pytest.mark.parametrize("name", ["", "anne-marie", "josé", "a b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="letters from a to z, got"):
        project.encode(name)


def test_the_conditional_set_holds_both_lists_each_told():
    inputs, _ = project.load("given", "valid", condition=True).tensors
    counts = [len(datasets.names(sex, "valid")) for sex in ("female", "male")]
    assert [(inputs[:, 0] == start).sum().item() for start in (27, 28)] == counts


# ------------------------------------------------------------------------------ models


@pytest.mark.parametrize("name", NETS)
def test_a_model_sees_the_past_and_not_the_future(name):
    model = net(name).eval()
    tokens = torch.randint(0, 27, (2, 9), generator=torch.Generator().manual_seed(0))
    logits = model(tokens)
    assert logits.shape == (2, 9, 27)
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 27
    difference = (model(changed) - logits).abs().amax(dim=(0, 2))
    if name == "bigram":  # all its rows begin as zeros
        assert difference.max() == 0
    else:
        assert difference[:5].max() < 1e-12 < difference[5]


def test_a_bigram_of_zeros_is_uniform_and_the_uniform_is_measured():
    measured, wanted = project.measure(net("bigram"), FEW), project.uniform(FEW)
    assert measured == pytest.approx(wanted)
    assert measured["perplexity"] == pytest.approx(27)
    assert measured["bits"] == pytest.approx(math.log2(27))
    symbols = sum(len(name) + 1 for name in FEW)
    assert measured["name"] == pytest.approx(math.log(27) * symbols / len(FEW))


def test_the_transformer_refuses_what_is_too_long():
    with pytest.raises(ValueError, match="31 tokens, but positions were learnt for 24"):
        project.name_costs(net("transformer"), ["a" * 30])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngrams_give_probabilities_after_every_context(order):
    model = NGram(project.sequences(FEW), 27, order, 0.6)
    for history in [(), (0,), (0, 1), (1, 14), (14, 14, 1), (26, 26), (0, 8, 1, 14, 14)]:
        p = model.probabilities(history)
        assert sum(p) == pytest.approx(1)
        assert min(p) > 0


def test_ngrams_by_hand():
    """Two names, a and ab; order 2, discount 1/2; 3 symbols."""
    model = NGram([[0, 1, 0], [0, 1, 2, 0]], 3, order=2, discount=0.5)
    # Contexts before: of 0 are a, b; of a is 0; of b is a. Four pairs, three symbols.
    base = [(2 - 0.5) / 4 + 0.375 / 3, 0.5 / 4 + 0.375 / 3, 0.5 / 4 + 0.375 / 3]
    assert model.probabilities(()) == pytest.approx(base)
    after_a = [0.25 + 0.5 * base[0], 0.5 * base[1], 0.25 + 0.5 * base[2]]
    assert model.probabilities((0, 1)) == pytest.approx(after_a)
    assert model.numbers == 3 + 1 + 2 + 1


def test_a_long_context_that_was_never_seen_is_the_shorter_one():
    model = NGram(project.sequences(FEW), 27, order=4)
    assert model.probabilities((26, 14, 14)) == model.probabilities((14, 14))


# ------------------------------------------------------------------------------ scores and samples


def test_the_loss_is_the_cost_of_a_name_whatever_the_padding():
    model = biased()
    data = project.as_tensors(FEW)
    together = project.loss_fn(model(data.tensors[0]), data.tensors[1])
    alone = [project.name_costs(model, [name]).item() for name in FEW]
    assert together.item() == pytest.approx(np.mean(alone))
    assert project.name_costs(model, FEW).tolist() == pytest.approx(alone)


def test_the_cost_is_minus_the_logarithm_of_the_product():
    model = biased()
    p = model.table.weight[:, :].softmax(dim=1)
    by_hand = -(p[0, 1] * p[1, 14] * p[14, 14] * p[14, 0]).log()  # . a n n .
    assert project.name_costs(model, ["ann"]).item() == pytest.approx(by_hand.item())


def test_samples_come_as_often_as_their_probability_says():
    model = biased()
    drawn = project.sample(model, 10_000, generator=torch.Generator().manual_seed(0))
    common = sorted({name for name in drawn if name}, key=drawn.count)[-5:]
    for name in common:
        p = math.exp(-project.name_costs(model, [name]).item())
        assert drawn.count(name) / len(drawn) == pytest.approx(p, abs=4 * math.sqrt(p / 10_000))


def test_temperature_sharpens_and_flattens():
    model = biased()

    def cost(temperature):
        chance = torch.Generator().manual_seed(0)
        drawn = project.sample(model, 500, temperature=temperature, generator=chance)
        return project.name_costs(model, [name for name in drawn if name]).mean().item()

    assert cost(0.5) < cost(1.0) < cost(2.0)
    greedy = project.sample(model, 2, temperature=0)
    assert greedy[0] == greedy[1]
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        project.sample(model, 1, temperature=-1)


def test_samples_keep_their_beginning_and_the_same_seed_repeats_them():
    model = net("gru")
    one, two = (
        project.sample(model, 9, prefix="mar", generator=torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert one == two
    assert all(name.startswith("mar") and len(name) <= project.LONGEST for name in one)


def test_a_wide_beam_finds_the_most_probable_strings():
    model = biased()
    found = project.beam_search(model, 30)[:5]
    short = ["".join(letters) for n in (1, 2) for letters in
             itertools.product(project.ALPHABET, repeat=n)]  # fmt: skip
    best = project.name_costs(model, short).sort()
    known = {short[i]: -cost for cost, i in zip(best.values[:3].tolist(), best.indices[:3].tolist(),
                                               strict=True)}  # fmt: skip
    for name, log_p in known.items():
        assert dict(found)[name] == pytest.approx(log_p)
    scores = [log_p for _, log_p in found]
    assert scores == sorted(scores, reverse=True)


def test_a_beam_of_one_that_sees_no_better_end_is_greedy():
    model = biased()
    with torch.no_grad():
        model.table.weight[:, 0] -= 6
        model.table.weight[5, 0] = 20
    ((name, _),) = project.beam_search(model, 1)
    assert name == project.sample(model, 1, temperature=0)[0]


# ------------------------------------------------------------------------------ what is new


def plain_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    ways = (plain_distance(a[1:], b) + 1, plain_distance(a, b[1:]) + 1)
    return min(*ways, plain_distance(a[1:], b[1:]) + (a[0] != b[0]))


def test_edit_distances_are_those_of_the_definition():
    words = ["anna", "hannah", "an", "nana", "bob", "x"]
    for word in words:
        wanted = [plain_distance(word, other) for other in words]
        assert project.edit_distances(word, words).tolist() == wanted


def test_novelty_is_what_drawing_would_find():
    model = biased()
    short = ["".join(letters) for letters in itertools.product("abcde", repeat=2)]
    train, held_out = short[:15], short[15:]
    found = project.novelty(model, train, held_out)
    drawn = project.sample(model, 20_000, generator=torch.Generator().manual_seed(0))
    for kind, names in (("train", train), ("held out", held_out)):
        share = sum(name in names for name in drawn) / len(drawn)
        assert found[kind] == pytest.approx(share, abs=4 * math.sqrt(share / 20_000))
    assert found["train"] + found["held out"] + found["new"] == pytest.approx(1)
    rates = found["train"] / 15, found["held out"] / 10
    assert found["ratio"] == pytest.approx(rates[0] / rates[1])


def test_a_copying_machine_has_no_finite_ratio():
    copier = NGram(project.sequences(["anna"]), 27, order=6, discount=1e-300)
    found = project.novelty(copier, ["anna"], ["z" * 15])
    assert found["train"] == pytest.approx(1)
    assert found["ratio"] == math.inf


# ------------------------------------------------------------------------------ the program


def without_time(path):
    """A record without what differs between two runs that are the same."""

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("minutes", "command")}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return strip(json.loads(path.read_text()))


@pytest.mark.parametrize("model", ["bigram", "gru"])
def test_a_run_records_what_it_did_and_the_model_can_be_used(quick, model, capsys):
    assert run("--model", model, "--out", "out/a.json") == 0
    record = json.loads((quick / "out/a.json").read_text())
    assert record["recipe"]["model"] == model
    assert len(record["train_loss"]) == len(record["valid_loss"]) == 3
    assert record["measures"].keys() == {"train", "valid", "test"}
    assert str(quick) not in (quick / "out/a.json").read_text()
    assert sorted(path.name for path in (quick / "out").iterdir()) == ["a.json", "a.model.pt"]
    loaded = project.load_model(quick / "out/a.model.pt")
    cost = project.measure(loaded, FEW)["name"]
    assert cost == pytest.approx(record["measures"]["train"]["name"], abs=1e-4)
    assert "bits a symbol" in capsys.readouterr().out


def test_a_conditional_run_can_be_asked_for_either(quick):
    assert run("--condition", "--model", "rnn", "--out", "a.json") == 0
    record = json.loads((quick / "a.json").read_text())
    assert record["names"] == "conditional"
    assert record["conditional"]["test"]["bits"] > 0
    assert run("--condition", "--names", "male") == 1


def stopped(function, number):
    """The function, but its call of that number, from 1, is interrupted as by Ctrl-C."""
    calls = itertools.count(1)

    def call(*arguments, **options):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return call


def test_interrupted_and_resumed_is_as_if_never_interrupted(quick, monkeypatch, capsys):
    assert run("--model", "lstm", "--out", "straight.json") == 0
    with monkeypatch.context() as patch:
        patch.setattr(project, "costs", stopped(project.costs, 4))
        assert run("--model", "lstm", "--out", "a.json") == 130
    assert "--resume" in capsys.readouterr().err
    assert not (quick / "a.json").exists()
    assert run("--model", "lstm", "--out", "a.json") == 1  # asks for --resume or --restart
    assert run("--model", "lstm", "--out", "a.json", "--resume") == 0
    assert without_time(quick / "a.json") == without_time(quick / "straight.json")


def test_the_comparison_holds_every_model_and_can_be_resumed(quick, monkeypatch):
    assert run("--compare", "2", "--out", "straight.json") == 0
    with monkeypatch.context() as patch:
        patch.setattr(project, "train", stopped(project.train, 3))
        assert run("--compare", "2", "--out", "a.json") == 130
    assert run("--compare", "2", "--out", "a.json") == 1  # asks for --resume or --restart
    assert run("--compare", "2", "--epochs", "1", "--out", "a.json", "--resume") == 1
    assert run("--compare", "2", "--out", "a.json", "--resume") == 0
    record = without_time(quick / "a.json")
    assert record == without_time(quick / "straight.json")
    assert {name: len(runs) for name, runs in record["runs"].items()} == dict.fromkeys(NETS, 2)
    assert list(record["counted"]) == ["uniform", *(f"{n}-gram" for n in project.ORDERS)]


def test_a_comparison_goes_on_in_the_middle_of_a_training(quick, monkeypatch):
    assert run("--compare", "1", "--out", "straight.json") == 0
    epochs, evaluate = 0, training.evaluate

    def interrupting(*arguments, **options):
        nonlocal epochs
        epochs += 1
        if epochs == 5:  # the second epoch of the second model
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "evaluate", interrupting)
        assert run("--compare", "1", "--out", "a.json") == 130
    assert (quick / "a.checkpoint.pt").exists()
    with monkeypatch.context() as patch:
        patch.setattr(training, "evaluate", interrupting)
        assert run("--compare", "1", "--out", "a.json", "--resume") == 0
    assert epochs == 1 + 3 * len(NETS)  # the epoch that was interrupted is the only one run twice
    assert without_time(quick / "a.json") == without_time(quick / "straight.json")
    assert not (quick / "a.checkpoint.pt").exists()


def test_a_comparison_restarted_goes_on_from_nothing(quick):
    for name in ("a.json", "a.checkpoint.pt"):
        (quick / name).write_text("of an earlier run")
    assert run("--compare", "1", "--out", "a.json", "--restart") == 0
    assert (quick / "a.model.pt").exists()


@pytest.mark.parametrize("option", [["--model", "gru"], ["--condition"], ["--seed", "3"]])
def test_a_comparison_ignores_no_option(quick, option, capsys):
    assert run("--compare", "1", *option) == 1
    assert "it goes without --model" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"hours of work", None])
def test_a_file_that_holds_no_model_is_one_clear_error(tmp_path, content):
    path = tmp_path / "a.pt"
    if content is None:
        training.save_checkpoint(path, model=torch.nn.Linear(2, 2))
    else:
        path.write_bytes(content)
    with pytest.raises(training.CheckpointError, match=r"damaged|no model of names"):
        project.load_model(path)


@pytest.mark.parametrize("option", [["--epochs", "0"], ["--seed", "-1"], ["--compare", "0"]])
def test_options_out_of_range_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        run(*option)
    assert "must be" in capsys.readouterr().err
