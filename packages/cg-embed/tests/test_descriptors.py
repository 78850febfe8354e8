"""Descriptors: shape, finiteness, what they may depend on, and known values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cg_ir
from cg_embed import GROUPS, Descriptors


def test_shape_names_and_finiteness(networks):
    d = Descriptors()
    values = d.encode(networks)
    assert values.dtype == np.float32
    assert values.shape == (len(networks), len(d.names)) == (len(networks), len(d))
    assert len(set(d.names)) == len(d.names) == len(d.groups) > 300
    assert np.isfinite(values).all()
    assert all(name.startswith(group + "/") for name, group in zip(d.names, d.groups, strict=True))
    assert Descriptors().encode([]).shape == (0, len(d))


def test_groups_are_slices_of_the_whole(networks):
    d = Descriptors()
    whole = d.encode(networks)
    for group in GROUPS:
        part = Descriptors(groups=[group])
        np.testing.assert_array_equal(part.encode(networks), whole[:, [g == group for g in d.groups]])
    with pytest.raises(ValueError, match="choose from plain"):
        Descriptors(groups=["planes"])


def test_a_vector_depends_on_its_graph_alone(networks, monkeypatch):
    d = Descriptors()
    whole = d.encode(networks)
    alone = np.concatenate([d.encode([g]) for g in networks])
    np.testing.assert_allclose(alone, whole, rtol=1e-6, atol=1e-6)
    monkeypatch.setattr("cg_embed.plan._NODES_AT_ONCE", 50)
    np.testing.assert_allclose(d.encode(networks[::-1])[::-1], whole, rtol=1e-6, atol=1e-6)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 30))
def test_node_order_does_not_matter(seed, n, recipe_of, network_of, order_of):
    rng = np.random.default_rng(seed)
    recipe = recipe_of(rng, n)
    a, b = network_of(recipe), network_of(recipe, order=order_of(recipe, rng))
    assert a.hash == b.hash
    np.testing.assert_allclose(*Descriptors().encode([a, b]), rtol=1e-5, atol=1e-5)


def _column(d: Descriptors, values: np.ndarray, name: str) -> np.ndarray:
    return values[:, d.names.index(name)]


def test_known_values(network_of):
    """Two parallel branches, conv3-bn-relu and conv1, joined by an addition, before the classifier."""
    graph = network_of([("conv3", (0,)), ("bn", (1,)), ("relu", (2,)), ("conv1", (0,)), ("add", (3, 4))])
    d = Descriptors()
    x = d.encode([graph])

    def value(name: str) -> float:
        return float(_column(d, x, name)[0])

    assert value("plain/log_params") == pytest.approx(np.log1p(graph.params))
    assert value("plain/log_macs") == pytest.approx(np.log1p(graph.macs))
    assert value("plain/log_nodes") == pytest.approx(np.log(len(graph)))
    assert value("plain/log_conv1") == pytest.approx(np.log(2))
    assert value("paths/uniform/log_weight") == pytest.approx(np.log(2))
    assert value("paths/uniform/entropy") == pytest.approx(np.log(2))
    assert value("paths/uniform/mean_conv1") == pytest.approx(np.log1p(0.5))
    assert value("paths/uniform/spread_conv1") == pytest.approx(np.log1p(0.5))
    assert value("paths/uniform/mean_linear") == pytest.approx(np.log(2))
    # the normalised branch brings variance 1/2, the other 1
    assert value("paths/variance/mean_convk") == pytest.approx(np.log1p(1 / 3))
    assert value("plain/weighted_depth") == pytest.approx(np.log(3))
    assert value("pairs/convk>norm") == pytest.approx(1 / value_count(graph))


def value_count(graph) -> int:
    """Edges between operators, layout looked through, inputs and outputs left out: conv3>bn, bn>relu, relu>add,
    conv1>add, add>pool, pool>gemm."""
    return 6


def test_shared_weights_count_once():
    b = cg_ir.GraphBuilder()
    x = b.input((1, 8))
    for _ in range(3):
        x = b.add("Gemm", x, channels=8, weights="shared")
    b.output(x)
    graph = b.build()
    d = Descriptors(groups=["plain"])
    assert _column(d, d.encode([graph]), "plain/log_params")[0] == pytest.approx(np.log1p(64))


def test_more_variance_under_a_skip_connection():
    """Residual sums without normalisation let the signal variance grow; normalisation keeps it."""

    def residual(norm: bool) -> cg_ir.Graph:
        b = cg_ir.GraphBuilder()
        x = b.input((1, 4, 8, 8))
        for _ in range(6):
            y = b.add("Conv", x, channels=4, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            x = b.add("Add", x, y)
            x = b.add("BatchNormalization", x) if norm else x
        b.output(x)
        return b.build()

    d = Descriptors()
    x = d.encode([residual(False), residual(True)])
    final = _column(d, x, "paths/variance/log_weight")
    np.testing.assert_allclose(final, [6 * np.log(2), 0], atol=1e-6)


def test_works_without_torch():
    code = "import sys, cg_embed; cg_embed.Descriptors; cg_embed.PathEncoder; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
