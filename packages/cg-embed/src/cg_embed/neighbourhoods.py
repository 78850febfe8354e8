"""Which operators follow which: a Weisfeiler-Lehman view of a graph as a vector of fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cg_ir import batch
from cg_ir.batch_hashing import neighbourhood_colours
from cg_ir.graph import Graph

_AT_ONCE = 2048


class Neighbourhoods:
    """Logarithmic counts of the neighbourhoods in a graph: each node's operator, attributes and shape with those of its inputs.

    The counts are those of the subtree kernel of Shervashidze et al., "Weisfeiler-Lehman graph kernels" (2011), after one round. A network has one
    coordinate for each neighbourhood in principle; here neighbourhoods fall into ``dimensions`` coordinates with a sign each, both by their colour, so
    that inner products are right on average (feature hashing, Weinberger et al. 2009) and vectors do not depend on which networks are at hand.

    Args:
        dimensions: length of the vectors.
    """

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions

    def __len__(self) -> int:
        return self.dimensions

    @property
    def names(self) -> tuple[str, ...]:
        """One name a coordinate."""
        return tuple(f"neighbourhood_{i}" for i in range(self.dimensions))

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Vectors, float32 (len(graphs), dimensions): the signed sum of log(1 + count) over the neighbourhoods of a coordinate."""
        result = np.zeros((len(graphs), self.dimensions), dtype=np.float32)
        for start in range(0, len(graphs), _AT_ONCE):
            union = batch(graphs[start : start + _AT_ONCE])
            colours = neighbourhood_colours(union)
            # by graph, then by colour; graphs are numbered below 2^16, for which numpy has a faster stable sort
            order = np.argsort(colours)
            order = order[np.argsort(union.graph_index[order].astype(np.uint16), kind="stable")]
            colour, graph = colours[order], union.graph_index[order]
            first = np.ones(len(colour), dtype=bool)
            first[1:] = (colour[1:] != colour[:-1]) | (graph[1:] != graph[:-1])
            begin = np.flatnonzero(first)
            counts = np.diff(begin, append=len(colour))
            sign = np.where(colour[begin] >> np.uint64(63), -1.0, 1.0)
            coordinate = (colour[begin] % np.uint64(self.dimensions)).astype(np.int64)
            place = graph[begin].astype(np.int64) * self.dimensions + coordinate
            sums = np.bincount(place, weights=sign * np.log1p(counts), minlength=len(union) * self.dimensions)
            result[start : start + len(union)] = sums.reshape(len(union), self.dimensions)
        return result
