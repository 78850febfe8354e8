"""Kernels, strides and paddings of ONNX's window operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_ir import SourceError


def window_attrs(attrs: dict[str, Any], shape: Sequence[int], kernel: Sequence[int]) -> dict[str, Any]:
    """``kernel_shape``, ``strides``, ``dilations`` and ``pads``, with ``auto_pad`` worked out for the spatial sizes of ``shape``."""
    dims = len(kernel)
    strides = [int(s) for s in attrs.get("strides", (1,) * dims)]
    dilations = [int(d) for d in attrs.get("dilations", (1,) * dims)]
    pads = [int(p) for p in attrs.get("pads", (0,) * (2 * dims))]
    mode = attrs.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = [], []
        for size, k, s, d in zip(shape[-dims:], kernel, strides, dilations, strict=True):
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            small, large = total // 2, total - total // 2
            begins.append(small if mode == "SAME_UPPER" else large)
            ends.append(large if mode == "SAME_UPPER" else small)
        pads = [*begins, *ends]
    elif mode == "VALID":
        pads = [0] * (2 * dims)
    elif mode != "NOTSET":
        raise SourceError(f"auto_pad should be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not {mode!r}")
    return {"kernel_shape": tuple(kernel), "strides": strides, "dilations": dilations, "pads": pads}
