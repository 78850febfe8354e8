"""What programs do with the device of their inputs, while those lie on meta.

Constants that a program makes on ``x.device``, and lists that it indexes with, would have no elements, and ``torch.autocast`` knows no
device of that kind. For the time of one forward pass literals keep their elements, and an autocast for meta is one that does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def known_devices() -> Iterator[None]:
    """Let programs write literals and autocast on the device of their inputs."""
    tensor, as_tensor, new_tensor, get_item = torch.tensor, torch.as_tensor, Tensor.new_tensor, Tensor.__getitem__
    autocast = torch.autocast.__init__

    def literal(data: Any, *args: Any, **kwargs: Any) -> Tensor:
        if _on_meta(kwargs.get("device")) and not isinstance(data, Tensor):
            return tensor(data, *args, **{**kwargs, "device": "cpu"}).to("meta")
        return tensor(data, *args, **kwargs)

    def as_literal(data: Any, *args: Any, **kwargs: Any) -> Tensor:
        if _on_meta(kwargs.get("device")) and not isinstance(data, Tensor):
            return as_tensor(data, *args, **{**kwargs, "device": "cpu"}).to("meta")
        return as_tensor(data, *args, **kwargs)

    def new_literal(self: Tensor, data: Any, **kwargs: Any) -> Tensor:
        if _on_meta(kwargs.get("device", self.device)) and not isinstance(data, Tensor):
            return tensor(data, **{"dtype": self.dtype, **kwargs, "device": "cpu"}).to("meta")
        return new_tensor(self, data, **kwargs)

    def item(self: Tensor, index: Any) -> Tensor:
        if self.is_meta and not isinstance(index, Tensor):
            each = index if isinstance(index, tuple) else (index,)
            index = tuple(tensor(i, device="cpu").to("meta") if _is_literal(i) else i for i in each)
        return get_item(self, index)

    def begin(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        if _on_meta(device_type):
            autocast(self, "cpu", enabled=False)
        else:
            autocast(self, device_type, *args, **kwargs)

    changed = ((torch, "tensor", literal), (torch, "as_tensor", as_literal), (torch.autocast, "__init__", begin))
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changed]
    try:
        for owner, name, replacement in changed:
            setattr(owner, name, replacement)
        Tensor.new_tensor, Tensor.__getitem__ = new_literal, item
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)
        del Tensor.new_tensor, Tensor.__getitem__


def _is_literal(index: Any) -> bool:
    """Whether an index is a list of numbers or truth values, or of such lists."""
    return isinstance(index, list) and bool(index) and all(isinstance(i, int) or _is_literal(i) for i in index)


def _on_meta(device: Any) -> bool:
    return isinstance(device, (str, torch.device)) and str(device).startswith("meta")
