"""Results of the commonest operators without torch's own shape rules, which first import its compiler and sympy.

Only plain cases are known here: dense tensors in one piece, types that agree, arguments that fit. Everything else, wrong arguments above all, is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cg_ir.operators import FUNCTIONS, OPERATORS

__all__ = ["quick_result"]


def quick_result(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The operator's result, without elements; None where torch has to say."""
    name = str(func)
    rule = _RULES.get(name)
    if rule is None or kwargs or not (name in _ANY or all(_plain(a) for a in args if isinstance(a, Tensor))):
        return None
    return rule(*args)


def _plain(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, torch.nn.Parameter) and tensor.is_contiguous() and tensor.is_floating_point()


def _pairs(value: int | Sequence[int], dims: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * dims if len(values) == 1 else values


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    dims = weight.dim() - 2
    given = (_pairs(stride, dims), _pairs(padding, dims), _pairs(dilation, dims))
    fits = (
        x.dim() == dims + 2
        and groups > 0
        and weight.shape[1] * groups == x.shape[1]
        and weight.shape[0] % groups == 0
        and (bias is None or bias.shape == weight.shape[:1])
        and all(t.dtype == x.dtype and t.device == x.device for t in (weight, bias) if t is not None)
        and all(len(values) == dims for values in given)
        and min(given[0], default=1) > 0
        and min(given[1], default=0) >= 0
        and min(given[2], default=1) > 0
    )
    if not fits:
        return None
    sizes = [
        (size + 2 * pad - step * (kernel - 1) - 1) // move + 1
        for size, kernel, move, pad, step in zip(x.shape[2:], weight.shape[2:], *given, strict=True)
    ]
    if min(sizes, default=1) < 1:
        return None
    return x.new_empty((x.shape[0], weight.shape[0], *sizes))


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    *_: Any,
) -> Tensor | None:
    if training or mean is None or variance is None or x.dim() < 2:
        return None
    parts = [t for t in (weight, bias, mean, variance) if t is not None]
    fits = all(t.shape == x.shape[1:2] and t.dtype == x.dtype and t.device == x.device for t in parts)
    return x.new_empty(x.shape) if fits else None


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, *_: Any
) -> Tensor | None:
    parts = [t for t in (weight, bias) if t is not None]
    fits = list(x.shape[x.dim() - len(shape) :]) == list(shape) and len(shape) > 0
    fits = fits and all(list(t.shape) == list(shape) and t.dtype == x.dtype and t.device == x.device for t in parts)
    return x.new_empty(x.shape) if fits else None


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    parts = [t for t in (weight, bias) if t is not None]
    fits = (
        weight.dim() == 2
        and x.dim() > 1
        and x.shape[-1] == weight.shape[1]
        and (bias is None or bias.shape == weight.shape[:1])
    )
    fits = fits and all(t.dtype == x.dtype and t.device == x.device for t in parts)
    return x.new_empty((*x.shape[:-1], weight.shape[0])) if fits else None


def _same(x: Tensor, *_: Any) -> Tensor:
    return x.new_empty(x.shape)


def _both(x: Any, y: Any) -> Tensor | None:
    fits = (
        isinstance(x, Tensor)
        and isinstance(y, Tensor)
        and x.shape == y.shape
        and x.dtype == y.dtype
        and x.device == y.device
    )
    return x.new_empty(x.shape) if fits else None


def _adaptive_pool(x: Tensor, size: int | Sequence[int]) -> Tensor | None:
    sizes = _pairs(size, 2)
    if x.dim() != 4 or len(sizes) != 2 or any(s is None or s < 1 for s in sizes):
        return None
    return x.new_empty((*x.shape[:2], *sizes))


def _unfold_backward(x: Tensor, sizes: Sequence[int], *_: Any) -> Tensor:
    return x.new_empty(tuple(sizes))


_POINTWISE = (
    *(name for name, op in FUNCTIONS.items() if OPERATORS[op].kind == "activation"),
    *("relu6", "gelu", "hardtanh", "leaky_relu", "elu"),
)

_RULES: dict[str, Callable[..., Tensor | None]] = {
    "aten.conv1d.default": _conv,
    "aten.conv2d.default": _conv,
    "aten.conv3d.default": _conv,
    "aten.batch_norm.default": _batch_norm,
    "aten.layer_norm.default": _layer_norm,
    "aten.linear.default": _linear,
    "aten.adaptive_avg_pool2d.default": _adaptive_pool,
    "aten.unfold_backward.default": _unfold_backward,
    "aten.add.Tensor": _both,
    "aten.mul.Tensor": _both,
    **{f"aten.{name}.default": _same for name in _POINTWISE},
}
#: Whatever the tensor's strides: torch's own rule takes the windows one by one.
_ANY = {"aten.unfold_backward.default"}
