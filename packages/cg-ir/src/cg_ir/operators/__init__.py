"""The catalogue of operators: one record each, grouped by kind, with all that the project knows about it."""

from cg_ir.operators.attribute import REQUIRED, Attribute, AttrValue
from cg_ir.operators.batch import Plan
from cg_ir.operators.operator import AttrItems, Operator
from cg_ir.operators.table import FUNCTIONS, OPERATOR_NAMES, OPERATORS, OPSET, operator_code, plan, selected_axis

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "OPERATOR_NAMES",
    "OPSET",
    "REQUIRED",
    "AttrItems",
    "AttrValue",
    "Attribute",
    "Operator",
    "Plan",
    "operator_code",
    "plan",
    "selected_axis",
]
