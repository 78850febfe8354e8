"""Normalisations: what torch's layers hold, over which axes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

IMAGE = (1, 6, 4, 5)
F = torch.nn.functional


def held(op: str, shape: tuple[int, ...], **attrs: Any) -> dict[str, tuple[int, ...]]:
    node = use(op, shape, **attrs)
    assert node.shape == shape
    assert node.macs == 0
    return OPERATORS[op].tensors([shape], node.attrs, node.shape)


def of(layer: Any) -> dict[str, tuple[int, ...]]:
    """What a layer of torch holds, its weight called scale."""
    state = layer.state_dict()
    return {n.replace("weight", "scale"): tuple(t.shape) for n, t in state.items() if n != "num_batches_tracked"}


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", [(1, 6), (1, 6, 4), IMAGE, (1, 6, 4, 5, 3)])
def test_layers_by_channel_hold_what_torchs_do(shape: tuple[int, ...], affine: bool) -> None:
    dims = max(len(shape) - 2, 1)
    assert held("BatchNormalization", shape, affine=affine) == of(
        getattr(torch.nn, f"BatchNorm{dims}d")(6, affine=affine)
    )
    assert held("InstanceNormalization", shape, affine=affine) == of(torch.nn.InstanceNorm2d(6, affine=affine))
    assert held("GroupNormalization", shape, affine=affine, num_groups=3) == of(torch.nn.GroupNorm(3, 6, affine=affine))
    assert use("BatchNormalization", shape, affine=affine).params == 12 * affine  # no running statistics


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_layers_over_trailing_axes_hold_what_torchs_do(axis: int, affine: bool) -> None:
    rest = IMAGE[axis:]
    for bias in (False, True):
        layer = torch.nn.LayerNorm(rest, elementwise_affine=affine, bias=bias)
        assert held("LayerNormalization", IMAGE, axis=axis, affine=affine, bias=bias) == of(layer)
    assert held("RMSNormalization", IMAGE, axis=axis, affine=affine) == of(
        torch.nn.RMSNorm(rest, elementwise_affine=affine)
    )


def test_norms_divide_by_the_p_norm_and_no_less_than_epsilon() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, -1.0]])
    for p in (1, 2, 3):
        norm = (x.abs() ** p).sum(1, keepdim=True) ** (1 / p)
        torch.testing.assert_close(computed("LpNormalization", x, axis=1, p=p), x / norm.clamp(min=1e-12))
    torch.testing.assert_close(computed("LpNormalization", x, axis=1, epsilon=10.0), x / 10)


def test_local_responses_are_those_of_neighbouring_channels() -> None:
    x = torch.rand(2, 6, 3)
    squares = F.pad(x * x, (0, 0, 1, 1))
    window = (squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]) / 3
    expected = x / (2 + 0.5 * window) ** 0.75
    torch.testing.assert_close(computed("LRN", x, size=3, alpha=0.5, k=2.0), expected)
    torch.testing.assert_close(computed("LRN", x[..., 0], size=3, alpha=0.5, k=2.0), expected[..., 0])


def test_batches_lead_where_channels_are_normalised_and_lie_anywhere_before_trailing_axes() -> None:
    pair = [torch.randn(1, 1, 4), torch.randn(1, 1, 4)]
    norm = lambda x, plan: F.layer_norm(x, (4,))  # noqa: E731
    assert [batched("LayerNormalization", norm, [pair], [axis], axis=2) for axis in range(3)] == [0, 1, None]
    unit = lambda x, plan: F.normalize(x, dim=1)  # noqa: E731
    assert [batched("LpNormalization", unit, [pair], [axis], axis=1) for axis in range(3)] == [0, None, 2]
    group = lambda x, plan: F.group_norm(x, 1)  # noqa: E731
    assert [batched("GroupNormalization", group, [pair], [axis], num_groups=1) for axis in range(3)] == [0, None, None]


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "message"),
    [
        ("BatchNormalization", (4,), {}, "an input of shape [4] has no channels"),
        ("LRN", (4,), {"size": 3}, "an input of shape [4] has no channels"),
        ("GroupNormalization", IMAGE, {"num_groups": 4}, "6 channels do not divide into 4 groups"),
        ("LayerNormalization", IMAGE, {"axis": 4}, "axis 4 is outside the 4 axes of the input (axes count from 0)"),
        ("RMSNormalization", IMAGE, {"axis": 4}, "axis 4 is outside the 4 axes of the input (axes count from 0)"),
        ("RMSNormalization", IMAGE, {"axis": 2, "bias": True}, "RMSNormalization has no attribute 'bias' (it has axis, epsilon, affine)"),
        ("LpNormalization", IMAGE, {"axis": 1, "p": 0}, "attribute 'p' should be at least 1, not 0"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(op: str, shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal(op, shape, **attrs) == message
