"""A search space made of what a run proposed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toy_plugin import ToySpace

from cg_evolve.history import Candidate
from cg_evolve.store import Store
from cg_evolve.stored_networks import StoredNetworks
from cg_ir import ArchError

ARCHS = ("cckkpp", "kkkkkk", "cckkpp", "wwwwww")


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredNetworks]:
    space, store = ToySpace(), Store(tmp_path / "history.sqlite")
    for number, arch in enumerate(ARCHS):
        store.propose(Candidate(number, arch, space.graph(arch).hash, 0, build=space.graph), "now")
    yield StoredNetworks(store, store.rows())
    store.close()


def test_the_networks_are_those_of_the_history(stored: StoredNetworks) -> None:
    assert stored.size == 3
    assert stored.neighbors("cckkpp") == ["wwwwww", "cckkpp", "kkkkkk"]
    for arch in ARCHS:
        assert stored.graph(arch).hash == ToySpace().graph(arch).hash


def test_others_are_none_even_where_the_space_has_them(stored: StoredNetworks) -> None:
    with pytest.raises(ArchError, match=r"^the run holds no network 'pppppp'$"):
        stored.graph("pppppp")
    with pytest.raises(ArchError) as told:
        stored.graph("p" * 1000)
    assert len(str(told.value)) < 100


def test_moves_stay_inside(stored: StoredNetworks) -> None:
    rng = np.random.default_rng(0)
    made = {stored.sample(rng) for _ in range(40)}
    assert made == set(ARCHS)
    assert {stored.mutate("cckkpp", rng), stored.crossover("cckkpp", "kkkkkk", rng)} <= made


def test_a_history_without_networks_says_so(stored: StoredNetworks, tmp_path: Path) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite")) as connection, connection:
        connection.execute("UPDATE evaluations SET network=NULL")
    connection.close()
    with pytest.raises(ArchError, match="the run holds no network 'cckkpp'"):
        stored.graph("cckkpp")
