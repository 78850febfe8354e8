"""What a search proposed: proposals, candidates, evaluations and their order."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from toy_plugin import ToySpace

from cg_evolve import Candidate, Evaluation, History
from cg_evolve.history import DONE, FAILED


def evaluation(number: int, digest: str, **options: object) -> Evaluation:
    return Evaluation(Candidate(number, f"a{number}", digest, 0), **options)  # type: ignore[arg-type]


def test_a_history_is_a_sequence_that_knows_its_networks() -> None:
    history = History()
    rows = [evaluation(0, "x"), evaluation(1, "y"), evaluation(2, "x")]
    for row in rows:
        history.append(row)
    assert len(history) == 3
    assert list(history) == rows == history[:]
    assert history[-1] is rows[2]
    assert [history.proposed(digest) for digest in "xyz"] == [True, True, False]
    with pytest.raises(AssertionError):
        history.append(evaluation(5, "z"))  # numbers leave no gap


def test_what_has_ended_is_finished_and_what_is_feasible_is_good() -> None:
    history = History()
    for row in (
        evaluation(0, "a"),
        evaluation(1, "b", status=DONE),
        evaluation(2, "c", status=FAILED),
        evaluation(3, "d", status=DONE, feasible=False),
    ):
        history.append(row)
    assert [row.id for row in history.finished()] == [1, 2, 3]
    assert [row.good for row in history] == [False, True, False, False]


def test_an_evaluation_shows_its_candidate() -> None:
    space = ToySpace()
    row = Evaluation(Candidate(4, "cckkpp", "h", 9, build=space.graph))
    assert (row.id, row.arch, row.hash) == (4, "cckkpp", "h")
    assert row.graph.hash == space.graph("cckkpp").hash


def test_candidates_are_equal_whatever_builds_them() -> None:
    assert Candidate(0, "a", "h", 1, build=ToySpace().graph) == Candidate(0, "a", "h", 1)
    assert Candidate(0, "a", "h", 1) != Candidate(0, "a", "h", 2)


def cells(candidate: Candidate) -> list[list[str | None]]:
    root = ElementTree.fromstring(f"<div>{candidate._repr_html_()}</div>")
    return [[cell.text for cell in line] for line in root.iter("tr")]


def test_notebooks_show_what_is_known_of_a_candidate() -> None:
    full = Candidate(7, "<a&b>", "h", 3, (1, 2), "crossover", 0.12345, 0.5, 9)
    assert cells(full) == [
        ["Candidate 7", None],
        ["architecture", "<a&b>"],
        ["from", "crossover #1 #2"],
        ["predicted", "0.123 ± 0.500"],
        ["seed", "3"],
        ["steps", "9"],
    ]
    assert cells(Candidate(0, "a", "h", 3, mean=1.0))[1:] == [
        ["architecture", "a"], ["predicted", "1.000"], ["seed", "3"],
    ]  # fmt: skip
