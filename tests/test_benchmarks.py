"""The benchmarks: both frameworks do the same work, and one tiny run of the comparison."""

import pytest

torch = pytest.importorskip("torch")

from benchmarks import bench, worker  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402
from dlcourse import mini  # noqa: E402
from dlcourse.projects._record import read_record, write_record  # noqa: E402


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_runs_under_both(name):
    for f in (mini, torch):
        WORKLOADS[name][1](f)()


def test_one_repetition(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "THREADS", {"one": 1})
    record = bench.run(1, ("W6",))
    assert {"command", "date", "versions", "hardware", "load"} <= record.keys()
    entry = record["W6"]
    times = [entry["one"][f] for f in bench.FRAMEWORKS]
    assert entry["one"]["ratio"] == pytest.approx(times[0] / times[1], rel=0.02, abs=0.01)
    assert (entry["reached"] == "yes") == (entry["one"]["ratio"] <= entry["target"])
    write_record(tmp_path / "a.json", record)
    assert read_record(tmp_path / "a.json") == record


def test_a_worker_that_fails_is_reported():
    with (
        bench.Worker("mini", 1) as broken,
        pytest.raises(RuntimeError, match="ended with code 1"),
    ):
        broken.ask("W0")


@pytest.mark.skipif(not worker.CLEAR.exists(), reason="no Linux")
def test_memory_is_that_of_the_work():
    growth = worker.peak_growth(lambda: bytearray(50_000_000).count(1))
    assert 45 < growth < 60


def test_every_workload_has_a_target():
    assert bench.TARGETS.keys() == WORKLOADS.keys()
