"""What a search proposed and what came of it, ordered by proposal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cg_ir.notebook import html_table

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["DONE", "FAILED", "PENDING", "Candidate", "Evaluation", "History", "Proposal"]

PENDING = "pending"
DONE = "done"
FAILED = "failed"


@dataclass(frozen=True)
class Proposal:
    """What an algorithm wants evaluated.

    Args:
        arch: the architecture.
        parents: numbers of the proposals that it descends from.
        origin: how it came about, one word or two, such as ``mutation``.
        mean: predicted value, on the scorer's scale.
        std: its standard deviation.
        step: at which the training stops, where it is divided into steps; a network that was proposed before goes on to it.
    """

    arch: str
    parents: tuple[int, ...] = ()
    origin: str = ""
    mean: float | None = None
    std: float | None = None
    step: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A proposal with its number, its network and the seed of its evaluation."""

    id: int
    arch: str
    hash: str
    seed: int
    parents: tuple[int, ...] = ()
    origin: str = ""
    mean: float | None = None
    std: float | None = None
    step: int | None = None
    build: Callable[[str], Graph] | None = field(default=None, repr=False, compare=False)

    @property
    def graph(self) -> Graph:
        """The network; built when asked for."""
        assert self.build is not None
        return self.build(self.arch)

    def _repr_html_(self) -> str:
        """What the proposal is, above its network's drawing."""
        predicted = (
            None if self.mean is None else f"{self.mean:.3f}" + ("" if self.std is None else f" ± {self.std:.3f}")
        )
        rows = [
            ("architecture", self.arch),
            ("from", " ".join([self.origin, *(f"#{parent}" for parent in self.parents)]).strip()),
            ("predicted", predicted),
            ("seed", str(self.seed)),
            ("steps", None if self.step is None else str(self.step)),
        ]
        drawing = self.graph._repr_html_() if self.build is not None else ""
        return html_table((f"Candidate {self.id}", ""), [row for row in rows if row[1]]) + drawing


@dataclass
class Evaluation:
    """A candidate and its result.

    Attributes:
        status: ``pending``, ``done`` or ``failed``.
        metrics: everything measured, by name.
        utilities: the objectives, turned so that higher is better; empty unless ``done``.
        feasible: whether the measured constraints hold.
        cost: seconds that the evaluation took.
        error: why it failed, one line.
        attempts: how often it was tried.
    """

    candidate: Candidate
    status: str = PENDING
    metrics: Mapping[str, float] = field(default_factory=dict)
    utilities: tuple[float, ...] = ()
    feasible: bool = True
    cost: float = 0.0
    error: str = ""
    attempts: int = 0
    value: float | None = None

    @property
    def id(self) -> int:
        """Number of the proposal."""
        return self.candidate.id

    @property
    def arch(self) -> str:
        """The architecture."""
        return self.candidate.arch

    @property
    def hash(self) -> str:
        """Hash of its graph."""
        return self.candidate.hash

    @property
    def graph(self) -> Graph:
        """Its network."""
        return self.candidate.graph

    @property
    def good(self) -> bool:
        """Done, and within the constraints."""
        return self.status == DONE and self.feasible


class History(Sequence[Evaluation]):
    """The evaluations in the order of their proposals; pending ones included."""

    def __init__(self) -> None:
        self._rows: list[Evaluation] = []
        self._hashes: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Evaluation]:
        return iter(self._rows)

    def append(self, evaluation: Evaluation) -> None:
        """Add the next proposal."""
        assert evaluation.id == len(self._rows)
        self._rows.append(evaluation)
        self._hashes.add(evaluation.hash)

    def proposed(self, graph_hash: str) -> bool:
        """Whether a graph with this hash was proposed before."""
        return graph_hash in self._hashes

    def finished(self) -> list[Evaluation]:
        """The evaluations that have ended, one way or the other."""
        return [row for row in self._rows if row.status != PENDING]
