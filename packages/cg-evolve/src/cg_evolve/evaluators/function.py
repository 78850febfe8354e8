"""A function of the user's own that trains and measures a network."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cg_evolve.callable_space import CallableSpace
from cg_evolve.errors import SearchError
from cg_evolve.metrics import checked_metrics
from cg_evolve.python_code import load_callable, seeded
from cg_evolve.steps import Enough, Progress
from cg_ir import to_module
from cg_ir.calls import arguments_of, value_of
from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["FunctionEvaluator", "best_device"]

#: Arguments that a function is given where it names them.
NAMES = ("graph", "arch", "seed", "device", "budget", "start", "checkpoint", "report")
#: Name of the metric of a function that returns one number.
VALUE = "accuracy"


class FunctionEvaluator:
    """Calls ``function(model, ...)`` with the runnable network, from the seed of the evaluation.

    The function returns a number (higher is better), metrics by name of which the first is the main one, or yields such values after each step of
    its training, the last of which is the result; instead of yielding it may call ``report(step, value)``. Where it names them, it is also given ``graph``,
    ``arch``, ``seed``, ``device``, ``budget`` (the steps of a whole training), ``start`` (steps done already) and ``checkpoint``, a folder: what is
    in it when a step is reported is there when the training goes on.

    Args:
        target: the function, or its text ``file.py:function`` or ``module.path:function``; ``?epochs=3`` after it are further arguments.
        space: that is searched; where a callable makes its networks, the function gets what that callable returns.
        budget: steps of a whole training, where it is divided into steps.
    """

    name = "function"

    def __init__(self, target: str | Callable[..., Any], space: Any = None, budget: int | None = None) -> None:
        self._options: dict[str, Any] = {}
        if isinstance(target, str):
            base, texts = arguments_of(target)
            self._function = load_callable(base)
            self._options = {name: value_of(text) for name, text in texts.items()}
            self._text = target
        else:
            self._function, self._text = target, getattr(target, "__name__", type(target).__name__)
        self._space, self._budget = space, budget
        self._names = self._parameters()
        self._module = next((name for name in self._names if name not in NAMES and name not in self._options), None)
        if self._module is not None:
            _need_torch()

    def _parameters(self) -> list[str]:
        parameters = inspect.signature(self._function).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        unknown = [name for name in self._options if name not in parameters and not anything]
        if unknown:
            raise SearchError(f"{self._text}: the function has no argument '{unknown[0]}'")
        if any(p.kind is p.POSITIONAL_ONLY for p in list(parameters.values())[1:]):
            raise SearchError(f"{self._text}: only the first argument of the function may be positional-only")
        self._first_is_nameless = any(p.kind is p.POSITIONAL_ONLY for p in parameters.values())
        return [n for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]

    @property
    def keeps_state(self) -> bool:
        """Whether the function writes the state of its training to ``checkpoint``."""
        return "checkpoint" in self._names

    def evaluate(self, arch: str, graph: Graph, seed: int, progress: Progress | None = None) -> dict[str, float]:
        """What the function measures.

        Raises:
            SearchError: it returns something else.
        """
        progress = Progress() if progress is None else progress
        progress.begin(self.keeps_state)
        if progress.done:
            return progress.curve[progress.start]
        last = None
        with seeded(seed):
            try:
                result = self._call(arch, graph, seed, progress)
                if isinstance(result, Iterator):
                    last = self._steps(result, progress)
                elif result is not None:
                    last = metrics_of(result)
            except Enough:
                pass
        if last is None and progress.curve:
            last = progress.curve[progress.start]
        return metrics_of(None) if last is None else last

    def _call(self, arch: str, graph: Graph, seed: int, progress: Progress) -> Any:
        def report(step: int, value: Any) -> None:
            progress.report(int(step), metrics_of(value))

        values: dict[str, Callable[[], Any]] = {
            "graph": lambda: graph,
            "arch": lambda: arch,
            "seed": lambda: seed,
            "device": best_device,
            "budget": lambda: self._budget,
            "start": lambda: progress.start,
            "checkpoint": lambda: None if progress.folder is None else progress.work,
            "report": lambda: report,
        }
        arguments = {name: values[name]() for name in self._names if name in values and name not in self._options}
        if self._module is None:
            return self._function(**arguments, **self._options)
        space = self._space
        network = space.module(arch) if isinstance(space, CallableSpace) else to_module(graph)
        if self._first_is_nameless:
            return self._function(network, **arguments, **self._options)
        return self._function(**{self._module: network}, **arguments, **self._options)

    def _steps(self, values: Iterator[Any], progress: Progress) -> dict[str, float] | None:
        """The last of the values that a training yields."""
        last = None
        try:
            for step, value in enumerate(values, progress.start + 1):
                last = metrics_of(value)
                progress.report(step, last)
        finally:
            close = getattr(values, "close", None)
            if close is not None:
                close()
        return last


def metrics_of(value: Any) -> dict[str, float]:
    """Metrics by name of what a function returns.

    Raises:
        SearchError: it is neither a number nor metrics by name.
    """
    if hasattr(value, "item") and not isinstance(value, Mapping):
        value = value.item()  # a tensor or an array of one element
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return {VALUE: float(value)}
    if isinstance(value, Mapping):
        return checked_metrics(value)
    raise SearchError(f"the function should return a number or metrics by name, not {value!r:.60}")


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-evolve", "torch", "training a network") from None


def best_device() -> str:
    """Where to train: the accelerator that is there, otherwise the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    backend: Any = getattr(torch.backends, "mps", None)
    return "mps" if backend is not None and backend.is_available() else "cpu"
