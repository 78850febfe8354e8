"""A training that is watched: what it has reached after each step, where it stops, and what it goes on from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Enough", "Progress"]

_VALUES = "values.json"


class Enough(BaseException):
    """Ends a training that has reached the step at which it was to stop; no error, so that user code does not catch it by chance."""


@dataclass
class Progress:
    """The steps of one training.

    A step is whatever the training says one is, such as an epoch; the first is 1. With a folder the state of a training outlives its process: what the training
    writes to ``work`` before it reports a step belongs to that step. A step is finished when ``work`` and its values have become ``step-N``, which happens
    at once or not at all, so that a process may be killed at any moment.

    Args:
        stop: step at which to stop; none trains to the end.
        folder: of this training's states.
    """

    stop: int | None = None
    folder: Path | None = None
    curve: dict[int, dict[str, float]] = field(default_factory=dict)

    def begin(self, keeps_state: bool) -> None:
        """Take up the latest finished step, where the training keeps its state.

        Args:
            keeps_state: whether the training writes its state; otherwise it begins anew.
        """
        self.curve = {}
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)
        latest = self._latest() if keeps_state else None
        if latest is None:
            self.work.mkdir()
            return
        self.curve = {int(k): v for k, v in json.loads((latest / _VALUES).read_text(encoding="ascii")).items()}
        shutil.copytree(latest, self.work)

    @property
    def work(self) -> Path:
        """Where the training keeps its state."""
        assert self.folder is not None
        return self.folder / "work"

    @property
    def start(self) -> int:
        """Steps that are done already."""
        return max(self.curve, default=0)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stop is not None and self.start >= self.stop

    def _latest(self) -> Path | None:
        assert self.folder is not None
        steps = {int(p.name[5:]): p for p in self.folder.glob("step-*") if p.name[5:].isdigit()}
        return steps[max(steps)] if steps else None

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note that a step is finished.

        Raises:
            Enough: it is the one to stop at.
        """
        self.curve[step] = dict(metrics)
        if self.folder is not None:
            (self.work / _VALUES).write_text(json.dumps(self.curve), encoding="ascii")
            before = self._latest()
            after = self.folder / f"step-{step}"
            shutil.rmtree(after, ignore_errors=True)
            os.rename(self.work, after)
            if before is not None and before != after:
                shutil.rmtree(before, ignore_errors=True)
            shutil.copytree(after, self.work)
        if self.done:
            raise Enough
