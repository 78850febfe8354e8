"""The canonical form: one graph for one network, whichever frontend it came through.

Rules rewrite a node given its (already rewritten) inputs; passes over the whole graph repeat until none applies. Each rule keeps the
function that the graph computes. Nodes that no output needs are dropped, inputs of the network are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from cg_ir.canonical.arithmetic import ARITHMETIC
from cg_ir.canonical.layout import LAYOUT
from cg_ir.canonical.rewriting import Pass, Rule
from cg_ir.canonical.windows import WINDOWS
from cg_ir.graph import RESERVED, Graph
from cg_ir.output_slices import without_full_sorts, without_splits
from cg_ir.records import Record, assemble

__all__ = ["canonical_records", "canonicalize"]

_PASSES = 32
_RULES: dict[str, Rule] = {**LAYOUT, **ARITHMETIC, **WINDOWS}


def canonicalize(graph: Graph) -> Graph:
    """The canonical form of a graph; name, producer and extras are kept. A graph that is canonical already is returned as it is.

    Requires: a valid graph. Ensures: the same function, no rule applies any more.
    """
    records = [Record(n.op, n.signature.items, list(n.inputs), n.shape, n.region, n.weights) for n in graph.nodes]
    rewritten = canonical_records(records)
    if rewritten == records:
        return graph
    extras = {key: value for key, value in graph.extras.items() if not key.startswith(RESERVED)}
    return assemble(rewritten, graph.name, graph.producer, extras)


def canonical_records(records: Sequence[Record]) -> list[Record]:
    """Apply all rules until nothing changes; the arguments are left as they are."""
    current = _live(without_full_sorts(without_splits(records)))
    for _ in range(_PASSES):
        rewritten, changed = Pass(current, _RULES).run()
        current = _live(rewritten)
        if not changed:
            break
    return current


def _live(records: Sequence[Record]) -> list[Record]:
    """The records that an output needs, and all inputs, renumbered."""
    needed = [record.op in ("Output", "Input") for record in records]
    for i in range(len(records) - 1, -1, -1):
        if needed[i]:
            for j in records[i].inputs:
                needed[j] = True
    if all(needed):
        return list(records)
    place: dict[int, int] = {}
    result: list[Record] = []
    for i, record in enumerate(records):
        if needed[i]:
            place[i] = len(result)
            result.append(record.reading([place[j] for j in record.inputs]))
    return result
