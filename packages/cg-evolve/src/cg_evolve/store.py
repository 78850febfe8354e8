"""The SQLite history of a run.

Write-ahead logging and one short transaction a change: whatever the moment at which a process is killed, the file holds every evaluation whose result
was written. Workers on this machine write their own successes, so that a result does not depend on the main process living on.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError
from cg_evolve.history import DONE, FAILED, PENDING, Candidate, Evaluation

if TYPE_CHECKING:
    from cg_evolve.jobs import Outcome

__all__ = ["SCHEMA_VERSION", "Store", "record_result"]

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS evaluations (
  id INTEGER PRIMARY KEY,      -- proposal number, from 0
  arch TEXT NOT NULL,
  hash TEXT NOT NULL,          -- of the graph
  status TEXT NOT NULL,        -- pending, done, failed
  value REAL,                  -- of the first objective
  metrics TEXT,                -- JSON object
  seed INTEGER NOT NULL,
  cost REAL,                   -- seconds of the last attempt
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  parents TEXT NOT NULL,       -- JSON list of proposal numbers
  origin TEXT NOT NULL,
  predicted_mean REAL,
  predicted_std REAL,
  feasible INTEGER,
  proposed_at REAL NOT NULL,   -- Unix times
  started_at REAL,
  finished_at REAL,
  session TEXT
)"""


def _connect(path: str | Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _dumps(metrics: Mapping[str, float]) -> str:
    """Metrics as JSON, in their order; what JSON has no number for is text: ``"nan"``, ``"inf"``, ``"-inf"``."""
    return json.dumps({k: (v if math.isfinite(v) else str(float(v))) for k, v in metrics.items()})


def _loads(text: str | None) -> dict[str, float]:
    """What `_dumps` wrote; every metric keeps its place, whatever its value: the first one is the main one."""
    return {str(k): math.nan if v is None else float(v) for k, v in json.loads(text or "{}").items()}


_RESULT = (
    "UPDATE evaluations SET status='done', metrics=?, cost=?, attempts=?, error=NULL, started_at=?, finished_at=? "
    "WHERE id=? AND status='pending' AND session=?"
)


def record_result(path: str, outcome: Outcome, session: str) -> None:
    """Write a success from a worker, unless the main process has given the evaluation to somebody else since."""
    assert outcome.metrics is not None
    with closing(_connect(path)) as connection:
        connection.execute(
            _RESULT,
            (
                _dumps(outcome.metrics), outcome.cost, outcome.attempt, outcome.started, outcome.finished, outcome.id, session,
            ),
        )  # fmt: skip


class Store:
    """The table ``evaluations`` of one run, opened for one process.

    Raises:
        SearchError: the file is no history, or of a newer version.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        if not create and not path.exists():
            raise SearchError(f"{path}: there is no history")
        try:
            self._connection = _connect(path)
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise SearchError(
                    f"{path}: written by a newer cg-evolve (history version {version}); upgrade cg-evolve"
                )
            self._connection.execute(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{path}: is no history: {error}") from None
        self.path = path

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def propose(self, candidate: Candidate, session: str) -> None:
        """Write a new proposal."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO evaluations (id, arch, hash, status, seed, parents, origin, predicted_mean, predicted_std, proposed_at, session) "
                "VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?)",
                (
                    candidate.id, candidate.arch, candidate.hash, candidate.seed, json.dumps(candidate.parents), candidate.origin,
                    candidate.mean, candidate.std, time.time(), session,
                ),
            )  # fmt: skip

    def claim(self, session: str) -> None:
        """Take over what an earlier main process left pending: its workers can no longer write."""
        with self._transaction() as connection:
            connection.execute("UPDATE evaluations SET session=? WHERE status='pending'", (session,))

    def finish(self, outcome: Outcome, evaluation: Evaluation) -> None:
        """Write how an evaluation ended, as the search understood it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE evaluations SET status=?, value=?, metrics=?, cost=?, attempts=?, error=?, feasible=?, started_at=?, finished_at=? "
                "WHERE id=?",
                (
                    evaluation.status, evaluation.value, _dumps(evaluation.metrics) if evaluation.metrics else None, outcome.cost,
                    outcome.attempt, evaluation.error or None, int(evaluation.feasible), outcome.started, outcome.finished, outcome.id,
                ),
            )  # fmt: skip

    def metrics(self, number: int) -> dict[str, float] | None:
        """What a worker has written for an evaluation, or nothing."""
        row = self._connection.execute(
            "SELECT metrics FROM evaluations WHERE id=? AND status='done'", (number,)
        ).fetchone()
        return None if row is None else _loads(row[0])

    def complete(self, evaluation: Evaluation) -> None:
        """Fill in value and feasibility of a result that a worker wrote while no main process was there to read it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE evaluations SET status=?, value=?, metrics=?, feasible=?, error=? WHERE id=?",
                (
                    evaluation.status, evaluation.value, _dumps(evaluation.metrics) if evaluation.metrics else None,
                    int(evaluation.feasible), evaluation.error or None, evaluation.id,
                ),
            )  # fmt: skip

    def rows(self) -> list[Evaluation]:
        """All evaluations by proposal number; utilities are not stored, ``Search.restore`` computes them."""
        result: list[Evaluation] = []
        columns = "id, arch, hash, status, value, metrics, seed, cost, attempts, error, parents, origin, predicted_mean, predicted_std, feasible"
        try:
            for row in self._connection.execute(f"SELECT {columns} FROM evaluations ORDER BY id"):
                (
                    number,
                    arch,
                    digest,
                    status,
                    value,
                    metrics,
                    seed,
                    cost,
                    attempts,
                    error,
                    parents,
                    origin,
                    mean,
                    std,
                    feasible,
                ) = row
                if number != len(result) or status not in (PENDING, DONE, FAILED):
                    raise ValueError(f"evaluation {number}")
                candidate = Candidate(number, arch, digest, seed, tuple(json.loads(parents)), origin, mean, std)
                result.append(
                    Evaluation(
                        candidate,
                        status,
                        _loads(metrics),
                        (),
                        feasible is None or bool(feasible),
                        cost or 0.0,
                        error or "",
                        attempts,
                        value,
                    )
                )
        except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
            raise SearchError(f"{self.path}: is damaged: {error}") from None
        return result

    def finish_times(self) -> list[float | None]:
        """When each evaluation ended, by proposal number: Unix times."""
        return [row[0] for row in self._connection.execute("SELECT finished_at FROM evaluations ORDER BY id")]
