"""The conformance suites find what breaks the contract: plugins that keep it pass, each defect fails the test that is there for it."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_ir import ArchError, CgError, Graph, GraphBuilder, NotFitted, SourceError
from cg_ir.testing import (
    BenchmarkSuite,
    EvaluatorSuite,
    FrontendSuite,
    ScorerSuite,
    SpaceSuite,
    assert_valid,
    sample_graphs,
)


class Space:
    """Three letters out of a, b and c: the widths of three layers."""

    name, size = "letters", 27

    def sample(self, rng: np.random.Generator) -> str:
        return "".join(rng.choice(list("abc"), size=3))

    def neighbors(self, arch: str) -> list[str]:
        return [arch[:i] + c + arch[i + 1 :] for i in range(3) for c in "abc" if c != arch[i]]

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        return str(rng.choice(self.neighbors(arch)))

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        return "".join((a, b)[k][i] for i, k in enumerate(rng.integers(2, size=3)))

    def enumerate(self) -> Iterator[str]:
        return (a + b + c for a in "abc" for b in "abc" for c in "abc")

    def canonical(self, arch: str) -> str:
        return arch

    def graph(self, arch: str) -> Graph:
        if len(arch) != 3 or not set(arch) <= set("abc"):
            raise ArchError(f"three letters out of a, b and c are meant, not {arch!r:.40}")
        b = GraphBuilder(arch)
        x = b.input((1, 4))
        for letter in arch:
            x = b.add("Relu", b.add("Gemm", x, channels="abc".index(letter) + 1))
        b.output(x)
        return b.build()


class Frontend:
    name = "words"

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str) and source.startswith("word:")

    def convert(self, source: Any, **options: Any) -> Graph:
        if not self.accepts(source):
            raise SourceError(f"{source!r} is no word")
        return Space().graph("abc")


class Table:
    metrics: Sequence[str] = ("accuracy", "cost")

    def __init__(self, path: str) -> None:
        try:
            rows = [line.split(",") for line in Path(path).read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise CgError(f"{Path(path).name}: cannot be read ({type(error).__name__})") from None
        if not rows or any(len(row) != 3 for row in rows):
            raise CgError(f"{Path(path).name}: holds no table")
        self.rows = {arch: (float(a), float(c)) for arch, a, c in rows}

    def archs(self) -> Iterator[str]:
        return iter(self.rows)

    def query(self, arch: str, metric: str) -> float:
        return self.rows[arch][{"accuracy": 0, "cost": 1}[metric]]


class Benchmark:
    name, space = "letters-table", "no-such-space"

    def open(self, path: str) -> Any:
        return Table(path)


class Scorer:
    """The logarithm of parameters, and what labels add to it on the whole."""

    name, pooled = "size", True

    def __init__(self) -> None:
        self.shift = 0.0

    def predict(self, graphs: Sequence[Graph], return_std: bool = False, pool: Any = None) -> Any:
        mean = np.log([graph.params + 1.0 for graph in graphs]) + self.shift
        return (mean, np.ones(len(graphs))) if return_std else mean

    def fit(self, graphs: Sequence[Graph], y: Any, pool: Any = None) -> None:
        self.shift = float(np.mean(y))

    def suggest(self, graphs: Sequence[Graph], k: int) -> list[int]:
        return list(range(k))

    def save(self, folder: Path) -> None:
        Path(folder).mkdir()
        (Path(folder) / "shift").write_text(repr(self.shift))

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        made = cls()
        made.shift = float((Path(folder) / "shift").read_text())
        return made


class Evaluator:
    name = "count"

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        return {"score": float(len(arch) + seed)}


def suite(base: Any, made: Any) -> Any:
    """A suite of what ``made`` makes."""

    class Suite(base):
        def make(self) -> Any:
            return made()

        def sources(self) -> list[str]:
            return ["word:one"]

        def write(self, folder: Path) -> Path:
            path = folder / "table.csv"
            path.write_text("abc,0.5,3\ncab,0.25,4\n", encoding="utf-8")
            return path

        def cases(self) -> list[tuple[str, Graph]]:
            return [("abc", Space().graph("abc"))]

    return Suite()


SUITES = {
    SpaceSuite: Space,
    FrontendSuite: Frontend,
    BenchmarkSuite: Benchmark,
    ScorerSuite: Scorer,
    EvaluatorSuite: Evaluator,
}


def run(one: Any, name: str, folder: Path) -> str:
    """How a test of a suite ends: ``passed``, ``skipped`` or ``failed``."""
    method = getattr(one, name)
    folder.mkdir(exist_ok=True)
    try:
        made = one.make()
        given: dict[str, Any] = {"space": made, "frontend": made, "reader": made, "scorer": made, "tmp_path": folder}
        wanted = inspect.signature(method).parameters
        if "archs" in wanted:
            rng = np.random.default_rng(0)
            given["archs"] = [made.sample(rng) for _ in range(one.samples)]
        if "path" in wanted:
            given["path"] = one.write(folder)
        method(**{key: given[key] for key in wanted})
    except pytest.skip.Exception:
        return "skipped"
    except (Exception, pytest.fail.Exception):
        return "failed"
    return "passed"


def failing(base: Any, made: Any, folder: Path) -> set[str]:
    one = suite(base, made)
    tests = [name for name in dir(one) if name.startswith("test_")]
    return {name for i, name in enumerate(tests) if run(one, name, folder / str(i)) == "failed"}


@pytest.mark.parametrize("base", SUITES, ids=lambda base: base.__name__)
def test_a_plugin_that_keeps_the_contract_passes(base: Any, tmp_path: Path) -> None:
    assert failing(base, SUITES[base], tmp_path) == set()


def _unseeded(self: Any, rng: Any) -> str:
    return "".join(random.choice("abc") for _ in range(3))


def _fixed(self: Any, rng: Any) -> str:
    return "abc"


def _long(self: Any, arch: str) -> Graph:
    if len(arch) != 3 or not set(arch) <= set("abc"):
        raise ArchError(f"not {arch}")
    return Space().graph(arch)


def _open(self: Any, path: str) -> Any:
    try:
        return Table(path)
    except CgError:
        raise ValueError("no table") from None


def _raw(self: Any, arch: str) -> Graph:
    b = GraphBuilder(arch, canonical=False)
    b.output(b.add("Clip", b.input((1, 4)), min=0.0))
    return b.build()


class Unsteady(Scorer):
    """Another score each time it is asked."""

    count = 0

    def predict(self, graphs: Sequence[Graph], return_std: bool = False, pool: Any = None) -> Any:
        Unsteady.count += 1
        return super().predict(graphs, return_std) if return_std else super().predict(graphs) + Unsteady.count


class Forgetful(Scorer):
    @classmethod
    def load(cls, folder: Path) -> Scorer:
        return cls()


class Shy(Scorer):
    """Says in two lines that it has seen no labels."""

    def predict(self, graphs: Sequence[Graph], return_std: bool = False, pool: Any = None) -> Any:
        if not self.shift:
            raise NotFitted("no\nlabels")
        return super().predict(graphs, return_std)


def _centred(self: Any, graphs: Any, return_std: bool = False, pool: Any = None) -> Any:
    mean = np.log([graph.params + 1.0 for graph in graphs])
    mean = mean - mean.mean()
    return (mean, np.ones(len(graphs))) if return_std else mean


DEFECTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a name that a SOURCE cannot hold": (SpaceSuite, {"name": "a:b"}, "test_has_what_the_protocol_asks_for"),
    "no name": (SpaceSuite, {"name": ""}, "test_has_what_the_protocol_asks_for"),
    "a size that is no number": (SpaceSuite, {"size": 27.0}, "test_has_what_the_protocol_asks_for"),
    "unprintable architectures": (SpaceSuite, {"sample": lambda self, rng: "a\n"}, "test_architectures_are_printable_strings"),
    "a global generator": (SpaceSuite, {"sample": _unseeded}, "test_samples_are_seeded"),
    "one sample for every seed": (SpaceSuite, {"sample": _fixed}, "test_samples_are_seeded"),
    "graphs that are not canonical": (SpaceSuite, {"graph": _raw}, "test_graphs_are_valid_and_stable"),
    "a canonical name of another network": (SpaceSuite, {"canonical": lambda self, arch: "aaa"}, "test_canonical_names_the_same_network"),
    "a canonical name that changes again": (SpaceSuite, {"canonical": lambda self, arch: arch[1:] + arch[0]}, "test_canonical_names_the_same_network"),
    "a neighbour of itself": (SpaceSuite, {"neighbors": lambda self, arch: [arch]}, "test_neighbours_stay_inside"),
    "a neighbour that comes twice": (SpaceSuite, {"neighbors": lambda self, arch: Space().neighbors(arch) * 2}, "test_neighbours_stay_inside"),
    "no neighbours": (SpaceSuite, {"neighbors": lambda self, arch: []}, "test_neighbours_stay_inside"),
    "mutations of two steps": (
        SpaceSuite,
        {"mutate": lambda self, arch, rng: Space().mutate(Space().mutate(arch, rng), rng)},
        "test_mutations_are_neighbours",
    ),
    "one mutation for ever": (SpaceSuite, {"mutate": lambda self, arch, rng: self.neighbors(arch)[0]}, "test_mutations_are_neighbours"),
    "a walk that leaves": (SpaceSuite, {"mutate": lambda self, arch, rng: arch + "a"}, "test_walks_stay_inside"),
    "a child of nobody": (SpaceSuite, {"crossover": lambda self, a, b, rng: "abc"}, "test_children_stay_inside"),
    "an enumeration that misses some": (SpaceSuite, {"size": 28}, "test_enumeration"),
    "an enumeration with one twice": (SpaceSuite, {"enumerate": lambda self: iter(["abc"] * 27)}, "test_enumeration"),
    "an error that repeats its input": (SpaceSuite, {"graph": _long}, "test_bad_architectures_are_refused_in_one_line"),
    "no error": (SpaceSuite, {"graph": lambda self, arch: Space().graph("abc")}, "test_bad_architectures_are_refused_in_one_line"),
    "a frontend that takes everything": (FrontendSuite, {"accepts": lambda self, source: True}, "test_accepts_its_sources_and_no_others"),
    "a frontend that takes nothing": (FrontendSuite, {"accepts": lambda self, source: False}, "test_accepts_its_sources_and_no_others"),
    "a frontend whose graphs are not canonical": (FrontendSuite, {"convert": lambda self, source, **o: _raw(self, "x")}, "test_graphs_are_valid_and_stable"),
    "a frontend that refuses nothing": (FrontendSuite, {"convert": lambda self, *a, **o: Space().graph("abc")}, "test_foreign_sources_are_refused_in_one_line"),
    "an error of another kind": (BenchmarkSuite, {"open": _open}, "test_bad_files_are_refused_in_one_line"),
    "an evaluator that draws": (EvaluatorSuite, {"evaluate": lambda self, *a: {"x": random.random()}}, "test_same_arguments_same_metrics"),
    "an evaluator that measures nothing": (EvaluatorSuite, {"evaluate": lambda self, *a: {}}, "test_same_arguments_same_metrics"),
    "an evaluator of texts": (EvaluatorSuite, {"evaluate": lambda self, *a: {"x": "1"}}, "test_same_arguments_same_metrics"),
    "one score for all": (ScorerSuite, {"predict": lambda self, g, **options: np.zeros(len(g))}, "test_tells_networks_apart"),
    "a score that is no number": (ScorerSuite, {"predict": lambda self, g, **options: np.full(len(g), np.nan)}, "test_has_what_the_protocol_asks_for"),
    "one score in all": (ScorerSuite, {"predict": lambda self, g, **options: np.zeros(1)}, "test_has_what_the_protocol_asks_for"),
    "scores that depend on company": (ScorerSuite, {"predict": _centred}, "test_is_independent_of_order_and_company"),
    "a suggestion that comes twice": (ScorerSuite, {"suggest": lambda self, g, k: [0] * k}, "test_suggestions_are_places_of_networks"),
    "a suggestion of none": (ScorerSuite, {"suggest": lambda self, g, k: [len(g), 0]}, "test_suggestions_are_places_of_networks"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_fails_the_test_that_is_there_for_it(name: str, tmp_path: Path) -> None:
    base, change, test = DEFECTS[name]
    made = type("Changed", (SUITES[base],), change)
    assert run(suite(base, made), test, tmp_path) == "failed"


@pytest.mark.parametrize(
    ("made", "test"),
    [
        (Unsteady, "test_is_deterministic"),
        (Forgetful, "test_fit_and_save"),
        (Shy, "test_before_fit_it_predicts_or_says_not_fitted"),
    ],
)
def test_a_scorer_with_a_defect_fails(made: Any, test: str, tmp_path: Path) -> None:
    assert run(suite(ScorerSuite, made), test, tmp_path) == "failed"


@pytest.mark.parametrize(
    ("change", "test"),
    [
        ({"metrics": ("accuracy", "accuracy")}, "test_has_what_the_protocol_asks_for"),
        ({"archs": lambda self: iter(["abc", "abc"])}, "test_every_architecture_has_labels"),
        ({"archs": lambda self: iter(["abc"])}, "test_every_architecture_has_labels"),
        ({"query": lambda self, arch, metric: 1}, "test_every_architecture_has_labels"),
        ({"query": lambda self, arch, metric: 0.5}, "test_what_is_missing_is_a_key_error"),
        ({"query": lambda self, arch, metric: random.random()}, "test_opening_again_gives_the_same"),
    ],
)
def test_a_table_with_a_defect_fails(change: dict[str, Any], test: str, tmp_path: Path) -> None:
    table = type("Changed", (Table,), change)
    made = type("Reader", (Benchmark,), {"open": lambda self, path: table(path)})
    assert run(suite(BenchmarkSuite, made), test, tmp_path) == "failed"


def test_what_a_plugin_lacks_is_skipped(tmp_path: Path) -> None:
    class Plain:
        name = "plain"

        def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> Any:
            return np.array([float(graph.params) for graph in graphs])

    one = suite(ScorerSuite, Plain)
    skipped = {name for name in dir(one) if name.startswith("test_") and run(one, name, tmp_path) == "skipped"}
    assert skipped == {
        "test_standard_deviations",
        "test_takes_a_pool_as_it_says",
        "test_suggestions_are_places_of_networks",
        "test_before_fit_it_predicts_or_says_not_fitted",
        "test_fit_and_save",
    }


def test_what_is_no_canonical_graph_is_told() -> None:
    assert_valid(Space().graph("abc"))
    with pytest.raises(AssertionError, match="not in canonical form; build it with GraphBuilder"):
        assert_valid(_raw(None, "x"))


def test_sample_graphs_differ() -> None:
    graphs = sample_graphs(7)
    assert len({graph.hash for graph in graphs}) == 7
    assert [graph.name for graph in graphs] == [f"sample/{i}" for i in range(7)]
