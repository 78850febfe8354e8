"""Batch normalisations that an exporter folded into convolutions.

A convolution and the batch normalisation behind it are one convolution with a bias once the statistics are fixed, and exporters write them
so. The network costs less then, and looks like another one: descriptors see no normalisation and fewer operators. Nothing in a graph
proves that there was one (VGG has biases and no normalisation of its own), so it is for the user to say.
"""

from __future__ import annotations

from math import prod

from cg_ir.builder import GraphBuilder
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
#: Fewer convolutions than these are no evidence.
_LEAST = 3


def folded_convolutions(graph: Graph) -> list[int]:
    """The convolutions into which batch normalisations may have been folded.

    They have a bias and an extent beyond a single position (what gates channels after global pooling has none of its own), and something
    else than an output reads them. Beside batch normalisations that could not be folded (those before a convolution, as in DenseNet) they are the
    ones that an activation alone reads. None where any other operator normalises, where nothing does and a convolution of that kind lacks a bias,
    or where they are fewer than three.
    """
    norms = {node.op for node in graph.nodes if OPERATORS[node.op].kind == "norm"}
    if norms - {"BatchNormalization"}:
        return []
    readers: list[set[str]] = [set() for _ in graph.nodes]
    for node in graph.nodes:
        for i in node.inputs:
            readers[i].add(OPERATORS[node.op].kind)
    found = [
        node for node in graph.nodes
        if node.op in _CONVOLUTIONS and "sink" not in readers[node.index] and prod(node.shape[2:]) > 1
    ]  # fmt: skip
    if norms:
        found = [node for node in found if node.attrs["bias"] and readers[node.index] == {"activation"}]
    biased = [node.index for node in found if node.attrs["bias"]]
    return biased if len(biased) == len(found) and len(found) >= _LEAST else []


def unfold(graph: Graph) -> Graph:
    """The network with a batch normalisation in the place of each bias of `folded_convolutions`: as it was trained.

    Two parameters a channel stand where one was; multiply-accumulates stay. The default epsilon, 1e-5, is assumed.
    """
    folded = set(folded_convolutions(graph))
    builder = GraphBuilder(graph.name, producer=graph.producer)
    builder.extras.update(graph.extras)
    place: list[int] = []
    for node in graph.nodes:
        inputs = [place[i] for i in node.inputs]
        attrs = {**node.attrs, "bias": False} if node.index in folded else node.attrs
        made = builder.add(node.op, *inputs, region=node.region, weights=node.weights, shape=node.shape, **attrs)
        if node.index in folded:
            made = builder.add("BatchNormalization", made, region=node.region)
        place.append(made)
    return builder.build()
