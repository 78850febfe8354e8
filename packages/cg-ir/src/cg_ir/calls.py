"""SOURCEs that stand for several: calls with arguments, grids of them, and folders.

``file.py:make?depth=3&width=32`` is the network that ``make(depth=3, width=32)`` returns, ``file.py:make?depth=2,3&width=16,32`` are four of them, and a folder
stands for the networks in it. Where the function yields several networks, ``file.py:make`` stands for all of them and ``file.py:make#0`` is the first.
Values are JSON where they can be (``3``, ``true``, ``[1,2]``, ``"a,b"``), otherwise text.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cg_ir.errors import SourceError
from cg_ir.trust import may_run

#: Endings of files that a folder of networks may hold.
NETWORK_SUFFIXES = (".cg.json", ".cg.json.gz", ".onnx")
_CALLABLE = re.compile(
    r"(?:.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:#\d+)?", re.DOTALL
)
_MOST = 100_000


def is_call(source: str) -> bool:
    """Whether a SOURCE looks like Python code that makes a network, with arguments or without."""
    return bool(_CALLABLE.fullmatch(source.partition("?")[0]))


def arguments_of(source: str) -> tuple[str, dict[str, str]]:
    """The callable (or ONNX file) of a SOURCE and the texts of its arguments by name; a SOURCE without arguments comes back whole.

    Raises:
        SourceError: the arguments do not look like ``name=value&name=value``.
    """
    base, mark, query = source.partition("?")
    if not mark or not (_CALLABLE.fullmatch(base) or base.lower().endswith(".onnx")):
        return source, {}
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, text = part.partition("=")
        if not equals or not name.isidentifier():
            raise SourceError(f"{source}: arguments should look like {base}?depth=3&width=32, not '{part}'")
        if name in found:
            raise SourceError(f"{source}: the argument '{name}' is given twice")
        found[name] = text
    return base, found


def value_of(text: str) -> Any:
    """The value of an argument: JSON, or ``True``, ``False`` and ``None`` as Python writes them, or the text itself."""
    python = {"True": True, "False": False, "None": None}
    if text in python:
        return python[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def with_arguments(base: str, row: Mapping[str, Any]) -> str:
    """The SOURCE of a call: values as texts that `value_of` reads back."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}
    for name, text in texts.items():
        if "&" in text:
            raise SourceError(f"{base}: the argument {name} holds '&', which separates arguments")
    return base + ("?" if texts else "") + "&".join(f"{name}={text}" for name, text in texts.items())


def expand(source: str) -> list[str]:
    """The SOURCEs that one stands for: of a grid its calls, of a folder its networks in the order of their names, of any other itself.

    Raises:
        SourceError: a grid of more than a hundred thousand calls, a folder without networks.
    """
    if os.path.isdir(source):
        files = sorted(str(path) for path in Path(source).rglob("*") if path.name.lower().endswith(NETWORK_SUFFIXES))
        if not files:
            raise SourceError(f"{source}: holds no network ({', '.join(NETWORK_SUFFIXES)})")
        return files
    base, arguments = arguments_of(source)
    if not arguments:
        return [source]
    choices = {name: split_values(text) for name, text in arguments.items()}
    count = math.prod(len(texts) for texts in choices.values())
    if count > _MOST:
        raise SourceError(f"{source}: {count:,} calls are more than {_MOST:,}; name fewer values")
    return [
        with_arguments(base, dict(zip(choices, texts, strict=True))) for texts in itertools.product(*choices.values())
    ]


def split_values(text: str) -> list[str]:
    """Values between commas, without those in brackets, braces and quotes."""
    parts, depth, quoted, escaped, start = [], 0, False, False, 0
    for place, letter in enumerate(text):
        if escaped or (quoted and letter == "\\"):
            escaped = not escaped
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter in "[{":
            depth += 1
        elif not quoted and letter in "]}":
            depth -= 1
        elif letter == "," and not quoted and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def parameters_of(base: str) -> list[str]:
    """The names of a callable's parameters, read from its file without running it; none where the file does not say.

    Args:
        base: ``file.py:callable`` or ``module.path:callable``.
    """
    tree = _definition(base.partition("#")[0])
    if isinstance(tree, ast.ClassDef):
        tree = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if tree is None:
        return []
    names = [a.arg for a in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)]
    return [n for n in names if n != "self"]


def unknown_argument(function: Callable[..., Any], given: Collection[str], fixed: Collection[str] = ()) -> str:
    """What to say of the first argument that a function does not take: its name and what would be right; empty where it takes all, or does not say.

    Args:
        function: a function or a class.
        given: names of arguments.
        fixed: further ones that are not the user's to name.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ""
    takes = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in fixed]
    unknown = [name for name in given if name not in takes]
    if not unknown or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return ""
    from difflib import get_close_matches  # for an error alone

    near = get_close_matches(unknown[0], takes, n=1)
    there = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(takes) or 'none'}"
    return f"there is no '{unknown[0]}', {there}"


def yields(source: str) -> bool:
    """Whether a SOURCE names a function that yields, read from its file without running it."""
    if not is_call(source) or "#" in source:
        return False
    tree = _definition(source.partition("?")[0])
    return isinstance(tree, ast.FunctionDef) and any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in _own(tree))


def _own(tree: ast.AST) -> Iterator[ast.AST]:
    """The parts of a function, without those of functions inside it."""
    for part in ast.iter_child_nodes(tree):
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield part
            yield from _own(part)


def _definition(base: str) -> Any:
    """The function or class that ``file.py:callable`` or ``module.path:callable`` names, as it is written; none where that is not found."""
    place, _, name = base.rpartition(":")
    if not place.endswith(".py"):
        if not may_run(place):  # finding a module runs the packages that it is in
            return None
        try:
            spec = find_spec(place)
        except (ImportError, ValueError):
            return None
        place = (spec.origin if spec is not None else None) or ""
    try:
        tree: Any = ast.parse(Path(place).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    for part in name.split("."):
        found = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == part]
        if not found:
            return None
        tree = found[-1]
    return tree
