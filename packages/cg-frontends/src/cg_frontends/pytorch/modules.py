"""Lends a module to the recorder: parameters on meta, evaluation mode, paths as regions; afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Lent", "lend"]


class Lent:
    """A module while it is lent.

    Attributes:
        parameters: (dotted name, meta tensor) of every distinct parameter, in order.
        paths: dotted path by id of each submodule.
        origins: the module's own tensor by the id of the one that stands for it.
    """

    def __init__(self) -> None:
        self.parameters: list[tuple[str, nn.Parameter]] = []
        self.paths: dict[int, str] = {}
        self.origins: dict[int, Tensor] = {}


@contextmanager
def lend(module: nn.Module, enter: Callable[[str], None], real_buffers: bool = False) -> Iterator[Lent]:
    """Put ``module`` on meta and in evaluation mode; on exit every attribute is what it was before.

    Args:
        enter: called with the dotted path of the module that now runs, each time it changes.
        real_buffers: keep buffers and plain tensors where they are (as copies), for programs that read their elements.
    """
    lent = Lent()
    moved: dict[int, Tensor] = {}
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def meta(tensor: Tensor) -> Tensor:
        """The meta twin of a tensor; one for each tensor, so that shared ones stay shared."""
        twin = moved.get(id(tensor))
        if twin is None:
            if isinstance(tensor, nn.Parameter):
                empty = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
                twin = nn.Parameter(empty, requires_grad=tensor.requires_grad)
            elif real_buffers:
                twin = tensor.detach().clone()
            else:
                twin = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
            moved[id(tensor)] = twin
            moved[-id(tensor)] = tensor  # keeps the id from being used again
            lent.origins[id(twin)] = tensor
        return twin

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return meta(value)
        if type(value) in (list, tuple) and any(isinstance(item, Tensor) for item in value):
            return type(value)(plain(item) for item in value)
        if type(value) is dict:
            if any(isinstance(item, Tensor) for item in value.values()):
                return {key: plain(item) for key, item in value.items()}
            return dict(value)  # the forward pass may fill it as a cache
        if type(value) is list:
            return list(value)
        return value

    inside = ("_parameters", "_buffers", "_modules")
    stack = [""]
    paths = lent.paths

    def before(submodule: nn.Module, inputs: Any) -> None:
        path = paths.get(id(submodule))
        if path is None:
            path = stack[-1]
        stack.append(path)
        enter(path)

    def after(submodule: nn.Module, inputs: Any, output: Any) -> None:
        if len(stack) > 1:
            stack.pop()
        enter(stack[-1])

    handles = []
    try:
        for path, submodule in module.named_modules():
            paths[id(submodule)] = path
            own = submodule.__dict__
            kept.append((own, dict(own)))
            for name, content in own.items():
                if isinstance(content, dict) and (name in inside or name.endswith("_hooks")):
                    kept.append((content, dict(content)))  # kept as the same object: hooks' handles refer to it
        for path, submodule in module.named_modules():
            own = submodule.__dict__
            for name, parameter in own["_parameters"].items():
                if parameter is not None:
                    known = id(parameter) in moved
                    twin = own["_parameters"][name] = meta(parameter)
                    if not known:
                        lent.parameters.append((f"{path}.{name}" if path else name, twin))
            for name, buffer in own["_buffers"].items():
                if buffer is not None:
                    own["_buffers"][name] = meta(buffer)
            for name, value in list(own.items()):
                if not isinstance(value, (Tensor, list, tuple, dict)) or name in inside or name.endswith("_hooks"):
                    continue
                changed = plain(value)
                if changed is not value:
                    own[name] = changed
            own["training"] = False
        handles.append(nn.modules.module.register_module_forward_pre_hook(before))
        handles.append(nn.modules.module.register_module_forward_hook(after, always_call=True))
        yield lent
    finally:
        for handle in handles:
            handle.remove()
        for own, saved in kept:
            own.clear()
            own.update(saved)
