"""What is ranked: which networks, which labels, and what a target needs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cg_bench.ranking.targets import TARGETS, Target, Task, chosen_targets, documents
from cg_ir import CgError, Graph, PluginError
from cg_ir.files import write_text
from cg_predict.tables import LabelledFamily, family_named


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of NATS-Bench's sizes with labels by formula; two have none."""
    path = tmp_path_factory.mktemp("data")
    lines = ["arch,cifar10_valid90"]
    for i, a in enumerate((8, 16, 24, 32)):
        for b in (8, 64):
            lines.append(f"{a}:{b}:8:8:8,{'' if i == 3 else a + b}")
    import gzip

    (path / "nats_size_cifar10.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


TARGET = Target("sizes", "natssize", "cifar10_valid90")


def test_networks_without_a_label_are_left_out(folder: Path) -> None:
    read = TARGET.read(folder, None)
    assert read.archs == [f"{a}:{b}:8:8:8" for a in (8, 16, 24) for b in (8, 64)]
    assert read.labels.tolist() == [16, 72, 24, 80, 32, 88]
    assert len(read.graphs()) == 6


def test_a_sample_is_the_same_every_time(folder: Path) -> None:
    few = TARGET.read(folder, 3)
    assert len(few) == 3
    assert few.archs == TARGET.read(folder, 3).archs
    assert few.archs == [a for a in TARGET.read(folder, None).archs if a in few.archs]  # in the table's order
    assert TARGET.read(folder, 99).archs == TARGET.read(folder, None).archs


def test_architectures_that_name_an_operator_can_be_left_out(folder: Path) -> None:
    read = Target("s", "natssize", "cifar10_valid90", without=":64:").read(folder, None)
    assert read.archs == [f"{a}:8:8:8:8" for a in (8, 16, 24)]
    assert read.labels.tolist() == [16, 24, 32]


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CgError, match=r"should hold nats_size_cifar10\.csv\.gz"):
        TARGET.read(tmp_path, None)
    with pytest.raises(CgError, match="has no label top1"):
        Target("s", "natssize", "top1").read(folder, None)
    with pytest.raises(CgError, match=r"'torchvision' needs torchvision\.jsonl\.gz in the folder that --graphs names"):
        next(t for t in TARGETS if t.name == "torchvision").read(folder, None)


def test_targets_are_chosen_by_name_in_the_order_of_the_tables() -> None:
    assert [t.name for t in chosen_targets(("naap440", "nb201"))] == ["nb201", "naap440"]
    assert chosen_targets() == list(TARGETS)
    with pytest.raises(PluginError, match="no bench target"):
        chosen_targets(("nb201", "nb999"))


def test_every_target_names_a_known_family_and_no_two_are_alike() -> None:
    assert len({t.name for t in TARGETS}) == len(TARGETS)
    for target in TARGETS:
        family = family_named(target.family)
        task = Task(target, LabelledFamily(family.name, [], np.zeros(0)), Path())
        assert task.exclude == (family.name,)
        assert not task.by_groups  # not without graph documents
    assert Task(Target("own", "", "worth"), LabelledFamily("nb201", [], np.zeros(0)), Path()).exclude == ()


def test_documents_are_read_by_their_ids(cells: dict[str, Graph], tmp_path: Path) -> None:
    assert documents(tmp_path / "none.jsonl") == {}
    some = list(cells.items())[:3]
    lines = [
        json.dumps({"id": f"n{i}", "graph": json.loads(g.to_json()), "labels": {"top1": i}})
        for i, (_, g) in enumerate(some)
    ]
    write_text(tmp_path / "nets.jsonl", "\n".join(lines) + "\n")
    found = documents(tmp_path / "nets.jsonl")
    assert [(name, graph.hash) for name, graph in found.items()] == [(f"n{i}", g.hash) for i, (_, g) in enumerate(some)]


def test_documents_may_bring_labels_of_their_own(cells: dict[str, Graph], tmp_path: Path) -> None:
    """The models of torchvision: none is in the family's table, and all are one group."""
    lines = [
        json.dumps({"id": f"n{i}", "graph": json.loads(g.to_json()), "labels": {"top1": 70 + i}})
        for i, g in enumerate(list(cells.values())[:3])
    ]
    write_text(tmp_path / "own.jsonl", "\n".join(lines) + "\n")
    target = Target("own", "timm", "top1", groups=True, relatives=("resnet",), documents="own.jsonl")
    read = target.read(tmp_path, None, tmp_path)
    assert (read.archs, read.labels.tolist(), read.groups) == (["n0", "n1", "n2"], [70, 71, 72], ["own"] * 3)
    assert [graph.hash for graph in read.graphs()] == [g.hash for g in list(cells.values())[:3]]
    assert Task(target, read, tmp_path, tmp_path).by_groups
