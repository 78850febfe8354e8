"""What is ranked: a family, a label, and which of its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cg_ir import get_space
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_ir.plugin_registry import registry
from cg_predict.tables import LabelledFamily, family_named, read_family

__all__ = ["TARGETS", "Target", "Task", "chosen_targets", "documents"]


@dataclass(frozen=True)
class Target:
    """A ranking task.

    Args:
        name: as in the tables.
        family: table whose labels no source may have, nor those of its relatives; empty where nothing was learned from it, and a subclass reads it.
        metric: the label.
        without: operator that no architecture may name.
        quick: whether the quick run has it.
        size: networks ranked, a seeded sample of the table; None for all.
        groups: whether the family is ranked by groups of relatives, each from labels of the others, and not left out as a whole.
        relatives: groups of the family that hold networks like the ranked ones, which come with labels of their own from ``documents``.
        documents: name of the file of graph documents that holds the networks where no space builds them in no time; the target is skipped without it.
    """

    name: str
    family: str
    metric: str
    without: str = ""
    quick: bool = True
    size: int | None = 1500
    groups: bool = False
    relatives: tuple[str, ...] = ()
    documents: str = ""

    def read(self, data: Path, limit: int | None, graphs: Path | None = None) -> LabelledFamily:
        """The networks and their labels; a seeded sample of ``limit`` if there are more.

        Raises:
            CgError: the tables or the graph documents are not there.
        """
        if self.documents and (graphs is None or not (graphs / self.documents).is_file()):
            raise CgError(f"the target '{self.name}' needs {self.documents} in the folder that --graphs names")
        if self.relatives and graphs:
            return _labelled_documents(graphs / self.documents, self.metric, self.name)
        family = family_named(self.family)
        built = documents(graphs / self.documents) if self.documents and graphs else {}
        labelled = replace(read_family(family, data, self.metric), built=built)
        if self.without:
            labelled = labelled.some([i for i, arch in enumerate(labelled.archs) if self.without not in arch])
        return labelled if limit is None else labelled.sample(limit, np.random.default_rng(0))


@dataclass(frozen=True)
class Task:
    """A target that has been read.

    Attributes:
        target: what is ranked.
        labelled: its networks and labels.
        data: folder with the label tables.
        graphs: folder with graph documents.
    """

    target: Target
    labelled: LabelledFamily
    data: Path
    graphs: Path | None = None

    @property
    def exclude(self) -> tuple[str, ...]:
        """The families that no method may have learned from; `Predictor` leaves their relatives out, too."""
        return (family_named(self.target.family).name,) if self.target.family else ()

    @property
    def by_groups(self) -> bool:
        """Whether methods may learn from other groups of the family."""
        return self.target.groups and self.graphs is not None


def chosen_targets(only: Sequence[str] = ()) -> list[Target]:
    """The targets of all plugins, or those of these names, in the order of the tables.

    Raises:
        PluginError: a name is none.
    """
    for name in only:
        registry().get("bench target", name)
    return [e.make for name, e in registry().entries("bench target").items() if not only or name in only]


def documents(path: Path) -> Mapping[str, Graph]:
    """The networks of a file of graph documents, by id; none where there is no such file."""
    if not path.is_file():
        return {}
    table = get_space("graphs", file=str(path)).table  # type: ignore[attr-defined]
    return {arch: table.graph(arch) for arch in table.archs()}


def _labelled_documents(path: Path, metric: str, group: str) -> LabelledFamily:
    """Networks of graph documents with labels of their own, all of one group."""
    table = get_space("graphs", file=str(path)).table  # type: ignore[attr-defined]
    archs = list(table.archs())
    labels = np.array([float(table.query(arch, metric)) for arch in archs])
    return LabelledFamily("timm", archs, labels, [group] * len(archs), {arch: table.graph(arch) for arch in archs})


#: Modules of timm that hold architectures which torchvision publishes, too, or close variants of them.
_LIKE_TORCHVISION = (
    "resnet", "efficientnet", "mobilenetv3", "vision_transformer", "inception_v3", "senet", "resnetv2", "deit", "hardcorenas", "xception",
    "vision_transformer_hybrid",
)  # fmt: skip

TARGETS = (
    Target("nb201", "nb201", "cifar10_test", size=None),
    Target("nb201, valid", "nb201", "cifar10_valid", quick=False, size=None),
    Target("nb201 without none", "nb201", "cifar10_test", without="|none~", quick=False, size=None),
    Target("nb101", "nb101", "valid_108ep"),
    Target("nb301", "nb301", "val_acc_yahpo"),
    Target("mobilenetv3", "mobilenetv3", "top1"),
    Target("mnasnet", "mnasnet", "val_top1"),
    Target("natssize", "natssize", "cifar10_valid90"),
    Target("transnas micro, scene", "transnas micro", "class_scene_valid_top1", quick=False),
    Target("transnas micro, jigsaw", "transnas micro", "jigsaw_valid_top1", quick=False),
    Target("transnas macro, object", "transnas macro", "class_object_valid_top1", quick=False),
    Target("transnas macro, normal", "transnas macro", "normal_valid_ssim", quick=False),
    Target("autoformer", "autoformer", "c100_kd_acc", quick=False),
    Target("metaqnn", "metaqnn", "best_val_acc", quick=False),
    Target("naap440", "naap440", "max_test_acc", quick=False),
    Target("timm, left out", "timm", "top1", quick=False, size=None, documents="timm.jsonl.gz"),
    Target("timm, by module family", "timm", "top1", quick=False, size=None, groups=True, documents="timm.jsonl.gz"),
    Target(
        "torchvision", "timm", "top1", quick=False, size=None, groups=True, relatives=_LIKE_TORCHVISION, documents="torchvision.jsonl.gz",
    ),
)  # fmt: skip
