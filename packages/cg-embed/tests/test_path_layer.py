"""The differentiable passes against the encoder and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import PathConfig, PathEncoder


def test_torch_layer_gives_the_same_vectors(networks):
    pytest.importorskip("torch")
    from cg_embed.path_layer import PathModule, path_batch

    config = PathConfig(channels=8, seed=1)
    module = PathModule(config)
    x = module(path_batch(networks)).detach().numpy()
    np.testing.assert_allclose(x, PathEncoder(config).encode(networks), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(module.encoder().encode(networks), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("direction", ["along", "against"])
def test_gradient_of_the_pass(direction, recipe_of, network_of):
    torch = pytest.importorskip("torch")
    from cg_embed.path_layer import PathPass, path_batch

    rng = np.random.default_rng(3)
    graphs = [network_of(recipe_of(rng, n)) for n in (5, 12, 20)]
    route = path_batch(graphs, torch.float64).routes[direction]
    n = len(route.type)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.rand((n, 2), generator=generator, dtype=torch.float64) for _ in range(4)]
    inputs.append(torch.rand(2, generator=generator, dtype=torch.float64))
    for x in inputs:
        x.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda *x: PathPass.apply(*x, route), inputs)


def test_gradient_of_the_module(recipe_of, network_of):
    torch = pytest.importorskip("torch")
    from cg_embed.path_layer import PathModule, path_batch

    rng = np.random.default_rng(4)
    graphs = [network_of(recipe_of(rng, n)) for n in (6, 15)]
    batch = path_batch(graphs, torch.float64)
    module = PathModule(PathConfig(channels=2)).double()
    readout = torch.linspace(-1, 1, 16, dtype=torch.float64)
    loss = (module(batch) @ readout).sum()
    loss.backward()
    for parameter in module.parameters():
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)
        i = int(grad.abs().argmax())
        step = 1e-6
        values = []
        for sign in (1, -1):
            flat[i] += sign * step
            with torch.no_grad():
                values.append(float((module(batch) @ readout).sum()))
            flat[i] -= sign * step
        assert float(grad[i]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-7)
