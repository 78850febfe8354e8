"""Interned signatures: one code for one combination, and columns that grow with the table."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cg_ir import signature as module
from cg_ir.errors import GraphError
from cg_ir.operators import OPERATOR_NAMES
from cg_ir.signature import SignatureTable, shared_table

SHAPE = (1, 4, 8, 8)


@pytest.fixture
def table() -> SignatureTable:
    made = SignatureTable()
    made.intern("Relu", (), SHAPE, (SHAPE,))
    made.intern("Add", (), SHAPE, (SHAPE, SHAPE))
    return made


def test_equal_signatures_have_one_code_and_different_ones_do_not(table: SignatureTable) -> None:
    assert table.intern("Relu", (), SHAPE, (SHAPE,)) == table.find("Relu", (), SHAPE, (SHAPE,)) == 0
    others = [
        ("Tanh", (), SHAPE, (SHAPE,)),
        ("Relu", (), (1, 4), ((1, 4),)),
        ("Clip", (("min", 0.5),), SHAPE, (SHAPE,)),
    ]
    assert [table.find(*other) for other in others] == [None] * 3
    assert [table.intern(*other) for other in others] == [2, 3, 4]
    assert [table.find(*other) for other in others] == [2, 3, 4]
    assert len(table) == len(table.labels) == len(table.scaled_labels) == len(table.commutes) == 5
    assert len(set(table.labels)) == 5


def test_labels_of_the_hash_leave_the_input_shapes_out(table: SignatureTable) -> None:
    row = table.intern("ReduceSum", (("axes", (1,)), ("keepdims", False)), (1, 8), ((1, 4, 8),))
    other = table.intern("ReduceSum", (("axes", (1,)), ("keepdims", False)), (1, 8), ((1, 5, 8),))
    assert row != other
    assert table.labels[row] == table.labels[other]  # the inputs have labels of their own
    assert table.commutes[:2] == [False, True]


def test_columns_are_extended_when_rows_are_added(table: SignatureTable) -> None:
    asked = []

    def size(row: module.Signature) -> int:
        asked.append(row.op)
        return len(row.input_shapes)

    first = table.column(size)
    assert first.tolist() == [1, 2]
    table.intern("Max", (), SHAPE, (SHAPE,) * 3)
    assert table.column(size).tolist() == [1, 2, 3]
    assert asked == ["Relu", "Add", "Max"]  # no row twice
    assert first.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 9
    assert table.column(size) is table.column(size)


def test_costs_and_operators_of_rows() -> None:
    table = SignatureTable()
    code = table.intern("Gemm", (("bias", True),), (1, 10), ((1, 4),))
    assert (table[code].params, table[code].macs) == (50, 40)
    assert table.params.tolist() == [50]
    assert table.macs.dtype == table.params.dtype == np.int64
    assert table.op(code) == "Gemm" == OPERATOR_NAMES[table.op_codes[code]]
    assert table[code].attrs == {"bias": True}


def test_counts_have_a_limit() -> None:
    wide = (1, 2**31 - 1)
    with pytest.raises(GraphError, match=r"Gemm of shape .* has more than 2\^62 parameters"):
        SignatureTable().intern("Gemm", (), (1, 2**31 + 2), (wide,))
    assert SignatureTable().intern("Gemm", (), (1, 2**30), (wide,)) == 0


def test_rows_are_taken_over_from_another_table(table: SignatureTable) -> None:
    other = SignatureTable()
    other.intern("Tanh", (), SHAPE, (SHAPE,))
    other.intern("Relu", (), SHAPE, (SHAPE,))
    assert table.adopt(other, [1, 0]) == {1: 0, 0: 2}
    assert table[2].op == "Tanh"
    assert len(other) == 2


def test_a_full_table_is_replaced_and_graphs_keep_the_old_one(
    monkeypatch: pytest.MonkeyPatch, table: SignatureTable
) -> None:
    monkeypatch.setattr(module, "_shared", table)
    monkeypatch.setattr(module, "_TABLE_LIMIT", 3)
    assert shared_table() is table
    table.intern("Tanh", (), SHAPE, (SHAPE,))
    fresh = shared_table()
    assert fresh is not table
    assert len(fresh) == 0
    assert shared_table() is fresh


def test_tables_are_not_pickled(table: SignatureTable) -> None:
    with pytest.raises(TypeError, match="pickle graphs"):
        pickle.dumps(table)
