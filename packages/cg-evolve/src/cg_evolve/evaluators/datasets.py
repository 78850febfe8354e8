"""Labelled images for real training: scikit-learn's digits, CIFAR in the files people have, folders of images by class."""

from __future__ import annotations

import codecs
import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve.errors import SearchError
from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Images", "load_images"]

_SIDE = 32  # folders of images without a stated resolution


@dataclass(frozen=True)
class Images:
    """A data set, split.

    Attributes:
        train: uint8 (n, channels, height, width); ``valid``, ``test`` likewise.
        train_labels: int64 (n,); ``valid_labels``, ``test_labels`` likewise.
        classes: number of classes.
        flip: whether a mirrored image is as good as the image.
        shift: by how much of its side an image may be shifted.
    """

    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    valid: NDArray[np.uint8]
    valid_labels: NDArray[np.int64]
    test: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: int
    flip: bool
    shift: float

    def subset(self, count: int) -> Images:
        """The first ``count`` training images; they are shuffled already."""
        if not 0 < count <= len(self.train):
            raise SearchError(f"train should lie between 1 and {len(self.train)} images, not {count}")
        return Images(**{**self.__dict__, "train": self.train[:count], "train_labels": self.train_labels[:count]})


def load_images(target: str, side: int | None = None) -> Images:
    """A data set by name.

    Args:
        target: ``digits``; ``cifar10=PATH`` or ``cifar100=PATH`` (the archive, or the folder with its files, pickled or binary); ``images=FOLDER`` with one
            folder of images for each class.
        side: to which folders of images are scaled.

    Raises:
        SearchError: no such data set, or files that are not one.
    """
    name, equals, path = target.partition("=")
    readers: dict[str, Callable[[Path], Images]] = {
        "cifar10": lambda p: _cifar(p, fine=False),
        "cifar100": lambda p: _cifar(p, fine=True),
        "images": lambda p: _folder(p, side or _SIDE),
    }
    if name == "digits" and not equals:
        return _digits()
    if name not in readers:
        raise SearchError(
            f"no data set is called '{name}'; there are digits, cifar10=PATH, cifar100=PATH, images=FOLDER"
        )
    if not path:
        raise SearchError(f"where are the files? train:{name}=PATH")
    if not Path(path).exists():
        raise SearchError(f"{path}: there is no such file or folder")
    return readers[name](Path(path))


def _split(
    images: NDArray[np.uint8], labels: NDArray[np.int64], shares: tuple[float, float]
) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Shuffled and split into training, validation and test, each with the classes' shares; always the same way."""
    rng = np.random.default_rng(2302)
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = [round(len(members) * shares[0]), round(len(members) * (shares[0] + shares[1]))]
        for part, chosen in zip(parts, np.split(members, cuts), strict=True):
            part.append(chosen)
    result = []
    for part in parts:
        order = rng.permutation(np.concatenate(part))
        result.append((images[order], labels[order]))
    return result


def _digits() -> Images:
    """The 1,797 digits of 8 x 8 pixels that come with scikit-learn (UCI Optical Recognition of Handwritten Digits)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtra("cg-evolve", "train", "the data set 'digits'") from None
    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)[:, None]
    (train, y), (valid, v), (test, t) = _split(images, data.target.astype(np.int64), (0.5, 0.25))
    return Images(train, y, valid, v, test, t, 10, flip=False, shift=1 / 8)


# --- CIFAR ------------------------------------------------------------------------------------------------------------


class _PlainUnpickler(pickle.Unpickler):
    """Reads the pickles of the CIFAR archives: plain values and numpy arrays, nothing else."""

    _allowed = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a CIFAR file")
        return super().find_class(module, name)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of a folder or archive."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and (file.suffix == ".bin" or file.name.startswith(("data_batch", "test", "train"))):
                yield file.name, file.read_bytes()
        return
    try:
        with tarfile.open(path) as archive:
            for member in sorted(archive.getmembers(), key=lambda m: m.name):
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield Path(member.name).name, content.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SearchError(f"{path}: is neither a folder nor an archive of CIFAR files: {error}") from None


def _cifar(path: Path, fine: bool) -> Images:
    """CIFAR-10 or CIFAR-100 (Krizhevsky 2009); a tenth of the training images is for validation."""
    train: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []
    test: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []
    for name, content in _files(path):
        stem = name.removesuffix(".bin")
        place = (
            test
            if stem in ("test", "test_batch")
            else train
            if stem == "train" or stem.startswith("data_batch")
            else None
        )
        if place is not None:
            place.append(_binary(content, fine, name) if name.endswith(".bin") else _pickled(content, fine, name))
    if not train or not test:
        raise SearchError(f"{path}: holds no CIFAR-{100 if fine else 10} training and test files")
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    t, u = (np.concatenate(parts) for parts in zip(*test, strict=True))
    classes = 100 if fine else 10
    inside = np.isin(np.concatenate([labels, u]), range(classes)).all()
    if not inside or not 0 < len(images) == len(labels) or not 0 < len(t) == len(u):
        raise SearchError(f"{path}: each of its images should have one of the labels 0 to {classes - 1}")
    (x, y), (v, w), _ = _split(images, labels, (0.9, 0.1))
    return Images(x, y, v, w, t, u, classes, flip=True, shift=1 / 8)


def _binary(content: bytes, fine: bool, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    head = 2 if fine else 1
    if not content or len(content) % (head + 3072):
        raise SearchError(f"{name}: is no CIFAR file: its length is no multiple of {head + 3072} bytes")
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, head + 3072)
    return rows[:, head:].reshape(-1, 3, 32, 32), rows[:, head - 1].astype(np.int64)


def _pickled(content: bytes, fine: bool, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        document = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
        images = np.asarray(document[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(document[b"fine_labels" if fine else b"labels"], dtype=np.int64)
    except Exception as error:  # whatever a damaged pickle raises
        raise SearchError(f"{name}: is no CIFAR file: {type(error).__name__}: {error}") from None
    return images, labels


# --- folders ----------------------------------------------------------------------------------------------------------


def _folder(path: Path, side: int) -> Images:
    """One folder of images for each class, scaled to ``side`` x ``side``; 70 % train, 15 % validate, 15 % test."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingExtra("cg-evolve", "train", "a folder of images") from None
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir()) if path.is_dir() else []
    if len(classes) < 2:
        raise SearchError(f"{path}: should hold a folder of images for each of two or more classes")
    images, labels = [], []
    for label, folder in enumerate(classes):
        for file in sorted(folder.iterdir()):
            try:
                with Image.open(file) as image:
                    images.append(np.asarray(image.convert("RGB").resize((side, side))).transpose(2, 0, 1))
            except (UnidentifiedImageError, OSError):
                continue  # not an image
            labels.append(label)
    counts = np.bincount(labels, minlength=len(classes)) if labels else np.zeros(len(classes))
    if counts.min() < 4:
        raise SearchError(f"{classes[int(counts.argmin())]}: a class needs at least 4 images")
    (x, y), (v, w), (t, u) = _split(np.stack(images).astype(np.uint8), np.array(labels, dtype=np.int64), (0.7, 0.15))
    return Images(x, y, v, w, t, u, len(classes), flip=True, shift=1 / 8)
