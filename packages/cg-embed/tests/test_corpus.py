"""The corpus for pre-training: distinct, seeded, from many sources."""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
import pytest

from cg_embed.corpus import MUTATIONS, RANDOM, TORCHVISION, Corpus, known_sources
from cg_ir import GraphBuilder, hash_all
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


def test_mutations_change_what_was_drawn(stored, networks, monkeypatch):
    pytest.importorskip("cg_evolve")
    monkeypatch.setattr("cg_embed.corpus._CHUNK", 3)
    monkeypatch.setattr("cg_embed.corpus.random_network", lambda rng: networks[7])  # before anything was drawn
    made = Corpus([stored, MUTATIONS])
    graphs = list(made.graphs(30))
    assert len(set(hash_all(graphs))) == 30
    assert made.counts[MUTATIONS] >= 24
    changed = [g for g in graphs if g.hash not in set(hash_all(networks))]
    assert len(changed) >= 24
    shapes = {node.shape[2:] for g in networks[:5] for node in g.nodes if len(node.shape) == 4}
    assert all(node.shape[2:] in shapes for g in changed for node in g.nodes if node.op == "Input")


def test_what_cannot_be_changed_is_passed_over(tmp_path, monkeypatch):
    pytest.importorskip("cg_evolve")
    pytest.importorskip("cg_frontends")
    b = GraphBuilder("fixed")
    b.output(b.add("Flatten", b.input((1, 3, 4, 4)), shape=(1, 48)))
    row = json.dumps({"id": "0", "labels": {"acc": 1}, "graph": b.build().to_dict()})
    (tmp_path / "fixed.jsonl").write_text(row)
    monkeypatch.setattr("cg_embed.corpus._CHUNK", 2)
    made = Corpus([f"graphs?file={tmp_path / 'fixed.jsonl'}", RANDOM, MUTATIONS])
    assert len(list(made.graphs(12))) == 12
    assert made.counts[MUTATIONS] > 0


def test_many_networks_are_kept_in_place_of_others(networks, monkeypatch):
    monkeypatch.setattr("cg_embed.corpus._BASES", 4)
    made = Corpus([RANDOM])
    hashes = hash_all(list(made.graphs(30)))
    assert len(made._bases) == 4
    kept = hash_all(made._bases)
    assert set(kept) <= set(hashes)
    assert max(map(hashes.index, kept)) > 10


def test_what_cannot_be_built_is_told_and_left_out(networks):
    told: list[str] = []

    def build(arch: str):
        if arch == "bad":
            raise CgError("no such thing")
        return networks[int(arch)]

    made = Corpus([RANDOM], report=told.append)
    found = list(made._listed("zoo", ["0", "bad", "2"], np.random.default_rng(0), build))
    assert sorted(map(id, found)) == sorted(map(id, (networks[0], networks[2])))
    assert told == ["zoo: left out bad: no such thing"]


def test_without_torchvision_its_models_are_left_out_by_hand(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(CgError, match=r"^torchvision cannot be imported \(.*\); leave it out$"):
        list(Corpus([TORCHVISION]).graphs(1))


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
