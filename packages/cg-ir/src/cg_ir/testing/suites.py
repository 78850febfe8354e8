"""Conformance suites: pytest classes that tell a plugin author whether a plugin keeps the contract.

The built-in plugins pass the same suites. This module needs pytest.
"""

from __future__ import annotations

import itertools
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_ir import scoring
from cg_ir.builder import GraphBuilder
from cg_ir.errors import ArchError, CgError, NotFitted
from cg_ir.graph import Graph
from cg_ir.operators import OPERATOR_NAMES
from cg_ir.plugin_registry import get_space, registry
from cg_ir.plugins import Benchmark, BenchmarkTable, Evaluator, Fits, Frontend, Scorer, SearchSpace, Suggests
from cg_ir.serialization import from_json

_FOREIGN: tuple[Any, ...] = (None, 0, "", "no such source", object(), b"\x00", [], {"op": "Conv"})
_BAD_ARCHS = ("", "?", "no such architecture", "\u2603", "[" * 2000, "{}", "null", "0" * 5000)


def assert_valid(graph: Graph) -> None:
    """Assert that a graph is valid, canonical, survives a round trip through its document, and returns something.

    Raises:
        AssertionError: it does not.
    """
    assert isinstance(graph, Graph)
    again = from_json(graph.to_json())
    assert again.hash == graph.hash, "the graph changes when it is saved and loaded"
    assert (again.params, again.macs) == (graph.params, graph.macs)
    assert graph.canonicalize().hash == graph.hash, "the graph is not in canonical form; build it with GraphBuilder"
    assert "Output" in {OPERATOR_NAMES[code] for code in set(graph.op_codes.tolist())}, "the graph has no output"


def sample_graphs(count: int = 6) -> list[Graph]:
    """Small convolutional networks, all different, for tests of what takes graphs."""
    graphs = []
    for i in range(count):
        b = GraphBuilder(f"sample/{i}")
        x = b.input((1, 3, 16, 16))
        for _ in range(1 + i % 3):
            y = b.add("Conv", x, channels=4 + 2 * i, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
            y = b.add("Relu", b.add("BatchNormalization", y))
            x = b.add("Add", x, y) if b.shape(x) == b.shape(y) else y
        x = b.add("GlobalAveragePool", x)
        b.output(b.add("Gemm", b.add("Flatten", x, shape=b.shape(x)[:2]), channels=10, bias=True))
        graphs.append(b.build())
    return graphs


def _one_line(error: BaseException) -> str:
    text = str(error)
    assert text, "the error says nothing"
    assert "\n" not in text, f"the error takes more than one line: {text!r}"
    return text


def _refused(kind: type[CgError], call: Callable[..., Any], *arguments: Any) -> str:
    """What an error of one line says that the call ends in."""
    with pytest.raises(kind) as caught:
        call(*arguments)
    return _one_line(caught.value)


def _is_named(plugin: Any, protocol: Any) -> None:
    assert isinstance(plugin, protocol)
    assert plugin.name
    assert plugin.name.isprintable()


class SpaceSuite(ABC):
    """What every search space does.

    Attributes:
        samples: how many architectures a test draws.
        enumerable: spaces of at most this size are enumerated whole.
    """

    samples = 12
    enumerable = 20_000

    @abstractmethod
    def make(self) -> SearchSpace:
        """The space to test."""

    @pytest.fixture(name="space")
    def _space(self) -> SearchSpace:
        return self.make()

    @pytest.fixture(name="archs")
    def _archs(self, space: SearchSpace) -> list[str]:
        rng = np.random.default_rng(0)
        return [space.sample(rng) for _ in range(self.samples)]

    @staticmethod
    def _key(space: Any, arch: str) -> str:
        return space.canonical(arch) if hasattr(space, "canonical") else arch

    def test_has_what_the_protocol_asks_for(self, space: SearchSpace) -> None:
        _is_named(space, SearchSpace)
        assert not set(space.name) & set(":?&= "), "the name would be misread in a SOURCE"
        assert isinstance(space.size, int)
        assert space.size > 0

    def test_architectures_are_printable_strings(self, archs: list[str]) -> None:
        for arch in archs:
            assert isinstance(arch, str)
            assert arch
            assert arch.isprintable()

    def test_samples_are_seeded(self, space: SearchSpace, archs: list[str]) -> None:
        state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        rng = np.random.default_rng(0)
        assert [space.sample(rng) for _ in range(self.samples)] == archs
        if space.size > 2:
            rng = np.random.default_rng(1)
            assert [space.sample(rng) for _ in range(self.samples)] != archs, "another seed gives the same samples"
        parent = archs[0]
        for draw in (space.mutate, lambda a, r: space.crossover(a, archs[1], r)):
            assert draw(parent, np.random.default_rng(5)) == draw(parent, np.random.default_rng(5))
        assert random.getstate() == state, "the global random state has changed"
        assert str(np.random.get_state()) == str(numpy_state), "numpy's global random state has changed"  # noqa: NPY002

    def test_graphs_are_valid_and_stable(self, space: SearchSpace, archs: list[str]) -> None:
        for arch in archs:
            graph = space.graph(arch)
            assert_valid(graph)
            assert space.graph(arch).hash == graph.hash
            assert self.make().graph(arch).hash == graph.hash

    def test_canonical_names_the_same_network(self, space: Any, archs: list[str]) -> None:
        if not hasattr(space, "canonical"):
            pytest.skip("the space has no canonical form")
        for arch in archs:
            canonical = space.canonical(arch)
            assert space.canonical(canonical) == canonical
            assert space.graph(canonical).hash == space.graph(arch).hash

    def test_neighbours_stay_inside(self, space: SearchSpace, archs: list[str]) -> None:
        for arch in archs[:3]:
            neighbours = space.neighbors(arch)
            keys = [self._key(space, n) for n in neighbours]
            assert len(set(keys)) == len(keys), "a neighbour is listed twice"
            assert self._key(space, arch) not in keys, "an architecture is no neighbour of itself"
            assert bool(keys) == (space.size > 1)
            for neighbour in neighbours[:: max(1, len(neighbours) // 8)]:
                assert_valid(space.graph(neighbour))

    def test_mutations_are_neighbours(self, space: SearchSpace, archs: list[str]) -> None:
        if space.size == 1:
            pytest.skip("there is nothing to mutate to")
        rng = np.random.default_rng(2)
        for arch in archs[:3]:
            neighbours = {self._key(space, n) for n in space.neighbors(arch)}
            mutants = {self._key(space, space.mutate(arch, rng)) for _ in range(20)}
            assert mutants <= neighbours
            assert len(mutants) > 1 or len(neighbours) == 1, "twenty mutations are all the same"

    def test_walks_stay_inside(self, space: SearchSpace, archs: list[str]) -> None:
        rng = np.random.default_rng(3)
        arch = archs[0]
        for _ in range(30):
            arch = space.mutate(arch, rng)
        assert_valid(space.graph(arch))

    def test_children_stay_inside(self, space: SearchSpace, archs: list[str]) -> None:
        rng = np.random.default_rng(4)
        for a, b in itertools.pairwise(archs):
            assert isinstance(space.crossover(a, b, rng), str)
            assert_valid(space.graph(space.crossover(a, b, rng)))
            assert self._key(space, space.crossover(a, a, rng)) == self._key(space, a), "equal parents, another child"

    def test_enumeration(self, space: Any) -> None:
        if not hasattr(space, "enumerate"):
            pytest.skip("the space has no enumeration")
        limit = self.enumerable + 1 if space.size <= self.enumerable else 200
        archs = list(itertools.islice(space.enumerate(), limit))
        assert len(set(archs)) == len(archs), "an architecture comes twice"
        assert len(archs) == min(space.size, limit)
        for arch in archs[:: max(1, len(archs) // 10)]:
            assert_valid(space.graph(arch))

    def test_bad_architectures_are_refused_in_one_line(self, space: SearchSpace, archs: list[str]) -> None:
        for arch in (*_BAD_ARCHS, archs[0] + "\u2603"):
            assert len(_refused(ArchError, space.graph, arch)) < 1000, "the error repeats the whole input"


class FrontendSuite(ABC):
    """What every frontend does."""

    @abstractmethod
    def make(self) -> Frontend:
        """The frontend to test."""

    @abstractmethod
    def sources(self) -> Sequence[Any]:
        """Sources that the frontend accepts, at least one."""

    def options(self) -> dict[str, Any]:
        """Options of ``convert`` for these sources."""
        return {}

    @pytest.fixture(name="frontend")
    def _frontend(self) -> Frontend:
        return self.make()

    def test_has_what_the_protocol_asks_for(self, frontend: Frontend) -> None:
        _is_named(frontend, Frontend)

    def test_accepts_its_sources_and_no_others(self, frontend: Frontend) -> None:
        sources = self.sources()
        assert len(sources) > 0
        assert all(frontend.accepts(source) for source in sources)
        for foreign in _FOREIGN:
            assert not frontend.accepts(foreign), f"{foreign!r} is accepted"

    def test_graphs_are_valid_and_stable(self, frontend: Frontend) -> None:
        for source in self.sources():
            graph = frontend.convert(source, **self.options())
            assert_valid(graph)
            assert self.make().convert(source, **self.options()).hash == graph.hash

    def test_foreign_sources_are_refused_in_one_line(self, frontend: Frontend) -> None:
        for foreign in ("no such source", ""):
            _refused(CgError, lambda source=foreign: frontend.convert(source, **self.options()))


class BenchmarkSuite(ABC):
    """What every reader of label tables does."""

    @abstractmethod
    def make(self) -> Benchmark:
        """The reader to test."""

    @abstractmethod
    def write(self, folder: Path) -> Path:
        """Write a small table of at least two architectures in the reader's layout and return its path."""

    @pytest.fixture(name="reader")
    def _reader(self) -> Benchmark:
        return self.make()

    @pytest.fixture(name="path")
    def _path(self, tmp_path: Path) -> Path:
        return self.write(tmp_path)

    def test_has_what_the_protocol_asks_for(self, reader: Benchmark, path: Path) -> None:
        _is_named(reader, Benchmark)
        table = reader.open(str(path))
        assert isinstance(table, BenchmarkTable)
        assert len(table.metrics) > 0
        assert len(set(table.metrics)) == len(table.metrics)

    def test_every_architecture_has_labels(self, reader: Benchmark, path: Path) -> None:
        table = reader.open(str(path))
        archs = list(table.archs())
        assert len(archs) > 1
        assert len(set(archs)) == len(archs)
        for arch in archs:
            found = []
            for metric in table.metrics:
                with suppress(KeyError):
                    found.append(table.query(arch, metric))
            assert found
            assert all(isinstance(value, float) for value in found)

    def test_architectures_belong_to_the_space(self, reader: Benchmark, path: Path) -> None:
        if reader.space not in registry().entries("space"):
            pytest.skip("the table's space is not installed")
        space = get_space(reader.space)
        for arch in reader.open(str(path)).archs():
            assert_valid(space.graph(arch))

    def test_what_is_missing_is_a_key_error(self, reader: Benchmark, path: Path) -> None:
        table = reader.open(str(path))
        arch = next(iter(table.archs()))
        with pytest.raises(KeyError):
            table.query(arch, "no such metric")
        with pytest.raises(KeyError):
            table.query("no such architecture", table.metrics[0])

    def test_opening_again_gives_the_same(self, reader: Benchmark, path: Path) -> None:
        first, second = reader.open(str(path)), self.make().open(str(path))
        assert list(first.archs()) == list(second.archs())
        assert list(first.metrics) == list(second.metrics)
        for arch in first.archs():
            for metric in first.metrics:
                assert _label(first, arch, metric) == _label(second, arch, metric)

    def test_bad_files_are_refused_in_one_line(self, reader: Benchmark, tmp_path: Path) -> None:
        empty, garbage = tmp_path / "empty", tmp_path / "garbage"
        empty.write_bytes(b"")
        garbage.write_bytes(bytes(range(256)) * 8)
        before = sorted(tmp_path.iterdir())
        for path in (empty, garbage, tmp_path / "missing"):
            told = _refused(CgError, lambda file=str(path): list(reader.open(file).archs()))
            assert path.name in told, "the error does not name the file"
        assert sorted(tmp_path.iterdir()) == before, "a file was left behind"


def _label(table: BenchmarkTable, arch: str, metric: str) -> float | None:
    try:
        value = table.query(arch, metric)
    except KeyError:
        return None
    return None if math.isnan(value) else value


class ScorerSuite(ABC):
    """What every scorer does."""

    #: Relative tolerance where the same score is computed in another order.
    tolerance = 1e-4

    @abstractmethod
    def make(self) -> Scorer:
        """The scorer to test, ready to predict."""

    def unfitted(self) -> Scorer | None:
        """The scorer before it has seen a label: ``make()`` unless that fits it; none where it learns nothing."""
        made = self.make()
        return made if isinstance(made, Fits) else None

    def graphs(self) -> Sequence[Graph]:
        """Graphs that the scorer can score, at least three, all different."""
        return sample_graphs()

    @pytest.fixture(name="scorer")
    def _scorer(self) -> Scorer:
        return self.make()

    def _close(self, a: Any, b: Any) -> bool:
        return bool(np.allclose(a, b, rtol=self.tolerance, atol=self.tolerance))

    def test_has_what_the_protocol_asks_for(self, scorer: Scorer) -> None:
        _is_named(scorer, Scorer)
        graphs = self.graphs()
        scores = scorer.predict(graphs)
        assert np.shape(scores) == (len(graphs),)
        assert np.isfinite(scores).all()

    def test_tells_networks_apart(self, scorer: Scorer) -> None:
        assert len(set(np.asarray(scorer.predict(self.graphs())).tolist())) > 1

    def test_is_deterministic(self, scorer: Scorer) -> None:
        graphs = self.graphs()
        first = np.asarray(scorer.predict(graphs))
        assert np.array_equal(first, scorer.predict(graphs))
        assert self._close(first, self.make().predict(graphs))

    def test_is_independent_of_order_and_company(self, scorer: Scorer) -> None:
        graphs = list(self.graphs())
        scores = np.asarray(scorer.predict(graphs))
        order = np.random.default_rng(0).permutation(len(graphs))
        assert self._close(scores[order], scorer.predict([graphs[i] for i in order]))
        assert self._close(scores, [float(scorer.predict([graph])[0]) for graph in graphs])

    def test_standard_deviations(self, scorer: Scorer) -> None:
        graphs = self.graphs()
        result = scorer.predict(graphs, return_std=True)
        if not isinstance(result, tuple):
            pytest.skip("the scorer knows no standard deviations")
        mean, std = result
        assert self._close(mean, scorer.predict(graphs))
        assert np.shape(std) == (len(graphs),)
        assert (np.asarray(std) >= 0).all()

    def test_takes_a_pool_as_it_says(self, scorer: Any) -> None:
        graphs = list(self.graphs())
        if not scoring.takes_pool(scorer):
            pytest.skip("the scorer takes no pool")
        learns = isinstance(scorer, Fits)
        mean, std = scoring.predict(scorer, graphs, pool=graphs)
        assert np.isfinite(mean).all()
        assert std is None or (std >= 0).all()
        if learns:
            scoring.fit(scorer, graphs, np.arange(len(graphs), dtype=float), pool=graphs)
            assert np.isfinite(scoring.predict(scorer, graphs, pool=graphs).mean).all()

    def test_suggestions_are_places_of_networks(self, scorer: Any) -> None:
        if not isinstance(scorer, Suggests):
            pytest.skip("the scorer suggests nothing")
        graphs = list(self.graphs())
        chosen = [int(i) for i in scorer.suggest(graphs, 2)]
        assert len(set(chosen)) == 2
        assert all(0 <= i < len(graphs) for i in chosen)

    def test_before_fit_it_predicts_or_says_not_fitted(self) -> None:
        scorer: Any = self.unfitted()
        if scorer is None:
            pytest.skip("the scorer learns nothing")
        try:
            found = scoring.predict(scorer, list(self.graphs()))
        except NotFitted as error:
            _one_line(error)
        else:
            assert np.isfinite(found.mean).all()

    def test_fit_and_save(self, scorer: Any, tmp_path: Path) -> None:
        learns = isinstance(scorer, Fits)
        if not learns:
            pytest.skip("the scorer learns nothing")
        graphs = list(self.graphs())
        scorer.fit(graphs, np.arange(len(graphs), dtype=float))
        scores = scorer.predict(graphs)
        assert np.isfinite(scores).all()
        if hasattr(scorer, "save") and hasattr(scorer, "load"):
            scorer.save(tmp_path / "scorer")
            assert self._close(scores, type(scorer).load(tmp_path / "scorer").predict(graphs))


class EvaluatorSuite(ABC):
    """What everything that measures architectures in a search does."""

    @abstractmethod
    def make(self) -> Evaluator:
        """The evaluator to test."""

    @abstractmethod
    def cases(self) -> Sequence[tuple[str, Graph]]:
        """Architectures with their graphs, at least one."""

    def test_same_arguments_same_metrics(self) -> None:
        evaluator = self.make()
        assert isinstance(evaluator, Evaluator)
        for arch, graph in self.cases():
            metrics = dict(evaluator.evaluate(arch, graph, 0))
            assert metrics
            assert all(isinstance(value, (int, float)) for value in metrics.values())
            assert dict(self.make().evaluate(arch, graph, 0)) == metrics
