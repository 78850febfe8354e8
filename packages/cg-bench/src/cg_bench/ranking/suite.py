"""The methods that are run on a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cg_bench.ranking.targets import Task, documents
from cg_ir.plugin_registry import registry

if TYPE_CHECKING:
    from cg_bench.ranking.methods import Method

__all__ = ["METHODS", "Contender", "ScorerMethod", "chosen_methods"]

_PROXIES = ("synflow", "jacov", "snip", "grasp", "fisher", "grad_norm", "naswot", "zen")
_SCORED = 100  # networks that a proxy scores in each family


@dataclass(frozen=True)
class Contender:
    """A method before it knows its task; called with the task it gives the method.

    Args:
        name: as in the tables.
        make: the method on a task, without labels of the target's family, or of its group, but those that it is given; None where it does not apply.
        quick: whether the quick run has it.
    """

    name: str
    make: Callable[[Task], Method | None]
    quick: bool = False

    def __call__(self, task: Task) -> Method | None:
        return self.make(task)


class ScorerMethod(Contender):
    """A registered scorer, fitted where it learns from labels.

    Args:
        scorer: its name.
        name: as in the tables; ``scorer:NAME`` unless said otherwise.
        quick: whether the quick run has it.
    """

    def __init__(self, scorer: str, name: str = "", quick: bool = True) -> None:
        def make(task: Task) -> Method:
            from cg_bench.ranking.methods import Registered

            return Registered(name or f"scorer:{scorer}", scorer, task.exclude)

        super().__init__(name or f"scorer:{scorer}", make, quick)


def _ours(task: Task) -> Method:
    from cg_bench.ranking.methods import Fitted
    from cg_predict.predictor import Predictor

    return _grouped(task) if task.by_groups else Fitted("ours", Predictor(task.exclude, warn=False))


def _grouped(task: Task) -> Method:
    """The predictor on a family that is ranked by groups: its own expert may learn from the other groups."""
    from cg_bench.ranking.grouped import Grouped
    from cg_predict.tables import family_named, read_family

    assert task.graphs is not None
    family, target = family_named(task.target.family), task.target
    taught = replace(read_family(family, task.data), built=documents(task.graphs / "timm.jsonl.gz"))
    groups = [target.name if group in target.relatives else group for group in taught.groups]
    return Grouped("ours", family.table, replace(taught, groups=groups), task.labelled.groups)


def _chosen(task: Task) -> Method | None:
    from cg_bench.ranking.methods import Chosen
    from cg_predict.predictor import Predictor

    return None if task.by_groups else Chosen("ours, chosen labels", Predictor(task.exclude, warn=False))


def _plain(task: Task) -> Method:
    from cg_bench.ranking.methods import Fitted
    from cg_predict.predictor import Predictor

    predictor = Predictor(task.exclude, use_prior=False, embedding=False, neighbourhoods=False, warn=False)
    return Fitted("descriptors + GP", predictor)


def _forest(task: Task) -> Method:
    from cg_bench.ranking.methods import Forest

    return Forest(counts=(10, 20, 50, 100, 400))


def _baseline(name: str, size: int | None = None) -> Contender:
    def make(task: Task) -> Method:
        from cg_bench.ranking.methods import Baseline

        return Baseline(name, size)

    return Contender(name, make, quick=size is None)


def _reference(name: str) -> Contender:
    def make(task: Task) -> Method:
        from cg_bench.ranking.references import Reference

        return Reference(name, task.exclude, task.data)

    return Contender(name, make)


METHODS = (
    _baseline("params"),
    _baseline("macs"),
    Contender("ours", _ours, quick=True),
    Contender("ours, chosen labels", _chosen, quick=True),
    Contender("descriptors + GP", _plain, quick=True),
    Contender("random forest", _forest),
    *(_baseline(name, _SCORED) for name in _PROXIES),
    _reference("fine-tuned"),
    _reference("k-GNN"),
)


def chosen_methods(names: Sequence[str] = (), quick: bool = False) -> list[Contender]:
    """The methods of all plugins, in the order of the tables.

    Args:
        names: only these; ``scorer:NAME`` is a registered scorer.
        quick: without names, only those of the quick run.

    Raises:
        PluginError: no method has one of the names.
    """
    entries = registry().entries("bench method")
    if not names:
        return [entry.make for entry in entries.values() if entry.make.quick or not quick]
    scorers = [name for name in names if name.startswith("scorer:")]
    named = {registry().get("bench method", name).name for name in names if name not in scorers}
    chosen = [entry.make for name, entry in entries.items() if name in named]
    return chosen + [ScorerMethod(name.removeprefix("scorer:")) for name in scorers]
