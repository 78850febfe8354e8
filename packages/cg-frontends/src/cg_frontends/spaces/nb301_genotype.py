"""DARTS genotypes: reading their notations, canonical form.

A genotype is a normal and a reduction cell. A cell has two inputs (the cells before the last and the last) and four intermediate nodes, each the
sum of two operators that read distinct earlier nodes.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cg_ir import ArchError

#: The operators; a number in the notation is a position in this tuple.
OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
#: Intermediate nodes of a cell.
NODES = 4

#: (input, operator) of a cell's eight edges, two a node, sorted by input within a node.
Edges = tuple[tuple[int, int], ...]
#: Normal and reduction cell.
Genotype = tuple[Edges, Edges]

_CELLS = ("normal", "reduce")
_FORM = "[normal,reduce], each eight pairs [input,op]"
_LIMIT = 20_000


def format_genotype(genotype: Genotype) -> str:
    """The compact JSON form ``[[[0,3],[1,2],...],[...]]``."""
    cells = (",".join([f"[{source},{op}]" for source, op in cell]) for cell in genotype)
    return f"[[{'],['.join(cells)}]]"


def read_genotype(arch: Any) -> Genotype:
    """A genotype in any of its notations, edges sorted within each node.

    Reads the compact form as text or lists; the published ``Genotype(normal=[(op, input), ...], normal_concat=..., reduce=..., ...)`` as an
    object with these attributes, as a mapping and as its printed text. Operators are names or numbers.

    Raises:
        ArchError: another form, an unknown operator, an input that is no earlier node or is read twice by one node.
    """
    if isinstance(arch, str):
        arch = _from_text(arch)
    if isinstance(arch, Mapping):
        cells = [arch.get(name) for name in _CELLS]
        concats = [arch.get(f"{name}_concat") for name in _CELLS]
    elif hasattr(arch, "normal") and hasattr(arch, "reduce"):
        cells = [arch.normal, arch.reduce]
        concats = [getattr(arch, f"{name}_concat", None) for name in _CELLS]
    elif isinstance(arch, Sequence) and len(arch) == 2:
        cells, concats = list(arch), [None, None]
    else:
        raise ArchError(f"a nb301 genotype should be {_FORM}, not {arch!r:.80}")
    for name, concat in zip(_CELLS, concats, strict=True):
        if concat is not None and list(concat) != [2, 3, 4, 5]:
            raise ArchError(f"nb301: the {name} cell should return the nodes 2, 3, 4 and 5, not {list(concat)!r:.80}")
    normal, reduce = (_read_cell(name, cell) for name, cell in zip(_CELLS, cells, strict=True))
    return normal, reduce


def _from_text(text: str) -> Any:
    if len(text) <= _LIMIT:
        stripped = text.strip()
        try:
            if stripped.startswith(("[", "{")):
                return json.loads(stripped)
            if stripped.startswith("("):
                return ast.literal_eval(stripped)
            if stripped.startswith("Genotype("):
                return _from_call(ast.parse(stripped, mode="eval").body)
        except (ValueError, TypeError, OverflowError, SyntaxError, RecursionError, MemoryError):
            pass
    raise ArchError(f"a nb301 genotype should be {_FORM}, or Genotype(normal=..., reduce=...), not {text!r:.80}")


def _from_call(node: ast.expr) -> dict[str, Any]:
    """The keywords of a printed named tuple; ``range(a, b)`` is read as a list."""
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError("no call with keywords")
    result: dict[str, Any] = {}
    for keyword in node.keywords:
        value = keyword.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "range":
            result[str(keyword.arg)] = list(range(*[int(ast.literal_eval(arg)) for arg in value.args])[:16])
        else:
            result[str(keyword.arg)] = ast.literal_eval(value)
    return result


def _read_cell(name: str, cell: Any) -> Edges:
    if not isinstance(cell, Sequence) or isinstance(cell, str) or len(cell) != 2 * NODES:
        count = f"{len(cell)} entries" if isinstance(cell, Sequence) else repr(cell)[:40]
        raise ArchError(f"nb301: the {name} cell should be eight pairs [input,op], not {count}")
    edges = [_read_edge(name, place, pair) for place, pair in enumerate(cell)]
    result: list[tuple[int, int]] = []
    for place in range(0, 2 * NODES, 2):
        a, b = edges[place : place + 2]
        if a[0] == b[0]:
            raise ArchError(f"nb301: node {2 + place // 2} of the {name} cell reads node {a[0]} twice")
        result += (a, b) if a[0] < b[0] else (b, a)
    return tuple(result)


def _read_edge(name: str, place: int, pair: Any) -> tuple[int, int]:
    node = 2 + place // 2
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise ArchError(f"nb301: an edge of the {name} cell should be a pair [input,op], not {pair!r:.40}")
    source, op = pair
    if isinstance(source, str):
        # the published order is (operator, input)
        source, op = op, source
    if isinstance(op, str):
        if op not in OPERATIONS:
            raise ArchError(
                f"nb301 has no operator {op!r:.40} (node {node} of the {name} cell); it has {', '.join(OPERATIONS)}"
            )
        op = OPERATIONS.index(op)
    if type(op) is not int or not 0 <= op < len(OPERATIONS):
        known = ", ".join(f"{i} {operation}" for i, operation in enumerate(OPERATIONS))
        raise ArchError(f"nb301 has no operator {op!r:.40} (node {node} of the {name} cell); it has {known}")
    if type(source) is not int or not 0 <= source < node:
        raise ArchError(f"nb301: node {node} of the {name} cell reads nodes 0 to {node - 1}, not {source!r:.40}")
    return source, op
