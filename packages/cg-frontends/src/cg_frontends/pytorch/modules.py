"""Lends a module to the recorder: parameters on meta, evaluation mode, paths as regions; afterwards it is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_INSIDE = ("_parameters", "_buffers", "_modules")


class Lent:
    """A module while it is lent.

    Attributes:
        parameters: (dotted name, meta tensor) of every distinct parameter, in order.
        paths: dotted path by id of each submodule.
        origins: the module's own tensor by the id of the one that stands for it.
    """

    def __init__(self, real_buffers: bool) -> None:
        self.parameters: list[tuple[str, nn.Parameter]] = []
        self.paths: dict[int, str] = {}
        self.origins: dict[int, Tensor] = {}
        self._real_buffers = real_buffers
        self._moved: dict[int, Tensor] = {}
        self._kept: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def remember(self, module: nn.Module) -> None:
        """Note paths and attributes as they are."""
        for path, submodule in module.named_modules():
            self.paths[id(submodule)] = path
            own = submodule.__dict__
            self._kept.append((own, dict(own)))
            for name, content in own.items():
                if isinstance(content, dict) and (name in _INSIDE or name.endswith("_hooks")):
                    self._kept.append((content, dict(content)))  # kept as the same object: hooks' handles refer to it

    def restore(self) -> None:
        """Every attribute is what it was."""
        for own, saved in self._kept:
            own.clear()
            own.update(saved)

    def move(self, module: nn.Module) -> None:
        """Tensors to meta, evaluation mode."""
        for path, submodule in module.named_modules():
            own = submodule.__dict__
            for name, parameter in own["_parameters"].items():
                if parameter is not None:
                    known = id(parameter) in self._moved
                    twin = own["_parameters"][name] = self._meta(parameter)
                    if not known:
                        self.parameters.append((f"{path}.{name}" if path else name, twin))
            for name, buffer in own["_buffers"].items():
                if buffer is not None:
                    own["_buffers"][name] = self._meta(buffer)
            for name, value in list(own.items()):
                if not isinstance(value, (Tensor, list, tuple, dict)) or name in _INSIDE or name.endswith("_hooks"):
                    continue
                changed = self._plain(value)
                if changed is not value:
                    own[name] = changed
            own["training"] = False

    def _meta(self, tensor: Tensor) -> Any:
        """The meta twin of a tensor; one for each tensor, so that shared ones stay shared."""
        twin = self._moved.get(id(tensor))
        if twin is None:
            if self._real_buffers and not isinstance(tensor, nn.Parameter):
                twin = tensor.detach().clone()
            else:
                twin = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
                if isinstance(tensor, nn.Parameter):
                    twin = nn.Parameter(twin, requires_grad=tensor.requires_grad)
            self._moved[id(tensor)] = twin
            self._moved[-id(tensor)] = tensor  # keeps the id from being used again
            self.origins[id(twin)] = tensor
        return twin

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._meta(value)
        if type(value) in (list, tuple) and any(isinstance(item, Tensor) for item in value):
            return type(value)(self._plain(item) for item in value)
        if type(value) is dict:
            if any(isinstance(item, Tensor) for item in value.values()):
                return {key: self._plain(item) for key, item in value.items()}
            return dict(value)  # the forward pass may fill it as a cache
        return list(value) if type(value) is list else value


@contextmanager
def lend(module: nn.Module, enter: Callable[[str], None], real_buffers: bool = False) -> Iterator[Lent]:
    """Put ``module`` on meta and in evaluation mode; on exit every attribute is what it was before.

    Args:
        enter: called with the dotted path of the module that now runs, each time it changes.
        real_buffers: keep buffers and plain tensors where they are (as copies), for programs that read their elements.
    """
    lent, stack = Lent(real_buffers), [""]

    def before(submodule: nn.Module, inputs: Any) -> None:
        stack.append(lent.paths.get(id(submodule), stack[-1]))
        enter(stack[-1])

    def after(submodule: nn.Module, inputs: Any, output: Any) -> None:
        if len(stack) > 1:
            stack.pop()
        enter(stack[-1])

    handles = []
    try:
        lent.remember(module)
        lent.move(module)
        handles.append(nn.modules.module.register_module_forward_pre_hook(before))
        handles.append(nn.modules.module.register_module_forward_hook(after, always_call=True))
        yield lent
    finally:
        for handle in handles:
            handle.remove()
        lent.restore()
