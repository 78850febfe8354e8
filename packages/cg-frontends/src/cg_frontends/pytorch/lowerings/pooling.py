"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import each, filled

Outputs = Sequence[Any]


def _windows(dims: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> dict[str, Any]:
    kernel = each(kernel_size, dims)
    pads, strides = each(padding, dims) * 2, each(stride, dims) or kernel
    return {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": bool(ceil_mode)}


def _register_max_pool(dims: int) -> None:
    @lowers(f"max_pool{dims}d")
    def max_pool(low: Lowering, out: Outputs, x: Value, kernel: Any, *given: Any) -> int:
        stride, padding, dilation, ceil_mode = filled(given, (), 0, 1, False)
        attrs = _windows(dims, kernel, stride, padding, ceil_mode)
        return low.add("MaxPool", x, shape=out[0].shape, dilations=each(dilation, dims), **attrs)

    @lowers(f"max_pool{dims}d_with_indices")
    def with_indices(low: Lowering, out: Outputs, *given: Any) -> list[int | None]:
        return low.select(max_pool(low, out, *given), out)


def _register_average_pool(dims: int) -> None:
    @lowers(f"avg_pool{dims}d")
    def average_pool(low: Lowering, out: Outputs, x: Value, kernel: Any, *given: Any) -> Any:
        stride, padding, ceil_mode, count_include_pad, divisor = filled(given, (), 0, False, True, None)
        counted = bool(count_include_pad) or divisor is not None
        attrs = _windows(dims, kernel, stride, padding, ceil_mode)
        numbers = (attrs[name] for name in ("kernel_shape", "strides", "pads"))
        sizes = zip(x.shape[-dims:], out[0].shape[-dims:], *numbers, strict=False)
        if divisor is not None and any((m - 1) * s + k > n + 2 * p for n, m, k, s, p in sizes):
            return NotImplemented  # the last window, which is cut, has another share
        node = low.add("AveragePool", x, shape=out[0].shape, count_include_pad=counted, **attrs)
        if divisor is None:
            return node
        return low.add("Mul", node, low.scalar(prod(attrs["kernel_shape"]) / divisor), shape=out[0].shape)


def _register_adaptive_pool(dims: int) -> None:
    @lowers(f"adaptive_avg_pool{dims}d", f"_adaptive_avg_pool{dims}d")
    def average(low: Lowering, out: Outputs, x: Value, output_size: Any) -> int:
        shape = out[0].shape
        return low.add("AdaptiveAveragePool", x, shape=shape, output_size=shape[-dims:])

    @lowers(f"adaptive_max_pool{dims}d")
    def greatest(low: Lowering, out: Outputs, x: Value, output_size: Any) -> list[int | None]:
        shape = out[0].shape
        return low.select(low.add("AdaptiveMaxPool", x, shape=shape, output_size=shape[-dims:]), out)


for _dims in (1, 2, 3):
    _register_max_pool(_dims)
    _register_average_pool(_dims)
    _register_adaptive_pool(_dims)
