"""What listens to runs: a log of JSON lines, TensorBoard, MLflow."""

from __future__ import annotations

import json
import math
import os
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

__all__ = ["JsonLines", "Listeners", "MLflow", "TensorBoard"]


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


class MLflow:
    """A run of MLflow: settings as parameters, metrics of each evaluation and the best value so far over the number of the evaluation.

    A search that is resumed goes on in the MLflow run that its folder had there. Nothing of MLflow's global state is touched.

    Args:
        target: folder of a file store, or the address of another store: ``sqlite:///mlflow.db``, ``http://host:5000``. The experiment is called ``cg``.
    """

    name = "mlflow"
    _EXPERIMENT, _FOLDER = "cg", "cg.directory"

    def __init__(self, target: str) -> None:
        is_address = ":/" in target
        if not is_address:  # a file store, which MLflow opens only when asked to
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError:
            raise SearchError("a log for MLflow needs it: pip install mlflow") from None
        self._run = ""
        try:
            self._client = MlflowClient(tracking_uri=target if is_address else Path(target).resolve().as_uri())
            found = self._client.get_experiment_by_name(self._EXPERIMENT)
            self._experiment = (
                self._client.create_experiment(self._EXPERIMENT) if found is None else found.experiment_id
            )
        except (MlflowException, OSError) as error:
            raise SearchError(f"{target}: MLflow cannot write there: {str(error)[:200]}") from None

    def event(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Begin or go on with the run, log an evaluation, or end the run: as failed where nothing succeeded."""
        if kind == "begin":
            self._begin(facts)
        elif kind == "evaluation":
            numbers = {f"evaluation/{name}": value for name, value in facts["metrics"].items()}
            for name, value in {**numbers, "best": facts["best"]}.items():
                if value is not None:
                    self._client.log_metric(self._run, name, value, step=facts["id"])
            if facts["error"]:
                self._client.set_tag(self._run, f"error.{facts['id']}", facts["error"])
        elif kind == "end":
            self._client.set_terminated(self._run, "FAILED" if facts["best"] is None else "FINISHED")

    def _begin(self, facts: Mapping[str, Any]) -> None:
        folder = facts["directory"]
        runs = self._client.search_runs([self._experiment], f"tags.`{self._FOLDER}` = '{folder}'", max_results=1)
        if runs:
            self._run = runs[0].info.run_id
            self._client.update_run(self._run, "RUNNING")
            return
        made = self._client.create_run(self._experiment, tags={self._FOLDER: folder}, run_name=Path(folder).name)
        self._run = made.info.run_id
        for name, value in facts["config"].items():
            self._client.log_param(self._run, name, json.dumps(value))

    def close(self) -> None:
        """There is nothing left: every event has been written."""


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
                raise SearchError(
                    f"a log looks like jsonl:events.jsonl, tensorboard:FOLDER or mlflow:FOLDER, not '{text}'"
                )
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
