"""Labelled images: those that there are, and files that are not what they say."""

from __future__ import annotations

import pickle
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cg_evolve import SearchError
from cg_evolve.evaluators.datasets import _split, load_images


def test_digits_are_split_by_class() -> None:
    pytest.importorskip("sklearn")
    data = load_images("digits")
    assert data.train.shape[1:] == (1, 8, 8)
    assert len(data.train) + len(data.valid) + len(data.test) == 1797
    for labels in (data.train_labels, data.valid_labels, data.test_labels):
        counts = np.bincount(labels, minlength=10)
        assert counts.max() - counts.min() <= 0.1 * counts.mean() + 2
    assert data.subset(100).train.shape[0] == 100
    with pytest.raises(SearchError, match="train should lie between"):
        data.subset(5000)


def cifar_pickle(images: np.ndarray, labels: list[int], key: bytes) -> bytes:
    return pickle.dumps({b"data": images, key: labels}, protocol=2)


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize(("name", "key"), [("cifar10", b"labels"), ("cifar100", b"fine_labels")])
def test_cifar_pickles(tmp_path: Path, archive: bool, name: str, key: bytes) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "files"
    folder.mkdir()
    train, test = ("data_batch_1", "test_batch") if name == "cifar10" else ("train", "test")
    for file, count in ((train, 40), (test, 10)):
        images = rng.integers(0, 256, size=(count, 3072), dtype=np.uint8)
        (folder / file).write_bytes(cifar_pickle(images, [i % 4 for i in range(count)], key))
    path = folder
    if archive:
        path = tmp_path / "cifar.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(folder, "cifar")
    data = load_images(f"{name}={path}")
    assert data.train.shape == (36, 3, 32, 32)
    assert data.valid.shape == (4, 3, 32, 32)
    assert data.test.shape == (10, 3, 32, 32)
    assert data.classes == (10 if name == "cifar10" else 100)
    assert data.flip


@pytest.mark.parametrize(("name", "head"), [("cifar10", 1), ("cifar100", 2)])
def test_cifar_binaries(tmp_path: Path, name: str, head: int) -> None:
    rng = np.random.default_rng(0)
    for file, count in (("data_batch_1.bin" if head == 1 else "train.bin", 20), ("test.bin", 6)):
        rows = rng.integers(0, 256, size=(count, head + 3072), dtype=np.uint8)
        rows[:, head - 1] = np.arange(count) % 2
        (tmp_path / file).write_bytes(rows.tobytes())
    data = load_images(f"{name}={tmp_path}")
    assert (len(data.train), len(data.valid), len(data.test)) == (18, 2, 6)
    (tmp_path / "test.bin").write_bytes(b"short")
    with pytest.raises(SearchError, match="is no multiple of"):
        load_images(f"{name}={tmp_path}")


class Nasty:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_cifar_pickles_run_no_code(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Nasty()}, protocol=2))
    with pytest.raises(SearchError, match="does not belong in a CIFAR file"):
        load_images(f"cifar10={tmp_path}")


def test_folders_of_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, colour in (("cats", 40), ("dogs", 200)):
        (tmp_path / name).mkdir()
        for number in range(12):
            image.new("RGB", (20, 14), (colour, number, 0)).save(tmp_path / name / f"{number}.png")
        (tmp_path / name / "notes.txt").write_text("not an image")
    data = load_images(f"images={tmp_path}", side=8)
    assert data.train.shape == (16, 3, 8, 8)
    assert (len(data.valid), len(data.test), data.classes) == (4, 4, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SearchError, match="empty: a class needs at least 4 images"):
        load_images(f"images={tmp_path}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("digit", "no data set is called 'digit'"),
        ("digits=here", "no data set is called 'digits'|there are digits"),
        ("cifar10", "where are the files"),
        ("cifar10=/nowhere/at/all", "there is no such file"),
    ],
)
def test_bad_data_sets_are_refused(target: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        load_images(target)


# --- files that are none ----------------------------------------------------------------------------------------------


def pickled(labels: list[int], images: int | None = None, key: bytes = b"labels") -> bytes:
    data = np.zeros((len(labels) if images is None else images, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": data, key: labels}, protocol=2)


def cifar(folder: Path, train: bytes, test: bytes) -> str:
    (folder / "data_batch_1").write_bytes(train)
    (folder / "test_batch").write_bytes(test)
    return f"cifar10={folder}"


GOOD = pickled([0, 9] * 10)


@pytest.mark.parametrize("spoiled", [[0, 10], [-1, 3], [0, 255]])
@pytest.mark.parametrize("train", [True, False])
def test_labels_outside_of_the_classes_are_refused(tmp_path: Path, spoiled: list[int], train: bool) -> None:
    bad = pickled(spoiled)
    target = cifar(tmp_path, *((bad, GOOD) if train else (GOOD, bad)))
    with pytest.raises(SearchError, match=r"each of its images should have one of the labels 0 to 9$"):
        load_images(target)
    assert load_images(cifar(tmp_path, GOOD, GOOD)).classes == 10


@pytest.mark.parametrize(("labels", "images"), [([0] * 5, 4), ([0] * 4, 5)])
def test_each_image_has_one_label(tmp_path: Path, labels: list[int], images: int) -> None:
    with pytest.raises(SearchError, match="each of its images should have one of the labels"):
        load_images(cifar(tmp_path, pickled(labels, images), GOOD))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "EOFError"),
        (b"\x80\x02}.", "KeyError"),
        (pickle.dumps([1, 2]), "TypeError"),
        (pickle.dumps({b"data": np.zeros((2, 7), dtype=np.uint8), b"labels": [0, 1]}), "ValueError"),
        (pickled([1], key=b"fine_labels"), "KeyError"),
        (pickle.dumps({b"data": print, b"labels": []}), "UnpicklingError: builtins.print does not belong"),
    ],
    ids=["empty", "without", "list", "short", "key", "code"],
)
def test_a_damaged_pickle_is_named_by_its_file(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SearchError, match=rf"^data_batch_1: is no CIFAR file: {message}"):
        load_images(cifar(tmp_path, content, GOOD))


@pytest.mark.parametrize("length", [0, 3072, 3074, 2 * 3073 - 1])
def test_a_binary_file_is_whole_images(tmp_path: Path, length: int) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(length))
    with pytest.raises(SearchError, match=r"^data_batch_1\.bin: is no CIFAR file: its length is no multiple of 3073"):
        load_images(f"cifar10={tmp_path}")


def test_half_a_data_set_and_no_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(GOOD)
    with pytest.raises(SearchError, match="holds no CIFAR-10 training and test files"):
        load_images(f"cifar10={tmp_path}")
    (tmp_path / "cifar.tar.gz").write_bytes(b"no archive")
    with pytest.raises(SearchError, match=re.escape("is neither a folder nor an archive of CIFAR files")):
        load_images(f"cifar100={tmp_path / 'cifar.tar.gz'}")


def test_a_split_keeps_the_shares_of_the_classes_and_is_the_same_every_time() -> None:
    labels = np.repeat([0, 1, 2], [40, 20, 8]).astype(np.int64)
    images = np.arange(68, dtype=np.uint8)
    parts = _split(images, labels, (0.5, 0.25))
    assert [np.bincount(y).tolist() for _, y in parts] == [[20, 10, 4], [10, 5, 2], [10, 5, 2]]
    assert sorted(np.concatenate([x for x, _ in parts]).tolist()) == list(range(68))  # each once
    for x, y in parts:
        assert labels[x].tolist() == y.tolist()
    again = _split(images, labels, (0.5, 0.25))
    assert [x.tolist() for x, _ in again] == [x.tolist() for x, _ in parts]
    assert parts[0][0].tolist() != sorted(parts[0][0].tolist())  # shuffled


def test_folders_need_images_of_two_classes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    with pytest.raises(SearchError, match="should hold a folder of images for each of two or more classes"):
        load_images(f"images={tmp_path}")
    for name, count in (("cat", 8), ("dog", 3)):
        (tmp_path / name).mkdir()
        for i in range(count):
            image.new("L", (5, 9), color=i).save(tmp_path / name / f"{i}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
        (tmp_path / name / "more").mkdir()
    with pytest.raises(SearchError, match=r"dog: a class needs at least 4 images"):
        load_images(f"images={tmp_path}")
    image.new("RGB", (4, 4)).save(tmp_path / "dog" / "x.png")
    found = load_images(f"images={tmp_path}", 6)
    assert found.classes == 2
    assert len(found.train) + len(found.valid) + len(found.test) == 12
    assert found.train.shape[1:] == (3, 6, 6)
