"""A search from Python in one call: here is my network, here is my training, find me a better one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_evolve.interrupts import interruptible, undisturbed

if TYPE_CHECKING:
    from cg_evolve.history import Evaluation
    from cg_evolve.placement import Placement
    from cg_evolve.repeat import Repeat
    from cg_evolve.runs import Run
    from cg_evolve.search import Search

__all__ = ["Result", "run"]


@dataclass(frozen=True)
class Result:
    """What came of a search.

    Args:
        search: with all evaluations, ``history``.
        directory: the run's folder; the same call goes on with it, also after a kill.
        repeat: one evaluation done again, where ``check`` asked for it.
    """

    search: Search
    directory: Path
    repeat: Repeat | None = None

    @property
    def best(self) -> Evaluation:
        """The best evaluation, with ``arch``, ``value``, ``metrics`` and ``graph``.

        Raises:
            SearchError: none succeeded within the constraints.
        """
        if self.search.best is None:
            raise SearchError(f"{self.directory}: no evaluation has succeeded within the constraints")
        return self.search.best

    @property
    def ranking(self) -> list[Evaluation]:
        """The successful evaluations, best first."""
        return self.search.ranking

    def module(self) -> Any:
        """The best network as a ``torch.nn.Module`` with fresh weights."""
        from cg_evolve.callable_space import CallableSpace
        from cg_ir import to_module

        space = self.search.space
        return space.module(self.best.arch) if isinstance(space, CallableSpace) else to_module(self.best.graph)

    def report(self, output: str | os.PathLike[str]) -> None:
        """Write the run as one HTML page."""
        from cg_evolve.report import write_report

        write_report(self.directory, Path(output))


def run(
    space: Any,
    evaluator: Any,
    *,
    budget: int,
    directory: str | os.PathLike[str] = "run",
    workers: int = 0,
    dask: str | None = None,
    resources: Mapping[str, float] | None = None,
    timeout: float | None = None,
    input: Sequence[str | Sequence[int]] = (),
    on_result: Callable[[Evaluation], None] | None = None,
    check: bool = False,
    **options: Any,
) -> Result:
    """Search for the best network and keep every evaluation in a folder; called again, it goes on where it was.

    Args:
        space: where to look: a ``torch.nn.Module``, a graph or the file of one (changes of it), a function with typed arguments that makes networks
            (:class:`cg_evolve.callable_space.CallableSpace`), a search space, or the text of one.
        evaluator: the training: a function of the runnable network that returns a number (higher is better) or metrics by name
            (:class:`cg_evolve.evaluators.function.FunctionEvaluator`), an evaluator, or the text of one.
        budget: evaluations in all.
        directory: the run's folder.
        workers: worker processes; 0 evaluates in this process. With workers, a script calls this under ``if __name__ == "__main__":``.
        dask: address of the scheduler of a Dask cluster to evaluate on, see :class:`cg_evolve.executors.DaskBackend`.
        resources: what an evaluation takes of a Dask worker's resources, ``{"GPU": 1}``.
        timeout: seconds that an evaluation may take.
        input: of networks in PyTorch, the shape of each input without the batch, ``(3, 32, 32)`` or ``"3x32x32"``.
        on_result: called after every evaluation.
        check: do one evaluation again at the end; ``result.repeat`` says whether the same arguments gave the same result.
        options: ``objectives``, ``constraints``, ``algorithm``, ``seed``, ``exclude``, ``scorer``, ``pool``, ``q``, ``steps``, ``eta``, ``compare``,
            ``retries``, ``give_up`` as of :class:`cg_evolve.config.Config`.

    Raises:
        SearchError: the options do not fit, the folder holds another run, or evaluations fail again and again.
    """
    from cg_evolve.config import Config
    from cg_evolve.placement import Placement
    from cg_evolve.python_code import source_of
    from cg_evolve.runs import Run
    from cg_evolve.winner import export_winner

    if multiprocessing.parent_process() is not None and multiprocessing.current_process().name == "cg-evolve worker":
        raise SearchError('a worker has come upon the search itself: call run under if __name__ == "__main__":')
    placement = Placement([{}] * workers, dask, dict(resources or {}), timeout)
    folder, shapes = Path(directory), _shapes(input)
    space_text, space_made = _space(space, folder, shapes)
    evaluator_text, evaluator_made = _evaluator(evaluator, space_made, space_text, shapes, bool(workers or dask))
    around_code = isinstance(space, str) and space.startswith("graph?")
    takes_input = shapes if around_code or _is_callable_space(space_text, space_made) else ()
    config = Config(space_text, evaluator_text, budget, input=takes_input, **options)
    code = {t: c for t, made in ((space_text, space), (evaluator_text, evaluator)) if (c := source_of(made))}
    with Run.open(folder, config, resume=True, space=space_made, evaluator=evaluator_made, code=code) as opened:
        again = _execute(opened, placement, on_result, check)
        export_winner(opened.search, folder)
        return Result(opened.search, folder, again)


def _execute(
    opened: Run, placement: Placement, on_result: Callable[[Evaluation], None] | None, check: bool
) -> Repeat | None:
    """Evaluate, and one evaluation again where ``check`` says so."""
    from cg_evolve.repeat import repeat

    with interruptible():
        backend = placement.backend(opened)
        try:
            opened.execute(backend, on_result=on_result, shared_disk=placement.dask is None)
            return repeat(opened, backend) if check else None
        finally:
            with undisturbed():
                backend.stop()


def _shapes(input: Sequence[str | Sequence[int]]) -> tuple[str, ...]:
    """Shapes as on the command line."""
    if isinstance(input, str):
        return (input,)
    if input and all(isinstance(size, int) for size in input):
        return ("x".join(map(str, input)),)
    return tuple(shape if isinstance(shape, str) else "x".join(map(str, shape)) for shape in input)


def _space(space: Any, folder: Path, shapes: tuple[str, ...]) -> tuple[str, Any]:
    """The text of a space for the record, and the space itself where the text does not make it."""
    from cg_evolve.callable_space import CallableSpace
    from cg_ir import Graph

    if isinstance(space, str):
        is_file = space.endswith((".cg.json", ".cg.json.gz", ".onnx"))
        return (f"graph?file={space}", None) if is_file else (space, None)
    if hasattr(space, "sample") and hasattr(space, "graph"):
        return f"<{getattr(space, 'name', type(space).__name__)}>", space
    if isinstance(space, Graph):
        return _around(space, folder), None
    if _is_module(space):
        return _around(_traced(space, shapes), folder), None
    if callable(space):
        made = CallableSpace(space, shapes)
        return made.name, made
    raise SearchError(
        f"a space is a network, a function that makes networks, a search space or its text, not {type(space).__name__}"
    )


def _is_callable_space(text: str, made: Any) -> bool:
    from cg_evolve.callable_space import CallableSpace, names_callable

    return isinstance(made, CallableSpace) or (made is None and names_callable(text))


def _is_module(space: Any) -> bool:
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(space, torch.nn.Module)


def _traced(module: Any, shapes: tuple[str, ...]) -> Any:
    """The graph of a module.

    Raises:
        SearchError: no installed package reads it.
    """
    from cg_ir import registry

    for entry in registry().entries("frontend").values():
        frontend = entry.make()
        if frontend.accepts(module):
            return frontend.convert(module, **({"input": shapes} if shapes else {}))
    raise SearchError("no installed package reads PyTorch modules: pip install 'cg-frontends[torch]'")


def _around(graph: Any, folder: Path) -> str:
    """The space around a network, which is kept in the run's folder."""
    from cg_evolve.inputs import COPIES

    path = folder / COPIES / f"start-{graph.hash.partition(':')[2][:12]}.cg.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        graph.save(path)
    return f"graph?file={path}"


def _evaluator(
    evaluator: Any, space: Any, space_text: str, shapes: tuple[str, ...], elsewhere: bool
) -> tuple[str, Any]:
    """The text of an evaluator for the record, and the evaluator itself where the text does not make it.

    Args:
        evaluator, space, space_text, shapes: as they are.
        elsewhere: whether other processes evaluate, which load it by its text.
    """
    from cg_evolve.callable_space import CallableSpace, names_callable, shared_space
    from cg_evolve.evaluators.function import FunctionEvaluator
    from cg_evolve.python_code import place_of

    if isinstance(evaluator, str):
        return evaluator, None
    if hasattr(evaluator, "evaluate"):
        return f"<{getattr(evaluator, 'name', type(evaluator).__name__)}>", evaluator
    if not callable(evaluator):
        raise SearchError(f"an evaluator is a function, an evaluator or its text, not {type(evaluator).__name__}")
    text = place_of(evaluator)
    if elsewhere:
        if text.startswith("<"):
            raise SearchError(
                f"workers load the function {text} from its file, and it is in none: define it at the top level of a file"
            )
        return text, None
    if space is None and names_callable(space_text):
        space = shared_space(space_text, shapes)
    return text, FunctionEvaluator(evaluator, space if isinstance(space, CallableSpace) else None)
