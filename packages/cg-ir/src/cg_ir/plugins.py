"""What a plugin author implements: the hooks of the ``cg`` project and the protocols of what they hand over.

A plugin is a distribution with an entry point in group ``cg`` that names a module of ``@hookimpl`` functions. Hooks hand over
*classes or factories* with a ``name``; nothing is made before it is asked for, so entry-point modules stay light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import pluggy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from cg_ir.graph import Graph

PROJECT = "cg"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# mypy: disable-error-code="empty-body"
# --- hooks ------------------------------------------------------------------------------------------------------------


@hookspec
def cg_frontends() -> Iterable[Callable[..., Frontend]]:
    """Frontends: classes or factories with a ``name``."""


@hookspec
def cg_spaces() -> Iterable[Callable[..., SearchSpace]]:
    """Search spaces: classes or factories with a ``name``; keyword arguments are the space's options."""


@hookspec
def cg_benchmarks() -> Iterable[Callable[..., Benchmark]]:
    """Readers of label tables: classes or factories with a ``name``."""


@hookspec
def cg_scorers() -> Iterable[Callable[..., Scorer]]:
    """What scores graphs: classes or factories with a ``name``."""


@hookspec
def cg_evaluators() -> Iterable[Callable[..., Evaluator]]:
    """What measures an architecture in a search: classes or factories with a ``name``."""


@hookspec
def cg_run_events() -> Iterable[Callable[..., RunListener]]:
    """What listens to the runs of a search, such as an experiment tracker: classes or factories with a ``name`` and an argument ``target``."""


@hookspec
def cg_commands() -> Iterable[LazyCommand]:
    """Commands of the ``cg`` command line."""


@hookspec
def cg_bench_targets() -> Iterable[Any]:
    """What ``cg bench transfer`` ranks: instances of ``cg_bench.Target``."""


@hookspec
def cg_bench_methods() -> Iterable[Any]:
    """What it ranks them with: instances of ``cg_bench.Contender``, such as ``cg_bench.ScorerMethod("mine")``."""


@hookspec
def cg_bench_metrics() -> Iterable[Any]:
    """What the rankings are judged by: instances of ``cg_bench.Metric``."""


# --- protocols --------------------------------------------------------------------------------------------------------


@runtime_checkable
class Frontend(Protocol):
    """Turns something into a graph."""

    name: str

    def accepts(self, source: Any) -> bool:
        """Whether ``convert`` can take this source; cheap, imports nothing heavy, never raises."""

    def convert(self, source: Any, **options: Any) -> Graph:
        """The graph of a source.

        Raises:
            SourceError: the source is not what it seemed, or an option does not fit.
        """


@runtime_checkable
class SearchSpace(Protocol):
    """A family of architectures, each named by a printable string.

    Optional beside these: ``enumerate() -> Iterator[str]`` for finite spaces, ``canonical(arch) -> str`` where several strings
    name one architecture.
    """

    name: str
    size: int
    """Number of architecture strings (as ``enumerate`` gives them)."""

    def sample(self, rng: np.random.Generator) -> str:
        """A random architecture."""

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """A child of two architectures."""

    def neighbors(self, arch: str) -> list[str]:
        """All architectures one change away."""

    def graph(self, arch: str) -> Graph:
        """The network.

        Raises:
            ArchError: the string names no member of the space.
        """


@runtime_checkable
class BenchmarkTable(Protocol):
    """Labels of architectures."""

    metrics: Sequence[str]
    """The names that ``query`` answers to; the first is the main one."""

    def archs(self) -> Iterator[str]:
        """The architectures in the table, in the space's notation."""

    def query(self, arch: str, metric: str) -> float:
        """One label; KeyError where the table has none."""


@runtime_checkable
class Benchmark(Protocol):
    """A reader of label tables in one file layout."""

    name: str
    space: str
    """Name of the space whose architectures the table labels."""

    def open(self, path: str) -> BenchmarkTable:
        """The table in a file or folder."""


class Prediction(NamedTuple):
    """What a scorer says of n networks.

    Attributes:
        mean: scores, (n,), higher is better.
        std: their standard deviations, (n,); none where the scorer knows none.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64] | None = None


@runtime_checkable
class Predicts(Protocol):
    """Scores graphs; higher is better."""

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.floating[Any]]:
        """Scores, (n,); with ``return_std`` a pair of scores and standard deviations (:class:`Prediction`) where the scorer knows them.

        Raises:
            NotFitted: it needs labels first.
        """


@runtime_checkable
class Fits(Protocol):
    """Learns from labels."""

    def fit(self, graphs: Sequence[Graph], y: ArrayLike) -> Any:
        """Learn from the labels of graphs, (n,), in place of those of an earlier call."""


@runtime_checkable
class Suggests(Protocol):
    """Says which networks to label next."""

    def suggest(self, graphs: Sequence[Graph], k: int) -> Sequence[int]:
        """Places of the ``k`` graphs whose labels say most about the others, most telling first."""


@runtime_checkable
class Pooled(Protocol):
    """Ranks networks among others: ``predict`` and ``fit`` take a keyword ``pool``, a sequence of unlabelled graphs."""

    pooled: bool
    """True; a scorer whose ``pooled`` is false is never given a pool."""


@runtime_checkable
class Scorer(Predicts, Protocol):
    """Scores graphs, under a name.

    Optional beside these: :class:`Fits`, :class:`Suggests`, :class:`Pooled`; ``save(dir)`` and ``load(dir)``; ``sources``, the families whose labels
    it learned from. :mod:`cg_ir.scoring` asks any of them.
    """

    name: str


@runtime_checkable
class Evaluator(Protocol):
    """Measures one architecture of a search."""

    name: str

    def evaluate(self, arch: str, graph: Graph, seed: int) -> Mapping[str, float]:
        """Metrics by name; the same arguments give the same result."""


@runtime_checkable
class RunListener(Protocol):
    """Listens to one run of a search; called in the main process, one event after another."""

    name: str

    def event(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Something has happened.

        Args:
            kind: ``begin`` (facts: directory, config), ``evaluation`` (id, arch, status, value, metrics, error, cost, step, best) or ``end``
                (evaluations, failed, best).
            facts: JSON values.
        """

    def close(self) -> None:
        """The run has ended, in whatever way."""


@dataclass(frozen=True)
class LazyCommand:
    """A command whose module is imported when it runs.

    Args:
        name: as typed after ``cg``; of two words, ``bench mine``, it is a command in a group, which another package may have made.
        target: ``module:attribute`` of a click command.
        help: one line for ``cg --help``.
    """

    name: str
    target: str
    help: str
