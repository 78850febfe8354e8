"""Where encoders train: devices by name, batches moved to them, and the precision of their arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from cg_ir.errors import CgError

#: Of the arithmetic; weights and optimiser stay in single precision.
PRECISIONS = ("auto", "float32", "bfloat16")

T = TypeVar("T")


def device_named(name: str) -> torch.device:
    """A device of torch, such as ``cpu`` or ``cuda:1``; ``auto`` is an accelerator where torch finds one, and the processor elsewhere.

    Raises:
        CgError: torch knows no such device, or has none here.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found is not None else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise CgError(f"device '{name}' cannot be used: {str(error).splitlines()[0]}") from None
    return device


def moved(batch: T, device: torch.device) -> T:
    """The batch with all its tensors on the device; dataclasses, tuples and mappings are searched."""
    return batch if device.type == "cpu" else _moved(batch, device)


def _moved(x: Any, device: torch.device) -> Any:
    if isinstance(x, Tensor):
        return x.to(device, non_blocking=True)
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{f.name: _moved(getattr(x, f.name), device) for f in fields(x)})
    if isinstance(x, Mapping):
        return {key: _moved(value, device) for key, value in x.items()}
    if isinstance(x, tuple):
        return tuple(_moved(value, device) for value in x)
    return x


def precision_on(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Mixed precision: products of matrices and attention in bfloat16 if asked for, or by ``auto`` on CUDA devices that have it."""
    half = precision == "bfloat16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
