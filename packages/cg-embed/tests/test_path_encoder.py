"""The path-weighted encoder: invariances, special cases, and the torch layer against it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cg_embed import Descriptors, PathConfig, PathEncoder
from cg_embed.path_encoder import CLASSES, random_weights


def test_shape_and_seed(networks):
    encoder = PathEncoder(PathConfig(channels=8, seed=3))
    x = encoder.encode(networks)
    assert x.dtype == np.float32
    assert x.shape == (len(networks), 64) == (len(networks), len(encoder)) == (len(networks), len(encoder.names))
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(x, PathEncoder(PathConfig(channels=8, seed=3)).encode(networks))
    assert np.abs(x - PathEncoder(PathConfig(channels=8, seed=4)).encode(networks)).max() > 0.1


def test_a_vector_depends_on_its_graph_alone(networks, monkeypatch):
    encoder = PathEncoder(PathConfig(channels=8))
    whole = encoder.encode(networks)
    np.testing.assert_allclose(np.concatenate([encoder.encode([g]) for g in networks]), whole, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr("cg_embed.plan._NODES_AT_ONCE", 50)
    np.testing.assert_allclose(encoder.encode(networks[::-1])[::-1], whole, rtol=1e-4, atol=1e-4)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 30))
def test_node_order_does_not_matter(seed, n, recipe_of, network_of, order_of):
    rng = np.random.default_rng(seed)
    recipe = recipe_of(rng, n)
    a, b = network_of(recipe), network_of(recipe, order=order_of(recipe, rng))
    np.testing.assert_allclose(*PathEncoder(PathConfig(channels=8)).encode([a, b]), rtol=1e-4, atol=1e-4)


def test_counting_paths_is_a_special_case(recipe_of, network_of):
    """a = 1, b = 0, mu = 0 counts paths; g = 1 and phi = 1 on convolutions and matrices then averages their number over paths."""
    rng = np.random.default_rng(0)
    graphs = [network_of(recipe_of(rng, int(rng.integers(3, 25)))) for _ in range(20)]
    config = PathConfig(channels=1)
    weights = {name: np.zeros_like(value) for name, value in random_weights(config).items()}
    for direction in ("along", "against"):
        weights[f"{direction}.a"][: len(CLASSES)] = 40
        weights[f"{direction}.g"][: len(CLASSES)] = 40
        weights[f"{direction}.mu"][:] = -40
        for kind in ("conv1", "convk", "depthwise", "linear"):
            weights[f"{direction}.phi"][CLASSES.index(kind)] = 1
    x = np.sinh(PathEncoder(config, weights).encode(graphs))
    d = Descriptors(groups=["paths"])
    y = d.encode(graphs)
    log_paths = y[:, d.names.index("paths/uniform/log_weight")]
    mean_weighted = np.expm1(y[:, d.names.index("paths/uniform/mean_weighted")])
    names = PathEncoder(config, weights).names
    for direction in ("along", "against"):
        np.testing.assert_allclose(x[:, names.index(f"{direction}/end_s_0")], log_paths, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(x[:, names.index(f"{direction}/end_m_0")], mean_weighted, rtol=1e-4, atol=1e-4)


def test_files(networks, tmp_path):
    pytest.importorskip("safetensors")
    encoder = PathEncoder(PathConfig(channels=4, seed=5))
    encoder.save(tmp_path / "model", card="# Card\n")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    again = PathEncoder.load(tmp_path / "model")
    assert again.config == encoder.config
    np.testing.assert_array_equal(again.encode(networks), encoder.encode(networks))


@pytest.mark.parametrize("damage", ["missing", "text", "list", "kind", "format", "weights", "shape"])
def test_bad_files(damage, tmp_path):
    pytest.importorskip("safetensors")
    from cg_ir import CgError

    PathEncoder(PathConfig(channels=4)).save(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text()
    if damage == "missing":
        config.unlink()
    elif damage == "text":
        config.write_text("{")
    elif damage == "list":
        config.write_text("[]")
    elif damage == "kind":
        config.write_text(text.replace('"path"', '"contrastive"'))
    elif damage == "format":
        config.write_text(text.replace('"format": 1', '"format": 99'))
    elif damage == "weights":
        (tmp_path / "model.safetensors").write_bytes(b"\x00" * 40)
    else:
        config.write_text(text.replace('"channels": 4', '"channels": 5'))
    with pytest.raises(CgError) as caught:
        PathEncoder.load(tmp_path)
    assert "\n" not in str(caught.value)
