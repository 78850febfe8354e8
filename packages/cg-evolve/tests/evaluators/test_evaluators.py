"""Evaluators by their texts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from toy_plugin import ToyEvaluator

from cg_evolve.evaluators import is_function, make_evaluator
from cg_ir import CgError, OptionError


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scorer", "needs a target, as in scorer:NAME"),
        ("train:", "needs a target, as in train:digits"),
        ("scorer:toy-pg", "did you mean 'toy-gp'"),
        ("benchmark:nowhere=x", "no benchmark is called 'nowhere'"),
        ("toy?speed=9", "does not take these options"),
        ("toy?speed", "should look like 'toy\\?key=value"),
    ],
)
def test_bad_evaluators_are_refused(spec: str, message: str) -> None:
    with pytest.raises(CgError, match=message):
        make_evaluator(spec, "toy")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "train:digits?epoch=3",
            "evaluator 'train' does not take these options: there is no 'epoch', did you mean 'epochs'?",
        ),
        (
            "benchmark:toy=x?log=1",
            "evaluator 'benchmark' does not take these options: there is no 'log', there are: metric",
        ),
        ("toy:x?paws=1", "evaluator 'toy' does not take these options: there is no 'paws', did you mean 'pause'?"),
    ],
)
def test_an_option_that_there_is_not_is_named_with_those_that_there_are(spec: str, message: str) -> None:
    with pytest.raises(OptionError) as told:
        make_evaluator(spec, "toy")
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("own.py:train", True), ("own.py:train?epochs=3", True), ("a/b.py:Net.train", True), ("os.path:join", True), ("json:loads", True),
        ("toy:target", False), ("benchmark:x.csv", False), ("bencmark:nb201=x", False), ("toy", False), ("", False), ("train:digits", False),
    ],
)  # fmt: skip
def test_a_function_is_told_from_an_evaluator_and_its_target(spec: str, expected: bool) -> None:
    assert is_function(spec) == expected


def test_a_function_of_the_running_script_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python cannot say where `__main__` is, and need not."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert is_function("__main__:train")


def test_the_name_of_a_plugins_evaluator_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.py").write_text("def train(model): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_function("toy:train")
    assert is_function(f"{tmp_path}/toy.py:train")


def test_a_plugins_evaluator_gets_its_target_and_options() -> None:
    for spec, pause in (("toy", 0.0), ("toy?pause=0.5", 0.5), ("toy:x?pause=2&log=y", 2.0)):
        made = make_evaluator(spec)
        assert isinstance(made, ToyEvaluator)
        assert made.pause == pause
    assert made.log == "y"
    made = make_evaluator("toy:x?target=other")  # its target is what stands behind the colon
    assert isinstance(made, ToyEvaluator)


def test_the_steps_of_a_training_are_its_epochs() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    for spec in ("train:digits", "train:digits?epochs=3"):
        assert make_evaluator(spec, steps=3).epochs == 3  # type: ignore[attr-defined]
    with pytest.raises(CgError, match=r"^the steps end at 3, the training at 4 epochs: leave out epochs=$"):
        make_evaluator("train:digits?epochs=4", steps=3)
