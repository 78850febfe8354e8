"""The corpus for pre-training: distinct, seeded, from many sources."""

from __future__ import annotations

import itertools
import json

import pytest

from cg_embed.corpus import MUTATIONS, RANDOM, Corpus, known_sources
from cg_ir import hash_all
from cg_ir.errors import CgError, PluginError


@pytest.fixture
def stored(networks, tmp_path):
    pytest.importorskip("cg_frontends")
    path = tmp_path / "nets.jsonl"
    with path.open("w") as stream:
        for i, graph in enumerate(networks[:5]):
            stream.write(json.dumps({"id": str(i), "labels": {"acc": i}, "graph": graph.to_dict()}) + "\n")
    return f"graphs?file={path}"


def test_graphs_are_distinct_and_the_seeds_own():
    made = Corpus([RANDOM])
    hashes = hash_all(list(made.graphs(40)))
    assert len(set(hashes)) == 40
    assert made.counts == {RANDOM: 40}
    assert hash_all(list(itertools.islice(made.graphs(10_000), 20))) == hashes[:20]  # streamed, and begun anew
    assert hash_all(list(Corpus([RANDOM], seed=1).graphs(40))) != hashes


def test_finite_sources_end(stored, networks):
    told: list[str] = []
    made = Corpus([stored], report=told.append)
    assert sorted(hash_all(list(made.graphs(100)))) == sorted(set(hash_all(networks[:5])))
    assert told == [f"{stored}: no more networks, 5 distinct ones"]


def test_a_small_space_is_retired():
    pytest.importorskip("cg_frontends")
    told: list[str] = []
    made = Corpus(["naap440"], report=told.append)
    graphs = list(made.graphs(2000))
    assert 400 <= len(graphs) <= 440
    assert "nothing new" in told[0]


def test_mutations_change_what_was_drawn(stored, networks):
    pytest.importorskip("cg_evolve")
    made = Corpus([stored, MUTATIONS])
    graphs = list(made.graphs(30))
    assert len(set(hash_all(graphs))) == 30
    assert made.counts[MUTATIONS] >= 25


def test_the_data_folder_and_the_spaces_are_known(tmp_path):
    (tmp_path / "lemur_graphs.jsonl.gz").write_bytes(b"")
    names = known_sources(tmp_path)
    assert f"graphs?file={tmp_path / 'lemur_graphs.jsonl.gz'}" in names
    assert {MUTATIONS, RANDOM} <= set(names)
    assert "graph" not in names


@pytest.mark.parametrize(
    ("sources", "error", "text"),
    [
        ([], CgError, "at least one source"),
        ([MUTATIONS], CgError, "networks to change"),
        (["nb102"], PluginError, "nb102"),
    ],
)
def test_what_makes_no_corpus_is_refused(sources, error, text):
    with pytest.raises(error, match=text):
        list(Corpus(sources).graphs(1))
