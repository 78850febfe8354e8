"""Labelled families in a data directory."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cg_ir.errors import CgError
from cg_predict.tables import FAMILIES, SPACES, Family, LabelledFamily, family_named, read_family, relatives_of


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (("nb201",), ("nb201", "transnas")),
        (("transnas",), ("nb201", "transnas")),
        (("timm", "nb101"), ("nb101", "timm")),
        (("own", "nb301", "other"), ("nb301", "own", "other")),
        ((), ()),
    ],
)
def test_relatives_in_the_order_of_the_families(families: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert relatives_of(families) == expected
    assert relatives_of(iter(families)) == expected


def test_families_share_cells_with_each_other_and_tables_have_names_of_their_own() -> None:
    names = {f.name for f in FAMILIES}
    for family in FAMILIES:
        assert set(family.relatives) <= names - {family.name}
        for relative in family.relatives:
            assert family.name in family_named(relative).relatives
    tables = [f.table for f in FAMILIES]
    assert len(set(tables)) == len(tables)
    assert {"transnas micro", "transnas macro"} <= set(tables)
    assert all(not f.part and not f.reader for f in SPACES)
    assert Family("x", "x.csv", ("y",), without="_").table == "x micro"


@pytest.mark.parametrize(
    ("name", "table"), [("nb101", "nb101"), ("transnas", "transnas micro"), ("transnas macro", "transnas macro")]
)
def test_families_are_found_by_their_name_or_their_tables(name: str, table: str) -> None:
    assert family_named(name).table == table


def test_an_unknown_family_is_told_with_those_that_there_are() -> None:
    with pytest.raises(
        CgError, match=r"^there is no family 'cifar'; there are nb101, nb201, .*, transnas macro, .*, timm$"
    ):
        family_named("cifar")


LABELLED = LabelledFamily("nb201", list("abcdef"), np.arange(6.0), list("uuvvww"), {"a": None})  # type: ignore[dict-item]


def test_samples_are_seeded_parts_in_the_tables_order() -> None:
    sample = LABELLED.sample(4, np.random.default_rng(0))
    places = [LABELLED.archs.index(arch) for arch in sample.archs]
    assert places == sorted(set(places))
    assert len(sample) == 4
    assert sample.labels.tolist() == places
    assert sample.groups == [LABELLED.groups[i] for i in places]
    assert sample.built is LABELLED.built
    assert LABELLED.sample(4, np.random.default_rng(0)).archs == sample.archs
    assert LABELLED.sample(6, np.random.default_rng(0)) is LABELLED
    assert replace(LABELLED, groups=[]).some([1, 3]).groups == []


CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
#: Rows of the table of TransNAS: of both skeletons, and one without a label.
ROWS = ["space,arch,class_scene_valid_top1,jigsaw_valid_top1", "macro,64-111114-basic,51.5,94", "micro,64-41414-1_02_333,,90",
        "micro,64-41414-1_01_000,50.25,", "micro,64-41414-0_00_000,inf,1"]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    pytest.importorskip("cg_frontends")
    (tmp_path / "transnas101.csv.gz").write_bytes(gzip.compress("\n".join(ROWS).encode()))
    return tmp_path


@pytest.mark.parametrize(
    ("table", "metric", "archs", "labels"),
    [
        ("transnas macro", None, ["64-111114-basic"], [51.5]),
        ("transnas micro", None, ["64-41414-1_01_000"], [50.25]),
        ("transnas micro", "jigsaw_valid_top1", ["64-41414-1_02_333", "64-41414-0_00_000"], [90.0, 1.0]),
    ],
)
def test_rows_with_a_finite_label_are_read_of_one_skeleton(
    data: Path, table: str, metric: str | None, archs: list[str], labels: list[float]
) -> None:
    family = replace(family_named(table), metrics=("class_scene_valid_top1",))
    found = read_family(family, data, metric)
    assert (found.archs, found.labels.tolist(), found.groups) == (archs, labels, [])
    (graph,) = found.graphs([0])
    assert graph.name.endswith(archs[0])
    other = replace(found, built={archs[0]: "built"})  # type: ignore[dict-item]
    assert other.graphs([0]) == ["built"]


def test_missing_files_and_labels_are_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CgError, match=rf"^{tmp_path} should hold nb101\.csv\.gz, the labels of nb101$"):
        read_family(family_named("nb101"), tmp_path)
    none = replace(family_named("transnas macro"), part="nothing like it")
    with pytest.raises(CgError, match=rf"^{tmp_path / 'transnas101'}.csv.gz has no label room_layout_valid_neg_loss$"):
        read_family(none, data, "room_layout_valid_neg_loss")
    without = Family("transnas", "transnas101.csv.gz", ("jigsaw_valid_top1",), without="basic")
    assert all("basic" not in arch for arch in read_family(without, data).archs)
