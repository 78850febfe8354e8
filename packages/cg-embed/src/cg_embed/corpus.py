"""A corpus of distinct networks for pre-training: search spaces, named models, files of graphs, mutations of all these and random networks.

Each *source* is an endless or a finite stream of graphs. Draws choose a source at random; a graph whose hash was seen before is dropped, and a source that
gives nothing new for a while is retired. The same seed, with the same packages installed, gives the same corpus in the same order.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import cg_ir
from cg_ir import Graph, hash_all
from cg_ir.errors import CgError
from cg_ir.plugin_registry import registry
from cg_ir.trust import command_line

from .random_networks import random_network

#: Sources that are no search space.
MUTATIONS, RANDOM, TORCHVISION = "mutations", "random", "torchvision"
#: Share of draws that go to mutations and to random networks while they last; all other sources share the rest alike.
SHARES = {MUTATIONS: 0.3, RANDOM: 0.2}
#: Draws between two looks at hashes.
_CHUNK = 64
#: A source is retired after so many draws in a row that gave nothing new.
_PATIENCE = 400
#: Networks that are kept to be mutated; walks of mutations from each before another is chosen, and their steps.
_BASES, _WALKS, _STEPS = 2000, 2, 6
#: Networks of more nodes are left out.
LARGEST = 5000


def known_sources(data: Path | None = None) -> list[str]:
    """The sources of this installation.

    They are every registered search space that needs no file (timm where it is installed), torchvision where it is installed, random networks, mutations, and
    ``lemur_graphs.jsonl.gz`` where the data folder has it.

    Args:
        data: the folder; that of ``CG_DATA`` if absent.
    """
    names = [name for name in registry().entries("space") if name not in ("graph", "graphs", "timm")]
    names += [name for name in ("timm", TORCHVISION) if find_spec(name)]
    folder = data or (Path(os.environ["CG_DATA"]) if os.environ.get("CG_DATA") else None)
    if folder is not None and (folder / "lemur_graphs.jsonl.gz").is_file():
        names.append(f"graphs?file={folder / 'lemur_graphs.jsonl.gz'}")
    return [*names, MUTATIONS, RANDOM]


@dataclass
class Corpus:
    """The graphs, one after the other.

    Args:
        sources: names as `known_sources` gives them; any search space with its options, such as ``graphs?file=nets.jsonl.gz``.
        seed: of every choice.
        report: told of what was left out, a line each.

    Attributes:
        counts: distinct graphs of each source so far.
        draws: draws of each source so far, duplicates included.

    Raises:
        CgError: there is no source, or a name is unknown.
    """

    sources: Sequence[str]
    seed: int = 0
    report: Callable[[str], None] = lambda line: None
    counts: dict[str, int] = field(default_factory=dict)
    draws: dict[str, int] = field(default_factory=dict)
    _bases: list[Graph] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.sources:
            raise CgError("a corpus needs at least one source")
        if set(self.sources) == {MUTATIONS}:
            raise CgError("mutations need networks to change: name another source, too")

    def graphs(self, count: int) -> Iterator[Graph]:
        """Distinct graphs, ``count`` of them, or as many as the sources have."""
        self.counts = dict.fromkeys(self.sources, 0)
        self.draws = dict.fromkeys(self.sources, 0)
        self._bases = []
        streams = {name: self._stream(name) for name in self.sources}
        idle = dict.fromkeys(self.sources, 0)
        rng = np.random.default_rng([self.seed, 0])
        seen: set[bytes] = set()
        while streams and sum(self.counts.values()) < count:
            for name, graph, key in self._chunk(streams, rng):
                if len(seen) == count:
                    break
                self.draws[name] += 1
                idle[name] += 1
                if key in seen:
                    continue
                seen.add(key)
                idle[name] = 0
                self.counts[name] += 1
                self._keep(name, graph, rng)
                yield graph
            for name in [n for n in streams if idle[n] >= _PATIENCE]:
                self.report(f"{name}: nothing new in {idle[name]} draws, {self.counts[name]:,} distinct networks")
                del streams[name]

    def _chunk(
        self, streams: dict[str, Iterator[Graph]], rng: np.random.Generator
    ) -> Iterator[tuple[str, Graph, bytes]]:
        """Some draws with the keys of their hashes; finished streams are taken out."""
        found: list[tuple[str, Graph]] = []
        ended = []
        for _ in range(_CHUNK):
            if not streams:
                break
            name = _choice(streams, rng)
            graph = next(streams[name], None)
            if graph is None:
                ended.append(name)
                del streams[name]
            elif len(graph) <= LARGEST:
                found.append((name, graph))
        keys = hash_all([graph for _, graph in found])
        for (name, graph), key in zip(found, keys, strict=True):
            yield name, graph, key.encode()
        for name in ended:
            self.report(f"{name}: no more networks, {self.counts[name]:,} distinct ones")

    def _keep(self, name: str, graph: Graph, rng: np.random.Generator) -> None:
        """Remember a network for mutations; where there are many, in place of another one."""
        if name == MUTATIONS:
            return
        if len(self._bases) < _BASES:
            self._bases.append(graph)
        else:
            self._bases[int(rng.integers(_BASES))] = graph

    # --- streams ------------------------------------------------------------------------------------------------------

    def _stream(self, name: str) -> Iterator[Graph]:
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        if name == RANDOM:
            return _endless(lambda: random_network(rng))
        if name == MUTATIONS:
            return self._mutations(rng)
        if name == TORCHVISION:
            try:
                models = importlib.import_module("torchvision.models")
            except (ImportError, OSError, RuntimeError) as error:  # built for another torch, for one
                raise CgError(f"torchvision cannot be imported ({error}); leave it out") from None
            names = [f"torchvision.models:{model}" for model in models.list_models(models)]
            return self._listed(name, names, rng, _of_torchvision)
        space = cg_ir.get_space(name)
        if name.partition("?")[0] in ("timm", "graphs"):  # few, and slow to build or to tell apart: each once
            return self._listed(name, list(space.enumerate()), rng, space.graph)  # type: ignore[attr-defined]
        return _endless(lambda: space.graph(space.sample(rng)))

    def _listed(
        self, name: str, archs: Sequence[str], rng: np.random.Generator, build: Callable[[str], Graph]
    ) -> Iterator[Graph]:
        """Networks by name, each once, in a random order; those that cannot be built are told and left out."""
        for place in rng.permutation(len(archs)).tolist():
            try:
                yield build(archs[place])
            except CgError as error:
                self.report(f"{name}: left out {archs[place]}: {error}")

    def _mutations(self, rng: np.random.Generator) -> Iterator[Graph]:
        """Networks drawn before, changed at one to six places; where there is none yet, random ones stand in."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "base.cg.json"
            while True:
                if not self._bases:
                    yield random_network(rng)
                    continue
                try:
                    self._bases[int(rng.integers(len(self._bases)))].save(path)
                    space = cg_ir.get_space("graph", file=str(path))
                    mutants = [graph for _ in range(_WALKS) for graph in _walk(space, rng)]
                except CgError:  # nothing in it can be changed
                    continue
                yield from mutants


def _walk(space: Any, rng: np.random.Generator) -> list[Graph]:
    """Networks one change away from each other, beginning beside the one that the space is around."""
    arch, found = "base", []
    for _ in range(_STEPS):
        arch = space.mutate(arch, rng)
        found.append(space.graph(arch))
    return found


def _of_torchvision(model: str) -> Graph:
    """A model by its SOURCE, which names torchvision's Python as the source of the corpus does."""
    with command_line([model]):
        return cg_ir.graph_of(model)


def _endless(draw: Callable[[], Graph]) -> Iterator[Graph]:
    while True:
        yield draw()


def _choice(streams: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A source: those of `SHARES` with their shares, the others alike."""
    names = list(streams)
    others = sum(name not in SHARES for name in names)
    rest = 1 - sum(SHARES[name] for name in names if name in SHARES)
    weights = np.array([SHARES[name] if name in SHARES else rest / others for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
