"""Fourier transforms."""

from __future__ import annotations

from typing import Any

from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.layout import one_axis
from cg_ir import SourceError


@reads("DFT")
def dft(im: Importer, o: Operation) -> Any:
    x = im.node(o.input(0))
    shape = im.shape(x)
    if len(shape) < 2 or shape[-1] not in (1, 2):
        raise SourceError(f"the last axis of {list(shape)} should have size 1 or 2")
    axis = one_axis(int(o.attrs.get("axis", 1)) if im.opset < 20 else int(o.number(2, -2) or 0), len(shape))
    inverse, onesided = bool(o.attrs.get("inverse", 0)), bool(o.attrs.get("onesided", 0))
    if onesided and shape[-1] != 1 + inverse:
        return o.refuse("one side of a spectrum whose numbers are not real on the other")
    back = inverse and onesided
    length = int(o.number(1, 2 * (shape[axis] - 1) if back else shape[axis]) or 0)
    if length < 1:
        raise SourceError(f"a transform of {length} numbers")
    x = _resized(im, x, axis, length // 2 + 1 if back else length)
    if inverse and shape[-1] == 1:
        x = _resized(im, x, len(shape) - 1, 2)
    shape = im.shape(x)
    wanted = (*shape[:axis], length, *shape[axis + 1 : -1], 1) if back else None
    return im.add("DFT", x, shape=wanted, axis=axis, inverse=inverse, onesided=onesided)


def _resized(im: Importer, x: int, axis: int, size: int) -> int:
    """The first elements of an axis, filled up with zeros."""
    shape = im.shape(x)
    pads = [0] * (2 * len(shape))
    pads[len(shape) + axis] = size - shape[axis]
    return im.add("Pad", x, pads=pads) if size != shape[axis] else x


@reads("STFT")
def stft(im: Importer, o: Operation) -> Any:
    """Windows of the signal (batch, length, 1), one row each, and the transform of every row."""
    x = o.input(0)
    batch, length, parts = im.shape(x)
    if parts != 1:
        return o.refuse("a complex signal")
    window = o.input(2)
    step, size = int(o.number(1) or 0), int(o.number(3, im.shape(window)[0] if window is not None else length) or 0)
    if step < 1 or not 1 <= size <= length:
        raise SourceError(f"windows of {size}, {step} apart, of {length} numbers")
    rows = im.reshape(x, (batch, 1, 1, length))
    columns = im.add("Im2Col", rows, kernel_shape=(1, size), strides=(1, step), pads=(0,) * 4)
    frames = im.transpose(columns, (0, 2, 1))
    if window is not None:
        frames = im.add("Mul", frames, window)
    pairs = im.reshape(frames, (*im.shape(frames), 1))
    return im.add("DFT", pairs, axis=2, onesided=bool(o.attrs.get("onesided", 1)))
