"""Entry-point module of cg-frontends in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from cg_ir.plugins import LazyCommand, hookimpl


@hookimpl
def cg_frontends() -> list[Any]:
    """PyTorch modules and the code that makes them; ONNX files."""
    from cg_frontends.onnx_files import OnnxFrontend
    from cg_frontends.pytorch_sources import PyTorchFrontend

    return [OnnxFrontend, PyTorchFrontend]


@hookimpl
def cg_spaces() -> list[Any]:
    """The search space of each module in `cg_frontends.spaces` that has one."""
    from cg_frontends import spaces

    names = [module.name for module in pkgutil.iter_modules(spaces.__path__, f"{spaces.__name__}.")]
    found = [getattr(importlib.import_module(name), "SPACE", None) for name in names]
    return [space for space in found if space is not None]


@hookimpl
def cg_benchmarks() -> list[Any]:
    """Readers of label tables."""
    from cg_frontends.benchmarks import readers

    return [made for made in vars(readers).values() if hasattr(made, "reader") and hasattr(made, "name")]


@hookimpl
def cg_commands() -> list[LazyCommand]:
    """``cg collect``."""
    return [
        LazyCommand(
            "collect",
            "cg_frontends.commands:collect",
            "Write a label table's networks with their labels into one file.",
        )
    ]
