"""Vectors that are remembered by hash."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from predict_test_networks import network

from cg_ir.errors import CgError
from cg_predict.features import CachedEncoder, descriptors, distinct, fingerprint, neighbourhoods, path_vectors


class Counting:
    """An encoder of parameters and depth that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __len__(self) -> int:
        return 2

    def encode(self, graphs):
        self.asked += [graph.name for graph in graphs]
        return np.array([[graph.params, graph.depth] for graph in graphs], dtype=np.float32)


def networks(count: int) -> list:
    return [network([4 + i], [False]) for i in range(count)]


def test_every_network_is_encoded_once_and_rows_stand_where_their_networks_do() -> None:
    a, b, c = networks(3)
    encoder = CachedEncoder(Counting())
    np.testing.assert_array_equal(encoder.encode([b, a, b])[:, 0], [b.params, a.params, b.params])
    np.testing.assert_array_equal(encoder.encode([a, c, b])[:, 0], [a.params, c.params, b.params])
    assert encoder.encoder.asked == [b.name, a.name, c.name]
    assert encoder.encode([]).shape == (0, 2)


def test_those_not_used_for_longest_are_forgotten_first() -> None:
    a, b, c = networks(3)
    encoder = CachedEncoder(Counting(), capacity=2)
    encoder.encode([a, b])
    encoder.encode([a])
    encoder.encode([c])  # in b's place
    encoder.encode([a, c])
    assert encoder.encoder.asked == [a.name, b.name, c.name]
    encoder.encode([b])
    assert encoder.encoder.asked[3:] == [b.name]
    assert encoder.encode([a, b, c]).shape == (3, 2)  # more at once than are remembered


def test_what_was_handed_out_may_be_changed() -> None:
    (a,) = networks(1)
    encoder = CachedEncoder(Counting())
    encoder.encode([a])[:] = 0
    assert encoder.encode([a])[0, 0] == a.params


def test_the_different_networks_and_their_places() -> None:
    a, b, c = networks(3)
    twin = network([4], [False]).renamed("twin")
    found, place = distinct([b, a, b, twin, c])
    assert [g.hash for g in found] == [b.hash, a.hash, c.hash]
    assert place.tolist() == [0, 1, 0, 1, 2]
    with pytest.raises(CgError, match="network 1 should be a graph, not the text 'b'"):
        distinct([a, "b"])


@pytest.mark.parametrize("shared", [descriptors, neighbourhoods, path_vectors])
def test_encoders_are_shared_by_all_predictors(shared) -> None:
    assert shared() is shared()
    a, b = networks(2)
    np.testing.assert_array_equal(shared().encode([b, a])[1], shared().encoder.encode([a])[0])


def test_a_fingerprint_tells_weights_apart_and_not_their_order() -> None:
    weights = {"a": np.arange(3.0), "b": np.ones((2, 2))}
    same = dict(reversed([(k, np.asfortranarray(v)) for k, v in weights.items()]))
    first = fingerprint(SimpleNamespace(weights=weights))
    assert fingerprint(SimpleNamespace(weights=same)) == first
    assert len(first) == 16
    for other in (
        {"a": weights["a"]},
        {**weights, "a": np.array([0.0, 1.0, 2.0 + 1e-9])},
        {"c": weights["a"], "b": weights["b"]},
    ):
        assert fingerprint(SimpleNamespace(weights=other)) != first
