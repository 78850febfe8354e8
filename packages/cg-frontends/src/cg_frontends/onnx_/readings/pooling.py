"""Pooling and sampling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.windows import window_attrs


@reads("MaxPool", "AveragePool", "LpPool")
def pool(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    attrs = window_attrs(o.attrs, im.shape(x), [int(k) for k in o.attrs["kernel_shape"]])
    attrs["ceil_mode"] = bool(o.attrs.get("ceil_mode", 0))
    if o.op == "AveragePool":
        attrs["count_include_pad"] = bool(o.attrs.get("count_include_pad", 0))
    if o.op == "LpPool":
        attrs["p"] = int(o.attrs.get("p", 2))
    if o.op != "MaxPool" and any(d != 1 for d in attrs.pop("dilations")):
        return NotImplemented
    if o.op == "LpPool" and attrs["ceil_mode"] and _cut(im.shape(x), attrs):
        return o.refuse("ceil_mode")  # torch divides by what is left of the window and multiplies by all of it
    if o.op == "MaxPool":
        o.attrs.get("storage_order")  # of positions, which are refused with it
    node = im.add(o.op, x, **attrs)
    return [node, _positions(im, o, node)] if o.wants(1) else [node]


def _cut(shape: tuple[int, ...], attrs: dict[str, Any]) -> bool:
    """Whether the last window of an axis reaches beyond the padded image."""
    dims = len(attrs["kernel_shape"])
    padded = [size + sum(attrs["pads"][axis::dims]) for axis, size in enumerate(shape[-dims:])]
    windows = zip(padded, attrs["kernel_shape"], attrs["strides"], strict=True)
    return any((size - kernel) % stride for size, kernel, stride in windows)


def _positions(im: Importer, o: Operation, node: int) -> int | None:
    """ONNX counts positions through the whole tensor, the format through each image."""
    shape, before = im.shape(node), im.shape(o.input(0))
    if o.attrs.get("storage_order", 0):
        return None
    where = im.add("Select", node, shape=shape, index=1)
    dims = len(o.attrs["kernel_shape"])
    images = np.arange(im.bounded(prod(before[:-dims])), dtype=np.int64) * prod(before[-dims:])
    if images.size == 1:
        return where
    return im.add("Add", where, im.constant(images.reshape(*before[:-dims], *(1,) * dims)))


reads("GlobalAveragePool", "GlobalMaxPool")(lambda im, o: im.add(o.op, o.input(0)))


@reads("GridSample")
def grid_sample(im: Importer, o: Operation) -> Any:
    x, grid, mode = o.input(0), o.input(1), o.attrs.get("mode", "linear")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)  # until opset 20
    outside, corners = o.attrs.get("padding_mode", "zeros"), bool(o.attrs.get("align_corners", 0))
    shape = (*im.shape(x)[:2], *im.shape(grid)[1:-1])
    return im.add("GridSample", x, grid, shape=shape, mode=mode, padding_mode=outside, align_corners=corners)


@reads("DepthToSpace", "SpaceToDepth")
def depth_to_space(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0), blocksize=int(o.attrs["blocksize"]), mode=o.attrs.get("mode", "DCR"))
