"""Padding and resizing: numpy's pads, torch's interpolation, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir import GraphError  # noqa: E402

X = np.arange(24.0).reshape(2, 3, 4)
F = torch.nn.functional


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0, 0, 0), (0, 0, 2, 0, 0, 1), (0, 0, 3, 0, 0, 0), (0, 1, 2, 0, 0, 1)])
def test_pads_are_numpys(pads: tuple[int, ...], mode: str) -> None:
    x = X[None]
    wide = (0, *pads[:3], 0, *pads[3:])
    pairs = list(zip(wide[:4], wide[4:], strict=True))
    expected = np.pad(x, pairs, mode=mode)  # type: ignore[call-overload]
    assert use("Pad", x.shape, pads=wide, mode=mode).shape == expected.shape
    np.testing.assert_array_equal(computed("Pad", torch.from_numpy(x), pads=wide, mode=mode).numpy(), expected)


def test_few_axes_are_padded_as_well() -> None:
    for mode in ("reflect", "edge", "wrap"):
        found = computed("Pad", torch.arange(4.0), pads=(2, 1), mode=mode)
        np.testing.assert_array_equal(found.numpy(), np.pad(np.arange(4.0), (2, 1), mode=mode))  # type: ignore[call-overload]


def test_negative_pads_crop() -> None:
    found = computed("Pad", torch.from_numpy(X), pads=(0, -1, 2, 0, 0, -3), value=7.0)
    np.testing.assert_array_equal(found.numpy(), np.pad(X, [(0, 0), (0, 0), (2, 0)], constant_values=7)[:, 1:, :-3])
    with pytest.raises(GraphError, match=r"^PyTorch cannot crop with mode edge$"):
        computed("Pad", torch.from_numpy(X), pads=(0, 0, -1, 0, 0, 0), mode="edge")


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize(("mode", "name"), [("linear", "bilinear"), ("cubic", "bicubic")])
def test_images_are_interpolated_as_torch_does(mode: str, name: str, align: bool, antialias: bool) -> None:
    image = torch.rand(1, 2, 6, 8)
    found = computed("Resize", image, shape=(1, 2, 4, 9), mode=mode, align_corners=align, antialias=antialias)
    torch.testing.assert_close(found, F.interpolate(image, (4, 9), mode=name, align_corners=align, antialias=antialias))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "linear"])
def test_any_number_of_axes_is_interpolated(mode: str, dims: int) -> None:
    x, size = torch.rand(1, 2, *(5, 6, 4)[:dims]), (4, 9, 3)[:dims]
    name = {"linear": ("linear", "bilinear", "trilinear")[dims - 1]}.get(mode, mode)
    torch.testing.assert_close(computed("Resize", x, shape=(1, 2, *size), mode=mode), F.interpolate(x, size, mode=name))


@pytest.mark.parametrize(
    ("shape", "to", "mode", "message"),
    [
        ((1, 2, 5), (1, 2, 9), "cubic", "PyTorch has no cubic interpolation over 1 axes"),
        ((1, 2), (1, 4), "nearest", "PyTorch has no nearest interpolation over 0 axes"),
        ((1, 2, 5), (1, 4, 5), "linear", "PyTorch resizes spatial axes only, not batch and channels"),
    ],
)
def test_what_torch_cannot_resize_is_said(shape: Any, to: Any, mode: str, message: str) -> None:
    with pytest.raises(GraphError) as error:
        computed("Resize", torch.rand(shape), shape=to, mode=mode)
    assert str(error.value) == message


def test_batches_stay_on_axes_that_are_not_padded() -> None:
    pair = [torch.randn(2, 1, 3), torch.randn(2, 1, 3)]
    pad = lambda x, plan: F.pad(x, (0, 1, 1, 0))  # noqa: E731
    assert [batched("Pad", pad, [pair], [axis], pads=(0, 1, 0, 0, 0, 1)) for axis in range(3)] == [0, None, None]


@pytest.mark.parametrize(
    ("op", "shape", "attrs", "message"),
    [
        ("Pad", (1, 4), {"pads": (1, 1)}, "pads should have 4 numbers, not 2"),
        ("Pad", (1, 4), {"pads": (0, -4, 0, 0)}, "sizes should lie between 1 and 2^31 - 1, not 0"),
        ("Pad", (1, 4), {"pads": (0, 0, 0, 1), "mode": "symmetric"}, "attribute 'mode' should be one of constant, reflect, edge, wrap, not 'symmetric'"),
        ("Resize", (1, 2, 4), {}, "this operator needs a stated shape"),
        ("Resize", (1, 2, 4), {"shape": (1, 2, 4, 4)}, "the input should have 4 axes, not shape [1, 2, 4]"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(op: str, shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal(op, shape, **attrs) == message
