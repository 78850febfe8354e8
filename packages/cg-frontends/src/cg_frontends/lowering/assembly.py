"""The last step: lowered nodes, with the parameters they share, to a graph."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, Spec
from cg_frontends.lowering.weights import Sharing
from cg_ir import Graph, GraphBuilder


def assemble(lowering: Lowering, name: str, producer: dict[str, str], *, tagged: bool = False) -> Graph:
    """The graph of a lowering that has run.

    Args:
        tagged: regions are the numbers of the specs instead of module paths, with ``.slot`` for a parameter that was split off: they
            tell what became of each.

    Ensures: ``graph.params + graph.extras.get("unused_parameters", 0)`` is the number of the module's parameters.
    """
    builder = GraphBuilder(name, producer=producer)
    sharing = Sharing(lowering.specs)
    place: list[int] = []
    for index, spec in enumerate(lowering.specs):
        inputs = [place[i] for i in spec.inputs]
        key = sharing.key(index) if spec.slots else None
        if tagged:
            spec = replace(spec, region=str(index))
        if len(spec.slots) > 1 and sharing.split(index):
            place.append(_split(builder, sharing, index, spec, inputs, tagged))
        else:
            place.append(builder.add(spec.op, *inputs, region=spec.region, weights=key, shape=spec.shape, **spec.attrs))
    total = sum(leaf.numel for leaf in lowering.tape.leaves)
    unused = total - sharing.counted
    if unused:
        builder.extras["unused_parameters"] = unused
    return builder.build()


def _split(builder: GraphBuilder, sharing: Sharing, index: int, spec: Spec, inputs: list[int], tagged: bool) -> int:
    """A node that shares some of its parameters: the others become nodes."""

    def parameter(slot: int, shape: tuple[int, ...]) -> int:
        region = f"{index}.{slot}" if tagged else spec.region
        key, own = sharing.key(index, slot), spec.slots[slot].shape
        node = sharing.nodes.get((key, own)) if key else None
        if node is None:
            node = sharing.nodes[key, own] = builder.parameter(own, region=region, weights=key)
        return node if own == shape else builder.add("Reshape", node, shape=shape, region=spec.region)

    def add(op: str, *nodes: int, **attrs: Any) -> int:
        return builder.add(op, *nodes, region=spec.region, shape=spec.shape, **attrs)

    rank = len(spec.shape)
    channels_first = (-1, *(1,) * (rank - 2))
    if spec.op in ("Gemm", "Conv", "ConvTranspose"):
        node = add(spec.op, *inputs, weights=sharing.key(index, 0), **{**spec.attrs, "bias": False})
        width = prod(spec.slots[1].shape)
        return add("Add", node, parameter(1, (width,) if spec.op == "Gemm" else (width, *channels_first[1:])))
    attrs = {k: v for k, v in spec.attrs.items() if k != "bias"}
    node = add(spec.op, *inputs, **{**attrs, "affine": False})
    shape = spec.slots[0].shape
    if spec.op not in ("LayerNormalization", "RMSNormalization"):
        shape = (prod(shape), *channels_first[1:])
    return add("Add", add("Mul", node, parameter(0, shape)), parameter(1, shape))
