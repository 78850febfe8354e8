"""Matrix products, and attention."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import BIAS, Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.elementwise import chain_onnx
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, broadcast
from cg_ir.operators.torch_text import Call, Number, Template, flag


def gemm_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Affine map of the last axis."""
    if not ins[0]:
        raise GraphError("the input of Gemm has no axis")
    return (*ins[0][:-1], None)


def expert_gemm_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Rows of features, and for each row the number of its matrix."""
    x, ids = ins
    if not x or x[:-1] != ids:
        raise GraphError(f"there should be one expert for each row of {list(x)}, not {list(ids)}")
    return (*x[:-1], None)


def matmul_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Batched matrix product, as numpy's ``matmul``."""
    a, b = ins
    if not a or not b:
        raise GraphError("MatMul takes no scalars")
    inner_b = b[-2] if len(b) > 1 else b[0]
    if a[-1] != inner_b:
        raise GraphError(f"inner axes of {list(a)} and {list(b)} differ")
    head = broadcast([a[:-2] or (1,), b[:-2] or (1,)], {}, None) if len(a) > 2 or len(b) > 2 else ()
    return (*head, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def _einsum_sizes(ins: Sequence[Shape], attrs: Attrs) -> tuple[dict[str, int], list[str], str]:
    """Sizes by letter, the inputs' terms and the output term; an ellipsis is spelled out in capitals beforehand by converters."""
    equation = attrs["equation"].replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(ins):
        raise GraphError(f"equation {equation!r} should be explicit and have {len(ins)} terms")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, ins, strict=True):
        if len(term) != len(shape):
            raise GraphError(f"term {term!r} does not name the axes of shape {list(shape)}")
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) not in (size, 1) and size != 1:
                raise GraphError(f"axis {letter!r} of {equation!r} has two sizes")
            sizes[letter] = max(sizes[letter], size)
    if any(letter not in sizes for letter in right):
        raise GraphError(f"the output of {equation!r} names an unknown axis")
    return sizes, terms, right


def einsum_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Einstein summation with an explicit equation."""
    sizes, _, right = _einsum_sizes(ins, attrs)
    return tuple(sizes[letter] for letter in right)


def attention_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Scaled dot-product attention on query (..., l, e), key (..., s, e) and value (..., s, v)."""
    query, key, value = ins[:3]
    if min(len(query), len(key), len(value)) < 2 or query[-1] != key[-1] or key[-2] != value[-2]:
        raise GraphError(f"query {list(query)}, key {list(key)} and value {list(value)} do not fit")
    return (*query[:-1], value[-1])


def gemm_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """in x out weights, and out biases."""
    return {"weight": (out[-1], ins[0][-1]), **({"bias": out[-1:]} if attrs["bias"] else {})}


def gemm_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """in products for each output element."""
    return prod(out) * ins[0][-1]


def expert_gemm_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """One matrix in x out an expert."""
    return {"weight": (attrs["num_experts"], out[-1], ins[0][-1])}


def matmul_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """The inner size for each output element."""
    return prod(out) * ins[0][-1]


def einsum_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """The product of all axis sizes where two or more inputs are contracted, as for a matrix product."""
    sizes, terms, right = _einsum_sizes(ins, attrs)
    contracted = set("".join(terms)) - set(right)
    return prod(sizes.values()) if len(terms) > 1 and contracted else 0


def attention_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Query times key and weights times value: prod(batch, heads) l s (e + v)."""
    query, key, value = ins[:3]
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def matmul_batch(use: Use, axes: Axes) -> Plan:
    a, b = use.input_shapes
    if axes[1] is None and len(b) <= 2 and axes[0] is not None and axes[0] < len(a) - 1:
        return Plan(axes[0])
    if len(a) < 3 or len(b) < 3:
        return APART
    heads_only = all(x is None or x < len(s) - 2 for x, s in zip(axes, (a, b), strict=True))
    return batch.broadcast(use, axes) if heads_only else APART


def attention_batch(use: Use, axes: Axes) -> Plan:
    shapes = use.input_shapes
    rank = len(use.shape)
    if None in axes[:3] or len({*axes[:3]}) > 1 or {len(s) for s in shapes[:3]} != {rank}:
        return APART
    place = axes[0]
    assert place is not None
    if place >= rank - 2 or len({s[place] for s in shapes[:3]}) > 1:
        return APART
    if len(axes) == 3:
        return Plan(place)
    own = place - (rank - len(shapes[3]))
    if axes[3] is not None:
        return Plan(place) if axes[3] == own and shapes[3][own] == shapes[0][place] else APART
    return Plan(place, repeat=(None, None, None, own if own >= 0 and shapes[3][own] > 1 else None))


def einsum_batch(use: Use, axes: Axes) -> Plan:
    left, _, right = use.attrs["equation"].replace(" ", "").partition("->")
    terms = left.split(",")
    letters = {term[axis] for term, axis in zip(terms, axes, strict=True) if axis is not None}
    if len(letters) != 1:
        return APART
    letter = letters.pop()
    if letter not in right or any(letter in term for term, axis in zip(terms, axes, strict=True) if axis is None):
        return APART
    sizes = {s[axis] for s, axis in zip(use.input_shapes, axes, strict=True) if axis is not None}
    return Plan(right.index(letter)) if len(sizes) == 1 and all(t.count(letter) <= 1 for t in terms) else APART


def rows_batch(use: Use, axes: Axes) -> Plan:
    axis = axes[0]
    return Plan(axis) if axis is not None and axis == axes[1] and axis < len(use.shape) - 1 else APART


def expert_gemm_layer(use: Use) -> Template:
    inside = use.input_shapes[0][-1]
    matrices = f"torch.empty({use.attrs['num_experts']}, {use.shape[-1]}, {inside})"
    return (f'nn.ParameterDict({{"weight": nn.init.uniform_({matrices}, {-(inside**-0.5)!r}, {inside**-0.5!r})}})',)


def attention_torch(call: Call) -> str:
    a = call.attrs
    if a["is_causal"] and len(call.xs) > 3:
        raise GraphError("PyTorch runs attention with a mask or a causal one, not with both")
    mask = f", attn_mask={call.xs[3]}" if len(call.xs) > 3 else ""
    ends = (*flag("is_causal", a["is_causal"], False), *flag("scale", a["scale"], None))
    return f"F.scaled_dot_product_attention({', '.join(call.xs[:3])}{mask}{''.join(map(str, ends))})"


def gemm_onnx(e: Emitter, node: Node) -> str:
    weight, bias = e.weight(node, "weight") or "", e.weight(node, "bias")
    if len(node.shape) == 2:
        return e.op("Gemm", e.source(node), weight, *([bias] if bias else []), transB=1)
    turned = e.tensor(e.weights[node.index]["weight"].T, "turned", node)
    result = e.op("MatMul", e.source(node), turned)
    return e.op("Add", result, bias) if bias else result


def expert_gemm_onnx(e: Emitter, node: Node) -> str:
    """The matrices are gathered by row."""
    x, ids = e.sources(node)
    matrices = e.op("Gather", e.weight(node, "weight") or "", e.cast(ids, "int64"), axis=0)
    column = e.op("Unsqueeze", x, e.ints([len(node.shape)]))
    return e.op("Squeeze", e.op("MatMul", matrices, column), e.ints([len(node.shape)]))


def attention_onnx(e: Emitter, node: Node) -> str:
    query, key, value = e.sources(node)[:3]
    shapes = node.signature.input_shapes
    scale = node.attrs["scale"]
    scale = shapes[0][-1] ** -0.5 if scale is None else scale
    rank = len(shapes[1])
    turned = e.op("Transpose", key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = e.op("MatMul", e.op("Mul", query, e.number(scale)), turned)
    if node.attrs["is_causal"]:
        length, other = shapes[0][-2], shapes[1][-2]
        mask = np.where(np.tri(length, other, dtype=bool), 0.0, -np.inf).astype(np.float32)
        scores = e.op("Add", scores, e.tensor(mask))
    if len(shapes) > 3:
        mask_name = e.source(node, 3)
        if e.dtype(node, 3) == "bool":
            mask_name = e.op("Where", mask_name, e.number(0.0), e.number(-np.inf))
        scores = e.op("Add", scores, mask_name)
    return e.op("MatMul", e.op("Softmax", scores, axis=-1), value)


PRODUCTS = [
    Operator(
        "Gemm", "matmul", (1, 1), gemm_shape, "Affine map of the last axis by a learned matrix.",
        tensors=gemm_tensors, macs=gemm_macs, attributes={"bias": BIAS},
        batch=batch.unless(lambda attrs, rank: (rank - 1,)), owned="linear", torch="{own}({x})", to_onnx=gemm_onnx,
        owns=lambda use: (
            "nn.Linear(", Number("in_features", use.input_shapes[0][-1]), ", ", Number("out_features", use.shape[-1]),
            *flag("bias", use.attrs["bias"], True), ")",
        ),
    ),
    Operator(
        "ExpertGemm", "matmul", (2, 2), expert_gemm_shape,
        "Linear map of each row by the one of several learned matrices that the second input names: what a mixture of experts routes to. "
        "Multiply-accumulates are those of the experts named, parameters those of all.",
        tensors=expert_gemm_tensors, macs=gemm_macs, attributes={"num_experts": Attribute("int", minimum=1, doc="number of matrices")},
        onnx=False, batch=rows_batch, owns=expert_gemm_layer, owned="experts", ids=1,
        torch='torch.matmul({own}["weight"][{1}], {x}.unsqueeze(-1)).squeeze(-1)', to_onnx=expert_gemm_onnx,
    ),
    Operator(
        "MatMul", "matmul", (2, 2), matmul_shape, "Batched product of two matrices.", macs=matmul_macs,
        batch=matmul_batch, torch="torch.matmul({0}, {1})", result="common", to_onnx=chain_onnx,
    ),
    Operator(
        "Einsum", "matmul", (1, None), einsum_shape, "Einstein summation.", macs=einsum_macs,
        attributes={"equation": Attribute("string", doc="explicit equation, one letter an axis")}, batch=einsum_batch,
        torch=lambda call: f"torch.einsum({call.attrs['equation']!r}, {', '.join(call.xs)})", result="common",
        to_onnx=lambda e, node: e.op("Einsum", *e.operands(node), equation=node.attrs["equation"]),
    ),
    Operator(
        "Attention", "attention", (3, 4), attention_shape, "Scaled dot-product attention of query, key, value and an optional mask.",
        macs=attention_macs,
        attributes={
            "is_causal": Attribute("bool", False, doc="mask out later positions"),
            "scale": Attribute("float", None, doc="factor of the products; 1 / sqrt(e) where absent"),
        },
        batch=attention_batch, torch=attention_torch, to_onnx=attention_onnx,
    ),
]  # fmt: skip
