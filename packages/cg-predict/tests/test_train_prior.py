"""Training the prior: sources, what is left out, and what joins the shipped one."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cg_embed.checkpoint import read_checkpoint
from cg_ir.errors import CgError
from cg_predict.experts import Source
from cg_predict.features import descriptors, path_vectors
from cg_predict.metrics import kendall, spearman
from cg_predict.pool import PoolScale
from cg_predict.prior import Prior, load_prior, prior_from, shipped_directory
from cg_predict.tables import LabelledFamily, family_named
from cg_predict.targets import normal_scores
from cg_predict.train_prior import (
    _signed,
    extend,
    left_out,
    model_card,
    read_own,
    read_source,
    read_sources,
    source_from,
)
from cg_predict.trust import EVIDENCE


def source(name: str, family: str, seed: int, count: int = 60) -> Source:
    """Networks of the shipped prior's descriptors: known ones of a family, a little moved."""
    rng = np.random.default_rng(seed)
    known = load_prior().experts["nb201" if family == "nb201" else "nb101"].known
    x = known[rng.integers(0, len(known), count)] * rng.uniform(0.9, 1.1, (count, 1)).astype(np.float32)
    return Source(
        name, family, x, normal_scores(x[:, 0] + rng.normal(size=count)), np.zeros((count, 2), dtype=np.float32)
    )


@pytest.fixture
def own(tmp_path: Path, family) -> Path:
    graphs, labels = family
    values = [*labels[:49].tolist(), float("nan")]
    lines = [
        json.dumps({"id": f"net_{i}", "labels": {"accuracy": y} if np.isfinite(y) else {}, "graph": g.to_dict()})
        for i, (g, y) in enumerate(zip(graphs, values, strict=False))
    ]
    (tmp_path / "mine.v2.jsonl").write_text("\n".join(lines))
    return tmp_path / "mine.v2.jsonl"


def test_a_family_of_ones_own_is_called_by_its_file(own: Path, family) -> None:
    pytest.importorskip("cg_frontends")
    made = read_own(own, seed=0)
    assert (made.name, made.family, made.metric, made.zoo) == ("mine", "mine", "accuracy", None)
    assert len(made.x) == 49  # one has no label
    places = [int(name.rpartition("_")[2]) for name in made.names]
    assert places == sorted(places)
    np.testing.assert_array_equal(made.scores, normal_scores(family[1][places]))
    np.testing.assert_array_equal(made.x, descriptors().encoder.encode([family[0][i] for i in places]))


def test_too_few_labels_make_no_family(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cg_frontends")
    monkeypatch.setattr("cg_predict.train_prior._LEAST", 50)
    with pytest.raises(CgError, match=rf"^{own}: 49 networks have the label accuracy; a family needs at least 50$"):
        read_own(own, seed=0)


TASKS = """space,arch,class_object_valid_top1,class_scene_valid_top1,jigsaw_valid_top1
macro,64-111114-basic,1,50,90
macro,64-41414-basic,2,60,80
macro,64-1234-basic,3,70,
"""


def test_several_tasks_are_the_mean_of_their_normal_scores(tmp_path: Path) -> None:
    pytest.importorskip("cg_frontends")
    (tmp_path / "transnas101.csv.gz").write_bytes(gzip.compress(TASKS.encode()))
    table = replace(family_named("transnas macro"), metrics=("class_scene_valid_top1", "jigsaw_valid_top1"))
    made = read_source(table, tmp_path, {}, seed=0)
    scene, jigsaw = normal_scores([50, 60, 70]), normal_scores([90, 80])
    expected = normal_scores([(scene[0] + jigsaw[0]) / 2, (scene[1] + jigsaw[1]) / 2, scene[2]])
    np.testing.assert_allclose(made.scores, expected)
    assert made.names[0] == "transnas:64-111114-basic"
    assert (made.family, made.name, made.metric) == (
        "transnas",
        "transnas macro",
        "class_scene_valid_top1 + jigsaw_valid_top1",
    )


@pytest.mark.parametrize(("groups", "zoo"), [([], False), (["a", "a", "b"], True)])
def test_labels_are_taken_as_they_are_where_networks_of_many_kinds_make_up_a_table(
    family, groups: list[str], zoo: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs, labels = family
    archs = ["x", "y", "z"]
    labelled = LabelledFamily("space", archs, labels[:3], groups, dict(zip(archs, graphs, strict=False)))
    monkeypatch.setattr("cg_predict.tables.get_space", lambda name: None)
    made = source_from(labelled, "family", "table", np.arange(3.0), "acc")
    assert made.names == ("space:x", "space:y", "space:z")
    assert (made.zoo is not None) == zoo
    np.testing.assert_array_equal(made.vectors, path_vectors().encoder.encode(graphs[:3]))


def test_nothing_to_learn_from_and_names_that_stand_twice_are_refused(own: Path) -> None:
    with pytest.raises(CgError, match=r"^no family is left to learn from$"):
        read_sources(None, [], None, (), 0, print)
    pytest.importorskip("cg_frontends")
    told: list[str] = []
    with pytest.raises(CgError, match=r"^two sources are called 'mine'$"):
        read_sources(None, [own, own], None, (), 0, told.append)
    assert told == ["mine: 49 networks described"] * 2


def test_what_came_of_a_family_is_measured_by_a_prior_without_it_and_its_relatives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cg_predict.train_prior.PARTS", 1)
    prior = load_prior()
    made = [source("nb201", "nb201", 0), source("nb101", "nb101", 1)]
    rows, card = left_out(made, prior, seed=0)
    assert [row[0] for row in rows] == ["nb201"] * 2 + ["nb101"] * 2
    assert all(len(row) == 2 + len(EVIDENCE) for row in rows)
    without: Prior = prior.without(("nb201",))
    assert "transnas" not in without.sources
    score = without.among(made[0].x, PoolScale(made[0].x)).score(made[0].x)
    assert rows[0][1] == pytest.approx(spearman(score, made[0].scores), abs=1e-4)
    facts = card["nb201"]
    assert facts["spearman"] == rows[0][1]
    assert facts["kendall"] == pytest.approx(kendall(score, made[0].scores), abs=1e-4)
    assert facts["spearman, no pool"] == pytest.approx(spearman(without.score(made[0].x), made[0].scores), abs=1e-4)
    macs = made[0].x[:, prior.names.index("plain/log_macs")]
    assert facts["spearman, macs"] == pytest.approx(spearman(macs, made[0].scores), abs=1e-4)
    assert 0 <= facts["expected within 0.15"] <= 1
    alone = prior.without([s for s in prior.sources if s != "nb101"])
    assert left_out(made[1:], alone, 0) == ([], {})  # nobody is left to rank it


def test_a_digest_tells_checkpoints_apart() -> None:
    def digest(config: dict, arrays: dict) -> str:
        return str(_signed({**config, "card": {}}, arrays)["card"]["digest"])

    arrays = {"a": np.arange(3.0), "b": np.ones(2)}
    first = digest({"x": 1}, arrays)
    assert digest({"x": 1}, dict(reversed(arrays.items()))) == first
    assert len({first, digest({"x": 2}, arrays), digest({"x": 1}, {**arrays, "b": np.zeros(2)})}) == 3


def test_tables_join_the_shipped_prior_in_place_of_families_left_out() -> None:
    config, arrays = read_checkpoint(shipped_directory(), "prior")
    table = {f"mine/{k[6:]}": v for k, v in arrays.items() if k.startswith("nb101/")}
    mine = {**config, "tables": {"mine": {**config["tables"]["nb101"], "family": "mine"}}, "card": {"seed": 7}}
    joined, both = extend(mine, {**table, "centre": np.zeros(1)}, ("nb201",))
    assert "nb201" not in joined["tables"]
    assert not any(name.startswith("transnas") for name in joined["tables"])  # relatives go, too
    assert list(joined["tables"])[-1] == "mine"
    assert joined["card"]["seed"] == 7
    assert {row[0] for row in joined["trust"]}.isdisjoint({"nb201", "transnas"})
    np.testing.assert_array_equal(both["centre"], arrays["centre"])  # scales stay those of the shipped prior
    prior = prior_from(joined, both)
    assert prior.sources[-1] == "mine"
    assert "| mine | mine |" in model_card(joined)
    again = {**mine, "tables": {"timm": mine["tables"]["mine"]}}
    with pytest.raises(
        CgError,
        match=r"^the shipped prior has a table 'timm' already; rename the file, or leave that one out with --exclude timm$",
    ):
        extend(again, {}, ())
    assert "timm" in extend(again, {}, ("timm",))[0]["tables"]
