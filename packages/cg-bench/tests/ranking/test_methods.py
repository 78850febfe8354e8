"""The rankings that are compared: which labels they use, and that they use no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cg_bench.ranking.methods import Baseline, Chosen, Fitted, Forest, Registered, random_labels
from cg_ir import Graph, get_scorer
from cg_predict.metrics import spearman
from cg_predict.predictor import Predictor


@pytest.fixture(scope="module")
def some(family: tuple[list[Graph], np.ndarray]) -> tuple[list[Graph], np.ndarray]:
    return family[0][:60], family[1][:60]


def plain(seed: int = 0) -> Predictor:
    return Predictor(use_prior=False, embedding=False, neighbourhoods=False, warn=False, seed=seed)


def spoiled(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Other labels for the networks that are not chosen."""
    other = labels[::-1].copy()
    other[chosen] = labels[chosen]
    return other


def test_more_labels_hold_fewer_and_draws_differ() -> None:
    many, few = random_labels(100, 50, 3), random_labels(100, 10, 3)
    assert many[:10].tolist() == few.tolist()
    assert len(set(many.tolist())) == 50
    assert few.tolist() != random_labels(100, 10, 4).tolist()
    assert random_labels(5, 0, 0).tolist() == []


@pytest.mark.parametrize("method", [Forest(trees=20), Fitted("plain", plain())], ids=["forest", "process"])
def test_scores_depend_on_the_drawn_labels_alone(method: Any, some: tuple[list[Graph], np.ndarray]) -> None:
    graphs, labels = some
    outcome = method.run(graphs, labels, 30, 1)
    assert outcome.labelled.tolist() == random_labels(60, 30, 1).tolist()
    again = method.run(graphs, spoiled(labels, outcome.labelled), 30, 1)
    np.testing.assert_array_equal(outcome.score, again.score)
    rest = np.setdiff1d(np.arange(60), outcome.labelled)
    assert spearman(outcome.score[rest], labels[rest]) > 0.5


def test_a_predictor_forgets_the_draw_before(some: tuple[list[Graph], np.ndarray]) -> None:
    graphs, labels = some
    method, fresh = Fitted("p", plain()), Fitted("p", plain())
    method.run(graphs, labels, 30, 0)
    np.testing.assert_array_equal(method.run(graphs, labels, 10, 2).score, fresh.run(graphs, labels, 10, 2).score)
    assert len(method.run(graphs, labels, 0, 0).labelled) == 0
    assert method.predictor.get_params()["seed"] == 0


def test_a_forest_without_labels_says_nothing(some: tuple[list[Graph], np.ndarray]) -> None:
    assert not Forest().run(*some, 0, 0).score.any()


def test_chosen_labels_are_those_that_the_predictor_asks_for(some: tuple[list[Graph], np.ndarray]) -> None:
    graphs, labels = some
    method = Chosen("c", plain(), counts=(5, 8))
    few, many = (method.run(graphs, labels, count, 4).labelled.tolist() for count in (5, 8))
    assert many[:5] == few
    assert many == plain(4).suggest(graphs, 8)
    assert len(set(many)) == 8


def test_a_baseline_scores_a_sample_and_says_which(some: tuple[list[Graph], np.ndarray]) -> None:
    graphs, labels = some
    outcome = Baseline("macs", 20).run(graphs, labels, 0, 0)
    scored = np.flatnonzero(np.isfinite(outcome.score))
    assert len(scored) == 20
    np.testing.assert_allclose(outcome.score[scored], get_scorer("macs").predict([graphs[i] for i in scored]))
    assert len(outcome.labelled) == 0
    whole = Baseline("macs").run(graphs, labels, 0, 0)
    assert np.isfinite(whole.score).all()
    np.testing.assert_array_equal(whole.score[scored], outcome.score[scored])
    np.testing.assert_array_equal(Baseline("macs", 20).run(graphs, labels, 0, 9).score, outcome.score)


@pytest.mark.usefixtures("outsider")
def test_a_registered_scorer_learns_where_it_can(some: tuple[list[Graph], np.ndarray]) -> None:
    graphs, labels = some
    outcome = Registered("counting", "counts").run(graphs, labels, 30, 1)
    rest = np.setdiff1d(np.arange(60), outcome.labelled)
    assert spearman(outcome.score[rest], labels[rest]) > 0.9
    assert outcome.std is not None
    assert len(outcome.std) == 60
    unlearned = Registered("macs", "macs").run(
        graphs, labels, 30, 1
    )  # it learns nothing, and is judged on the same networks
    assert unlearned.labelled.tolist() == outcome.labelled.tolist()
    np.testing.assert_allclose(unlearned.score, get_scorer("macs").predict(graphs))
