"""The view of a graph without layout operators, which descriptors and drawings prefer."""

from __future__ import annotations

import numpy as np

from cg_ir.graph import Graph
from cg_ir.operators import OPERATOR_NAMES, OPERATORS, operator_code

#: By operator code: whether ``simplify`` looks through it.
TRANSPARENT = np.array([OPERATORS[name].layout for name in OPERATOR_NAMES])
TRANSPARENT[operator_code("Select")] = True


def simplify(graph: Graph) -> Graph:
    """Leave layout operators and ``Select`` out; what read one reads the operator before it.

    Ensures: no layout operator is left; signatures are those of ``graph`` (the shapes that the operators really saw), so parameters
    and MACs stay. The result is a view for descriptors and drawings, not a document to exchange.
    """
    gone = TRANSPARENT[graph.op_codes].tolist()
    inputs = graph.input_lists()
    place: list[int] = []
    kept: list[int] = []
    indptr, indices = [0], []
    for index, ins in enumerate(inputs):
        if gone[index]:
            place.append(place[ins[0]])
        else:
            place.append(len(kept))
            kept.append(index)
            indices += [place[i] for i in ins]
            indptr.append(len(indices))
    weights = {place[index]: key for index, key in graph.weight_keys.items() if not gone[index]}
    wires = np.array(indptr, dtype=np.int32), np.array(indices, dtype=np.int32)
    regions = graph.region_names, graph.region_codes[kept]
    return Graph(
        graph.signatures, graph.codes[kept], *wires, *regions, weights, graph.name, graph.producer, graph.extras
    )
