"""What is refused as a label or a network."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir.errors import CgError
from cg_predict import LatencyPredictor
from cg_predict.features import distinct
from cg_predict.targets import LabelError, check_graphs, check_labels


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
