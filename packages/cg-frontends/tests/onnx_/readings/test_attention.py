"""Attention of ONNX (opset 23) against onnx's reference: masks, causes, caps, caches, heads side by side, what is given beside the result."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx_models import agree, numbers, one, operators, whole  # noqa: E402

from cg_frontends.onnx_ import from_onnx  # noqa: E402
from cg_ir import SourceError  # noqa: E402

Q, K, V = numbers(2, 4, 3, 8), numbers(2, 4, 5, 8, seed=1), numbers(2, 4, 5, 6, seed=2)
BIAS, SHOWN = numbers(3, 5, seed=3), whole(2, 1, 3, 5, low=0, high=2).astype(bool) | np.eye(3, 5, dtype=bool)


def same(*inputs, names=(), outputs=("y",), **attrs):
    model = one("Attention", inputs, names=names, outputs=outputs, opset=23, **attrs)
    wanted = ReferenceEvaluator(model).run(None, {f"x{i}": x for i, x in enumerate(inputs)})
    return agree(model, *inputs, wanted=wanted)


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"scale": 0.7},
        {"softcap": 0.5},
        {"is_causal": 1},
        {"is_causal": 1, "scale": 1.0},
        {"is_causal": 1, "softcap": 2.0},
    ],
)
@pytest.mark.parametrize("mask", [None, BIAS, SHOWN, BIAS[None, None]])
def test_masks_and_scores(attrs, mask):
    graph = same(Q, K, V, *([] if mask is None else [mask]), **attrs)
    assert graph.macs == 2 * 4 * 3 * 5 * (8 + 6)


@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("flat", [True, False])
def test_heads_that_share_keys(shared, flat):
    k, v = K[:, :shared], V[:, :shared]
    if flat:
        side = [np.ascontiguousarray(a.transpose(0, 2, 1, 3)).reshape(2, a.shape[2], -1) for a in (Q, k, v)]
        same(*side, q_num_heads=4, kv_num_heads=shared)
    else:
        same(Q, k, v)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, numbers(3, 9, seed=5)])
def test_a_past(causal, mask):
    past = [numbers(2, 4, 4, 8, seed=6), numbers(2, 4, 4, 6, seed=7)]
    given = [Q, K, V, *([] if mask is None else [mask]), *past]
    names = [f"x{i}" for i in range(len(given))] if mask is not None else ["x0", "x1", "x2", "", "x3", "x4"]
    same(*given, names=names, outputs=("y", "k", "v"), is_causal=causal)


def test_a_past_counts_in_the_costs():
    """One query after nine keys, heads that share them."""
    shapes = [(1, 4, 1, 6), (1, 2, 1, 6), (1, 2, 1, 6), (1, 2, 9, 6), (1, 2, 9, 6)]
    given = [numbers(*shape, seed=i) for i, shape in enumerate(shapes)]
    graph = same(*given, names=["x0", "x1", "x2", "", "x3", "x4"], outputs=("y", "k", "v"), is_causal=1)
    assert graph.macs == 4 * 10 * 12


@pytest.mark.parametrize("causal", [0, 1])
def test_shared_heads_side_by_side_are_one_operator(causal):
    given = [numbers(*shape, seed=i) for i, shape in enumerate([(2, 5, 24), (2, 7, 12), (2, 7, 12)])]
    graph = same(*given, q_num_heads=4, kv_num_heads=2, is_causal=causal)
    assert operators(graph).count("Attention") == 1
    assert graph.macs == 2 * 4 * 5 * 7 * 12


# mode 0 with a cap is left out: onnx's reference caps the scores that it has already given
@pytest.mark.parametrize(
    ("mode", "more"), [(0, {}), *((m, more) for m in (1, 2, 3) for more in ({}, {"softcap": 0.5}))]
)
def test_scores_at_every_stage(mode, more):
    same(Q, K, V, BIAS, names=["x0", "x1", "x2", "x3"], outputs=("y", "", "", "s"), qk_matmul_output_mode=mode, **more)


@pytest.mark.parametrize("short", [BIAS[:, :3], SHOWN[..., :3]])
def test_what_a_short_mask_does_not_reach_is_hidden(short):
    """As opset 24 says it, for both kinds of masks."""
    hidden = (
        np.zeros((*short.shape[:-1], 2), bool)
        if short.dtype == bool
        else np.full((*short.shape[:-1], 2), -np.inf, np.float32)
    )
    full = one("Attention", [Q, K, V, np.concatenate([short, hidden], -1)], opset=23)
    wanted = ReferenceEvaluator(full).run(None, {"x0": Q, "x1": K, "x2": V, "x3": np.concatenate([short, hidden], -1)})
    agree(one("Attention", [Q, K, V, short], opset=24), Q, K, V, short, wanted=wanted)


def test_a_softmax_of_another_precision_is_read_by_the_definition_of_the_operator():
    assert "Attention" not in operators(same(Q, K, V, softmax_precision=1))


def test_hidden_scores_are_infinite():
    same(Q, K, V, outputs=("y", "k", "v", "s"), is_causal=1, qk_matmul_output_mode=2)


def test_heads_that_do_not_fit_are_refused():
    flat = numbers(2, 3, 10)
    with pytest.raises(SourceError, match=r"input 0 of shape \[2, 3, 10\] has no 4 heads"):
        from_onnx(one("Attention", [flat, flat, flat], opset=23, q_num_heads=4, kv_num_heads=2))
    with pytest.raises(SourceError, match="4 heads of queries do not share 3 heads"):
        from_onnx(one("Attention", [Q, K[:, :3], V[:, :3]], opset=23))


def test_plain_attention_is_one_operator():
    assert operators(same(Q, K, V)) == ["Attention"]
