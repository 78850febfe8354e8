"""The predictor inside scikit-learn's own tools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from cg_ir import Graph, from_json
from cg_predict import Predictor


def read(documents: list[str]) -> list[Graph]:
    return [from_json(document) for document in documents]


@pytest.fixture(scope="module")
def costs(family):
    """Graphs with labels that their costs determine."""
    graphs = family[0][:45]
    return graphs, np.log([graph.macs + 1.0 for graph in graphs])


def test_cross_validation_scores_each_fold_by_its_spearman_correlation(costs):
    graphs, y = costs
    predictor, folds = Predictor(use_prior=False, warn=False), KFold(3)
    found = cross_val_score(predictor, graphs, y, cv=folds)
    expected = []
    for train, test in folds.split(graphs):
        fitted = Predictor(use_prior=False, warn=False).fit([graphs[i] for i in train], y[train])
        expected.append(fitted.score([graphs[i] for i in test], y[test]))
    np.testing.assert_allclose(found, expected)
    assert found.min() > 0.6


def test_a_pipeline_from_documents_to_scores(costs):
    graphs, y = costs
    documents = [graph.to_json() for graph in graphs]
    pipeline = make_pipeline(FunctionTransformer(read), Predictor(use_prior=False, warn=False))
    pipeline.fit(documents[:30], y[:30])
    direct = Predictor(use_prior=False, warn=False).fit(graphs[:30], y[:30])
    np.testing.assert_allclose(pipeline.predict(documents[30:]), direct.predict(graphs[30:]))
    assert pipeline.score(documents[30:], y[30:]) == pytest.approx(direct.score(graphs[30:], y[30:]))


def test_a_grid_search_sets_its_parameters(costs):
    graphs, y = costs
    search = GridSearchCV(Predictor(use_prior=False, warn=False), {"embedding": [True, False]}, cv=2)
    search.fit(graphs, y)
    assert set(search.best_params_) == {"embedding"}
    assert search.best_estimator_.embedding is search.best_params_["embedding"]
