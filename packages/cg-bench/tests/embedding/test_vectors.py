"""Vectors that stand in for the learned embedding."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from cg_bench.embedding.vectors import Noise, Unweighted, embedding_from
from cg_predict import Predictor
from cg_predict.context import Context, Encodings
from cg_predict.features import path_vectors
from cg_predict.metrics import spearman


def test_noise_is_the_graphs_own_and_says_nothing(family):
    graphs, labels = family
    x = Noise(300, seed=1).encode(graphs)
    np.testing.assert_array_equal(Noise(300, seed=1).encode(graphs[5:7]), x[5:7])
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1, abs=0.02)
    assert not np.allclose(x, Noise(300, seed=2).encode(graphs))
    correlations = [spearman(column, labels) for column in x.T]
    assert np.std(correlations) == pytest.approx(1 / np.sqrt(len(graphs)), rel=0.2)


def test_predictors_read_the_vectors_that_stand_in(family):
    graphs, labels = family
    before = path_vectors()
    with embedding_from(Noise(7)):
        predictor = Predictor(use_prior=False, warn=False).fit(graphs[:20], labels[:20])
        assert path_vectors().encode(graphs[:3]).shape == (3, 7)
        with_noise = predictor.predict(graphs, pool=graphs)
    assert path_vectors() is before
    assert not np.allclose(
        with_noise, Predictor(use_prior=False, warn=False).fit(graphs[:20], labels[:20]).predict(graphs, pool=graphs)
    )


def test_columns_are_weighted_for_the_shipped_encoder_alone(family):
    graphs, _ = family
    shipped = path_vectors().encoder

    def weighted() -> bool:
        context = Context(Encodings.of(graphs, True), Predictor(warn=False).knowledge, pooled=True)
        return context._features[3] is not None

    assert weighted()
    for encoder, expected in (
        (Unweighted(shipped), False),
        (Noise(len(shipped), 0, shipped.weights), True),
        (Noise(len(shipped)), False),
    ):
        with embedding_from(encoder):
            assert weighted() == expected


def test_unweighted_vectors_are_the_encoders_own(family):
    shipped = path_vectors().encoder
    plain = Unweighted(shipped)
    assert len(plain) == len(shipped)
    np.testing.assert_array_equal(plain.encode(family[0][:4]), shipped.encode(family[0][:4]))


def test_graphs_that_are_equal_have_equal_noise(family):
    graph = family[0][0]
    x = Noise(5).encode([graph, graph.renamed("other"), family[0][1]])
    assert x.dtype == np.float32
    assert x[0].tolist() == x[1].tolist() != x[2].tolist()
    assert Noise(5).encode([]).shape == (0, 5)


def test_the_shipped_vectors_come_back_also_after_an_error():
    before = path_vectors()
    with contextlib.suppress(RuntimeError), embedding_from(Noise(7)):
        assert path_vectors() is not before
        raise RuntimeError
    assert path_vectors() is before
