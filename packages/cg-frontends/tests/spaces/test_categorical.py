"""Spaces of independent choices: sampling, changing and listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cg_frontends.spaces.categorical import CategoricalSpace


class Words(CategoricalSpace):
    """Three letters, each of an alphabet of its own; dashes between them are optional."""

    choices = ("ab", "cde", "f")

    def parse(self, arch: Any) -> tuple[str, ...]:
        return tuple(arch.replace("-", ""))

    def format(self, genes: Sequence[str]) -> str:
        return "".join(genes)


SPACE = Words()
WORDS = st.sampled_from(sorted(SPACE.enumerate()))


def differences(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def test_the_whole_space_is_listed_once() -> None:
    assert list(SPACE.enumerate()) == ["acf", "adf", "aef", "bcf", "bdf", "bef"]
    assert SPACE.canonical("a-d-f") == "adf"


@given(WORDS)
def test_neighbours_are_all_that_differ_in_one_place(word: str) -> None:
    assert sorted(SPACE.neighbors(word)) == sorted(w for w in SPACE.enumerate() if differences(w, word) == 1)


def test_samples_are_uniform_and_seeded() -> None:
    rng = np.random.default_rng(0)
    found = Counter(SPACE.sample(rng) for _ in range(3000))
    assert len(found) == 6
    assert all(420 < n < 580 for n in found.values())
    assert SPACE.sample(np.random.default_rng(5)) == SPACE.sample(np.random.default_rng(5))


def test_mutations_change_the_one_place_that_is_drawn() -> None:
    rng = np.random.default_rng(0)
    letters = Words()
    letters.choices = ("ab", "cde")
    found = Counter(letters.mutate("ac", rng) for _ in range(3000))
    assert set(found) == {"bc", "ad", "ae"}  # another value, never the same
    assert 1400 < found["bc"] < 1600
    assert 650 < found["ad"] < 850


@given(WORDS, WORDS, st.integers(0, 2**32))
def test_children_have_each_gene_of_a_parent(a: str, b: str, seed: int) -> None:
    child = SPACE.crossover(a, b, np.random.default_rng(seed))
    assert all(gene in pair for gene, *pair in zip(child, a, b, strict=True))


def test_both_parents_pass_genes_on() -> None:
    rng = np.random.default_rng(0)
    children = Counter(SPACE.crossover("acf", "bdf", rng) for _ in range(400))
    assert set(children) == {"acf", "adf", "bcf", "bdf"}
    assert all(n > 60 for n in children.values())
