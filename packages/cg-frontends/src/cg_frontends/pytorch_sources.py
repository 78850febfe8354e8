"""The frontend of PyTorch sources: modules in memory, ``file.py:callable`` and ``module.path:callable``. Imports torch when it converts."""

from __future__ import annotations

import ast
import os
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cg_ir.errors import MissingExtra, SourceError

if TYPE_CHECKING:
    from cg_ir import Graph

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(#\d+)?")
_FILE = re.compile(r".+\.py:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(#\d+)?", re.DOTALL)
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
            named = bool(_FILE.fullmatch(source) or _MODULE.fullmatch(source))
            return named or source.lower().endswith((*_UNREADABLE, ".py"))
        torch = sys.modules.get("torch")
        return torch is not None and (isinstance(source, torch.nn.Module) or type(source).__name__ == "ExportedProgram")

    def convert(
        self,
        source: Any,
        *,
        input: Any = (),
        args: Any = None,
        strict: bool = False,
        verify: bool = False,
        tokens: int | None = None,
        past: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Graph:
        """The graph of a source.

        Args:
            source: a module, or ``file.py:callable`` or ``module.path:callable``, whose callable (a class, a function or a module
                object) gives one; ``file.py:callable#3`` is the fourth of those that a function yields.
            input: shapes of the inputs without the batch, ``3x224x224`` or ``128:int64``; where the model states none itself.
            args: arguments of the callable: a JSON list or object, or a Python list, tuple or dict.
            strict: operators outside the vocabulary are an error.
            verify: module and graph are run on a random input, and an error says where they differ.
            tokens, past: for a language model of transformers, how many tokens are given at once and how many lie in its cache.
            name: the graph's name; the source by default.

        Raises:
            SourceError: the code fails, or gives no module, or an option does not fit; MissingExtra: torch is not installed.
        """
        if options:
            raise SourceError(
                f"the torch frontend has no option '{sorted(options)[0]}'; it has input, args, strict, verify, tokens, past and name"
            )
        if isinstance(source, str):
            for suffix, reason in _UNREADABLE.items():
                if source.lower().endswith(suffix):
                    raise SourceError(f"{source}: {suffix} files are not read: {reason}")
            if source.endswith(".py"):
                raise SourceError(f"{source}: which class or function of it? {_proposal(source)}")
            _refuse_missing(source)
        _need_torch()
        from cg_frontends.pytorch.sources import convert

        return convert(
            source, inputs=input, arguments=args, strict=strict, verify=verify, tokens=tokens, past=past, name=name
        )

    def count(self, source: str, args: Any = None) -> int:
        """How many modules the callable of a source yields.

        Args:
            source: ``file.py:callable`` or ``module.path:callable``.
            args: its arguments, as in :meth:`convert`.

        Raises:
            SourceError: the code fails, or yields none; MissingExtra: torch is not installed.
        """
        _refuse_missing(source)
        _need_torch()
        from cg_frontends.pytorch.sources import count

        return count(source, args)


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-frontends", "torch", "reading PyTorch models") from None


def _refuse_missing(source: str) -> None:
    """Say that what a source names is not there, before torch is imported, which takes seconds.

    Raises:
        SourceError: there is no such file, or no such top-level module.
    """
    place = source.rpartition(":")[0]
    if place.endswith(".py"):
        if not os.path.isfile(place):
            raise SourceError(f"{place}: there is no such file")
        return
    top = place.partition(".")[0]
    beside = os.path.join(os.getcwd(), top)
    if (
        top not in sys.modules
        and not os.path.exists(beside)
        and not os.path.exists(f"{beside}.py")
        and find_spec(top) is None
    ):
        raise SourceError(f"{source}: no module is called '{top}'; is its package installed?")


def _proposal(path: str) -> str:
    """What to name in a Python file, which is read and not run."""
    try:
        with open(path, encoding="utf-8") as file:
            statements = ast.parse(file.read()).body
    except OSError:
        return "there is no such file"
    except (SyntaxError, ValueError) as error:
        place = f" at line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else ""
        return f"it is no valid Python{place}"
    names = [
        statement.name
        for statement in statements
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef)) and _makes_a_network(statement)
    ]
    sources = [f"{path}:{name}" for name in names[:3]] or ["file.py:callable"]
    return f"name it after a colon: {', '.join(sources)}{', ...' if len(names) > 3 else ''}"


def _makes_a_network(statement: ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether calling it without arguments may give a module: a class with ``forward``, or a public function that gives something."""
    if isinstance(statement, ast.FunctionDef):
        gives = any(isinstance(node, (ast.Return, ast.Yield)) and node.value for node in ast.walk(statement))
        return gives and not statement.name.startswith("_") and _required(statement) == 0
    methods = {member.name: member for member in statement.body if isinstance(member, ast.FunctionDef)}
    return "forward" in methods and ("__init__" not in methods or _required(methods["__init__"]) <= 1)


def _required(function: ast.FunctionDef) -> int:
    """How many arguments a function needs, ``self`` among them."""
    arguments = function.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return needed + sum(default is None for default in arguments.kw_defaults)
