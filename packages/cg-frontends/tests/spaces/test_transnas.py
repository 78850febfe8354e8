"""TransNAS-Bench-101: notation, members, networks."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.transnas import CLASSES, TransNasBench101
from cg_ir import ArchError, PluginError, get_space


def test_sizes() -> None:
    assert [get_space(name).size for name in ("transnas", "transnas?level=micro", "transnas?level=macro")] == [
        7352,
        4096,
        3256,
    ]


@pytest.mark.parametrize(("task", "classes"), CLASSES.items())
def test_tasks_differ_in_the_classifier(task: str, classes: int) -> None:
    graph = get_space("transnas", task=task).graph("64-41414-3_33_333")
    assert graph.nodes[-1].shape == (1, classes)
    assert graph.params - 512 * classes - classes == get_space("transnas").graph("64-41414-3_33_333").params - 513 * 75


def test_parameters_by_hand() -> None:
    """A skeleton of plain basic blocks, one of which halves the resolution and one of which doubles the width."""
    graph = get_space("transnas").graph("64-1132-basic")

    def conv(before: int, after: int, kernel: int) -> int:
        return before * after * kernel**2 + 2 * after

    blocks = 12 * conv(64, 64, 3) + conv(64, 64, 1)  # six plain blocks, and a projection for the stride
    blocks += conv(64, 128, 3) + 3 * conv(128, 128, 3) + conv(64, 128, 1)
    assert graph.params == conv(3, 32, 3) + conv(32, 64, 3) + blocks + 129 * 75


def test_networks_are_canonical() -> None:
    """What is put together from fragments is in the builder's canonical form."""
    space = TransNasBench101()
    archs = list(space.enumerate())
    for place in np.random.default_rng(0).choice(len(archs), 60, replace=False):
        graph = space.graph(archs[place])
        again = graph.canonicalize()
        assert (len(again), again.hash) == (len(graph), graph.hash), archs[place]


def test_operators_without_influence_are_left_out() -> None:
    space = get_space("transnas")
    assert space.graph("64-41414-3_00_200").hash == space.graph("64-41414-0_00_200").hash
    assert space.graph("64-41414-0_33_000").hash == space.graph("64-41414-0_00_000").hash
    assert space.graph("64-41414-3_00_030").hash != space.graph("64-41414-3_00_020").hash


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("64-41414-1_02_334", "digits 0 to 3"),
        ("64-41414-1_02_33", "digits 0 to 3"),
        ("64-41413-1_02_333", "modules of a micro network are 41414"),
        ("64-1111-basic", "1 to 3 double the width"),
        ("64-1234567-basic", "4 to 6 modules"),
        ("32-1234-basic", "should look like 64-41414"),
        (None, "should look like"),
    ],
)
def test_bad_networks_are_refused(arch: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        get_space("transnas").graph(arch)


def test_a_level_refuses_the_other() -> None:
    with pytest.raises(ArchError, match="is a macro network, and the space was limited to micro"):
        get_space("transnas?level=micro").graph("64-1234-basic")
    with pytest.raises(PluginError, match="level should be one of micro, macro"):
        get_space("transnas?level=cell")


@pytest.mark.realdata
def test_the_table_holds_the_whole_space(data_dir: Path) -> None:
    with gzip.open(data_dir / "transnas101.csv.gz", "rt") as file:
        archs = {row["arch"] for row in csv.DictReader(file)}
    assert archs == set(TransNasBench101().enumerate())
