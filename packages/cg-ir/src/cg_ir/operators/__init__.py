"""Operators of the graph format: attributes, shape rules, parameter and multiply-accumulate counts."""

from cg_ir.operators.attribute import REQUIRED, Attribute, AttrValue
from cg_ir.operators.operator import AttrItems, Operator
from cg_ir.operators.table import OPERATOR_NAMES, OPERATORS, OPSET, operator_code

__all__ = [
    "OPERATORS",
    "OPERATOR_NAMES",
    "OPSET",
    "REQUIRED",
    "AttrItems",
    "AttrValue",
    "Attribute",
    "Operator",
    "operator_code",
]
