"""The catalogue of operators, opset 1: one record each, grouped by kind, with all that the project knows about it.

To add an operator, add a record to the module of its kind: format reference, validation, costs, hashing, drawing, running, source code
and ONNX follow from it.
"""

from __future__ import annotations

import re

from cg_ir.operators.activations import ACTIVATIONS
from cg_ir.operators.attribute import REQUIRED, Attribute, AttrValue
from cg_ir.operators.batch import Axes, Plan, Use
from cg_ir.operators.convolution import CONVOLUTIONS
from cg_ir.operators.elementwise import ELEMENTWISE
from cg_ir.operators.gathering import GATHERING
from cg_ir.operators.layout import LAYOUT
from cg_ir.operators.normalisation import NORMALISATIONS
from cg_ir.operators.operator import AttrItems, Operator
from cg_ir.operators.pooling import POOLING
from cg_ir.operators.products import PRODUCTS
from cg_ir.operators.reductions import REDUCTIONS
from cg_ir.operators.resampling import RESAMPLING
from cg_ir.operators.sequences import SEQUENCES
from cg_ir.operators.sources import SOURCES
from cg_ir.operators.spectra import SPECTRA

__all__ = [
    "FUNCTIONS", "OPERATORS", "OPERATOR_NAMES", "OPSET", "REQUIRED", "AttrItems", "AttrValue",
    "Attribute", "Operator", "Plan", "operator_code", "plan", "selected_axis",
]  # fmt: skip

#: The version of this table; a document states the one it was written for.
OPSET = 1

_RECORDS = [
    *(*SOURCES, *CONVOLUTIONS, *PRODUCTS, *SEQUENCES, *NORMALISATIONS, *ACTIVATIONS, *POOLING, *ELEMENTWISE),
    *(*REDUCTIONS, *LAYOUT, *RESAMPLING, *GATHERING, *SPECTRA),
]
OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _RECORDS}

#: Operators that are one function of one tensor, by PyTorch's name of the function.
FUNCTIONS: dict[str, str] = {
    found[1]: operator.name
    for operator in _RECORDS
    if isinstance(operator.torch, str) and (found := re.fullmatch(r"(?:F|torch)\.(\w+)\(\{x\}\)", operator.torch))
}

#: Names in table order; the position is the operator's code inside arrays (not part of the format).
OPERATOR_NAMES: tuple[str, ...] = tuple(OPERATORS)
_CODES = {name: code for code, name in enumerate(OPERATOR_NAMES)}


def operator_code(name: str) -> int:
    """The array code of an operator; KeyError for an unknown one."""
    return _CODES[name]


def plan(use: Use, axes: Axes) -> Plan:
    """How a use of an operator meets a batch that its inputs hold at ``axes`` (None: they do not depend on it)."""
    return Plan(None) if all(axis is None for axis in axes) else OPERATORS[use.op].batch(use, axes)


def selected_axis(use: Use, axis: int | None) -> int | None:
    """Where a further output of an operator (what ``Select`` reads) holds the batch that its input holds at ``axis``."""
    return 1 if OPERATORS[use.op].kind == "recurrent" and axis is not None and len(use.shape) == 3 else axis
