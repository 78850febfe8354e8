"""One pass of rewriting: each node given its inputs, which are rewritten already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cg_ir.operators import OPERATORS
from cg_ir.records import Record

_CHAINS = frozenset({"Add", "Max", "Min"})


class Pass:
    """One pass over the records.

    Attributes:
        nodes: those already rewritten.
        uses: how often each of them is read, by rewritten nodes and by records that are still to come. It may count readers that turn
            out to be dead, never too few.
    """

    def __init__(self, records: Sequence[Record], rules: Mapping[str, Rule]) -> None:
        self.records = records
        self.rules = rules
        self.nodes: list[Record] = []
        self.uses: list[int] = []
        self.changed = False
        #: whether the record at hand only feeds another one of its operator, which will take over its terms
        self.absorbed = False

    def _merging(self, counts: Sequence[int]) -> list[bool]:
        result = [False] * len(self.records)
        for record in self.records:
            if record.op in _CHAINS:
                for j in record.inputs:
                    result[j] = counts[j] == 1 and self.records[j].op == record.op
        return result

    def terms(self, record: Record) -> list[int]:
        """The inputs, and in place of those of the same operator that nothing else reads their inputs, however deep.

        Only where a chain ends, so that a long one costs linear time.
        """
        if self.absorbed:
            return record.inputs
        found: list[int] = []
        stack = record.inputs[::-1]
        while stack:
            i = stack.pop()
            if self.nodes[i].op == record.op and self.is_read_once(i):
                stack += self.nodes[i].inputs[::-1]
            else:
                found.append(i)
        return found

    def run(self) -> tuple[list[Record], bool]:
        counts = [0] * len(self.records)
        for record in self.records:
            for j in record.inputs:
                counts[j] += 1
        merges = self._merging(counts)
        # an operator with several outputs stays what it is
        fixed = {record.source for record in self.records if record.op == "Select"}
        place: list[int] = []
        for i, old in enumerate(self.records):
            record = old.reading([place[j] for j in old.inputs])
            self.absorbed = merges[i]
            rule = None if i in fixed else self.rules.get(record.op)
            result = rule(self, record) if rule is not None else None
            for j in record.inputs:
                self.uses[j] -= 1
            made = record if result is None else result
            self.changed = self.changed or made != record
            place.append(made if isinstance(made, int) else self.push(made))
            self.uses[place[-1]] += counts[i]
        return self.nodes, self.changed

    def push(self, record: Record) -> int:
        """Append a rewritten node, which nothing reads yet."""
        self.nodes.append(record)
        self.uses.append(0)
        for j in record.inputs:
            self.uses[j] += 1
        return len(self.nodes) - 1

    def input(self, record: Record) -> Record:
        """The first node that a record reads."""
        return self.nodes[record.source]

    def is_read_once(self, index: int) -> bool:
        return self.uses[index] == 1

    def is_own(self, index: int) -> bool:
        """Whether the node is a learned tensor that nothing else uses."""
        node = self.nodes[index]
        return node.op == "Parameter" and self.is_read_once(index) and node.weights is None

    def scalar(self, index: int) -> float | None:
        """The number that fills a constant, or None."""
        record = self.nodes[index]
        value = record.attrs["value"] if record.op == "Constant" else ()
        return float(*value) if len(value) == 1 else None


def make(op: str, inputs: list[int], shape: tuple[int, ...], like: Record, **attrs: Any) -> Record:
    return Record(op, OPERATORS[op].read_attrs(attrs), list(inputs), shape, like.region)


#: Returns None (nothing to do), the number of a node that stands for this one, or what the node becomes, which may be the node itself.
Rule = Callable[[Pass, Record], "Record | int | None"]
