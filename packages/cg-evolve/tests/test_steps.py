"""A training in steps: what is there after each, and what it goes on from."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cg_evolve.steps import Enough, Progress


def train(progress: Progress, last: int, keeps_state: bool = True) -> list[int]:
    """Train to `last` or where it is enough; the steps that were made."""
    made: list[int] = []
    progress.begin(keeps_state)
    if progress.done:
        return made
    try:
        for step in range(progress.start + 1, last + 1):
            if progress.folder is not None:
                (progress.work / "weights").write_text(f"after {step}")
            made.append(step)
            progress.report(step, {"loss": 1.0 / step})
    except Enough:
        pass
    return made


def test_a_training_goes_on_from_its_latest_step(tmp_path: Path) -> None:
    assert train(Progress(2, tmp_path), 9) == [1, 2]
    progress = Progress(5, tmp_path)
    assert train(progress, 9) == [3, 4, 5]
    assert progress.curve == {step: {"loss": 1.0 / step} for step in range(1, 6)}
    assert progress.done
    assert train(Progress(5, tmp_path), 9) == []
    assert (progress.work / "weights").read_text() == "after 5"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-5", "work"]  # earlier states are gone


def test_one_that_keeps_no_state_begins_anew(tmp_path: Path) -> None:
    assert train(Progress(2, tmp_path), 9, keeps_state=False) == [1, 2]
    assert train(Progress(3, tmp_path), 9, keeps_state=False) == [1, 2, 3]


def test_without_a_folder_or_a_stop_it_is_merely_noted() -> None:
    progress = Progress()
    assert train(progress, 3) == [1, 2, 3]
    assert not progress.done
    assert (progress.start, progress.curve[3]) == (3, {"loss": 1 / 3})


def test_what_was_not_reported_belongs_to_no_step(tmp_path: Path) -> None:
    """A process that was killed in the midst of step 3."""
    train(Progress(2, tmp_path), 9)
    begun = Progress(9, tmp_path)
    begun.begin(keeps_state=True)
    (begun.work / "weights").write_text("half of 3")
    again = Progress(9, tmp_path)
    again.begin(keeps_state=True)
    assert again.start == 2
    assert (again.work / "weights").read_text() == "after 2"


def test_the_later_of_two_states_counts(tmp_path: Path) -> None:
    """A process that was killed after step 10 became whole and before step 2 was removed; other names are nobody's."""
    for step in (2, 10):
        (tmp_path / f"step-{step}").mkdir()
        (tmp_path / f"step-{step}" / "values.json").write_text(json.dumps({step: {"loss": math.nan}}))
    (tmp_path / "step-old").mkdir()
    progress = Progress(None, tmp_path)
    progress.begin(keeps_state=True)
    assert progress.start == 10
    assert math.isnan(progress.curve[10]["loss"])


def test_user_code_does_not_catch_the_end_by_chance() -> None:
    assert not issubclass(Enough, Exception)
    progress = Progress(stop=1)
    with pytest.raises(Enough):
        progress.report(1, {"loss": 0.0})
