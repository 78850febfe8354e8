"""Results of the commonest operators without torch's own shape rules, which first import its compiler and sympy.

Only plain cases are known here: dense tensors in one piece, types that agree, arguments that fit. Everything else, wrong arguments above all, is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cg_frontends.pytorch.lowerings.arguments import each, filled
from cg_ir.operators import FUNCTIONS, OPERATORS


def quick_result(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The operator's result, without elements; None where torch has to say."""
    name = str(func)
    rule = _RULES.get(name)
    if rule is None or kwargs or not (name in _ANY or all(_plain(a) for a in args if isinstance(a, Tensor))):
        return None
    return rule(*args)


def _plain(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, torch.nn.Parameter) and tensor.is_contiguous() and tensor.is_floating_point()


def _alike(x: Tensor, *others: Tensor | None) -> bool:
    """Whether the tensors that are there have the type and the device of one."""
    return all(t is None or (t.dtype == x.dtype and t.device == x.device) for t in others)


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *given: Any) -> Tensor | None:
    *windows, groups = filled(given, 1, 0, 1, 1)
    dims = weight.dim() - 2
    stride, padding, dilation = (each(values, dims) for values in windows)
    fits = (
        x.dim() == dims + 2
        and groups > 0
        and weight.shape[1] * groups == x.shape[1]
        and weight.shape[0] % groups == 0
        and (bias is None or bias.shape == weight.shape[:1])
        and _alike(x, weight, bias)
        and len(stride) == len(padding) == len(dilation) == dims
        and min((*stride, *dilation, 1)) > 0
        and min((*padding, 0)) >= 0
    )
    if not fits:
        return None
    sizes = [
        (size + 2 * pad - step * (kernel - 1) - 1) // move + 1
        for size, kernel, move, pad, step in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    return x.new_empty((x.shape[0], weight.shape[0], *sizes)) if min((*sizes, 1)) > 0 else None


def _batch_norm(x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: Any) -> Tensor | None:
    if training or mean is None or variance is None or x.dim() < 2:
        return None
    parts = [t for t in (weight, bias, mean, variance) if t is not None]
    fits = all(t.shape == x.shape[1:2] for t in parts) and _alike(x, *parts)
    return x.new_empty(x.shape) if fits else None


def _layer_norm(x: Tensor, shape: Sequence[int], weight: Any = None, bias: Any = None, *_: Any) -> Tensor | None:
    parts = [t for t in (weight, bias) if t is not None]
    fits = len(shape) > 0 and all(
        list(s) == list(shape) for s in (x.shape[x.dim() - len(shape) :], *(t.shape for t in parts))
    )
    return x.new_empty(x.shape) if fits and _alike(x, *parts) else None


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    fits = weight.dim() == 2 and x.dim() > 1 and x.shape[-1] == weight.shape[1] and _alike(x, weight, bias)
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    return x.new_empty((*x.shape[:-1], weight.shape[0])) if fits else None


def _same(x: Tensor, *_: Any) -> Tensor:
    return x.new_empty(x.shape)


def _both(x: Any, y: Any) -> Tensor | None:
    fits = isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape == y.shape and _alike(x, y)
    return x.new_empty(x.shape) if fits else None


def _adaptive_pool(x: Tensor, size: int | Sequence[int]) -> Tensor | None:
    sizes = each(size, 2)
    if x.dim() != 4 or len(sizes) != 2 or any(s is None or s < 1 for s in sizes):
        return None
    return x.new_empty((*x.shape[:2], *sizes))


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
    "aten.unfold_backward.default": lambda x, sizes, *_: x.new_empty(tuple(sizes)),
    "aten.add.Tensor": _both,
    "aten.mul.Tensor": _both,
    **{f"aten.{name}.default": _same for name in _POINTWISE},
}
#: Whatever the tensor's strides: torch's own rule takes the windows one by one.
_ANY = {"aten.unfold_backward.default"}
