"""What listens to runs: a log of JSON lines, TensorBoard."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_ir.errors import MissingExtra
from cg_ir.plugin_registry import get_listener

if TYPE_CHECKING:
    from cg_evolve.history import Evaluation
    from cg_evolve.runs import Run
    from cg_ir.plugins import RunListener

__all__ = ["JsonLines", "Listeners", "TensorBoard"]


class JsonLines:
    """One JSON document a line and event, appended to a file.

    Args:
        target: the file.
    """

    name = "jsonl"

    def __init__(self, target: str) -> None:
        try:
            self._file = open(target, "a", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise SearchError(f"{target}: cannot be written: {error.strerror}") from None

    def event(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Write a line at once."""
        self._file.write(json.dumps({"event": kind, "time": time.time(), **facts}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard:
    """Metrics of each evaluation and the best value so far as scalars over the number of the evaluation.

    Args:
        target: folder of the log.
    """

    name = "tensorboard"

    def __init__(self, target: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("cg-evolve", "tensorboard", "a log for TensorBoard") from None
        self._writer = SummaryWriter(target)

    def event(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Write the scalars of an evaluation, or the configuration as text."""
        if kind == "begin":
            self._writer.add_text("config", json.dumps(facts["config"], indent=2))
        if kind != "evaluation":
            return
        for name, value in facts["metrics"].items():
            if value is not None:
                self._writer.add_scalar(f"evaluation/{name}", value, facts["id"])
        if facts["best"] is not None:
            self._writer.add_scalar("best", facts["best"], facts["id"])

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class Listeners:
    """Tells all listeners of a run what happens.

    Args:
        texts: ``NAME:TARGET`` of each, such as ``jsonl:events.jsonl``.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._listeners: list[RunListener] = []
        for text in texts:
            name, colon, target = text.partition(":")
            if not colon or not target:
                raise SearchError(f"a log looks like jsonl:events.jsonl or tensorboard:FOLDER, not '{text}'")
            self._listeners.append(get_listener(name, target=target))

    @contextmanager
    def of(self, run: Run) -> Iterator[Listeners]:
        """Within it the run goes on: begins and ends with the events of that name."""
        self._tell("begin", {"directory": str(Path(run.directory).resolve()), "config": asdict(run.config)})
        try:
            yield self
        finally:
            rows = run.search.history.finished()
            best = None if run.search.best is None else run.search.best.value
            failed = sum(row.status == "failed" for row in rows)
            self._tell("end", {"evaluations": len(rows), "failed": failed, "best": best})
            for listener in self._listeners:
                listener.close()

    def evaluated(self, row: Evaluation, best: float | None) -> None:
        """An evaluation has ended."""
        metrics = {name: value if math.isfinite(value) else None for name, value in row.metrics.items()}
        self._tell(
            "evaluation",
            {
                "id": row.id,
                "arch": row.arch,
                "status": row.status,
                "value": row.value,
                "metrics": metrics,
                "error": row.error,
                "cost": row.cost,
                "step": row.candidate.step,
                "best": best,
            },
        )

    def _tell(self, kind: str, facts: Mapping[str, Any]) -> None:
        for listener in self._listeners:
            listener.event(kind, facts)
