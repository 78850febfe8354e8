"""Remembers what shapes an operator gave, for networks repeat themselves and torch's shape rules are slow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cg_frontends.pytorch.quick_shapes import quick_result


class ShapeMemory:
    """Runs operators on meta tensors; one that was run on the same shapes before is not run again.

    Requires: the operator writes to no argument and its outputs follow from shapes, strides and types alone. Outputs that share
    memory with an argument (dropout in evaluation returns it) are never remembered.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]) -> Any:
        """The operator's outputs: tensors without elements."""
        try:
            key = (func, _key(args), _key(tuple(kwargs.items())) if kwargs else None)
            known = self._known.get(key)
        except TypeError:  # an argument that has no hash
            return func(*args, **kwargs)
        if known is None:
            out = quick_result(func, args, kwargs)
            out = func(*args, **kwargs) if out is None else out
            self._known[key] = _recipe(out, tensors)
            return out
        if known is _SHARED:
            return func(*args, **kwargs)
        made = [torch.empty_strided(size, stride, dtype=dtype, device="meta") for size, stride, dtype in known[1]]
        return made[0] if known[0] is None else known[0](made)


def recurrent_outputs(args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """What ``lstm``, ``gru`` and ``rnn`` give for a sequence, without a step for each element of it.

    Args:
        args: as the operators take them: input, states (one, or a list of state and cell), parameters, whether there are biases, layers,
            dropout, training, both directions, batch first.
    """
    x, states = args[0], args[1]
    last = list(states) if isinstance(states, (list, tuple)) else [states]
    directions = 2 if args[7] else 1
    sequence = x.new_empty((*x.shape[:-1], last[0].shape[-1] * directions))
    return (sequence, *(torch.empty_like(state) for state in last))


_SHARED = object()


def _key(values: Any) -> tuple[Any, ...]:
    parts: list[Any] = []
    for value in values:
        if isinstance(value, Tensor):
            parts += (value.shape, value.stride(), value.dtype)
        elif isinstance(value, (list, tuple)):
            parts.append(_key(value))
        else:
            parts += (type(value), value)  # 1, 1.0 and True are equal but give other types
    return tuple(parts)


def _recipe(out: Any, tensors: list[Tensor]) -> Any:
    """The type of a result (``None`` for one tensor) and size, strides and type of each of its tensors."""
    single = isinstance(out, Tensor)
    outs = (out,) if single else out
    if not isinstance(outs, (tuple, list)) or not all(isinstance(t, Tensor) and t.is_meta for t in outs):
        return _SHARED
    memory = {t.untyped_storage()._cdata for t in tensors}
    if any(t.untyped_storage()._cdata in memory or t.storage_offset() or t.is_conj() or t.is_neg() for t in outs):
        return _SHARED
    return None if single else type(out), [(t.size(), t.stride(), t.dtype) for t in outs]
