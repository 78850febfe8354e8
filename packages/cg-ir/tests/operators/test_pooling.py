"""Pooling: sizes of torch's functions over a grid of attributes, positions, and pads that torch does not have."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

F = torch.nn.functional
INSIDE = {1: (1, 2, 7), 2: (1, 2, 7, 6), 3: (1, 2, 7, 6, 5)}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_windows_are_torchs(dims: int) -> None:
    x = torch.empty(INSIDE[dims], device="meta")
    for kernel, stride, pad, dilation, ceil in product((2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True)):
        attrs: dict[str, Any] = {
            "kernel_shape": (kernel,) * dims,
            "strides": (stride,) * dims,
            "pads": (pad,) * 2 * dims,
        }
        largest = getattr(F, f"max_pool{dims}d")(x, kernel, stride, pad, dilation, ceil)
        found = use("MaxPool", INSIDE[dims], **attrs, dilations=(dilation,) * dims, ceil_mode=ceil)
        assert (found.shape, found.params, found.macs) == (largest.shape, 0, 0)
        if dilation == 1:
            mean = getattr(F, f"avg_pool{dims}d")(x, kernel, stride, pad, ceil)
            assert use("AveragePool", INSIDE[dims], **attrs, ceil_mode=ceil, count_include_pad=True).shape == mean.shape
            if not pad:
                norm = getattr(F, f"lp_pool{dims}d")(x, 2.0, kernel, stride, ceil)
                assert use("LpPool", INSIDE[dims], **attrs, ceil_mode=ceil).shape == norm.shape


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pooling_to_a_size_is_torchs(dims: int) -> None:
    size = (3, 1, 4)[:dims]
    x = torch.empty(INSIDE[dims], device="meta")
    expected = getattr(F, f"adaptive_avg_pool{dims}d")(x, size).shape
    for kind in ("Average", "Max"):
        assert use(f"Adaptive{kind}Pool", INSIDE[dims], output_size=size).shape == expected
        assert use(f"Global{kind}Pool", INSIDE[dims]).shape == getattr(F, f"adaptive_avg_pool{dims}d")(x, 1).shape
    assert use("AdaptiveMaxPool", INSIDE[dims][1:], output_size=size).shape == expected[1:]  # one axis before suffices


def test_axes_before_the_windows_are_kept_however_many_there_are() -> None:
    x = torch.randn(1, 2, 3, 4, 6)
    torch.testing.assert_close(computed("MaxPool", x, kernel_shape=(2, 3)), F.max_pool3d(x, (1, 2, 3), stride=1))
    torch.testing.assert_close(
        computed("AdaptiveAveragePool", x, output_size=(2, 2)), F.adaptive_avg_pool3d(x, (3, 2, 2))
    )
    assert use("GlobalMaxPool", (1, 2, 3, 4, 5, 6)).shape == (1, 2, 1, 1, 1, 1)


def test_padding_on_one_side_counts_as_elements_or_not() -> None:
    x = torch.tensor([[[3.0, -6.0, 9.0]]])
    attrs: dict[str, Any] = {"kernel_shape": (2,), "pads": (0, 1)}
    assert computed("AveragePool", x, **attrs, count_include_pad=True).tolist() == [[[-1.5, 1.5, 4.5]]]
    assert computed("AveragePool", x, **attrs, count_include_pad=False).tolist() == [[[-1.5, 1.5, 9.0]]]
    assert computed("MaxPool", -x, **attrs).tolist() == [[[6.0, 6.0, -9.0]]]
    torch.testing.assert_close(computed("LpPool", x, **attrs, p=3), torch.tensor([[[(27 - 0 + 216) ** (1 / 3), (216 + 729) ** (1 / 3), 9.0]]]))  # fmt: skip


def test_windows_do_not_reach_over_batches() -> None:
    pair = [torch.randn(1, 1, 4), torch.randn(1, 1, 4)]
    pool = lambda x, plan: F.max_pool1d(x, 2, 1)  # noqa: E731
    assert [batched("MaxPool", pool, [pair], [axis], kernel_shape=(2,)) for axis in range(3)] == [0, 1, None]
    fit = lambda x, plan: F.adaptive_avg_pool1d(x, 2)  # noqa: E731
    assert [batched("AdaptiveAveragePool", fit, [pair], [axis], output_size=(2,)) for axis in range(3)] == [0, 1, None]


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "message"),
    [
        ("MaxPool", (8, 8), {"kernel_shape": (3, 3)}, "an input of shape [8, 8] has no 2 spatial axes"),
        ("MaxPool", (1, 8), {"kernel_shape": (9,)}, "a window of 9 does not fit an axis of 8 padded by 0+0"),
        ("MaxPool", (1, 8), {"kernel_shape": (5,), "dilations": (2,)}, "a window of 9 does not fit an axis of 8 padded by 0+0"),
        ("GlobalMaxPool", (8, 8), {}, "an input of shape [8, 8] has no spatial axes"),
        ("GlobalAveragePool", (8,), {}, "an input of shape [8] has no spatial axes"),
        ("AdaptiveMaxPool", (8, 8), {"output_size": (1, 1)}, "an input of shape [8, 8] has no 2 spatial axes"),
        ("AdaptiveAveragePool", (1, 8), {"output_size": (0,)}, "attribute 'output_size' should be at least 1, not (0,)"),
        ("AveragePool", (1, 8), {"kernel_shape": (2,)}, "AveragePool lacks its attribute 'count_include_pad'"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(op: str, shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal(op, shape, **attrs) == message
