"""The project text_generation: its program, and what the notebook shares with it."""

import argparse
import json
import math
from collections import Counter

import pytest

torch = pytest.importorskip("torch")

from dlcourse import bpe, training  # noqa: E402
from dlcourse.models import GPT, GPTConfig  # noqa: E402
from dlcourse.projects import text_generation as project  # noqa: E402
from dlcourse.training import CheckpointError  # noqa: E402

TEXT = "".join(f"And the {n} kings of the {n * n} cities went up.\n" for n in range(120))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return GPT(GPTConfig(260, context=8, width=12, layers=2, heads=2, positions="rotary")).double()


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """The program on a small text and a small recipe, with an empty folder to work in."""
    tiny = project.Recipe(vocab_size=260, context=8, width=8, layers=1, heads=2, steps=6)
    monkeypatch.setitem(project.RECIPES, "full", tiny)
    monkeypatch.setattr(project, "VARIANTS", {"a": tiny, "b": project.replace(tiny, width=4)})
    monkeypatch.setattr(project, "EVERY", 3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    project.add_arguments(parser)
    args = ["--data", "text.txt", "--precision", "float32", *arguments]
    return project.main(parser.parse_args(args))


def without_time(path):
    record = json.loads(path.read_text())
    times = "minutes", "cpu_minutes", "command"
    return {key: value for key, value in record.items() if key not in times}


# ------------------------------------------------------------------------------------ the program


def test_a_run_records_what_it_did_and_its_weights_write(quick, capsys):
    assert run("--out", "out/a.json") == 0
    record = json.loads((quick / "out/a.json").read_text())
    assert len(record["train_loss"]) == len(record["valid_loss"]) == 2
    assert record["steps_between"] == 3
    assert record["bits_per_byte"].keys() == {"valid", "test"}
    assert [sample["prompt"] for sample in record["samples"]] == list(project.PROMPTS)
    assert str(quick) not in (quick / "out/a.json").read_text()
    model, tokens = project.load_model(quick / "out/a.model.pt")
    assert sum(p.numel() for p in model.parameters()) == record["parameters"]
    score = project.bits_per_byte(model, tokens, project.load("text.txt")["test"])
    assert score == pytest.approx(record["bits_per_byte"]["test"], rel=1e-2)  # float16
    assert project.write(model, tokens, "And", 5).startswith("And")
    assert sorted(path.name for path in (quick / "out").iterdir()) == ["a.json", "a.model.pt"]
    assert "bits a byte of the validation text" in capsys.readouterr().out


def test_interrupted_and_resumed_is_as_if_never_interrupted(quick, monkeypatch, capsys):
    assert run("--out", "straight.json") == 0
    calls = 0
    cross_entropy = project.cross_entropy

    def interrupting(logits, targets):
        nonlocal calls
        calls += 1
        if calls == 6:  # in the second epoch: three steps, the validation text, two steps
            raise KeyboardInterrupt
        return cross_entropy(logits, targets)

    with monkeypatch.context() as patch:
        patch.setattr(project, "cross_entropy", interrupting)
        assert run("--out", "a.json") == 130
    assert "--resume" in capsys.readouterr().err
    assert not (quick / "a.json").exists()
    assert run("--out", "a.json") == 1  # neither --resume nor --restart
    assert run("--out", "a.json", "--resume") == 0
    assert without_time(quick / "a.json") == without_time(quick / "straight.json")


def test_interrupted_before_the_first_step_there_is_nothing_to_keep(quick, monkeypatch, capsys):
    def interrupting(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(project, "train_bpe", interrupting)
    assert run("--out", "a.json") == 130
    assert "nothing to keep" in capsys.readouterr().err


def test_the_ablation_trains_what_is_missing(quick):
    assert run("--ablation", "--out", "b.json", "--only", "b") == 0
    assert run("--ablation", "--out", "b.json") == 1  # it is there
    assert run("--ablation", "--out", "b.json", "--resume") == 0
    runs = json.loads((quick / "b.json").read_text())["runs"]
    assert list(runs) == ["a", "b"]
    assert runs["b"]["recipe"]["width"] == 4
    assert runs["b"]["cpu_minutes"] >= 0


@pytest.mark.parametrize("other", [("--seed", "1"), ("--steps", "3"), ("--data", "other.txt")])
def test_an_ablation_is_not_completed_with_other_settings(quick, other, capsys):
    (quick / "other.txt").write_text(TEXT)
    assert run("--ablation", "--out", "b.json", "--only", "b") == 0
    before = (quick / "b.json").read_text()
    assert run("--ablation", "--out", "b.json", "--resume", *other) == 1
    assert "another seed, data or recipe" in capsys.readouterr().err
    assert (quick / "b.json").read_text() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "a"), "--only names variants of --ablation"),
        (("--ablation", "--recipe", "quick"), "--recipe quick does not go with --ablation"),
        (("--ablation", "--device", "mps"), "--device mps does not go with --ablation"),
        (("--ablation", "--precision", "bfloat16"), "bfloat16 does not go with --ablation"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(quick, options, message, capsys):
    assert run(*options, "--out", "a.json") == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\xff", "is not text in UTF-8"),
        (b"one line", "too short, or its lines too long"),
        (b"a\n" * 40, "has no window of 8"),
    ],
)
def test_a_text_that_does_not_do_is_one_clear_line(quick, content, message, capsys):
    (quick / "text.txt").write_bytes(content)
    assert run("--out", "a.json") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_a_text_that_is_not_there_is_one_clear_line(quick, capsys):
    (quick / "text.txt").unlink()
    assert run() == 1
    assert "text.txt" in capsys.readouterr().err


def test_a_text_is_cut_at_the_ends_of_lines(quick):
    texts = project.load("text.txt")
    assert "".join(texts.values()) == TEXT
    assert all(text.endswith("\n") for text in texts.values())
    assert len(texts["train"]) > 15 * len(texts["valid"])


def test_weights_of_something_else_are_refused(quick):
    training.save_checkpoint(quick / "x.pt", model=torch.nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="holds no text model"):
        project.load_model(quick / "x.pt")


# ------------------------------------------------------------------------------------------ parts


def test_targets_are_the_inputs_one_token_on():
    ids = torch.arange(50)
    loader = project.Windows(ids, 8, 4, 3, torch.Generator().manual_seed(0))
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    for x, y in batches:
        assert x.shape == y.shape == (4, 8)
        assert torch.equal(x + 1, y)
    x, y = project.in_a_row(ids, 8, 4)[0]
    assert torch.equal(x.flatten(), torch.arange(32))
    assert torch.equal(y, x + 1)


@pytest.mark.parametrize("length", [1, 3, 8, 9, 12, 13, 29])
def test_every_token_is_scored_once_with_half_a_context_before_it(model, length):
    ids = torch.randint(260, (length,), generator=torch.Generator().manual_seed(length)).tolist()
    losses = project.token_losses(model, ids, begin=0)
    text = torch.tensor([0, *ids])
    for t in range(length):
        start = 0 if t < 8 else (t - 4) // 4 * 4  # windows of 8 that begin at 0, 4, 8, ...
        logits = model(text[None, start : t + 1])[0, -1]
        want = -logits.log_softmax(0)[ids[t]]
        assert losses[t].item() == pytest.approx(want.item(), rel=1e-4)


def test_ignorance_costs_log_of_the_number_of_tokens(model):
    tokenizer = bpe.BPE()
    blank = GPT(GPTConfig(256, context=8, width=4, layers=1, heads=1))
    torch.nn.init.zeros_(blank.tokens.weight)
    assert project.bits_per_byte(blank, tokenizer, "naïve") == pytest.approx(8)
    by_position = project.losses_by_position(blank, torch.arange(100))
    assert by_position.tolist() == pytest.approx([math.log(256)] * 8)


def test_with_a_cache_the_text_is_the_same_beyond_the_context_too(model):
    for how in ({}, {"temperature": 0}, {"top_k": 3}, {"top_p": 0.5}):
        texts = [project.generate(model, [1, 2], 30, cached=c, **how) for c in (True, False)]
        assert texts[0] == texts[1]
        assert len(texts[0]) == 30


def test_a_prompt_longer_than_the_context_is_cut(model):
    assert len(project.generate(model, list(range(20)), 3)) == 3
    with pytest.raises(ValueError, match="nothing to go on from"):
        project.generate(model, [], 3)


def test_distributions_are_what_they_say():
    z = torch.tensor([0.1, 0.5, 0.05, 0.35], dtype=torch.float64).log()
    half = project.distribution(z, top_p=0.8)
    assert half.tolist() == pytest.approx([0, 0.5 / 0.85, 0, 0.35 / 0.85])
    assert project.distribution(z, top_p=0.49).tolist() == [0, 1, 0, 0]
    assert project.distribution(z, top_k=3).tolist() == pytest.approx(
        [0.1 / 0.95, 0.5 / 0.95, 0, 0.35 / 0.95]
    )
    assert project.distribution(z, temperature=0).tolist() == [0, 1, 0, 0]
    square = torch.tensor([0.01, 0.25, 0.0025, 0.1225]) / 0.385
    assert project.distribution(z, temperature=0.5).tolist() == pytest.approx(square.tolist())
    both = project.distribution(z, top_k=2, top_p=0.7)  # of 0.85, 0.7 is more than 0.5 alone
    assert (both > 0).tolist() == [False, True, False, True]
    for wrong in ({"temperature": -1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ValueError, match="temperature must be >= 0, top_k >= 1 and 0 < top_p"):
            project.distribution(z, **wrong)


def test_draws_come_as_often_as_the_model_says(model):
    probs = model(torch.tensor([[5]]))[0, -1].mul(40).softmax(0)
    drawn = Counter(
        project.generate(model, [5], 1, seed=s, temperature=1 / 40)[0] for s in range(300)
    )
    top, p = probs.argmax().item(), probs.max().item()
    assert abs(drawn[top] / 300 - p) < 4 * math.sqrt(p * (1 - p) / 300)


def test_copies_are_counted_from_every_place():
    assert project.longest_copies("abcx", "zabcz") == [3, 2, 1, 0]
    assert project.longest_copies("", "abc") == []
    assert project.longest_copies("aab", "ab") == [1, 2, 1]


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_attention_weights_are_those_of_the_model(positions):
    torch.manual_seed(1)
    config = GPTConfig(11, context=7, width=12, layers=2, heads=3, positions=positions)
    model = GPT(config).double()
    weights = project.attention_weights(model, [1, 2, 3, 4, 5])
    assert weights.shape == (2, 3, 5, 5)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))
    assert (weights.triu(1) == 0).all()
    seen = []
    attention = model.blocks[0].attention
    attention.proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    inputs = []
    attention.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    model(torch.tensor([[1, 2, 3, 4, 5]]))
    v = attention.qkv(inputs[0]).reshape(1, 5, 3, 3, 4)[:, :, 2].transpose(1, 2)  # (1, nh, T, hs)
    out = (weights[0] @ v[0]).transpose(0, 1).reshape(5, 12)
    assert torch.allclose(out, seen[0][0])
