"""The paper's recipe and the plain k-GNN: what they learn from, and what they score."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_bench.ranking.methods import random_labels
from cg_bench.ranking.references import Reference
from cg_ir import Graph, get_space
from cg_predict.tables import SPACES

pytest.importorskip("torch_geometric")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of two families, so that only these may be learned from."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for family, head in (("natssize", "arch,cifar10_valid90"), ("nb201", "index,arch_str,cifar10_test")):
        file = next(f.file for f in SPACES if f.name == family)
        archs = sorted({get_space(family).sample(rng) for _ in range(12)})
        rows = [f"{i},{a},{i}" if family == "nb201" else f"{a},{i}" for i, a in enumerate(archs)]
        (folder / file).write_bytes(gzip.compress("\n".join([head, *rows]).encode()))
    return folder


#: What is left to learn from is natssize.
OTHERS = tuple(family.name for family in SPACES if family.name != "natssize")


def reference(data: Path, **options: Any) -> Reference:
    return Reference("k-GNN", OTHERS, data, labels=8, **options)


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What predictors are pretrained on; they train for no more than a moment."""
    from cg_predict.finetuned import KGNNPredictor

    seen: list[dict[str, Any]] = []

    def pretrain(self: Any, sources: dict[str, Any]) -> Any:
        seen.append(sources)
        return self

    monkeypatch.setattr(KGNNPredictor, "pretrain", pretrain)
    monkeypatch.setattr(KGNNPredictor, "fit", lambda self, graphs, y, pool=None: self)
    monkeypatch.setattr(KGNNPredictor, "predict", lambda self, graphs, pool=None: np.array([g.macs for g in graphs]))
    return seen


def test_it_learns_once_from_a_sample_of_the_families_that_are_not_left_out(
    data: Path, pretrained: list[dict[str, Any]], family: tuple[list[Graph], np.ndarray]
) -> None:
    method = reference(data)
    for draw in range(2):
        method.run(family[0][:10], family[1][:10], 0, draw)
    (sources,) = pretrained
    assert list(sources) == ["natssize"]
    graphs, labels = sources["natssize"]
    assert len(graphs) == len(labels) == 8
    text = gzip.decompress((data / "nats_size_cifar10.csv.gz").read_bytes()).decode()
    table = dict(line.split(",") for line in text.split()[1:])
    by_hash = {get_space("natssize").graph(arch).hash: float(value) for arch, value in table.items()}
    assert [by_hash[graph.hash] for graph in graphs] == labels.tolist()


@pytest.mark.usefixtures("pretrained")
@pytest.mark.parametrize("count", [0, 5])
def test_it_scores_a_sample_of_the_networks_without_a_label(
    data: Path, family: tuple[list[Graph], np.ndarray], count: int
) -> None:
    graphs, labels = family[0][:40], family[1][:40]
    outcome = reference(data, scored=20).run(graphs, labels, count, 1)
    scored = np.flatnonzero(np.isfinite(outcome.score))
    assert len(scored) == 20
    assert outcome.labelled.tolist() == random_labels(40, count, 1).tolist()
    assert not set(scored.tolist()) & set(outcome.labelled.tolist())
    assert outcome.score[scored].tolist() == [graphs[i].macs for i in scored]


@pytest.mark.usefixtures("pretrained")
def test_where_there_are_fewer_networks_all_are_scored(data: Path, family: tuple[list[Graph], np.ndarray]) -> None:
    outcome = reference(data).run(family[0][:12], family[1][:12], 5, 0)
    assert np.isfinite(outcome.score).sum() == 7
