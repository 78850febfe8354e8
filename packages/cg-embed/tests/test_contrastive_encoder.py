"""The paper's encoder: vectors and files."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import ContrastiveConfig, ContrastiveEncoder

pytest.importorskip("torch")
pytest.importorskip("torch_geometric")


SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


def test_encoder_is_invariant_and_seeded(networks, recipe_of, network_of, order_of):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    x = encoder.encode(networks)
    assert x.shape == (len(networks), 32) == (len(networks), len(encoder)) == (len(networks), len(encoder.names))
    np.testing.assert_allclose(ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks), x, atol=1e-6)
    alone = np.concatenate([encoder.encode([g]) for g in networks])
    np.testing.assert_allclose(alone, x, atol=1e-5)
    z = encoder.encode(networks, projected=True)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    rng = np.random.default_rng(0)
    for _ in range(10):
        recipe = recipe_of(rng, 15)
        a, b = network_of(recipe), network_of(recipe, order=order_of(recipe, rng))
        branch = encoder.encode([a, b])[:, :16]  # of the other branch, repeated eigenvalues leave the basis open
        np.testing.assert_allclose(branch[0], branch[1], atol=1e-5)


@pytest.mark.parametrize(("both_ways", "rich"), [(True, False), (False, True)])
def test_options_beyond_the_paper(networks, both_ways, rich, tmp_path):
    config = ContrastiveConfig(**SMALL, both_ways=both_ways, rich=rich)
    encoder = ContrastiveEncoder(config)
    encoder.save(tmp_path)
    again = ContrastiveEncoder.load(tmp_path)
    assert again.config == config
    np.testing.assert_allclose(again.encode(networks), encoder.encode(networks), atol=1e-6)
    assert (
        np.abs(encoder.encode(networks) - ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks)).max() > 1e-3
    )
