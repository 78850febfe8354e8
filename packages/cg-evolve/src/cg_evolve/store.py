"""The SQLite history of a run.

Write-ahead logging and one short transaction a change: whatever the moment at which a process is killed, the file holds every evaluation whose result
was written. Workers on this machine write their own successes, so that a result does not depend on the main process living on.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_evolve.history import DONE, FAILED, PENDING, Candidate, Evaluation
from cg_ir import CgError, from_json

if TYPE_CHECKING:
    from cg_evolve.jobs import Outcome
    from cg_ir.graph import Graph

__all__ = ["SCHEMA_VERSION", "Store", "record_result"]

SCHEMA_VERSION = 2
_LARGEST = 2**28  # bytes of a graph document
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
  session TEXT,
  step INTEGER,                -- at which the training stops; none where it is not divided into steps
  network BLOB                 -- the graph document, compressed (gzip)
)"""
#: Columns that came later, with the version of the history that brought them.
_ADDED = {2: ("step INTEGER", "network BLOB")}


def _connect(path: str | Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        connection.close()
        # SQLite quotes the damaged schema in its message, which is no text then; Python 3.10 leaves it out
        if isinstance(error, UnicodeDecodeError) or not str(error):
            raise sqlite3.DatabaseError("its schema is damaged") from None
        raise
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that leaves no trace: without a write-ahead log nobody writes, and with one its index is there already."""
    live = path.with_name(path.name + "-wal").exists()
    place = f"{path.resolve().as_uri()}?{'mode=ro' if live else 'immutable=1'}"
    # closed with what was read, by whatever thread collects that
    return sqlite3.connect(place, uri=True, timeout=60, isolation_level=None, check_same_thread=False)


def _packed(graph: Graph) -> bytes:
    """A graph document, compressed; the same network gives the same bytes."""
    return gzip.compress(graph.to_json().encode(), 6, mtime=0)


def _unpacked(data: bytes) -> str:
    """What `_packed` made.

    Raises:
        ValueError: it is longer than a network's document.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        document = stream.read(_LARGEST + 1)
    if len(document) > _LARGEST:
        raise ValueError(f"its document has more than {_LARGEST} bytes")
    return document.decode()


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

    Args:
        path: the file.
        create: whether it is made if need be, and written; otherwise it is only read.

    Raises:
        SearchError: the file is no history, or of a newer version.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        if not create and not path.exists():
            raise SearchError(f"{path}: there is no history")
        self.path = path
        with ExitStack() as stack:
            try:
                self._connection = _connect(path) if create else _connect_to_read(path)
                stack.callback(self._connection.close)
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA_VERSION:
                    raise SearchError(
                        f"{path}: written by a newer cg-evolve (history version {version}); upgrade cg-evolve"
                    )
                if create:
                    self._bring_up(version)
            except sqlite3.DatabaseError as error:
                raise SearchError(f"{path}: is no history: {error}") from None
            stack.pop_all()  # it stays open

    def _bring_up(self, version: int) -> None:
        """Make the table, or give that of an older version what it lacks."""
        self._connection.execute(_SCHEMA)
        for newer, columns in _ADDED.items():
            if 0 < version < newer:
                for column in columns:
                    self._connection.execute(f"ALTER TABLE evaluations ADD COLUMN {column}")
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Changes that are written together or not at all.

        Raises:
            SearchError: they cannot be written: the disk is full, or the file damaged.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite takes some back by itself
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{self.path}: cannot be written: {error}") from None

    def propose(self, candidate: Candidate, session: str) -> None:
        """Write a new proposal."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO evaluations (id, arch, hash, status, seed, parents, origin, predicted_mean, predicted_std, proposed_at, session, "
                "network, step) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    candidate.id, candidate.arch, candidate.hash, candidate.seed, json.dumps(candidate.parents), candidate.origin,
                    candidate.mean, candidate.std, time.time(), session, _packed(candidate.graph), candidate.step,
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
        """What a worker has written for an evaluation, or nothing.

        Raises:
            SearchError: the file cannot be read.
        """
        try:
            row = self._connection.execute(
                "SELECT metrics FROM evaluations WHERE id=? AND status='done'", (number,)
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{self.path}: is damaged: {error}") from None
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
            columns += ", step" if self._has_steps() else ", NULL"
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
                    step,
                ) = row
                if number != len(result) or status not in (PENDING, DONE, FAILED):
                    raise ValueError(f"evaluation {number!r:.40}")
                _check_row(
                    number, (arch, digest, origin, error or ""), (value, cost, mean, std), (seed, attempts, step)
                )
                candidate = Candidate(number, arch, digest, seed, tuple(json.loads(parents)), origin, mean, std, step)
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

    def _has_steps(self) -> bool:
        """Whether the table has the columns of version 2."""
        return any(row[1] == "step" for row in self._connection.execute("PRAGMA table_info(evaluations)"))

    def network(self, number: int) -> Graph | None:
        """The network of an evaluation, or nothing where the history holds none.

        Raises:
            SearchError: it is no graph.
        """
        try:
            row = self._connection.execute("SELECT network FROM evaluations WHERE id=?", (number,)).fetchone()
        except sqlite3.OperationalError:  # of an older version
            return None
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{self.path}: is damaged: {error}") from None
        if row is None or row[0] is None:
            return None
        try:
            return from_json(_unpacked(row[0]))
        except (CgError, OSError, ValueError, TypeError, EOFError, MemoryError, zlib.error) as error:
            raise SearchError(f"{self.path}: the network of evaluation {number} is damaged: {error}") from None

    def again(self, session: str) -> int:
        """Make the failed evaluations pending again; how many there were."""
        with self._transaction() as connection:
            return connection.execute(
                "UPDATE evaluations SET status='pending', value=NULL, metrics=NULL, error=NULL, feasible=NULL, attempts=0, session=? "
                "WHERE status='failed'",
                (session,),
            ).rowcount

    def finish_times(self) -> list[float | None]:
        """When each evaluation ended, by proposal number: Unix times.

        Raises:
            SearchError: they cannot be read.
        """
        try:
            times = [row[0] for row in self._connection.execute("SELECT finished_at FROM evaluations ORDER BY id")]
        except sqlite3.DatabaseError as error:
            raise SearchError(f"{self.path}: is damaged: {error}") from None
        if not all(moment is None or type(moment) in (int, float) for moment in times):
            raise SearchError(f"{self.path}: is damaged: a time that is no number")
        return times


def _check_row(number: int, texts: Sequence[Any], reals: Sequence[Any], integers: Sequence[Any]) -> None:
    """See to it that the values of a row are of their types: SQLite stores any in any column.

    Raises:
        ValueError: one of them is not.
    """
    if not (
        all(type(text) is str for text in texts)
        and all(real is None or type(real) in (int, float) for real in reals)
        and all(integer is None or type(integer) is int for integer in integers)
    ):
        raise ValueError(f"evaluation {number}: a value is of another type")
