"""Elements of constants, where they decide what an operator is: an attention mask that hides nothing, or later positions."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from cg_frontends.lowering.tape import CONSTANT, Value

_LIMIT = 2**24


def elements(value: Value) -> Tensor | None:
    """The elements of a constant, computed on the CPU from what the program made it of; ``None`` where they are not known.

    Elements of the module's own buffers are not known: a module may have been built without them.
    """
    if value.kind != CONSTANT or prod(value.shape) > _LIMIT:
        return None
    if value.data is None:
        value.data = _compute(value)
    data: Tensor | None = value.data
    return data


def _compute(value: Value) -> Tensor | None:
    call = value.call
    if call is not None and call.name == "aten::detach":  # in place at the end of every literal
        return elements(call.args[0])
    if call is None or call.func is None:
        return None if value.fill is None else torch.full(value.shape, value.fill, dtype=getattr(torch, value.dtype))
    if call.name.startswith("aten::empty") or torch.Tag.nondeterministic_seeded in call.func.tags:
        return None
    unknown = False

    def real(argument: Any) -> Any:
        nonlocal unknown
        if isinstance(argument, Value):
            found = elements(argument)
            unknown = unknown or found is None
            return found
        if isinstance(argument, (list, tuple)):
            return [real(item) for item in argument]
        return torch.device("cpu") if isinstance(argument, torch.device) else argument

    args = [real(a) for a in call.args]
    kwargs = {key: real(a) for key, a in call.kwargs.items()}
    if unknown:
        return None
    try:
        with torch.no_grad():
            out = call.func(*args, **kwargs)
    except Exception:
        return None
    result = out if isinstance(out, Tensor) else out[value.index]
    return result if result.shape == value.shape else None


def mask_kind(mask: Value, scores: tuple[int, int]) -> str:
    """``none`` for a mask that hides nothing of (queries, keys), ``causal`` for one that hides later keys, ``other`` for any other or unknown one."""
    if mask.fill is not None:
        return "none" if mask.fill == (1.0 if mask.dtype == "bool" else 0.0) else "other"
    found = elements(mask)
    if found is None:
        return "other"
    shown = found if found.dtype == torch.bool else found == 0
    if found.dtype != torch.bool and not bool((shown | (found <= -1e4)).all()):
        return "other"  # a bias that weighs
    if bool(shown.all()):
        return "none"
    causal = torch.ones(scores, dtype=torch.bool).tril()
    return "causal" if bool((shown == causal).all()) else "other"
