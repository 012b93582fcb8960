"""mini.save and mini.load: what comes back, what is shared, what is refused, what is damaged."""

import io
import json
import os
import pickle
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

from dlcourse import mini
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree


def through_a_file(f, obj):
    file = io.BytesIO()
    f.save(obj, file)
    file.seek(0)
    return f.load(file)


KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def everything(f):
    return {
        "numbers": [1, -(2**70), 1.5, float("inf"), True, None], "words": ("a", "\u00e9\n", ""),
        "bytes": b"\x00\xff", "nested": {"x": {3: [(), {}, []]}, (1, "b"): 2, None: 3},
        "tensors": [f.arange(6).reshape(2, 3), f.tensor(2.5, dtype=f.float64), f.ones(0, 3)],
        "kinds": [f.zeros(2, dtype=getattr(f, name)) for name in KINDS],
        "transposed": f.arange(6.0).reshape(2, 3).T, "leaf": f.ones(2, requires_grad=True),
    }  # fmt: skip


def test_what_is_saved_comes_back():
    agree(lambda f: through_a_file(f, everything(f)))
    back = through_a_file(mini, everything(mini))
    assert back["leaf"].requires_grad
    assert not back["tensors"][1].requires_grad
    assert np.isnan(through_a_file(mini, float("nan")))
    for value in (
        [1], (1,), {1}, frozenset([1]), mini.Size([2]), {"a": 1}, OrderedDict(a=1), Counter("aab"),
        True, 1, 1.0, "1", b"1", None,
    ):  # fmt: skip
        again = through_a_file(mini, value)
        assert (type(again), again) == (type(value), value)
    assert through_a_file(mini, mini.float16) is mini.float16
    array = np.arange(6, dtype=">i4").reshape(2, 3)
    assert np.array_equal(through_a_file(mini, array), array)
    assert type(through_a_file(mini, np.float32(2))) is np.float32
    parameter = through_a_file(mini, mini.nn.Parameter(mini.ones(2), requires_grad=False))
    assert type(parameter) is mini.nn.Parameter
    assert not parameter.requires_grad


def test_shared_memory_is_shared_again():
    def tied(f):
        x = f.zeros(2)
        back = through_a_file(f, {"a": x, "b": x.detach(), "c": f.zeros(2), "d": [x]})
        back["a"] += 1
        return back

    agree(tied)


def checkpoint(f):
    """Train, save, load into fresh objects, train on: as without the break."""
    seen = []
    for broken in (False, True):
        model, optimizer, scheduler = trained(f)
        for step in range(6):
            if broken and step == 3:
                objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
                state = {name: thing.state_dict() for name, thing in objects.items()}
                model, optimizer, scheduler = trained(f)
                loaded = through_a_file(f, {"epoch": step, **state})
                for name, thing in (
                    ("model", model), ("optimizer", optimizer), ("scheduler", scheduler),
                ):  # fmt: skip
                    thing.load_state_dict(loaded[name])
            optimizer.zero_grad()
            model(f.ones(4, 3)).square().sum().backward()
            optimizer.step()
            scheduler.step()
        seen.append([p.detach().clone() for p in model.parameters()])
    return seen


def trained(f):
    model = f.nn.Sequential(f.nn.Linear(3, 2), f.nn.Tanh(), f.nn.Linear(2, 1))
    with f.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(f.arange(float(p.numel())).reshape(p.shape) * 0.1 - i * 0.05)
    optimizer = f.optim.AdamW(model.parameters(), lr=0.1)
    return model, optimizer, f.optim.lr_scheduler.StepLR(optimizer, 2)


def test_training_goes_on_from_a_checkpoint():
    agree(checkpoint)
    through, broken = checkpoint(mini)
    for a, b in zip(through, broken, strict=True):
        assert a.tolist() == b.tolist()


OPTIMIZERS = [n for n in mini.optim.__all__ if n[0].isupper() and n not in ("Optimizer",)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizers_state_is_saved(name):
    p = mini.full((2, 2), 0.5, requires_grad=True)
    optimizer = getattr(mini.optim, name)([p])

    def closure():
        optimizer.zero_grad()
        loss = (p**4).sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    state = optimizer.state_dict()
    assert_same(through_a_file(mini, state), state)


def assert_same(a, b):
    assert type(a) is type(b) or isinstance(b, dict)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, mini.Tensor):
        assert mini.equal(a, b)
    else:
        assert a == b


# -- files -----------------------------------------------------------------------------------------


def test_paths_and_files(tmp_path):
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        mini.save({"x": mini.ones(2)}, path)
        assert mini.load(path)["x"].tolist() == [1, 1]
    with open(tmp_path / "c.pt", "wb") as file:
        mini.save([1], file)
    with open(tmp_path / "c.pt", "rb") as file:
        assert mini.load(file) == [1]
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "b.pt", "c.pt"]
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    with np.load(tmp_path / "a.pt", allow_pickle=False) as arrays:
        assert arrays["tensors/0"].tolist() == [1, 1]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.pt").write_bytes(b"")
    (tmp_path / "link.pt").symlink_to(tmp_path / "real.pt")
    mini.save(3, tmp_path / "link.pt")
    assert (tmp_path / "link.pt").is_symlink()
    assert mini.load(tmp_path / "real.pt") == 3


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    mini.save(1, path)

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mini.save(2, path)
    with pytest.raises(TypeError):
        mini.save(object(), path)
    assert mini.load(path) == 1
    assert os.listdir(tmp_path) == ["a.pt"]


def test_where_it_was_saved_does_not_matter():
    file = io.BytesIO()
    mini.save(mini.ones(1), file)
    for location in (None, "cpu", {"cuda:0": "cpu"}, lambda storage, place: storage):
        assert mini.load(file, map_location=location).tolist() == [1]
    assert mini.load(file, weights_only=False).tolist() == [1]
    with pytest.raises(RuntimeError, match="CPU alone"):
        mini.load(file, map_location="cuda")
    with pytest.raises(NotImplementedError, match="mmap"):
        mini.load(file, mmap=True)


# -- what is refused -------------------------------------------------------------------------------


class Own(dict):
    pass


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"net": {"layers": [mini.nn.Linear(1, 1)]}},
         r"obj\['net'\]\['layers'\]\[0\], of type Linear.*state_dict\(\) instead"),
        ([1, len], r"obj\[1\], of type builtin_function_or_method"),
        ({object(): 1}, "a key of obj, of type object"),
        (Own(), "obj, of type Own"),
        (np.array(["a"]), "obj, of type ndarray"),
        (1j, "of type complex"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_named(obj, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        mini.save(obj, tmp_path / "a.pt")
    assert os.listdir(tmp_path) == []


def test_what_contains_itself_is_refused():
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(ValueError, match=r"obj\[1\]\['again'\]: it contains itself"):
        mini.save(loop, io.BytesIO())
    twice = [1]
    assert through_a_file(mini, [twice, twice]) == [[1], [1]]


def test_damage_is_seen(tmp_path):
    path = tmp_path / "a.pt"
    mini.save({"x": mini.arange(1000)}, path)
    whole = path.read_bytes()
    for part in (b"", whole[:20], whole[: len(whole) // 2], whole[:-1], b"hello " * 99):
        path.write_bytes(part)
        with pytest.raises(RuntimeError, match=r"a\.pt is damaged or truncated, or was not"):
            mini.load(path)
    changed = bytearray(whole)
    changed[2000] ^= 1
    path.write_bytes(changed)
    with pytest.raises(RuntimeError, match="damaged"):
        mini.load(path)
    with pytest.raises(FileNotFoundError):
        mini.load(tmp_path / "none.pt")


def zipped(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file


def structured(obj, form="dlcourse.mini 1", **entries):
    return zipped({"structure.json": json.dumps({"format": form, "object": obj}), **entries})


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (zipped({"a": "b"}), "not one of mini.save"),
        (structured(1, "dlcourse.mini 9"), "has the format 'dlcourse.mini 9'"),
        (structured({"eval": 0}), "damaged"),
        (structured({"tensor": 0, "requires_grad": False}), "damaged: KeyError"),
        (structured({"tensor": 0}, **{"tensors/0.npy": npy(np.ones(1))}), "damaged: KeyError"),
        (structured({"dtype": "x"}), "damaged"),
        (structured({}), "damaged"),
        (zipped({"structure.json": "{"}), "damaged"),
        (zipped({"structure.json": "0" * 9999}, zipfile.ZIP_DEFLATED), "compressed"),
        (structured({"tensor": 0, "requires_grad": False},
                    **{"tensors/0.npy": npy(np.array([len], object), allow_pickle=True)}),
         "damaged: ValueError: Object arrays cannot be loaded"),
        (structured({"tensor": 0, "requires_grad": False},
                    **{"tensors/0.npy": npy(np.ones(9)).replace(b"(9,)", b"(8**9,)")}),
         "damaged"),
    ],
)  # fmt: skip
def test_strange_files_are_refused(file, message):
    file.seek(0)
    with pytest.raises(RuntimeError, match=message):
        mini.load(file)


# -- files of torch --------------------------------------------------------------------------------


def saved_by_torch(obj):
    file = io.BytesIO()
    torch.save(obj, file)
    file.seek(0)
    return file


def test_torchs_files_are_read():
    obj = everything(torch)
    assert_matches(mini.load(saved_by_torch(obj)), obj)
    model, optimizer, scheduler = trained(torch)
    for thing in (model, optimizer, scheduler):
        if thing is optimizer:
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()
        assert_matches(mini.load(saved_by_torch(thing.state_dict())), thing.state_dict())
    base = torch.arange(12.0)
    views = {"a": base[2:8].reshape(2, 3).T, "b": base, "p": torch.nn.Parameter(base[:2])}
    back = mini.load(saved_by_torch(views))
    assert_matches(back, views)
    assert type(back["p"]) is mini.nn.Parameter
    back["b"] += 1  # the memory is shared, as in torch
    assert back["a"][0, 0].item() == 3
    others = [torch.float16, torch.Size([2]), {1, 2}, Counter("aab"), torch.device("cpu")]
    assert mini.load(saved_by_torch(others)) == [
        mini.float16, mini.Size([2]), {1, 2}, Counter("aab"), "cpu",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (lambda: torch.nn.Linear(1, 1), "holds a torch.nn.modules.linear.Linear"),
        (
            lambda: torch.ones(1, dtype=torch.bfloat16),
            "mini has no bfloat16, which this file holds",
        ),
        (lambda: torch.ones(1, dtype=torch.complex64), "holds a torch.ComplexFloatStorage"),
        (lambda: np.ones(1), "holds a numpy"),
    ],
)
def test_other_things_of_torch_are_named(obj, message):
    with pytest.raises(RuntimeError, match=message):
        mini.load(saved_by_torch(obj()))


class Evil:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_nothing_in_a_torch_file_is_executed(tmp_path):
    mark = tmp_path / "executed"
    for function, args in ((os.mkdir, (str(mark),)), (eval, ("1",)), (getattr, (1, "real"))):
        file = zipped({"archive/data.pkl": pickle.dumps(Evil(function, *args), 2)})
        file.seek(0)
        with pytest.raises(RuntimeError, match="holds a"):
            mini.load(file)
    assert not Path(mark).exists()


def test_a_tensor_that_reaches_beyond_its_storage_is_refused():
    class Out:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Stored(), 3, (2, 2), (2, 1), False, None)

    class Stored:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if isinstance(obj, Stored):
                return "storage", torch.FloatStorage, "0", "cpu", 4
            return None

    data = io.BytesIO()
    Pickler(data, 2).dump(Out())
    file = zipped({"archive/data.pkl": data.getvalue(), "archive/data/0": bytes(16)})
    file.seek(0)
    with pytest.raises(RuntimeError, match="reaches beyond its storage"):
        mini.load(file)
    cut = zipped({"archive/data.pkl": data.getvalue(), "archive/data/0": bytes(8)})
    cut.seek(0)
    with pytest.raises(RuntimeError, match="damaged"):
        mini.load(cut)
    file = zipped({"archive/data.pkl": b"\x80\x02nonsense"})
    file.seek(0)
    with pytest.raises(RuntimeError, match="damaged"):
        mini.load(file)
