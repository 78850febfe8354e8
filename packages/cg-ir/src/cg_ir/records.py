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

    @property
    def source(self) -> int:
        """The first input."""
        return self.inputs[0]

    def reading(self, inputs: list[int]) -> Record:
        """The same with other inputs."""
        return Record(self.op, self.items, inputs, self.shape, self.region, self.weights)


def assemble(
    records: Sequence[Record],
    name: str = "",
    producer: Mapping[str, str] | None = None,
    extras: Mapping[str, Any] | None = None,
    table: SignatureTable | None = None,
) -> Graph:
    """Arrays from records that are valid and in topological order."""
    table = shared_table() if table is None else table
    codes: list[int] = []
    indptr, indices = [0], []
    regions: dict[str, int] = {}
    for record in records:
        shapes = tuple([records[j].shape for j in record.inputs])
        codes.append(table.intern(record.op, record.items, record.shape, shapes))
        indices += record.inputs
        indptr.append(len(indices))
    region_codes = [regions.setdefault(record.region, len(regions)) for record in records]
    keys = {i: record.weights for i, record in enumerate(records) if record.weights is not None}
    return from_lists(table, codes, indptr, indices, regions, region_codes, keys, name, producer, extras)


def from_lists(
    table: SignatureTable,
    codes: Sequence[int],
    indptr: Sequence[int],
    indices: Sequence[int],
    regions: Mapping[str, int],
    region_codes: Sequence[int],
    keys: Mapping[int, str],
    *about: Any,
) -> Graph:
    """A graph from lists; the keys of weights that one node alone uses are left out. ``about``: name, producer and extras."""
    uses = Counter(keys.values())
    shared = {i: key for i, key in keys.items() if uses[key] > 1}
    arrays = [np.array(numbers, dtype=np.int32) for numbers in (codes, indptr, indices)]
    numbers = np.array(region_codes, dtype=np.uint8 if len(regions) < 256 else np.int32)
    return Graph(table, arrays[0], arrays[1], arrays[2], tuple(regions), numbers, shared, *about)
