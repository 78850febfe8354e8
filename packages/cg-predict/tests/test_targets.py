"""What is refused as a label or a network."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from cg_ir.errors import CgError
from cg_predict import LatencyPredictor
from cg_predict.features import distinct
from cg_predict.targets import LabelError, check_graphs, check_labels, merge_duplicates, normal_scores


def test_a_column_of_labels_is_taken_as_labels():
    assert check_labels(np.array([[1.0], [2.0]]), 2).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("labels", [[1.0 + 2.0j, 1.0], np.ones(2, dtype=np.complex64)])
def test_complex_labels_are_refused(labels):
    with pytest.raises(LabelError, match="complex"):
        check_labels(labels, 2)


@pytest.mark.parametrize("networks", [["a"], "nb201", [None], 3])
def test_what_is_no_network_is_named(networks):
    with pytest.raises(CgError, match=r"graph.*not (the text|a )"):
        check_graphs(networks)


def test_predictors_refuse_what_is_no_network():
    with pytest.raises(CgError, match="network 0 should be a graph, not the text 'a'"):
        LatencyPredictor("rtx4090").fit(["a"], [1.0])
    with pytest.raises(CgError, match="network 0 should be a graph"):
        distinct(["a"])


def test_normal_scores():
    y = np.array([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(normal_scores(y), norm.ppf((rankdata(y) - 0.5) / 4))


@pytest.mark.parametrize(
    ("labels", "count", "part"),
    [
        ([1.0, float("nan")], 2, "finite"),
        ([1.0, float("inf")], 2, "finite"),
        (["a", "b"], 2, "'a'"),
        (["1", "2"], 2, "text"),
        ([1.0], 2, "1 labels for 2"),
        ([], 0, "no label"),
        ([[1.0, 2.0]], 1, "shape"),
        ([None, 1.0], 2, "None"),
    ],
)
def test_bad_labels_are_named(labels, count, part):
    with pytest.raises(LabelError, match=part):
        check_labels(labels, count)


def test_duplicates_count_once_with_their_mean():
    kept, labels = merge_duplicates(["a", "b", "a"], np.array([1.0, 5.0, 3.0]))
    assert kept == [0, 1]
    assert labels.tolist() == [2.0, 5.0]
