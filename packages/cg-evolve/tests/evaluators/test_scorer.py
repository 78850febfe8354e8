"""A scorer's score as the value of an architecture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_plugin import ToyScorer, ToySpace

from cg_evolve import SearchError
from cg_evolve.evaluators.scorer import ScorerEvaluator, load_scorer
from cg_ir import PluginError, registry
from cg_ir.plugins import hookimpl

GRAPH = ToySpace().graph("wwkkcc")


class Kept(ToyScorer):
    """Can be loaded: from a folder, whose name it remembers."""

    name = "kept"

    @classmethod
    def load(cls, directory: str) -> Kept:
        made = cls()
        made.folder = directory  # type: ignore[attr-defined]
        return made


class Plugin:
    @hookimpl
    def cg_scorers(self) -> list[type]:
        return [Kept]


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    plugin = Plugin()
    registry().register(plugin, "kept")
    (tmp_path / "config.json").write_text(json.dumps({"scorer": "kept"}))
    yield tmp_path
    registry().unregister(plugin)


def test_a_registered_scorer_scores() -> None:
    evaluator = ScorerEvaluator("toy-gp")
    assert evaluator.evaluate("wwkkcc", GRAPH, 0) == {"score": float(ToyScorer().predict([GRAPH])[0])}


def test_a_saved_one_is_loaded_by_what_its_folder_names(model: Path) -> None:
    assert load_scorer(model).folder == str(model)
    assert ScorerEvaluator(str(model)).evaluate("wwkkcc", GRAPH, 0) == ScorerEvaluator("toy-gp").evaluate("", GRAPH, 0)


@pytest.mark.parametrize("text", [None, "", "[]", "{", "3"])
def test_a_folder_that_names_none_is_no_model(model: Path, text: str | None) -> None:
    (model / "config.json").unlink()
    if text is not None:
        (model / "config.json").write_text(text)
    with pytest.raises(SearchError, match=r"is no saved scorer \(no readable config\.json\)$"):
        load_scorer(model)


def test_one_that_cannot_be_loaded_or_is_not_installed_is_named(model: Path) -> None:
    (model / "config.json").write_text('{"scorer": "toy-gp"}')
    with pytest.raises(SearchError, match="the scorer 'toy-gp' cannot be loaded"):
        load_scorer(model)
    (model / "config.json").write_text('{"scorer": "absent"}')
    with pytest.raises(PluginError, match="no scorer is called 'absent'"):
        load_scorer(model)
