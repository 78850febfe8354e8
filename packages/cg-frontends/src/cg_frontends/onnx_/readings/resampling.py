"""Resize: what ONNX's many coordinate rules come to, and which of the format's few interpolations that is.

Resizing is linear and works on each axis by itself: output element i is a weighted sum of input elements. So two spellings are one
operation where they have the same weights along every axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_frontends.onnx_.readings.layout import one_axis
from cg_ir import SourceError

_LARGEST = 2**25  # weights along one axis that are compared
Weights = NDArray[np.float64]


@reads("Resize")
def resize(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    a = o.attrs
    rank = len(shape)
    axes = [one_axis(i, rank) for i in a["axes"]] if "axes" in a else list(range(rank))
    out, scales = _sizes(o, shape, axes)
    if min(out) < 1:
        raise SourceError(f"the output {out} is empty")
    mode = a.get("mode", "nearest")
    coordinates = a.get("coordinate_transformation_mode", "half_pixel")
    rounding = a.get("nearest_mode", "round_prefer_floor")
    cubic, outside = float(a.get("cubic_coeff_a", -0.75)), bool(a.get("exclude_outside", 0))
    antialias = bool(a.get("antialias", 0))
    if coordinates == "tf_crop_and_resize":
        return NotImplemented
    o.input(1), a.get("extrapolation_value")  # of tf_crop_and_resize
    if antialias and min(scales) < 1.0:
        return NotImplemented  # ONNX and torch filter differently
    if max((x * y for x, y, s in zip(shape, out, scales, strict=True) if x != y or s != 1.0), default=0) > _LARGEST:
        raise SourceError(f"resizing {list(shape)} to {out} is beyond the limit of this reader")
    wanted = [
        _weights(n, m, s, mode, coordinates, rounding, cubic, outside) if n != m or s != 1.0 else None
        for n, m, s in zip(shape, out, scales, strict=True)
    ]
    for found in _candidates(mode):
        ours = _OURS[found["mode"], found.get("align_corners", False)]
        if all(
            w is None or np.allclose(w, _weights(n, m, m / n, *ours, False), atol=1e-4)
            for w, n, m in zip(wanted, shape, out, strict=True)
        ):
            return im.add("Resize", o.input(0), shape=tuple(out), **found)
    return NotImplemented


def _sizes(o: Operation, shape: tuple[int, ...], axes: list[int]) -> tuple[list[int], list[float]]:
    """Output sizes, and the scale of each axis that the coordinates follow."""
    given, sizes = o.array(2), o.array(3)
    policy = o.attrs.get("keep_aspect_ratio_policy", "stretch")
    out, scales = list(shape), [1.0] * len(shape)
    if sizes is not None and sizes.size:
        ratios = [int(s) / shape[i] for i, s in zip(axes, sizes.reshape(-1), strict=True)]
        if policy != "stretch":
            one = min(ratios) if policy == "not_larger" else max(ratios)
            ratios = [one] * len(axes)
        for i, s, ratio in zip(axes, sizes.reshape(-1), ratios, strict=True):
            out[i] = int(s) if policy == "stretch" else int(np.floor(ratio * shape[i] + 0.5))
            scales[i] = ratio
        return out, scales
    if given is None or not given.size:
        raise SourceError("its sizes or scales depend on data, so its shape is not known")
    for i, scale in zip(axes, given.reshape(-1), strict=True):
        out[i], scales[i] = int(np.floor(np.float32(shape[i]) * scale)), float(scale)  # in 32 bits, as runtimes do
    return out, scales


#: What the format's interpolations are in ONNX's words: mode, coordinates, rounding, cubic coefficient.
_OURS = {
    ("nearest", False): ("nearest", "asymmetric", "floor", -0.75),
    ("nearest-exact", False): ("nearest", "half_pixel", "round_prefer_ceil", -0.75),
    ("linear", False): ("linear", "half_pixel", "", -0.75),
    ("linear", True): ("linear", "align_corners", "", -0.75),
    ("cubic", False): ("cubic", "half_pixel", "", -0.75),
    ("cubic", True): ("cubic", "align_corners", "", -0.75),
}


def _candidates(mode: str) -> list[dict[str, Any]]:
    if mode == "nearest":
        return [{"mode": "nearest-exact"}, {"mode": "nearest"}]
    return [{"mode": mode}, {"mode": mode, "align_corners": True}]


def _weights(
    size: int, out: int, scale: float, mode: str, coordinates: str, rounding: str, cubic: float, exclude: bool
) -> Weights:
    """The weights (out, size) along one axis, as the ONNX specification of Resize defines them."""
    places = _coordinates(size, out, scale, coordinates)
    result = np.zeros((out, size))
    rows = np.arange(out)
    if mode == "nearest":
        result[rows, np.clip(_round(places, rounding), 0, size - 1)] = 1.0
        return result
    reach = 1 if mode == "linear" else 2
    first = np.floor(places - reach).astype(int)
    for step in range(2 * reach + 3):
        columns = first + step
        weights = _kernel(columns - places, mode, cubic)
        if exclude:
            weights = np.where((columns >= 0) & (columns < size), weights, 0.0)
        np.add.at(result, (rows, np.clip(columns, 0, size - 1)), weights)
    total = result.sum(axis=1, keepdims=True)
    return result / np.where(total == 0, 1.0, total)


def _coordinates(size: int, out: int, scale: float, rule: str) -> NDArray[np.float64]:
    x = np.arange(out, dtype=np.float64)
    wide = out if rule != "half_pixel_symmetric" else size * scale
    if rule == "half_pixel":
        return (x + 0.5) / scale - 0.5
    if rule == "half_pixel_symmetric":
        return size / 2 * (1 - out / wide) + (x + 0.5) / scale - 0.5
    if rule == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if out > 1 else np.zeros(1)
    if rule == "align_corners":
        return x * ((size - 1) / (out - 1)) if out > 1 else np.zeros(1)
    if rule == "asymmetric":
        return x / scale
    if rule == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    raise SourceError(f"coordinate_transformation_mode {rule!r} is unknown")


def _round(places: NDArray[np.float64], rule: str) -> NDArray[np.int64]:
    if rule == "floor":
        found = np.floor(places + 1e-9)
    elif rule == "ceil":
        found = np.ceil(places - 1e-9)
    elif rule == "round_prefer_floor":
        found = np.ceil(places - 0.5 - 1e-9)
    elif rule == "round_prefer_ceil":
        found = np.floor(places + 0.5 + 1e-9)
    else:
        raise SourceError(f"nearest_mode {rule!r} is unknown")
    return found.astype(np.int64)


def _kernel(x: NDArray[np.float64], mode: str, a: float) -> NDArray[np.float64]:
    x = np.abs(x)
    if mode == "linear":
        return np.maximum(1.0 - x, 0.0)
    if mode != "cubic":
        raise SourceError(f"interpolation {mode!r} is unknown")
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
