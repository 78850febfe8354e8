"""Pooling and sampling of ONNX: every attribute and every padding."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx_models import agree, numbers, one, told

X = numbers(1, 3, 9, 8)
WINDOWS = [
    {}, {"strides": [2, 3]}, {"pads": [1, 1, 1, 1]}, {"pads": [1, 0, 0, 1], "strides": [2, 2]}, {"ceil_mode": 1, "strides": [2, 2]},
    {"ceil_mode": 1, "strides": [3, 3], "pads": [1, 1, 1, 1]}, {"ceil_mode": 1, "strides": [4, 4], "pads": [0, 1, 1, 0]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, {"auto_pad": "SAME_LOWER", "strides": [2, 3]}, {"auto_pad": "VALID", "strides": [2, 2]},
]  # fmt: skip


@pytest.mark.parametrize("attrs", WINDOWS)
@pytest.mark.parametrize(
    ("op", "more"),
    [
        ("MaxPool", {}),
        ("AveragePool", {}),
        ("AveragePool", {"count_include_pad": 1}),
        ("LpPool", {}),
        ("LpPool", {"p": 3}),
    ],
)
def test_windows(attrs, op, more):
    if op == "LpPool" and attrs.get("ceil_mode") and "pads" in attrs:  # the last window is cut
        told(one(op, [X], kernel_shape=[3, 2], **attrs, **more), "LpPool with ceil_mode")
        return
    agree(one(op, [X], kernel_shape=[3, 2], **attrs, **more), X)


@pytest.mark.parametrize(
    "attrs", [{"dilations": [2, 2]}, {"dilations": [3, 1], "strides": [2, 2], "pads": [1, 0, 1, 0]}]
)
def test_dilated_windows(attrs):
    agree(one("MaxPool", [X], kernel_shape=[3, 2], **attrs), X)


@pytest.mark.parametrize("op", ["AveragePool", "LpPool"])
def test_dilations_that_the_vocabulary_lacks_are_told(op):
    told(one(op, [X], kernel_shape=[3, 2], dilations=[2, 1]), f"{op}")


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 1, 6, 6), (2, 3, 6, 5), (2, 3, 4, 5, 4)])
def test_positions_count_through_the_whole_tensor(shape):
    x = numbers(*shape)
    agree(
        one("MaxPool", [x], outputs=("y", "i"), kernel_shape=[2] * (len(shape) - 2), strides=[2] * (len(shape) - 2)), x
    )


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5), (1, 2, 3, 4, 5)])
def test_everything(op, shape):
    x = numbers(*shape)
    graph = agree(one(op, [x]), x)
    assert graph.nodes[-1].shape == (*shape[:2], *(1 for _ in shape[2:]))


@pytest.mark.parametrize("opset", [16, 20])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("attrs", [{}, {"padding_mode": "border", "align_corners": 1}, {"padding_mode": "reflection"}])
def test_sampling(opset, mode, attrs):
    grid = np.random.default_rng(0).uniform(-1.4, 1.4, (1, 4, 5, 2)).astype(np.float32)
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode) if opset == 16 else mode
    agree(one("GridSample", [X, grid], opset=opset, mode=name, **attrs), X, grid)


@pytest.mark.parametrize("attrs", [{}, {"mode": "DCR"}, {"mode": "CRD"}])
def test_blocks(attrs):
    deep = numbers(2, 8, 3, 2)
    agree(one("DepthToSpace", [deep], blocksize=2, **attrs), deep)
    wide = numbers(2, 3, 4, 6)
    agree(one("SpaceToDepth", [wide], blocksize=2), wide)
