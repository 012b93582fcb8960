"""The program that measures how positions extrapolate: its models, and a run of two steps."""

import argparse
import json

import pytest

torch = pytest.importorskip("torch")

from dlcourse.projects import positions  # noqa: E402


@pytest.mark.parametrize("kind", positions.KINDS)
def test_every_kind_reads_eight_times_the_length_without_looking_ahead(kind):
    torch.manual_seed(0)
    model = positions.build(kind, vocab_size=9, context=4, width=16)
    tokens = torch.randint(9, (1, 32), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[0, 20] = (changed[0, 20] + 1) % 9
    with torch.no_grad():
        difference = (model(tokens) - model(changed)).abs().amax(2)[0]
    assert (difference[:20] == 0).all()
    assert (difference[20:] > 0).all()


def test_only_without_positions_does_one_layer_not_see_the_order():
    for kind in positions.KINDS:
        torch.manual_seed(0)
        model = positions.build(kind, vocab_size=9, context=4, width=16, layers=1).double()
        with torch.no_grad():
            one, other = model(torch.tensor([[1, 2, 3, 4], [3, 1, 2, 4]]))[:, -1]
        assert torch.allclose(one, other, atol=1e-12) == (kind == "none")


def test_a_run_writes_its_record(tmp_path):
    parser = argparse.ArgumentParser()
    positions.add_arguments(parser)
    out = tmp_path / "record.json"
    options = ["--steps", "2", "--context", "4", "--seeds", "2", "--out", str(out)]
    assert positions.main(parser.parse_args(options)) == 0
    record = json.loads(out.read_text())
    assert set(record["loss"]) == set(positions.KINDS)
    for first, second in record["loss"].values():  # one list a seed
        assert len(first) == len(second) == 4 * positions.LONGER
        assert first != second
