"""What programs do with the device of their inputs, while those lie on meta.

Constants that a program makes on ``x.device``, and lists that it indexes with, would have no elements, and ``torch.autocast`` knows no
device of that kind. For the time of one forward pass literals keep their elements, and an autocast for meta is one that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor


@contextmanager
def known_devices() -> Iterator[None]:
    """Let programs write literals and autocast on the device of their inputs."""
    tensor, as_tensor, new_tensor, get_item = torch.tensor, torch.as_tensor, Tensor.new_tensor, Tensor.__getitem__
    autocast = torch.autocast.__init__

    def kept(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(data: Any, *args: Any, **kwargs: Any) -> Tensor:
            found = make(data, *args, **kwargs)
            if found.is_meta and not isinstance(data, Tensor):
                found = make(data, *args, **{**kwargs, "device": "cpu"}).to("meta")
            return found

        return made

    def new_literal(self: Tensor, data: Any, **kwargs: Any) -> Tensor:
        return kept(partial(new_tensor, self))(data, **kwargs)

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

    # torch lists what makes tensors when it first needs to: before they are replaced
    with torch.device("cpu"):
        torch.empty(0)
    changed = (
        (torch, "tensor", kept(tensor)),
        (torch, "as_tensor", kept(as_tensor)),
        (torch.autocast, "__init__", begin),
    )
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
