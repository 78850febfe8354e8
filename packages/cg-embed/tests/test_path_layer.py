"""The differentiable passes against the encoder and finite differences."""

from __future__ import annotations

import math

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


def by_autograd(a, b, g, phi, mu, route):
    """The pass of one direction, one segment after the other, recorded by autograd."""
    import torch

    steps = [(step.lo, step.hi, step.slots) for step in route.steps]
    s, m, u, h = ([None] * len(a) for _ in range(4))
    for lo, hi, slots in steps:
        for segment in range(lo, hi):
            edges = [first + segment - lo for first, last in slots if segment - lo < last - first]
            sources = [int(route.source[e]) for e in edges]
            if not sources:
                u[segment], h[segment] = torch.zeros_like(a[0]), torch.zeros_like(a[0])
            elif len(sources) == 1:
                u[segment], h[segment] = s[sources[0]], m[sources[0]]
            else:
                terms = torch.stack([s[j] for j in sources])
                u[segment] = torch.logsumexp(terms, dim=0) - mu * math.log(len(sources))
                h[segment] = (torch.softmax(terms, dim=0) * torch.stack([m[j] for j in sources])).sum(dim=0)
            s[segment] = a[segment] * u[segment] + b[segment]
            m[segment] = g[segment] * h[segment] + phi[segment]
    return tuple(torch.stack(x) for x in (s, m, u, h))


@pytest.mark.parametrize("direction", ["along", "against"])
def test_the_pass_and_its_gradient_are_those_that_autograd_records(direction, networks):
    torch = pytest.importorskip("torch")
    from cg_embed.path_layer import PathPass, path_batch

    route = path_batch(networks[:12], torch.float64).routes[direction]
    generator = torch.Generator().manual_seed(0)
    shapes = [(len(route.type), 2)] * 4 + [(2,)]
    plain = [torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    own = [x.detach().clone().requires_grad_() for x in plain]
    expected, found = by_autograd(*plain, route), PathPass.apply(*own, route)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    weights = [torch.rand(x.shape, generator=generator, dtype=torch.float64) for x in expected]
    sum((w * x).sum() for w, x in zip(weights, expected, strict=True)).backward()
    sum((w * x).sum() for w, x in zip(weights, found, strict=True)).backward()
    for ours, theirs in zip(own, plain, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_given_weights_are_taken_and_handed_on(networks):
    pytest.importorskip("torch")
    from cg_embed.path_layer import PathModule

    config = PathConfig(channels=4)
    encoder = PathEncoder(PathConfig(channels=4, seed=9))
    module = PathModule(config, encoder.weights)
    for name, value in module.encoder().weights.items():
        np.testing.assert_array_equal(value, encoder.weights[name])
    assert {name for name, _ in module._named()} == set(encoder.weights)
