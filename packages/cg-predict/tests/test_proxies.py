"""Zero-cost proxies (they need the extra ``torch``)."""

from __future__ import annotations

import numpy as np
import pytest

from cg_ir import GraphBuilder
from cg_ir.errors import CgError

torch = pytest.importorskip("torch")

from cg_predict.proxies import KINDS, Proxy  # noqa: E402


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
        from cg_ir import to_module

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
