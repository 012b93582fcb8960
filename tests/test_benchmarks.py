"""The benchmarks: both frameworks do the same work, and one tiny run of the comparison."""

import functools
import time

import pytest

torch = pytest.importorskip("torch")

from benchmarks import bench, where, worker  # noqa: E402
from benchmarks.workloads import PRODUCTS, WORKLOADS  # noqa: E402
from dlcourse import mini  # noqa: E402
from dlcourse.projects._record import read_record, write_record  # noqa: E402


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_runs_under_both(name):
    for f in (mini, torch):
        WORKLOADS[name][1](f)()


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_bare_product_is_of_the_shapes_it_is_said_to_be(name):
    what, build, _ = PRODUCTS[name]
    ours, theirs = build(mini)(), build(torch)()
    m, k, k_again, n = (int(size) for size in what.replace("by", "×").split("×"))
    assert k == k_again
    assert (type(ours).__name__, ours.shape, ours.dtype) == ("ndarray", (m, n), "float32")
    assert tuple(theirs.shape) == (m, n)


def test_one_repetition(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "THREADS", {"one": 1})
    record = bench.run(1, ("W1",))
    assert {"command", "date", "versions", "hardware", "load"} <= record.keys()
    entry = record["W1"]
    times = [entry["one"][f] for f in bench.FRAMEWORKS]
    assert entry["one"]["ratio"] == pytest.approx(times[0] / times[1], rel=0.02, abs=0.01)
    assert tuple(entry["where"]) == where.KINDS
    assert entry["product"]["ratio"] > 0
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


@pytest.mark.parametrize(
    ("model", "size", "kind"),
    [
        (mini.nn.Linear(800, 800), (800, 800), "products"),
        (mini.nn.MaxPool2d(1), (4, 8, 600, 600), "copies"),
        (mini.nn.GELU(), (1000, 1000), "arrays"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_most_of_the_time_goes_where_the_work_is(model, size, kind):
    with mini.no_grad():
        work = functools.partial(model, mini.randn(*size))
        # The processor's time, not the clock's, of which other programs take a share; and the least
        # of three, for now and then Python clears up.
        seconds = where.least([where.traced(work, time.thread_time) for _ in range(3)])
    assert max(seconds, key=seconds.get) == kind


def test_python_has_the_rest_of_a_run_without_tracing():
    seconds = {"products": 5, "copies": 1, "arrays": 1, "forward": 6, "backward": 3, "update": 1}
    shares = {
        "products": 50,
        "copies": 10,
        "arrays": 10,
        "forward": 13,
        "backward": 7,
        "update": 10,
    }
    assert where.divided(seconds, 10) == shares
    assert where.divided(seconds, 4)["forward"] == 0  # noise: NumPy alone took longer


def test_a_step_of_training_has_every_kind():
    model, x = mini.nn.Linear(50, 50), mini.randn(50, 50)
    optimizer = mini.optim.SGD(model.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        model(x.clone()).square().sum().backward()
        optimizer.step()

    step()
    assert all(where.traced(step)[kind] > 0 for kind in where.KINDS)
    assert sum(where.shares(step).values()) == pytest.approx(100, abs=3)


def test_every_workload_has_a_target():
    assert bench.TARGETS.keys() == WORKLOADS.keys()
