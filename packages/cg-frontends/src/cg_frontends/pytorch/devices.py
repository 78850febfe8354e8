"""What programs do with the device of their inputs, while those lie on meta.

Constants that a program makes on ``x.device``, and lists that it indexes with, would have no elements, and ``torch.autocast`` knows no
device of that kind. For the time of one forward pass literals keep their elements, and an autocast for meta is one that does nothing.
(``Tensor.__getitem__`` must not be replaced, not even for that time: CPython takes tensors for sequences ever after.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def known_devices() -> Iterator[None]:
    """Let programs write literals and autocast on the device of their inputs."""
    tensor, as_tensor, new_tensor, autocast = torch.tensor, torch.as_tensor, Tensor.new_tensor, torch.autocast.__init__

    def kept(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(data: Any, *args: Any, **kwargs: Any) -> Tensor:
            found = make(data, *args, **kwargs)
            if found.is_meta and not isinstance(data, Tensor):
                found = make(data, *args, **{**kwargs, "device": "cpu"}).to("meta")
            return found

        return made

    def new_literal(self: Tensor, data: Any, **kwargs: Any) -> Tensor:
        return kept(partial(new_tensor, self))(data, **kwargs)

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
        Tensor.new_tensor = new_literal
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)
        del Tensor.new_tensor


class ListIndices(TorchFunctionMode):
    """Lists as indices keep their elements. Torch takes other ways through some modules under such a mode: it is for programs that need it."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in (Tensor.__getitem__, Tensor.__setitem__) and args[0].is_meta:
            each = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(map(_is_literal, each)):
                index = tuple(torch.tensor(i, device="cpu").to("meta") if _is_literal(i) else i for i in each)
                args = (args[0], index, *args[2:])
        return func(*args, **(kwargs or {}))


def _is_literal(index: Any) -> bool:
    """Whether an index is a list of numbers or truth values, or of such lists."""
    return isinstance(index, list) and bool(index) and all(isinstance(i, int) or _is_literal(i) for i in index)


def _on_meta(device: Any) -> bool:
    return isinstance(device, (str, torch.device)) and str(device).startswith("meta")
