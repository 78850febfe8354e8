"""Rules for reductions, pooling, convolutions and their pads."""

from __future__ import annotations

from cg_ir.canonical.layout import if_same_shape, reshape_name
from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.operators import OPERATORS
from cg_ir.records import Record

#: Pads of at most this much count as minus infinity, which JSON cannot write.
_LOWEST = -3.4e38


_NON_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp"})


def _learned_kernel(p: Pass, r: Record) -> Record | None:
    """A convolution with a matrix of weights that nothing else uses owns its weights."""
    if len(r.inputs) == 2:
        node = p.input(r, 1)
        if node.op == "Parameter" and p.uses[r.inputs[1]] == 1 and node.weights is None and r.weights is None:
            return Record(r.op, r.items, r.inputs[:1], r.shape, r.region)
    return None


def _resize(p: Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.inputs[0]
    if r.attrs["mode"] == "area" and before[:2] == r.shape[:2] and 3 <= len(before) <= 5:
        return make("AdaptiveAveragePool", list(r.inputs), r.shape, r, output_size=r.shape[2:])
    return None


def _global(op: str, source: int, p: Pass, r: Record) -> Record:
    """Global pooling to [n, c, 1, ...], read through a reshape where the node's shape is another."""
    before = p.nodes[source].shape
    pooled = (*before[:2], *(1,) * (len(before) - 2))
    result = Record(op, (), [source], pooled, r.region)
    if pooled == r.shape:
        return result
    return Record(reshape_name(pooled, r.shape), (), [p.push(result)], r.shape, r.region)


def _reduce(p: Pass, r: Record) -> Record | None:
    source = r.inputs[0]
    a, before = r.attrs, p.nodes[source]
    axes = sorted(a["axes"] or range(len(before.shape)))
    if before.op == r.op and p.uses[source] == 1:
        b = before.attrs
        inner_shape = p.input(before).shape
        inner = sorted(b["axes"] or range(len(inner_shape)))
        if not b["keepdims"]:
            left = [i for i in range(len(inner_shape)) if i not in inner]
            axes = [left[i] for i in axes]
        joined = sorted({*inner, *axes})
        if OPERATORS[r.op].infer([inner_shape], {"axes": joined, "keepdims": False}, None) == r.shape:
            return make(r.op, list(before.inputs), r.shape, r, axes=joined, keepdims=False)
        kept = OPERATORS[r.op].infer([inner_shape], {"axes": joined, "keepdims": True}, None)
        one = make(r.op, list(before.inputs), kept, r, axes=joined)
        return one if kept == r.shape else Record(reshape_name(kept, r.shape), (), [p.push(one)], r.shape, r.region)
    rank = len(before.shape)
    if rank in (4, 5) and axes == list(range(2, rank)) and r.op in ("ReduceMean", "ReduceMax"):
        return _global("GlobalAveragePool" if r.op == "ReduceMean" else "GlobalMaxPool", source, p, r)
    if list(a["axes"]) != axes:
        return make(r.op, [source], r.shape, r, axes=axes, keepdims=a["keepdims"])
    return None


def _adaptive(p: Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.inputs[0]
    size = r.attrs["output_size"]
    if all(s == 1 for s in size) and len(size) == len(before) - 2:
        return _global("GlobalAveragePool" if r.op == "AdaptiveAveragePool" else "GlobalMaxPool", r.inputs[0], p, r)
    return None


def _window(p: Pass, r: Record) -> Record | int | None:
    """Pads move into convolutions and poolings; poolings over everything are global, over single elements nothing."""
    folded = _fold_pad(p, r)
    if folded is not None:
        return folded
    if r.op in ("Conv", "Im2Col"):
        return _learned_kernel(p, r)
    a, before = r.attrs, p.input(r).shape
    kernel = a["kernel_shape"]
    spatial = before[len(before) - len(kernel) :]
    if not any(a["pads"]):
        plain = all(d == 1 for d in a.get("dilations", ()))
        if all(k == 1 for k in kernel) and all(s == 1 for s in a["strides"]):
            return r.inputs[0]
        if plain and kernel == spatial and len(before) == len(kernel) + 2 and all(s == 1 for s in r.shape[2:]):
            return _global("GlobalAveragePool" if r.op == "AveragePool" else "GlobalMaxPool", r.inputs[0], p, r)
        if r.op == "AveragePool" and not a["count_include_pad"]:
            return make(r.op, list(r.inputs), r.shape, r, **{**a, "count_include_pad": True})
    return None


def _fold_pad(p: Pass, r: Record) -> Record | None:
    before, a = p.input(r), r.attrs
    if before.op != "Pad":
        return None
    b = before.attrs
    rank, dims = len(before.shape), len(a["kernel_shape"])
    begins, ends = b["pads"][:rank], b["pads"][rank:]
    lead = rank - dims
    if b["mode"] != "constant" or min(b["pads"]) < 0 or any(begins[:lead]) or any(ends[:lead]):
        return None
    attrs = dict(a)
    if r.op == "MaxPool":
        # padding with zeros is padding with nothing where no element is negative and every window has an element
        nothing = b["value"] <= _LOWEST or (b["value"] == 0.0 and _is_non_negative(p, before.inputs[0]))
        dense = all(d == 1 for d in a["dilations"])
        total = [x + y for x, y in zip(a["pads"], (*begins[lead:], *ends[lead:]), strict=True)]
        if not nothing or not dense or any(t >= k for t, k in zip(total, a["kernel_shape"] * 2, strict=True)):
            return None
    elif b["value"] != 0.0:
        return None
    if r.op == "AveragePool":
        if any(a["pads"]) and not a["count_include_pad"]:
            return None
        attrs["count_include_pad"] = True
    added = (*begins[lead:], *ends[lead:])
    attrs["pads"] = [x + y for x, y in zip(a["pads"], added, strict=True)]
    operator = OPERATORS[r.op]
    items = operator.read_attrs(attrs)
    inner = p.nodes[before.inputs[0]].shape
    if a.get("ceil_mode") and operator.infer([inner], operator.fill_attrs(items), None) != r.shape:
        return None
    return Record(r.op, items, [*before.inputs, *r.inputs[1:]], r.shape, r.region, r.weights)


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
