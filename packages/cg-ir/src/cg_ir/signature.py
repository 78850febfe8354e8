"""Interned node signatures: everything about a node but its place in the graph.

Networks repeat themselves: the thousands of nodes of a search space's cells have a few dozen distinct combinations of operator, attributes,
output shape and input shapes. Such a combination is a *signature*. A graph stores one integer a node, and whatever depends on the
signature alone (parameters, multiply-accumulates, node features) is computed once a signature and looked up by array indexing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import GraphError
from cg_ir.hashing import scale
from cg_ir.operators import OPERATOR_NAMES, OPERATORS, AttrItems, operator_code

Shape = tuple[int, ...]
_COUNT_LIMIT = 2**62
_TABLE_LIMIT = 2**20


class Signature:
    """One row of a :class:`SignatureTable`.

    Attributes:
        op: operator name.
        items: the non-default attributes, sorted by name.
        shape: output shape.
        input_shapes: shapes of the inputs, in order.
        params: number of learned scalars.
        macs: multiply-accumulates.
    """

    __slots__ = ("input_shapes", "items", "macs", "op", "params", "shape")

    def __init__(self, op: str, items: AttrItems, shape: Shape, input_shapes: tuple[Shape, ...]) -> None:
        self.op = op
        self.items = items
        self.shape = shape
        self.input_shapes = input_shapes
        operator = OPERATORS[op]
        attrs = operator.fill_attrs(items)
        self.params = operator.params(input_shapes, attrs, shape)
        self.macs = operator.macs(input_shapes, attrs, shape)
        if max(self.params, self.macs) >= _COUNT_LIMIT:
            raise GraphError(f"{op} of shape {list(shape)} has more than 2^62 parameters or multiply-accumulates")

    @property
    def attrs(self) -> dict[str, Any]:
        """All attributes, defaults filled in."""
        return OPERATORS[self.op].fill_attrs(self.items)

    def __repr__(self) -> str:
        return f"Signature({self.op}, {dict(self.items)}, {self.input_shapes} -> {self.shape})"


def _label(signature: Signature) -> int:
    """64 bits that stand for operator, attributes and shape in the graph hash; independent of machine and Python version."""
    text = repr((signature.op, signature.items, signature.shape)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


_PARAMS, _MACS, _OP_CODE = attrgetter("params"), attrgetter("macs"), lambda row: operator_code(row.op)


class SignatureTable:
    """An append-only list of distinct signatures, shared by the graphs that refer to it.

    The process-wide table of :func:`shared_table` is replaced by an empty one when it is large, so that a stream of ever new
    signatures does not hold memory for ever; graphs keep the table that they were built with.
    """

    def __init__(self) -> None:
        self.rows: list[Signature] = []
        self.labels: list[int] = []
        self.scaled_labels: list[int] = []
        self.commutes: list[bool] = []
        self._codes: dict[tuple[str, AttrItems, Shape, tuple[Shape, ...]], int] = {}
        self._columns: dict[Callable[[Signature], Any], NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, code: int) -> Signature:
        return self.rows[code]

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a SignatureTable is not pickled; pickle graphs")

    def intern(self, op: str, items: AttrItems, shape: Shape, input_shapes: tuple[Shape, ...]) -> int:
        """The code of a signature, adding it if it is new. The caller has checked it against the operator's rules."""
        key = (op, items, shape, input_shapes)
        code = self._codes.get(key)
        if code is None:
            signature = Signature(op, items, shape, input_shapes)
            code = len(self.rows)
            label = _label(signature)
            self.labels.append(label)
            self.scaled_labels += scale([label])
            self.commutes.append(OPERATORS[op].commutes)
            self.rows.append(signature)
            self._codes[key] = code
        return code

    def find(self, op: str, items: AttrItems, shape: Shape, input_shapes: tuple[Shape, ...]) -> int | None:
        """The code of a signature that is already here; rows have passed the operator's rules, so a find needs no check."""
        return self._codes.get((op, items, shape, input_shapes))

    def adopt(self, other: SignatureTable, codes: Sequence[int]) -> dict[int, int]:
        """Intern rows of another table; returns other code -> own code."""
        result = {}
        for code in codes:
            row = other.rows[code]
            result[code] = self.intern(row.op, row.items, row.shape, row.input_shapes)
        return result

    def column(self, compute: Callable[[Signature], Any], dtype: Any = None) -> NDArray[Any]:
        """``compute`` of every row as one array, shape (len(self), ...).

        Results are kept by function and extended when rows are added, so ``compute`` should be a module-level function.
        """
        known = self._columns.get(compute)
        done = 0 if known is None else len(known)
        total = len(self.rows)
        if known is None or done < total:
            fresh = np.array(
                [compute(row) for row in self.rows[done:total]], dtype=dtype or (None if known is None else known.dtype)
            )
            known = fresh if known is None or not done else np.concatenate([known, fresh])
            known.flags.writeable = False
            self._columns[compute] = known
        return known

    @property
    def params(self) -> NDArray[np.int64]:
        """Parameters of each row."""
        return self.column(_PARAMS, np.int64)

    @property
    def macs(self) -> NDArray[np.int64]:
        """Multiply-accumulates of each row."""
        return self.column(_MACS, np.int64)

    @property
    def op_codes(self) -> NDArray[np.int16]:
        """Operator code of each row, an index into ``cg_ir.operators.OPERATOR_NAMES``."""
        return self.column(_OP_CODE, np.int16)

    def op(self, code: int) -> str:
        """Operator name of a row."""
        return OPERATOR_NAMES[self.op_codes[code]]


_shared = SignatureTable()


def shared_table() -> SignatureTable:
    """The table that graphs of this process normally share."""
    global _shared
    if len(_shared) >= _TABLE_LIMIT:
        _shared = SignatureTable()
    return _shared
