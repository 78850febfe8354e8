"""What the harness ranks: a family, a label, and which of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cg_predict.tables import FAMILIES, LabelledFamily, read_family

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A ranking task.

    Args:
        name: as in the tables.
        family: whose labels no source may have.
        metric: the label.
        without: operator that no architecture may name.
        quick: whether the quick run has it.
        size: networks ranked, a seeded sample of the table; None for all.
    """

    name: str
    family: str
    metric: str
    without: str = ""
    quick: bool = True
    size: int | None = 1500

    def read(self, data: Path, limit: int | None) -> LabelledFamily:
        """The networks and their labels; a seeded sample of ``limit`` if there are more."""
        family = next(f for f in FAMILIES if f.name == self.family)
        labelled = read_family(family, data, self.metric)
        if self.without:
            keep = [i for i, arch in enumerate(labelled.archs) if self.without not in arch]
            labelled = LabelledFamily(self.family, [labelled.archs[i] for i in keep], labelled.labels[keep])
        return labelled if limit is None else labelled.sample(limit, np.random.default_rng(0))


TARGETS = (
    Target("nb201", "nb201", "cifar10_test", size=None),
    Target("nb201, valid", "nb201", "cifar10_valid", quick=False, size=None),
    Target("nb201 without none", "nb201", "cifar10_test", without="|none~", quick=False, size=None),
    Target("nb101", "nb101", "valid_108ep"),
    Target("nb301", "nb301", "val_acc_yahpo"),
    Target("mobilenetv3", "mobilenetv3", "top1"),
    Target("mnasnet", "mnasnet", "val_top1"),
    Target("natssize", "natssize", "cifar10_valid90"),
)
