"""Nodes under construction: what the builder collects and canonicalisation rewrites, before they become the arrays of a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS, AttrItems
from cg_ir.signature import SignatureTable, shared_table

__all__ = ["Record", "Shape", "assemble"]

Shape = tuple[int, ...]


@dataclass
class Record:
    """A node under construction."""

    op: str
    items: AttrItems
    inputs: list[int]
    shape: Shape
    region: str = ""
    weights: str | None = None

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes, defaults filled in."""
        return OPERATORS[self.op].fill_attrs(self.items)


def assemble(
    records: Sequence[Record],
    name: str = "",
    producer: Mapping[str, str] | None = None,
    extras: Mapping[str, Any] | None = None,
    table: SignatureTable | None = None,
) -> Graph:
    """Arrays from records that are valid and in topological order."""
    table = shared_table() if table is None else table
    codes = np.empty(len(records), dtype=np.int32)
    indptr = np.zeros(len(records) + 1, dtype=np.int32)
    indices: list[int] = []
    regions: dict[str, int] = {}
    region_codes = np.empty(len(records), dtype=np.int32)
    keys: dict[int, str] = {}
    for i, record in enumerate(records):
        shapes = tuple([records[j].shape for j in record.inputs])
        codes[i] = table.intern(record.op, record.items, record.shape, shapes)
        indices += record.inputs
        indptr[i + 1] = len(indices)
        region_codes[i] = regions.setdefault(record.region, len(regions))
        if record.weights is not None:
            keys[i] = record.weights
    uses = Counter(keys.values())
    keys = {i: key for i, key in keys.items() if uses[key] > 1}
    small = region_codes.astype(np.uint8 if len(regions) < 256 else np.int32)
    return Graph(
        table, codes, indptr, np.array(indices, dtype=np.int32), tuple(regions), small, keys, name, producer, extras
    )
