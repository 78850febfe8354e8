"""Convolutions: sizes, weights and products of torch's layers over a grid of attributes, and what is refused."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, refusal, use  # noqa: E402

IMAGE = (1, 6, 8, 8)


def inside(dims: int) -> tuple[int, ...]:
    """An input with another size along every axis."""
    return (1, 4, *(7, 6, 5)[:dims])


def options(dims: int, stride: int, pad: int, dilation: int, group: int, bias: bool) -> dict[str, Any]:
    wide = {"strides": (stride,) * dims, "pads": (pad,) * (2 * dims), "dilations": (dilation,) * dims}
    return {"kernel_shape": (3, 2, 3)[:dims], "group": group, "bias": bias, **wide}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolutions_are_those_of_torch(dims: int) -> None:
    for stride, pad, dilation, group, bias in product((1, 2), (0, 1), (1, 2), (1, 2), (False, True)):
        attrs = options(dims, stride, pad, dilation, group, bias)
        layer = getattr(torch.nn, f"Conv{dims}d")(
            4, 6, attrs["kernel_shape"], stride, pad, dilation, group, bias, device="meta"
        )
        shape = layer(torch.empty(inside(dims), device="meta")).shape
        node = use("Conv", inside(dims), channels=6, **attrs)
        assert node.shape == shape, attrs
        assert node.params == sum(p.numel() for p in layer.parameters())
        assert node.macs == layer.weight.numel() * prod(shape[2:])  # every weight meets every place of the output


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolutions_are_those_of_torch(dims: int) -> None:
    for stride, pad, dilation, group, extra in product((1, 2), (0, 1), (1, 2), (1, 2), (0, 1)):
        if extra >= max(stride, dilation):
            continue
        attrs = options(dims, stride, pad, dilation, group, bool(extra))
        layer = getattr(torch.nn, f"ConvTranspose{dims}d")(
            4, 6, attrs["kernel_shape"], stride, pad, extra, group, bool(extra), dilation, device="meta"
        )
        shape = layer(torch.empty(inside(dims), device="meta")).shape
        node = use("ConvTranspose", inside(dims), channels=6, output_padding=(extra,) * dims, **attrs)
        assert node.shape == shape, attrs
        assert node.params == sum(p.numel() for p in layer.parameters())
        assert node.macs == layer.weight.numel() * prod(inside(dims)[2:])  # every weight meets every place of the input


def test_every_axis_has_its_own_window_and_pads() -> None:
    attrs = {"kernel_shape": (3, 1), "strides": (1, 2), "pads": (0, 1, 2, 0), "dilations": (2, 1)}
    x = torch.nn.functional.pad(torch.empty(IMAGE, device="meta"), (1, 0, 0, 2))
    weight = torch.empty(4, 6, 3, 1, device="meta")
    found = use("Conv", IMAGE, channels=4, **attrs).shape
    assert found == torch.nn.functional.conv2d(x, weight, stride=(1, 2), dilation=(2, 1)).shape
    back = torch.nn.functional.conv_transpose2d(
        torch.empty(IMAGE, device="meta"), torch.empty(6, 4, 3, 1, device="meta"), stride=(1, 2), dilation=(2, 1)
    )
    assert use("ConvTranspose", IMAGE, channels=4, **attrs).shape == back[:, :, :-2, 1:].shape


@pytest.mark.parametrize("bias", [False, True])
def test_weights_that_are_computed_are_not_learned(bias: bool) -> None:
    node = use("Conv", IMAGE, (4, 3, 3, 3), kernel_shape=(3, 3), group=2, bias=bias)
    assert (node.shape, node.params, node.macs) == ((1, 4, 6, 6), 4 * bias, 4 * 3 * 9 * 36)
    node = use("ConvTranspose", IMAGE, (6, 2, 3, 3), kernel_shape=(3, 3), group=2, bias=bias)
    assert (node.shape, node.params, node.macs) == ((1, 4, 10, 10), 4 * bias, 6 * 2 * 9 * 64)


def test_batches_lead_and_belong_to_the_image() -> None:
    weight = torch.randn(4, 6, 3, 3)
    images = [torch.randn(IMAGE), torch.randn(IMAGE)]
    conv = lambda x, w, plan: torch.nn.functional.conv2d(x, w)  # noqa: E731
    assert batched("Conv", conv, [images, weight], [0, None], kernel_shape=(3, 3)) == 0
    assert batched("Conv", conv, [images, [weight, -weight]], [0, 0], kernel_shape=(3, 3)) is None
    assert batched("Conv", conv, [images[0], [weight, -weight]], [None, 0], kernel_shape=(3, 3)) is None


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Conv", [IMAGE], {"channels": 4, "kernel_shape": (3, 3), "group": 4}, "6 input channels do not divide into group 4"),
        ("Conv", [IMAGE], {"channels": 4, "kernel_shape": (3, 3), "group": 3}, "4 output channels do not divide into group 3"),
        ("Conv", [IMAGE], {"shape": (1, 4, 6, 6), "kernel_shape": (3, 3), "group": 3}, "4 output channels do not divide into group 3"),
        ("Conv", [IMAGE], {"channels": 4, "kernel_shape": (9, 1)}, "a window of 9 does not fit an axis of 8 padded by 0+0"),
        ("Conv", [IMAGE], {"channels": 4, "kernel_shape": (3, 3, 3, 3)}, "attribute 'kernel_shape' should have 1 to 3 numbers, not 4"),
        ("Conv", [IMAGE], {"channels": 4, "kernel_shape": (3,)}, "the input should have 3 axes, not shape [1, 6, 8, 8]"),
        ("Conv", [IMAGE], {"kernel_shape": (3, 3)}, "Conv needs its output channels or shape"),
        ("Conv", [IMAGE, (4, 6, 3, 2)], {"kernel_shape": (3, 3)}, "weights should have shape ['any', 6, 3, 3], not [4, 6, 3, 2]"),
        ("Conv", [IMAGE, (4, 6, 3)], {"kernel_shape": (3, 3)}, "weights should have shape ['any', 6, 3, 3], not [4, 6, 3]"),
        ("ConvTranspose", [IMAGE, (5, 6, 3, 3)], {"kernel_shape": (3, 3)}, "weights should have shape [6, 'any', 3, 3], not [5, 6, 3, 3]"),
        ("ConvTranspose", [IMAGE], {"channels": 4, "kernel_shape": (2, 2), "group": 4}, "channels do not divide into group 4"),
        ("ConvTranspose", [IMAGE], {"channels": 5, "kernel_shape": (2, 2), "group": 2}, "channels do not divide into group 2"),
        ("ConvTranspose", [(1, 6, 8)], {"channels": 4, "kernel_shape": (2, 2)}, "the input should have 4 axes, not shape [1, 6, 8]"),
        ("ConvTranspose", [IMAGE], {"channels": 4, "kernel_shape": (2, 2), "pads": (9, 9, 9, 9)}, "the output of the transposed convolution is empty"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
