"""What decides a run, and whether a run in a folder is the one that is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cg_evolve
from cg_evolve.errors import SearchError
from cg_ir.files import write_text

__all__ = ["CHANGEABLE", "CONFIG", "Config", "agree", "read_inputs", "read_pool"]

CONFIG = "config.json"
#: What may change when a run goes on: none of these decides the history.
CHANGEABLE = ("budget", "retries", "give_up")


@dataclass(frozen=True)
class Config:
    """Everything that decides the history of a run, and its budget.

    Attributes:
        space: name of the space, with options.
        evaluator: its text, see :func:`cg_evolve.evaluators.make_evaluator`.
        budget: evaluations.
        pool: file of architectures, one a line, to which the search is restricted; where the evaluator is a table, its architectures are
            the pool.
        input: shapes of the inputs without the batch, where a callable makes the networks.
        steps: numbers of steps at which trainings are compared; the budget then counts whole trainings, of the last of these numbers.
        eta: one training in so many goes on.
        compare: metric by which trainings are compared before they end, such as ``train_loss:min``; the objective where the evaluator names none.
        retries: further tries of an evaluation that failed.
        give_up: failures of one kind, one after another, at which the run stops; 0 goes on whatever happens.
    """

    space: str
    evaluator: str
    budget: int
    algorithm: str = "auto"
    seed: int = 0
    exclude: tuple[str, ...] = ()
    scorer: str = "predictor"
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pool: str | None = None
    q: int = 4
    input: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    eta: int = 3
    compare: str = ""
    retries: int = 1
    give_up: int = 5

    def __post_init__(self) -> None:
        for name in ("exclude", "objectives", "constraints", "input", "steps"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if self.budget < 1:
            raise SearchError(f"a budget should be at least 1 evaluation, not {self.budget}")
        for name in ("retries", "give_up"):
            if getattr(self, name) < 0:
                raise SearchError(f"{name} should not be negative, not {getattr(self, name)}")

    @classmethod
    def read(cls, path: Path) -> Config:
        """The configuration of a run.

        Raises:
            SearchError: it is missing or not one.
        """
        document = _document(path)
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items() if k in known}
        try:
            for name, value in values.items():
                _check(name, value)
            return cls(**values)
        except TypeError as error:
            raise SearchError(f"{path}: is no readable run configuration: {error}") from None

    def write(self, path: Path, inputs: Mapping[str, str]) -> None:
        """Write, with the digests of the files that the run begins with; the file appears whole or not at all."""
        document = {"cg_evolve": cg_evolve.__version__, **asdict(self), "inputs": dict(inputs)}
        write_text(path, json.dumps(document, indent=2) + "\n")


def _check(name: str, value: Any) -> None:
    """See to it that a setting that was read is of its type.

    Raises:
        TypeError: it is of another.
    """
    if name in ("budget", "seed", "q", "eta", "retries", "give_up"):
        fits = type(value) is int and abs(value) < 2**63
    elif name == "steps":
        fits = type(value) is tuple and all(type(part) is int for part in value)
    elif name in ("exclude", "objectives", "constraints", "input"):
        fits = type(value) is tuple and all(type(part) is str for part in value)
    else:
        fits = type(value) is str or (name == "pool" and value is None)
    if not fits:
        raise TypeError(f"{name} should not be {type(value).__name__}, or not hold what it holds")


def read_inputs(path: Path) -> dict[str, str]:
    """Digests of the files that a run began with, by name."""
    inputs = _document(path).get("inputs", {})
    if not isinstance(inputs, dict):
        raise SearchError(f"{path}: is no readable run configuration: 'inputs' should be an object")
    return {str(name): str(digest) for name, digest in inputs.items()}


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("it should be an object")
    except (OSError, ValueError, RecursionError) as error:
        raise SearchError(f"{path}: is no readable run configuration: {error}") from None
    return document


def agree(there: Config, given: Config | None, folder: Path) -> Config:
    """The configuration to go on with: budget and patience may change, whatever decides the history may not.

    Raises:
        SearchError: something else differs.
    """
    if given is None:
        return there
    old, new = asdict(there), asdict(given)
    for name in old:
        if name not in CHANGEABLE and old[name] != new[name]:
            raise SearchError(f"{folder}: the run there has {name} {old[name]!r}, not {new[name]!r}")
    return given


def read_pool(path: str) -> list[str]:
    """Architectures from a text file, one a line; empty lines do not count.

    Raises:
        SearchError: the file cannot be read or lists none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SearchError(f"{path}: cannot be read as a list of architectures: {error}") from None
    archs = [line.strip() for line in lines if line.strip()]
    if not archs:
        raise SearchError(f"{path}: lists no architecture")
    return archs
