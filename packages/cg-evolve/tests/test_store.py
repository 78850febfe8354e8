"""The SQLite history of a run."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_plugin import ToySpace

from cg_evolve import SearchError
from cg_evolve.history import DONE, FAILED, PENDING, Candidate, Evaluation
from cg_evolve.jobs import Outcome
from cg_evolve.store import SCHEMA_VERSION, Store, record_result

ARCHS = ("cckkpp", "wwkkpp", "pppppp")


def candidate(number: int) -> Candidate:
    graph = ToySpace().graph(ARCHS[number])
    parents = (0,) if number else ()
    return Candidate(number, ARCHS[number], graph.hash, 7 + number, parents, "mutation", 0.25, 0.5, 3, ToySpace().graph)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "history.sqlite")
    for number in range(3):
        made.propose(candidate(number), "first")
    yield made
    made.close()


def query(store: Store, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        found = connection.execute(sql).fetchall()
        connection.commit()
        return found
    finally:
        connection.close()


def test_proposals_read_back(store: Store) -> None:
    rows = store.rows()
    assert [row.candidate for row in rows] == [candidate(number) for number in range(3)]
    assert [row.status for row in rows] == [PENDING] * 3
    assert [(row.metrics, row.cost, row.error, row.attempts, row.value, row.feasible) for row in rows] == [
        ({}, 0.0, "", 0, None, True)
    ] * 3


def test_a_result_reads_back_as_it_was_understood(store: Store) -> None:
    done = Evaluation(candidate(0), DONE, {"worth": 0.5, "loss": 2.0}, (0.5,), False, value=0.5)
    store.finish(Outcome(0, done.metrics, cost=1.5, started=10.0, finished=11.5, attempt=2), done)
    failed = Evaluation(candidate(1), FAILED, error="no memory")
    store.finish(Outcome(1, None, "no memory", cost=0.5, started=11.0, finished=11.5, attempt=1), failed)
    first, second, third = store.rows()
    assert (first.status, dict(first.metrics), first.value, first.cost, first.attempts, first.feasible) == (
        DONE, {"worth": 0.5, "loss": 2.0}, 0.5, 1.5, 2, False,
    )  # fmt: skip
    assert (second.status, second.error, dict(second.metrics), second.value) == (FAILED, "no memory", {}, None)
    assert third.status == PENDING
    assert store.finish_times() == [11.5, 11.5, None]


def test_metrics_keep_order_and_what_is_no_number(store: Store) -> None:
    record_result(str(store.path), Outcome(0, {"b": math.nan, "a": -math.inf, "c": 1.0}, attempt=1), "first")
    found = store.metrics(0)
    assert found is not None
    assert list(found) == ["b", "a", "c"]
    assert math.isnan(found["b"])
    assert (found["a"], found["c"]) == (-math.inf, 1.0)
    assert store.metrics(1) is None


def test_a_worker_writes_for_its_own_session_and_once(store: Store) -> None:
    path = str(store.path)
    record_result(path, Outcome(0, {"worth": 1.0}), "another")
    assert store.metrics(0) is None
    record_result(path, Outcome(0, {"worth": 1.0}), "first")
    record_result(path, Outcome(0, {"worth": 2.0}), "first")
    assert store.metrics(0) == {"worth": 1.0}
    store.claim("second")
    record_result(path, Outcome(1, {"worth": 3.0}), "first")
    assert store.metrics(1) is None
    record_result(path, Outcome(1, {"worth": 3.0}), "second")
    assert store.metrics(1) == {"worth": 3.0}


def test_a_result_that_nobody_read_is_completed(store: Store) -> None:
    record_result(str(store.path), Outcome(0, {"worth": 1.0}, started=1.0, finished=2.0), "first")
    assert store.rows()[0].value is None
    store.complete(Evaluation(candidate(0), DONE, {"worth": 1.0}, (1.0,), False, value=1.0))
    (row,) = (row for row in store.rows() if row.id == 0)
    assert (row.status, row.value, row.feasible) == (DONE, 1.0, False)
    assert store.finish_times()[0] == 2.0


def test_a_result_that_was_refused_is_completed_with_its_reason(store: Store) -> None:
    record_result(str(store.path), Outcome(0, {"worth": 1.0}), "first")
    store.complete(Evaluation(candidate(0), FAILED, {"worth": 1.0}, error="another seed gave another value"))
    store.complete(Evaluation(candidate(1), FAILED, error=""))
    first, second, _ = store.rows()
    assert (first.status, first.error, dict(first.metrics)) == (
        FAILED,
        "another seed gave another value",
        {"worth": 1.0},
    )
    assert (second.status, second.error, dict(second.metrics)) == (FAILED, "", {})
    assert query(store, "SELECT error FROM evaluations WHERE id=1") == [(None,)]


def test_failed_evaluations_are_tried_again(store: Store) -> None:
    for number in (0, 1):
        row = Evaluation(candidate(number), FAILED, error="no memory", attempts=3)
        store.finish(Outcome(number, None, "no memory", attempt=3), row)
    assert store.again("second") == 2
    assert [(row.status, row.error, row.attempts) for row in store.rows()] == [(PENDING, "", 0)] * 3
    record_result(str(store.path), Outcome(0, {"worth": 1.0}), "second")
    assert store.metrics(0) == {"worth": 1.0}
    assert store.again("second") == 0


def test_networks_are_kept(store: Store) -> None:
    for number in range(3):
        network = store.network(number)
        assert network is not None
        assert network.hash == candidate(number).hash
    assert store.network(3) is None
    query(store, "UPDATE evaluations SET network=NULL WHERE id=1")
    assert store.network(1) is None


def test_a_network_that_is_too_long_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(candidate(0).graph.to_json().encode())
    monkeypatch.setattr("cg_evolve.store._LARGEST", length)
    assert store.network(0) is not None
    monkeypatch.setattr("cg_evolve.store._LARGEST", length // 2)
    with pytest.raises(SearchError, match=f"more than {length // 2} bytes"):
        store.network(0)


@pytest.mark.parametrize("damage", ["x'00'", "'text'", "zeroblob(64)", "12"])
def test_a_damaged_network_is_named(store: Store, damage: str) -> None:
    query(store, f"UPDATE evaluations SET network={damage} WHERE id=1")
    with pytest.raises(SearchError, match="the network of evaluation 1 is damaged"):
        store.network(1)


@pytest.mark.parametrize(
    "damage",
    [
        "id=7", "status='won'", "arch=x'00'", "hash=x'00'", "cost='much'", "attempts='two'", "seed=0.5", "value='good'", "metrics='{'",
        "metrics='[1]'", "parents='x'", "origin=x'00'", "error=x'00'", "step='three'",
    ],
)  # fmt: skip
def test_a_damaged_row_is_named(store: Store, damage: str) -> None:
    query(store, f"UPDATE evaluations SET {damage} WHERE id=1")
    with pytest.raises(SearchError, match="is damaged"):
        store.rows()


def test_a_damaged_schema_is_named(store: Store, tmp_path: Path) -> None:
    store.close()
    whole = store.path.read_bytes()
    begin = whole.index(b"CREATE TABLE evaluations")
    reasons = []
    for place in range(begin, begin + 60):
        (tmp_path / "damaged.sqlite").write_bytes(whole[:place] + b"\xc9" + whole[place + 1 :])
        try:
            Store(tmp_path / "damaged.sqlite").close()
        except SearchError as error:
            reasons.append(str(error))
    assert any("its schema is damaged" in reason for reason in reasons)


def test_a_damaged_time_is_named(store: Store) -> None:
    query(store, "UPDATE evaluations SET finished_at='noon' WHERE id=1")
    with pytest.raises(SearchError, match="a time that is no number"):
        store.finish_times()


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(SearchError, match="UNIQUE constraint failed"):
        store.propose(candidate(0), "first")
    assert len(store.rows()) == 3
    store.claim("second")  # and the next one begins


def test_a_history_is_read_without_a_trace(store: Store) -> None:
    store.close()
    before = {path: path.read_bytes() for path in store.path.parent.iterdir()}
    reader = Store(store.path, create=False)
    assert len(reader.rows()) == 3
    with pytest.raises(SearchError, match="readonly database"):
        reader.claim("second")
    reader.close()
    assert {path: path.read_bytes() for path in store.path.parent.iterdir()} == before


def test_what_is_missing_or_newer_or_no_history_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(SearchError, match="there is no history"):
        Store(tmp_path / "none.sqlite", create=False)
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(TypeError, match="positional"):
        Store(tmp_path / "none.sqlite", False)  # type: ignore[misc]
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(SearchError, match="is no history"):
        Store(tmp_path / "text.sqlite")
    query(store, f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    with pytest.raises(SearchError, match=f"history version {SCHEMA_VERSION + 1}"):
        Store(store.path)


def test_a_history_of_the_first_version_gets_what_it_lacks(store: Store) -> None:
    for column in ("step", "network"):
        query(store, f"ALTER TABLE evaluations DROP COLUMN {column}")
    query(store, "PRAGMA user_version=1")
    store.close()
    old = Store(store.path, create=False)
    assert [row.candidate.step for row in old.rows()] == [None] * 3
    assert old.network(0) is None
    old.close()
    new = Store(store.path)
    assert [row.candidate.step for row in new.rows()] == [None] * 3
    assert query(new, "PRAGMA user_version") == [(2,)]
    query(new, "DELETE FROM evaluations WHERE id=2")
    new.propose(candidate(2), "second")
    assert new.rows()[2].candidate == candidate(2)
    assert new.network(2) is not None
    new.close()


def test_a_damaged_file_is_named_wherever_it_is_read(store: Store) -> None:
    store.close()
    with store.path.open("r+b") as file:  # all but the first page, which holds the schema
        file.seek(4096)
        file.write(b"\xff" * (store.path.stat().st_size - 4096))
    reader = Store(store.path, create=False)
    for read in (reader.rows, reader.finish_times, lambda: reader.metrics(0), lambda: reader.network(0)):
        with pytest.raises(SearchError, match=r"history\.sqlite: is damaged: "):
            read()
    reader.close()
