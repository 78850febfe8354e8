"""The frontend of PyTorch sources: modules in memory, ``file.py:callable`` and ``module.path:callable``. Imports torch when it converts."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from cg_ir.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from cg_ir import Graph

__all__ = ["PyTorchFrontend"]

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FILE = re.compile(r".+\.py:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.DOTALL)
_UNREADABLE = {
    ".pt2": "loading an exported program unpickles, which can run any code; load it yourself with torch.export.load and "
    "pass it to cg_frontends.pytorch.from_module",
    ".pt": "loading it unpickles, which can run any code; name the code that builds the model instead: file.py:callable",
    ".pth": "loading it unpickles, which can run any code; name the code that builds the model instead: file.py:callable",
    ".pkl": "pickles can run any code; name the code that builds the model instead: file.py:callable",
    ".safetensors": "it holds weights and no network; name the code that builds the model instead: file.py:callable",
}


class PyTorchFrontend:
    """Converts ``nn.Module`` objects and sources that name a callable which returns one; the code that they name is run."""

    name = "torch"

    def accepts(self, source: Any) -> bool:
        """Whether the source is a module, an exported program, or looks like code that makes one."""
        if isinstance(source, str):
            return bool(_FILE.fullmatch(source) or _MODULE.fullmatch(source)) or source.lower().endswith(
                tuple(_UNREADABLE)
            )
        torch = sys.modules.get("torch")
        return torch is not None and (isinstance(source, torch.nn.Module) or type(source).__name__ == "ExportedProgram")

    def convert(
        self,
        source: Any,
        *,
        input: Any = (),
        args: Any = None,
        strict: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> Graph:
        """The graph of a source.

        Args:
            source: a module, or ``file.py:callable`` or ``module.path:callable``, whose callable (a class, a function or a module
                object) gives one.
            input: shapes of the inputs without the batch, ``3x224x224`` or ``128:int64``; where the model states none itself.
            args: arguments of the callable: a JSON list or object, or a Python list, tuple or dict.
            strict: operators outside the vocabulary are an error.
            name: the graph's name; the source by default.

        Raises:
            SourceError: the code fails, or gives no module, or an option does not fit; MissingExtra: torch is not installed.
        """
        if options:
            raise SourceError(
                f"the torch frontend has no option '{sorted(options)[0]}'; it has input, args, strict and name"
            )
        if isinstance(source, str):
            for suffix, reason in _UNREADABLE.items():
                if source.lower().endswith(suffix):
                    raise SourceError(f"{source}: {suffix} files are not read: {reason}")
        try:
            import torch  # noqa: F401
        except ImportError:
            raise MissingExtra("cg-frontends", "torch", "reading PyTorch models") from None
        from cg_frontends.pytorch.sources import convert

        return convert(source, inputs=input, arguments=args, strict=strict, name=name)
