"""Rules for reductions, pooling, convolutions and their pads."""

from __future__ import annotations

from operator import add, ge

from cg_ir.canonical.layout import if_same_shape, reshape_name
from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.operators import OPERATORS
from cg_ir.records import Record

#: Pads of at most this much count as minus infinity, which JSON cannot write.
_LOWEST = -3.4e38
#: What pools over everything, by what does so over the right axes or windows.
_GLOBAL = {
    **dict.fromkeys(("ReduceMean", "AdaptiveAveragePool", "AveragePool"), "GlobalAveragePool"),
    **dict.fromkeys(("ReduceMax", "AdaptiveMaxPool", "MaxPool"), "GlobalMaxPool"),
}
_NON_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp"})


def _learned_kernel(p: Pass, r: Record) -> Record | None:
    """A convolution with a matrix of weights that nothing else uses owns its weights."""
    source, *kernel = r.inputs
    owns = kernel and r.weights is None and p.is_own(*kernel)
    return Record(r.op, r.items, [source], r.shape, r.region) if owns else None


def _resize(p: Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.source
    if r.attrs["mode"] == "area" and before[:2] == r.shape[:2] and len(before) in (3, 4, 5):
        return make("AdaptiveAveragePool", r.inputs, r.shape, r, output_size=r.shape[2:])
    return None


def _global(p: Pass, r: Record) -> Record:
    """Global pooling to [n, c, 1, ...], read through a reshape where the node's shape is another."""
    name = _GLOBAL[r.op]
    pooled = OPERATORS[name].infer([p.input(r).shape], {}, None)
    return _reshaped(p, Record(name, (), [r.source], pooled, r.region), r)


def _reshaped(p: Pass, made: Record, r: Record) -> Record:
    """What a node becomes, in the node's shape."""
    if made.shape == r.shape:
        return made
    return Record(reshape_name(made.shape, r.shape), (), [p.push(made)], r.shape, r.region)


def _reduce(p: Pass, r: Record) -> Record:
    a, before = r.attrs, p.input(r)
    rank = len(before.shape)
    axes = sorted(a["axes"] or range(rank))
    if before.op == r.op and p.is_read_once(r.source):
        b, inner_shape = before.attrs, p.input(before).shape
        inner = sorted(b["axes"] or range(len(inner_shape)))
        if not b["keepdims"]:
            left = [i for i in range(len(inner_shape)) if i not in inner]
            axes = [left[i] for i in axes]
        joined = sorted({*inner, *axes})
        shapes = [
            OPERATORS[r.op].infer([inner_shape], {"axes": joined, "keepdims": kept}, None) for kept in (False, True)
        ]
        if r.shape in shapes:
            return make(r.op, before.inputs, r.shape, r, axes=joined, keepdims=bool(shapes.index(r.shape)))
        return _reshaped(p, make(r.op, before.inputs, shapes[1], r, axes=joined), r)
    if r.op in _GLOBAL and rank in (4, 5) and axes == list(range(2, rank)):
        return _global(p, r)
    return make(r.op, r.inputs, r.shape, r, axes=axes, keepdims=a["keepdims"])


def _adaptive(p: Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.source
    return _global(p, r) if r.attrs["output_size"] == (1,) * (len(before) - 2) else None


def _window(p: Pass, r: Record) -> Record | int | None:
    """Pads move into convolutions and poolings; poolings over everything are global, over single elements nothing."""
    folded = _fold_pad(p, r)
    if folded is not None:
        return folded
    if r.op in ("Conv", "Im2Col"):
        return _learned_kernel(p, r)
    a = r.attrs
    if any(a["pads"]):
        return None
    if {*a["kernel_shape"], *a["strides"]} == {1}:
        return r.source
    if a["kernel_shape"] == p.input(r).shape[2:]:
        return _global(p, r)
    return make(r.op, r.inputs, r.shape, r, **{**a, "count_include_pad": True}) if r.op == "AveragePool" else None


def _fold_pad(p: Pass, r: Record) -> Record | None:
    before, a = p.input(r), r.attrs
    if before.op != "Pad":
        return None
    b, kernel = before.attrs, a["kernel_shape"]
    rank, dims = len(before.shape), len(kernel)
    begins, ends = b["pads"][:rank], b["pads"][rank:]
    added = (*begins[-dims:], *ends[-dims:])
    if b["mode"] != "constant" or min(b["pads"]) < 0 or any(begins[:-dims]) or any(ends[:-dims]):
        return None
    pads = list(map(add, a["pads"], added))
    attrs = {**a, "pads": pads}
    if r.op == "MaxPool":
        # padding with zeros is padding with nothing where no element is negative and every window has an element
        nothing = b["value"] <= _LOWEST or (b["value"] == 0.0 and _is_non_negative(p, before.source))
        if not nothing or {*a["dilations"]} != {1} or any(map(ge, pads, kernel * 2)):
            return None
    elif b["value"] != 0.0:
        return None
    if r.op == "AveragePool":
        if any(a["pads"]) and not a["count_include_pad"]:
            return None
        attrs["count_include_pad"] = True
    operator = OPERATORS[r.op]
    items = operator.read_attrs(attrs)
    inner = p.input(before).shape
    if a.get("ceil_mode") and operator.infer([inner], operator.fill_attrs(items), None) != r.shape:
        return None
    return Record(r.op, items, [before.source, *r.inputs[1:]], r.shape, r.region, r.weights)


def _is_non_negative(p: Pass, index: int) -> bool:
    node = p.nodes[index]
    for _ in range(64):
        if node.op not in ("MaxPool", "AveragePool") or any(node.attrs["pads"]):
            break
        node = p.input(node)
    if node.op == "Clip":
        low = node.attrs["min"]
        return low is not None and low >= 0.0
    return node.op in _NON_NEGATIVE


WINDOWS: dict[str, Rule] = {
    "Resize": _resize,
    "ConvTranspose": _learned_kernel,
    **dict.fromkeys(("ReduceSum", "ReduceMin", "ReduceProd", "ReduceMean", "ReduceMax"), _reduce),
    **dict.fromkeys(("AdaptiveAveragePool", "AdaptiveMaxPool"), _adaptive),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), if_same_shape),
    **dict.fromkeys(("Conv", "Im2Col", "MaxPool", "AveragePool"), _window),
}
