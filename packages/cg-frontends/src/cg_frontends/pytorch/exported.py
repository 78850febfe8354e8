"""Programs of ``torch.export`` and ``torch.fx``: how the recorder runs them."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from cg_frontends.pytorch.structure import map_tensors
from cg_ir import SourceError

#: Runs a program: (callback with the path of the module that runs, args, kwargs) -> result.
Runner = Callable[[Callable[[str], None], tuple[Any, ...], dict[str, Any]], Any]


def runner_of(module: Any) -> tuple[Runner, nn.Module]:
    """How to run a program, and the module that owns its parameters."""
    if isinstance(module, torch.export.ExportedProgram):
        owner = module.module(check_guards=False)
        leaves = torch.utils._pytree.tree_leaves
        return (lambda enter, *given: _Interpreter(owner, enter).run(*leaves(given), enable_io_processing=False)), owner
    return (lambda enter, args, kwargs: module(*args, **kwargs)), module


def module_of(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The exported program of a module, for programs that the plain forward pass on meta cannot take."""
    training = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(module, map_tensors(args, _dense), map_tensors(kwargs, _dense), strict=False)
    finally:
        for submodule, mode in training.items():
            submodule.training = mode


def program_of_script(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The exported program of a scripted or traced module, whose own parameters cannot be lent.

    Raises:
        SourceError: torch cannot export it.
    """
    try:
        from torch._export.converter import TS2EPConverter

        with torch.no_grad(), _quiet():
            return TS2EPConverter(module, map_tensors(args, _dense), map_tensors(kwargs, _dense)).convert()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(
            f"{module.original_name}: a TorchScript module that torch.export cannot take ({reason})"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch.export's own account of a failure runs over many lines; ours is one."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _dense(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor


class _Interpreter(fx.Interpreter):
    """Runs the operators of an exported program one by one and tells from which module each came."""

    def __init__(self, owner: fx.GraphModule, enter: Callable[[str], None]) -> None:
        super().__init__(owner, garbage_collect_values=False)
        self._enter = enter

    def run_node(self, n: fx.Node) -> Any:
        stack = n.meta.get("nn_module_stack")
        if stack:
            path = list(stack.values())[-1][0]
            self._enter(path.removeprefix("L['self']").lstrip(".") if isinstance(path, str) else "")
        return super().run_node(n)

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        if str(target) == "_guards_fn":
            return None
        return super().call_module(target, args, kwargs)
