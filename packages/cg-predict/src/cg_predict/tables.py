"""Labelled families in a data directory, read through the benchmarks that plugins register."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cg_ir import get_benchmark, get_space
from cg_ir.errors import CgError
from cg_ir.graph import Graph

__all__ = ["FAMILIES", "Family", "LabelledFamily", "read_family"]


@dataclass(frozen=True)
class Family:
    """Where a family's labels lie.

    Args:
        name: of the family, its space and its benchmark reader.
        file: in the data directory.
        metric: the label; higher is better.
    """

    name: str
    file: str
    metric: str


#: The families that the prior learns from and that ``cg bench transfer`` ranks.
FAMILIES = (
    Family("nb101", "nb101.csv.gz", "valid_108ep"),
    Family("nb201", "nb201_cifar10.csv.gz", "cifar10_test"),
    Family("nb301", "nb301_surrogate.csv.gz", "val_acc_yahpo"),
    Family("mobilenetv3", "ofa_mbv3_imagenet.csv.gz", "top1"),
    Family("mnasnet", "mnasnet_imagenet.csv.gz", "val_top1"),
    Family("natssize", "nats_size_cifar10.csv.gz", "cifar10_valid90"),
)


@dataclass(frozen=True)
class LabelledFamily:
    """Architectures of a family with labels.

    Args:
        name: of the family.
        archs: in the space's notation.
        labels: float64 (n,).
    """

    name: str
    archs: list[str]
    labels: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.archs)

    def graphs(self, indices: Iterable[int] | None = None) -> list[Graph]:
        """The networks, all or some."""
        space = get_space(self.name)
        return [space.graph(self.archs[i]) for i in (range(len(self)) if indices is None else indices)]

    def sample(self, size: int, rng: np.random.Generator) -> LabelledFamily:
        """A random part, in the table's order."""
        if size >= len(self):
            return self
        chosen = np.sort(rng.choice(len(self), size=size, replace=False))
        return LabelledFamily(self.name, [self.archs[i] for i in chosen], self.labels[chosen])


def read_family(family: Family, data: Path, metric: str | None = None) -> LabelledFamily:
    """All rows of a family's table that have the label.

    Raises:
        CgError: the file is missing, or no plugin reads it.
    """
    path = data / family.file
    if not path.is_file():
        raise CgError(f"{data} should hold {family.file}, the labels of {family.name}")
    table = get_benchmark(family.name).open(str(path))
    archs, labels = [], []
    for arch in table.archs():
        try:
            value = float(table.query(arch, metric or family.metric))
        except KeyError:
            continue
        if np.isfinite(value):
            archs.append(arch)
            labels.append(value)
    if not archs:
        raise CgError(f"{path} has no label {metric or family.metric}")
    return LabelledFamily(family.name, archs, np.array(labels))
