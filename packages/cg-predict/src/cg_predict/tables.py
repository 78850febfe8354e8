"""Labelled families in a data directory, read through the benchmarks that plugins register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cg_ir import get_benchmark, get_space
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_ir.plugins import BenchmarkTable


@dataclass(frozen=True)
class Family:
    """Where a family's labels lie.

    Args:
        name: of the family, as in ``exclude``.
        file: in the data directory.
        metrics: labels to learn from, higher is better, the main one first. Several are tasks of the same networks.
        part: only architectures in whose notation this text occurs; a family of two skeletons is two tables.
        without: only those in which this does not occur.
        relatives: families that share cells with it, to be left out together.
        reader: of the benchmark, with options; the family's name if absent.
    """

    name: str
    file: str
    metrics: tuple[str, ...]
    part: str = ""
    without: str = ""
    relatives: tuple[str, ...] = ()
    reader: str = ""

    @property
    def table(self) -> str:
        """Name of the table: the family's, and which part of it."""
        return f"{self.name} {_PARTS[self.part or self.without]}" if self.part or self.without else self.name


_PARTS = {"basic": "macro", "_": "micro"}
_TASKS = (
    "class_scene_valid_top1", "class_object_valid_top1", "jigsaw_valid_top1", "room_layout_valid_neg_loss",
    "segmentsemantic_valid_acc", "normal_valid_ssim", "autoencoder_valid_ssim",
)  # fmt: skip
_TRANSNAS = "transnas101.csv.gz"

#: The families that the shipped prior learns from and that ``cg bench transfer`` ranks.
FAMILIES = (
    Family("nb101", "nb101.csv.gz", ("valid_108ep",)),
    Family("nb201", "nb201_cifar10.csv.gz", ("cifar10_test", "cifar10_valid"), relatives=("transnas",)),
    Family("nb301", "nb301_surrogate.csv.gz", ("val_acc_yahpo",)),
    Family("mobilenetv3", "ofa_mbv3_imagenet.csv.gz", ("top1",)),
    Family("mnasnet", "mnasnet_imagenet.csv.gz", ("val_top1",)),
    Family("natssize", "nats_size_cifar10.csv.gz", ("cifar10_valid90",)),
    Family("transnas", _TRANSNAS, _TASKS, part="_", relatives=("nb201",)),
    Family("transnas", _TRANSNAS, _TASKS, part="basic", relatives=("nb201",)),
    Family("autoformer", "autoformer.csv.gz", ("c100_kd_acc", "imagenet_super_acc", "flower_kd_acc", "chaoyang_kd_acc")),
    Family("metaqnn", "metaqnn_cifar10.csv.gz", ("best_val_acc",)),
    Family("naap440", "naap440.csv.gz", ("max_test_acc",)),
    Family("timm", "timm_imagenet.csv.gz", ("top1",), reader="timm?label=best"),
)  # fmt: skip


#: The six whose spaces build any network in no time, for studies that train encoders.
SPACES = FAMILIES[:6]


def relatives_of(families: Iterable[str]) -> tuple[str, ...]:
    """The families and those that share cells with them, in the order of `FAMILIES`, unknown ones last."""
    wanted = list(families)
    kin = {name for f in FAMILIES if f.name in wanted for name in (f.name, *f.relatives)}
    known = list(dict.fromkeys(f.name for f in FAMILIES if f.name in kin))
    return (*known, *(name for name in wanted if name not in known))


def family_named(table: str) -> Family:
    """The first family of a name, or the one whose table is called so."""
    for family in FAMILIES:
        if table in (family.table, family.name):
            return family
    raise CgError(f"there is no family '{table}'; there are {', '.join(f.table for f in FAMILIES)}")


@dataclass(frozen=True)
class LabelledFamily:
    """Architectures of a family with labels.

    Args:
        name: of the space that builds them.
        archs: in the space's notation.
        labels: float64 (n,).
        groups: group of relatives of each, where the table tells it.
        built: networks that are there already, by architecture.
    """

    name: str
    archs: list[str]
    labels: NDArray[np.float64]
    groups: list[str] = field(default_factory=list)
    built: Mapping[str, Graph] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.archs)

    def graphs(self, indices: Iterable[int] | None = None) -> list[Graph]:
        """The networks, all or some."""
        space = get_space(self.name)
        chosen = [self.archs[i] for i in (range(len(self)) if indices is None else indices)]
        return [self.built[arch] if arch in self.built else space.graph(arch) for arch in chosen]

    def some(self, indices: Sequence[int]) -> LabelledFamily:
        """The rows of these numbers."""
        groups = [self.groups[i] for i in indices] if self.groups else []
        return replace(self, archs=[self.archs[i] for i in indices], labels=self.labels[list(indices)], groups=groups)

    def sample(self, size: int, rng: np.random.Generator) -> LabelledFamily:
        """A random part, in the table's order."""
        if size >= len(self):
            return self
        return self.some(np.sort(rng.choice(len(self), size=size, replace=False)).tolist())


def read_family(family: Family, data: Path, metric: str | None = None, reader: str = "") -> LabelledFamily:
    """All rows of a family's table that have the label.

    Args:
        family: which.
        data: the directory.
        metric: the family's first one unless said otherwise.
        reader: another one than the family's.

    Raises:
        CgError: the file is missing, or no plugin reads it.
    """
    path = data / family.file
    if not path.is_file():
        raise CgError(f"{data} should hold {family.file}, the labels of {family.name}")
    table = get_benchmark(reader or family.reader or family.name).open(str(path))
    archs = [a for a in table.archs() if family.part in a and not (family.without and family.without in a)]
    labels = labels_of(table, metric or family.metrics[0], archs)
    if not labels:
        raise CgError(f"{path} has no label {metric or family.metrics[0]}")
    groups = list(map(getattr(table, "group", lambda arch: ""), labels))
    return LabelledFamily(family.name, list(labels), np.array(list(labels.values())), groups if any(groups) else [])


def labels_of(table: BenchmarkTable, metric: str, archs: Iterable[str]) -> dict[str, float]:
    """The finite labels among those of some architectures, by architecture."""
    labels = {}
    for arch in archs:
        with suppress(KeyError):  # a row without the label
            labels[arch] = float(table.query(arch, metric))
    return {arch: label for arch, label in labels.items() if np.isfinite(label)}
