"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import each

Outputs = Sequence[Any]


def _register_max_pool(dims: int) -> None:
    @lowers(f"max_pool{dims}d")
    def max_pool(
        low: Lowering,
        out: Outputs,
        x: Value,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> int:
        kernel = each(kernel_size, dims)
        return low.add(
            "MaxPool",
            x,
            shape=out[0].shape,
            kernel_shape=kernel,
            strides=each(stride, dims) or kernel,
            pads=each(padding, dims) * 2,
            dilations=each(dilation, dims),
            ceil_mode=bool(ceil_mode),
        )

    @lowers(f"max_pool{dims}d_with_indices")
    def with_indices(low: Lowering, out: Outputs, *given: Any, **named: Any) -> list[int | None]:
        return low.select(max_pool(low, out, *given, **named), out)


def _register_average_pool(dims: int) -> None:
    @lowers(f"avg_pool{dims}d")
    def average_pool(
        low: Lowering,
        out: Outputs,
        x: Value,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> int:
        kernel = each(kernel_size, dims)
        shape = out[0].shape
        node = low.add(
            "AveragePool",
            x,
            shape=shape,
            kernel_shape=kernel,
            strides=each(stride, dims) or kernel,
            pads=each(padding, dims) * 2,
            ceil_mode=bool(ceil_mode),
            count_include_pad=bool(count_include_pad) or divisor_override is not None,
        )
        if divisor_override is None:
            return node
        return low.add("Mul", node, low.scalar(prod(kernel) / divisor_override), shape=shape)


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
