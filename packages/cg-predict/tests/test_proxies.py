"""Zero-cost proxies (they need the extra ``torch``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from cg_ir import Graph, GraphBuilder, to_module
from cg_ir.errors import CgError

torch = pytest.importorskip("torch")

from cg_predict.proxies import KINDS, Proxy, _inputs  # noqa: E402


@pytest.mark.parametrize("kind", list(KINDS))
def test_proxies_are_finite_repeatable_and_leave_torchs_generator_alone(kind, family):
    graphs, _ = family
    state = torch.random.get_rng_state()
    scores = Proxy(kind, batch=8).predict(graphs[:4])
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.isfinite(scores).all()
    assert len(set(scores.tolist())) > 1
    np.testing.assert_allclose(Proxy(kind, batch=8).predict(graphs[3:4]), scores[3:4], rtol=1e-4)


def test_synflow_by_hand():
    """One linear map of weights w: the sum of |w| times the ones that it reads, so the log of the sum of |w|."""
    b = GraphBuilder()
    b.output(b.add("Gemm", b.input((1, 5)), channels=3))
    graph = b.build()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = next(p for p in to_module(graph).parameters())
    assert Proxy("synflow").predict([graph])[0] == pytest.approx(
        float(weight.detach().abs().double().sum().log()), abs=1e-6
    )


def test_naswot_sees_the_activations(family):
    graphs, _ = family
    small, large = sorted(graphs[:20], key=lambda g: g.params)[0], sorted(graphs[:20], key=lambda g: g.params)[-1]
    scores = Proxy("naswot", batch=8).predict([small, large])
    assert scores[1] > scores[0]


def test_unknown_proxy_and_inputs_that_are_not_numbers():
    with pytest.raises(CgError, match="no proxy"):
        Proxy("magic")
    b = GraphBuilder()
    x = b.input((1, 4), dtype="int64")
    b.output(b.add("Cast", x, to="float32"))
    with pytest.raises(CgError, match="floating-point"):
        Proxy("snip").predict([b.build()])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_network_that_ignores_its_input_has_a_score(kind):
    b = GraphBuilder()
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(3, 3), pads=(1,) * 4)
    x = b.add("Relu", b.add("BatchNormalization", x))
    x = b.add("GlobalAveragePool", b.add("Mul", x, b.constant((1, 4, 8, 8), value=[0.0] * 256)))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 4)), channels=10, bias=True))
    assert np.isfinite(Proxy(kind).predict([b.build()])).all()


def test_grasp_differentiates_hard_sigmoids_twice():
    """PyTorch's own has no second derivative."""
    builder = GraphBuilder("gated")
    x = builder.add("Conv", builder.input((1, 3, 8, 8)), kernel_shape=[3, 3], pads=[1, 1, 1, 1], channels=4)
    x = builder.add("HardSigmoid", x)
    x = builder.add("Flatten", builder.add("GlobalAveragePool", x), shape=(1, 4))
    builder.output(builder.add("Gemm", x, channels=5, bias=True))
    (score,) = Proxy("grasp").predict([builder.build()])
    assert np.isfinite(score)
    assert score != 0.0


# --- against their definitions, with torch's own gradients ------------------------------------------------------------


def small() -> Graph:
    b = GraphBuilder("small")
    x = b.add("Conv", b.input((1, 3, 6, 6)), channels=5, kernel_shape=(3, 3), pads=(1,) * 4, bias=True)
    x = b.add("Relu", b.add("BatchNormalization", x))
    x = b.add("Conv", x, channels=4, kernel_shape=(1, 1))
    x = b.add("Flatten", b.add("GlobalAveragePool", b.add("Relu", x)), shape=(1, 4))
    b.output(b.add("Gemm", x, channels=3, bias=True))
    return b.build()


@contextmanager
def seeded() -> Iterator[tuple[torch.nn.Module, torch.Tensor]]:
    """The network and the inputs that a proxy of seed 0 draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = to_module(small())
        yield network, torch.randn(6, 3, 6, 6)


def loss_of(network: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    out = network.train()(inputs)
    return torch.nn.functional.cross_entropy(out, torch.randint(3, (6,)))


def weights_of(network: torch.nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]


def score(kind: str) -> float:
    return float(Proxy(kind, batch=6).predict([small()])[0])


def test_snip_and_the_norms_are_of_the_gradient_of_the_loss() -> None:
    with seeded() as (network, inputs):
        loss_of(network, inputs).backward()
        weights = [(w.detach(), w.grad) for w in weights_of(network)]
    assert len(weights) == 3
    assert score("snip") == pytest.approx(sum(float((w * g).abs().sum()) for w, g in weights), rel=1e-4)
    assert score("grad_norm") == pytest.approx(sum(float(g.norm()) for _, g in weights), rel=1e-4)


def test_grasp_is_the_product_of_weights_hessian_and_gradient_by_differences() -> None:
    with seeded() as (network, inputs):
        network.double()
        inputs = inputs.double()
        labels = torch.randint(3, (6,))
        weights = weights_of(network)

        def gradients() -> list[torch.Tensor]:
            loss = torch.nn.functional.cross_entropy(network.train()(inputs), labels)
            return list(torch.autograd.grad(loss, weights))

        first = gradients()
        step, ends = 1e-6, []
        for sign in (1, -2):
            with torch.no_grad():
                for w, g in zip(weights, first, strict=True):
                    w.add_(g, alpha=sign * step)
            ends.append(gradients())
        with torch.no_grad():
            for w, g in zip(weights, first, strict=True):
                w.add_(g, alpha=step)
        product = [(a - b) / (2 * step) for a, b in zip(*ends, strict=True)]
        expected = -sum(float((w.detach() * h).sum()) for w, h in zip(weights, product, strict=True))
    assert score("grasp") == pytest.approx(expected, rel=1e-2)


def test_fisher_is_half_the_mean_square_of_activation_times_gradient() -> None:
    with seeded() as (network, inputs):
        kept: list[torch.Tensor] = []
        for module in network.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                module.register_forward_hook(lambda _m, _a, out: (out.retain_grad(), kept.append(out))[0])
        loss_of(network, inputs).backward()
    expected = 0.0
    for out in kept:
        product = (out.detach() * out.grad).reshape(len(out), out.shape[1], -1).sum(dim=2)
        expected += float((product**2).mean(dim=0).sum()) / 2
    assert score("fisher") == pytest.approx(expected, rel=1e-4)


def test_jacov_is_of_the_spectrum_of_correlations_of_input_gradients() -> None:
    with seeded() as (network, inputs):
        inputs.requires_grad_()
        network.train()(inputs).sum().backward()
    values = np.linalg.eigvalsh(np.corrcoef(inputs.grad.flatten(1).numpy().astype(float)))
    assert score("jacov") == pytest.approx(-np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5)), rel=0.02)


def test_naswot_is_the_log_determinant_of_agreeing_units() -> None:
    with seeded() as (network, inputs):
        active = []
        with torch.no_grad():
            network.train()
            layers = [
                m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear))
            ]
            x = torch.relu(layers[1](layers[0](inputs)))
            active += [x, torch.relu(layers[2](x))]
    on = np.concatenate([(a.flatten(1) > 0).numpy() for a in active], axis=1).astype(float)
    agree = on @ on.T + (1 - on) @ (1 - on).T
    assert score("naswot") == pytest.approx(np.linalg.slogdet(agree)[1], rel=1e-5)


def test_zen_is_of_the_change_of_the_output_and_the_scales_that_are_divided_out() -> None:
    with seeded() as (network, inputs), torch.no_grad():
        layers = [m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
        for layer in layers:
            torch.nn.init.normal_(layer.weight)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)
        first = network.train()(inputs)
        change = first - network(inputs + 0.01 * torch.randn_like(inputs))
        scale = layers[0](inputs).transpose(0, 1).flatten(1).var(dim=1, unbiased=False).mean()
    assert score("zen") == pytest.approx(float(change.abs().sum(dim=1).mean().log() + scale.log() / 2), rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 3, 32, 32), 32), ((1, 3, 224, 224), 2), ((1, 4), 32), ((1, 3, 64, 64), 8)]
)
def test_batches_have_about_the_elements_of_32_small_images(shape: tuple[int, ...], expected: int) -> None:
    b = GraphBuilder()
    b.output(b.add("Relu", b.input(shape)))
    (inputs,) = _inputs(b.build(), None)
    assert inputs.shape == (expected, *shape[1:])
    assert len(_inputs(b.build(), 5)[0]) == 5


def test_another_seed_draws_another_network_and_other_inputs() -> None:
    scores = [Proxy("snip", seed=seed, batch=6).predict([small()])[0] for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_a_score_that_is_not_finite_is_the_least_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        monkeypatch.setitem(KINDS, "snip", lambda _network, _inputs, value=value: value)
        assert Proxy("snip").predict([small()])[0] == np.finfo(np.float64).min
