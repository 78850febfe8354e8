"""The canonical form: one graph for one network, whichever frontend it came through.

Rules rewrite a node given its (already rewritten) inputs; passes over the whole graph repeat until none applies. Each rule keeps the
function that the graph computes. Nodes that no output needs are dropped, inputs of the network are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from cg_ir.graph import RESERVED, Graph
from cg_ir.operators import OPERATORS
from cg_ir.output_slices import without_full_sorts, without_splits
from cg_ir.records import Record, assemble

__all__ = ["canonical_records", "canonicalize"]

_PASSES = 32
_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_CHAINS = frozenset({"Add", "Max", "Min"})
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Pads of at most this much count as minus infinity, which JSON cannot write.
_LOWEST = -3.4e38
_NON_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp"})


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
        rewritten, changed = _Pass(current).run()
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
            result.append(
                Record(
                    record.op,
                    record.items,
                    [place[j] for j in record.inputs],
                    record.shape,
                    record.region,
                    record.weights,
                )
            )
    return result


class _Pass:
    """One pass over the records.

    Attributes:
        nodes: those already rewritten.
        uses: how often each of them is read, by rewritten nodes and by records that are still to come. It may count readers that turn
            out to be dead, never too few.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
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
            if self.nodes[i].op == record.op and self.uses[i] == 1:
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
        fixed = {record.inputs[0] for record in self.records if record.op == "Select"}
        place: list[int] = []
        for i, old in enumerate(self.records):
            record = Record(old.op, old.items, [place[j] for j in old.inputs], old.shape, old.region, old.weights)
            self.absorbed = merges[i]
            rule = None if i in fixed else _RULES.get(record.op)
            result = rule(self, record) if rule is not None else None
            for j in record.inputs:
                self.uses[j] -= 1
            if result is None:
                place.append(self.push(record, counts[i]))
                continue
            self.changed = True
            if isinstance(result, int):
                self.uses[result] += counts[i]
                place.append(result)
            else:
                place.append(self.push(result, counts[i]))
        return self.nodes, self.changed

    def push(self, record: Record, uses: int = 0) -> int:
        """Append a rewritten node that ``uses`` records to come read."""
        self.nodes.append(record)
        self.uses.append(uses)
        for j in record.inputs:
            self.uses[j] += 1
        return len(self.nodes) - 1

    def input(self, record: Record, position: int = 0) -> Record:
        """The node that a record reads."""
        return self.nodes[record.inputs[position]]

    def scalar(self, index: int) -> float | None:
        """The number that fills a constant, or None."""
        record = self.nodes[index]
        if record.op != "Constant":
            return None
        value = dict(record.items).get("value", ())
        return value[0] if isinstance(value, tuple) and len(value) == 1 else None


def _make(op: str, inputs: list[int], shape: tuple[int, ...], like: Record, **attrs: Any) -> Record:
    return Record(op, OPERATORS[op].read_attrs(attrs), inputs, shape, like.region)


# A rule returns None (nothing to do), the number of a node that stands for this one, or the node's replacement.


def _constant(p: _Pass, r: Record) -> Record | None:
    value = r.attrs["value"]
    if len(value) > 1 and len(set(value)) == 1:
        return _make("Constant", [], r.shape, r, value=value[:1], dtype=r.attrs["dtype"])
    return None


def _filled(p: _Pass, source: int, r: Record) -> Record | None:
    """What moves or repeats the elements of a constant that one number fills is such a constant."""
    if p.scalar(source) is None or not p.nodes[source].shape:
        return None
    return Record("Constant", p.nodes[source].items, [], r.shape, r.region)


def _reshape(p: _Pass, r: Record) -> Record | int | None:
    source = r.inputs[0]
    while p.nodes[source].op in _RESHAPES:
        source = p.nodes[source].inputs[0]
    before = p.nodes[source].shape
    if before == r.shape:
        return source
    filled = _filled(p, source, r)
    if filled is not None:
        return filled
    name = reshape_name(before, r.shape)
    if name == r.op and source == r.inputs[0]:
        return None
    return Record(name, (), [source], r.shape, r.region)


def reshape_name(before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """The name under which a change from one shape to another is canonical."""
    if len(after) == 2 and len(before) > 2 and after[0] == before[0]:
        return "Flatten"
    if len(after) < len(before) and _drops_ones(before, after):
        return "Squeeze"
    if len(after) > len(before) and _drops_ones(after, before):
        return "Unsqueeze"
    return "Reshape"


def _drops_ones(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    i = 0
    for size in longer:
        if i < len(shorter) and size == shorter[i]:
            i += 1
        elif size != 1:
            return False
    return i == len(shorter)


def _transpose(p: _Pass, r: Record) -> Record | int | None:
    perm = r.attrs["perm"]
    if list(perm) == list(range(len(perm))):
        return r.inputs[0]
    before = p.input(r)
    if before.op == "Transpose":
        inner = before.attrs["perm"]
        return _make("Transpose", list(before.inputs), r.shape, r, perm=[inner[i] for i in perm])
    return None


def _positions(ranges: Sequence[range]) -> dict[str, list[int]]:
    """One spelling for one set of positions along each axis."""
    ranges = [range(s[0], s[-1] + (1 if s.step > 0 else -1), s.step if len(s) > 1 else 1) for s in ranges]
    ranges = [range(s.start, s.start + 1) if len(s) <= 1 else s for s in ranges]
    return {"starts": [s.start for s in ranges], "ends": [s.stop for s in ranges], "steps": [s.step for s in ranges]}


def _slice(p: _Pass, r: Record) -> Record | int | None:
    before, a = p.input(r), r.attrs
    if r.shape == before.shape and all(step == 1 for step in a["steps"]):
        return r.inputs[0]
    ranges = [range(*bounds) for bounds in zip(a["starts"], a["ends"], a["steps"], strict=True)]
    joined = before.op == "Slice"
    if joined:
        b = before.attrs
        inner = [range(*bounds) for bounds in zip(b["starts"], b["ends"], b["steps"], strict=True)]
        ranges = [row[s.start : s.stop if s.stop >= 0 else None : s.step] for row, s in zip(inner, ranges, strict=True)]
        before_inputs = list(before.inputs)
    else:
        before_inputs = list(r.inputs)
    attrs = _positions(ranges)
    if not joined and all(list(a[k]) == v for k, v in attrs.items()):
        return None
    return _make("Slice", before_inputs, r.shape, r, **attrs)


def _if_same_shape(p: _Pass, r: Record) -> int | None:
    return r.inputs[0] if p.input(r).shape == r.shape else None


def _repeat(p: _Pass, r: Record) -> Record | int | None:
    same = _if_same_shape(p, r)
    return _filled(p, r.inputs[0], r) if same is None else same


def _concat(p: _Pass, r: Record) -> int | None:
    return r.inputs[0] if len(r.inputs) == 1 else None


def _pad(p: _Pass, r: Record) -> int | None:
    return None if any(r.attrs["pads"]) else r.inputs[0]


def _add(p: _Pass, r: Record) -> Record | int | None:
    terms = p.terms(r)
    nonzero = [i for i in terms if p.scalar(i) != 0.0]
    if len(nonzero) < len(terms):
        if len(nonzero) == 1 and p.nodes[nonzero[0]].shape == r.shape:
            return nonzero[0]
        if len(nonzero) > 1 and OPERATORS["Add"].infer([p.nodes[i].shape for i in nonzero], {}, None) == r.shape:
            terms = nonzero
    if terms != r.inputs:
        return Record("Add", (), terms, r.shape, r.region)
    return _bias(p, r)


def _extreme(p: _Pass, r: Record) -> Record | None:
    terms = p.terms(r)
    return Record(r.op, (), terms, r.shape, r.region) if terms != r.inputs else None


def _bias(p: _Pass, r: Record) -> Record | None:
    """Gemm without a bias plus a bare vector parameter is Gemm with a bias."""
    if len(r.inputs) != 2:
        return None
    for i, j in (r.inputs, r.inputs[::-1]):
        a, b = p.nodes[i], p.nodes[j]
        if (
            (
                a.op == "Gemm"
                and not a.attrs["bias"]
                and p.uses[i] == 1
                and a.weights is None
                and _own_vector(p, j, a.shape[-1])
            )
            and a.shape == r.shape
            and prod(b.shape) == a.shape[-1]
        ):
            return _make("Gemm", list(a.inputs), a.shape, a, bias=True)
    return None


def _own_vector(p: _Pass, index: int, size: int) -> bool:
    node = p.nodes[index]
    return node.op == "Parameter" and p.uses[index] == 1 and node.weights is None and node.shape[-1:] == (size,)


def _matmul(p: _Pass, r: Record) -> Record | None:
    """A product with a matrix that nothing else uses is an affine map."""
    source, matrix = r.inputs
    if p.uses[matrix] == 1 and p.nodes[matrix].op == "Transpose":
        matrix = p.nodes[matrix].inputs[0]
    node = p.nodes[matrix]
    if node.op == "Parameter" and len(node.shape) == 2 and p.uses[matrix] == 1 and node.weights is None:
        return _make("Gemm", [source], r.shape, r)
    return None


def _learned_kernel(p: _Pass, r: Record) -> Record | None:
    """A convolution with a matrix of weights that nothing else uses owns its weights."""
    if len(r.inputs) == 2:
        node = p.input(r, 1)
        if node.op == "Parameter" and p.uses[r.inputs[1]] == 1 and node.weights is None and r.weights is None:
            return Record(r.op, r.items, r.inputs[:1], r.shape, r.region)
    return None


def _einsum(p: _Pass, r: Record) -> Record | None:
    """Letters in the order of their appearance."""
    equation = r.attrs["equation"]
    letters = dict.fromkeys(letter for letter in equation if letter.isalpha())
    if len(letters) > len(_LETTERS):
        return None
    names = dict(zip(letters, _LETTERS, strict=False))
    plain = "".join(names.get(letter, letter) for letter in equation if letter != " ")
    return _make("Einsum", list(r.inputs), r.shape, r, equation=plain) if plain != equation else None


def _attention(p: _Pass, r: Record) -> Record | None:
    """The scale that is meant where none is given is left out."""
    scale = r.attrs["scale"]
    usual = p.input(r).shape[-1] ** -0.5
    if scale is None or abs(scale - usual) > 1e-6 * usual:
        return None
    return _make("Attention", list(r.inputs), r.shape, r, is_causal=r.attrs["is_causal"])


def _roll(p: _Pass, r: Record) -> Record | int | None:
    """Axes in order, each once, shifts between 0 and the axis's size."""
    shifts: dict[int, int] = {}
    for shift, axis in zip(r.attrs["shifts"], r.attrs["axes"], strict=True):
        shifts[axis] = (shifts.get(axis, 0) + shift) % r.shape[axis]
    moved = {axis: shift for axis, shift in sorted(shifts.items()) if shift}
    if not moved:
        return r.inputs[0]
    if (tuple(moved.values()), tuple(moved)) == (r.attrs["shifts"], r.attrs["axes"]):
        return None
    return _make("Roll", list(r.inputs), r.shape, r, shifts=list(moved.values()), axes=list(moved))


def _resize(p: _Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.inputs[0]
    if r.attrs["mode"] == "area" and before[:2] == r.shape[:2] and 3 <= len(before) <= 5:
        return _make("AdaptiveAveragePool", list(r.inputs), r.shape, r, output_size=r.shape[2:])
    return None


def _slice_scatter(p: _Pass, r: Record) -> Record | int | None:
    a = r.attrs
    if p.input(r, 1).shape == r.shape and all(step == 1 for step in a["steps"]):
        return r.inputs[1]
    attrs = _positions([range(*bounds) for bounds in zip(a["starts"], a["ends"], a["steps"], strict=True)])
    if all(list(a[k]) == v for k, v in attrs.items()):
        return None
    return _make("SliceScatter", list(r.inputs), r.shape, r, **attrs)


def _softsign(p: _Pass, r: Record) -> Record | None:
    """x / (1 + |x|)."""
    x, below = r.inputs
    total = p.nodes[below]
    if total.op != "Add" or len(total.inputs) != 2 or p.nodes[x].shape != r.shape:
        return None
    for i, j in (total.inputs, total.inputs[::-1]):
        if p.scalar(i) == 1.0 and p.nodes[j].op == "Abs" and p.nodes[j].inputs[0] == x:
            return Record("Softsign", (), [x], r.shape, r.region)
    return None


def _div(p: _Pass, r: Record) -> Record | None:
    return _sixth(p, r) or _softsign(p, r)


def _hard_sigmoid_argument(p: _Pass, index: int) -> int | None:
    """x where the node is clip(x + 3, 0, 6)."""
    clip = p.nodes[index]
    if clip.op != "Clip" or dict(clip.items) != {"min": 0.0, "max": 6.0}:
        return None
    shifted = p.input(clip)
    if shifted.op != "Add" or len(shifted.inputs) != 2:
        return None
    for i, j in (shifted.inputs, shifted.inputs[::-1]):
        if p.scalar(j) == 3.0 and p.nodes[i].shape == clip.shape:
            return i
    return None


def _sixth(p: _Pass, r: Record) -> Record | None:
    """x clip(x + 3, 0, 6) / 6 and clip(x + 3, 0, 6) / 6, the division spelled either way."""
    pairs = [r.inputs] if r.op == "Div" else [r.inputs, r.inputs[::-1]]
    for whole, divisor in pairs:
        number = p.scalar(divisor)
        if number is None or abs(number * (1.0 if r.op == "Div" else 36.0) - 6.0) > 1e-5:
            continue
        if p.nodes[whole].shape != r.shape:
            continue
        x = _hard_sigmoid_argument(p, whole)
        if x is not None:
            return Record("HardSigmoid", (), [x], r.shape, r.region)
        product = p.nodes[whole]
        if product.op == "Mul":
            for i, j in (product.inputs, product.inputs[::-1]):
                if _hard_sigmoid_argument(p, j) == i:
                    return Record("HardSwish", (), [i], r.shape, r.region)
    return None


def _mul(p: _Pass, r: Record) -> Record | None:
    for i, j in (r.inputs, r.inputs[::-1]):
        gate = p.nodes[j]
        if gate.op in ("Sigmoid", "HardSigmoid") and gate.inputs[0] == i:
            return Record("Silu" if gate.op == "Sigmoid" else "HardSwish", (), [i], r.shape, r.region)
        if (
            gate.op == "Tanh"
            and p.input(gate).op == "Softplus"
            and not p.input(gate).items
            and p.input(gate).inputs[0] == i
        ):
            return Record("Mish", (), [i], r.shape, r.region)
    return _gelu(p, r) or _sixth(p, r)


def _gelu(p: _Pass, r: Record) -> Record | None:
    """x (1 + erf(x / sqrt 2)) / 2, its factors in any order."""
    factors: list[int] = []
    for i in r.inputs:
        factors += p.nodes[i].inputs if p.nodes[i].op == "Mul" else [i]
    halves = [i for i in factors if p.scalar(i) == 0.5]
    rest = [i for i in factors if p.scalar(i) is None]
    if len(factors) != 3 or len(halves) != 1 or len(rest) != 2:
        return None
    for x, shifted in (rest, rest[::-1]):
        node = p.nodes[shifted]
        if node.op != "Add" or len(node.inputs) != 2:
            continue
        for erf, one in (node.inputs, node.inputs[::-1]):
            if p.nodes[erf].op == "Erf" and p.scalar(one) == 1.0 and _over_root_two(p, p.nodes[erf].inputs[0]) == x:
                return Record("Gelu", (), [x], r.shape, r.region)
    return None


def _over_root_two(p: _Pass, index: int) -> int | None:
    """x where the node is x / sqrt(2), the division spelled either way."""
    node = p.nodes[index]
    if node.op not in ("Mul", "Div"):
        return None
    for i, j in (node.inputs, node.inputs[::-1]) if node.op == "Mul" else (node.inputs,):
        number = p.scalar(j)
        if number is not None and abs(number - (2**0.5 if node.op == "Div" else 0.5**0.5)) < 1e-6:
            return i
    return None


def _clip(p: _Pass, r: Record) -> Record | int | None:
    a = r.attrs
    if a["min"] is None and a["max"] is None:
        return r.inputs[0]
    if a["min"] == 0.0 and a["max"] is None:
        return Record("Relu", (), list(r.inputs), r.shape, r.region)
    return None


def _leaky(p: _Pass, r: Record) -> Record | None:
    return Record("Relu", (), list(r.inputs), r.shape, r.region) if r.attrs["alpha"] == 0.0 else None


def _global(op: str, source: int, p: _Pass, r: Record) -> Record:
    """Global pooling to [n, c, 1, ...], read through a reshape where the node's shape is another."""
    before = p.nodes[source].shape
    pooled = (*before[:2], *(1,) * (len(before) - 2))
    result = Record(op, (), [source], pooled, r.region)
    if pooled == r.shape:
        return result
    return Record(reshape_name(pooled, r.shape), (), [p.push(result)], r.shape, r.region)


def _reduce(p: _Pass, r: Record) -> Record | None:
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
            return _make(r.op, list(before.inputs), r.shape, r, axes=joined, keepdims=False)
        kept = OPERATORS[r.op].infer([inner_shape], {"axes": joined, "keepdims": True}, None)
        one = _make(r.op, list(before.inputs), kept, r, axes=joined)
        return one if kept == r.shape else Record(reshape_name(kept, r.shape), (), [p.push(one)], r.shape, r.region)
    rank = len(before.shape)
    if rank in (4, 5) and axes == list(range(2, rank)) and r.op in ("ReduceMean", "ReduceMax"):
        return _global("GlobalAveragePool" if r.op == "ReduceMean" else "GlobalMaxPool", source, p, r)
    if list(a["axes"]) != axes:
        return _make(r.op, [source], r.shape, r, axes=axes, keepdims=a["keepdims"])
    return None


def _adaptive(p: _Pass, r: Record) -> Record | int | None:
    before = p.input(r).shape
    if before == r.shape:
        return r.inputs[0]
    size = r.attrs["output_size"]
    if all(s == 1 for s in size) and len(size) == len(before) - 2:
        return _global("GlobalAveragePool" if r.op == "AdaptiveAveragePool" else "GlobalMaxPool", r.inputs[0], p, r)
    return None


def _window(p: _Pass, r: Record) -> Record | int | None:
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
            return Record(
                r.op, OPERATORS[r.op].read_attrs({**a, "count_include_pad": True}), list(r.inputs), r.shape, r.region
            )
    return None


def _fold_pad(p: _Pass, r: Record) -> Record | None:
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


def _is_non_negative(p: _Pass, index: int) -> bool:
    node = p.nodes[index]
    for _ in range(64):
        if node.op not in ("MaxPool", "AveragePool") or any(node.attrs["pads"]):
            break
        node = p.input(node)
    if node.op == "Clip":
        low = node.attrs["min"]
        return low is not None and low >= 0.0
    return node.op in _NON_NEGATIVE


_RULES: dict[str, Callable[[_Pass, Record], Record | int | None]] = {
    "Constant": _constant,
    **dict.fromkeys(_RESHAPES, _reshape),
    "Transpose": _transpose,
    "Slice": _slice,
    "Expand": _repeat,
    "Tile": _repeat,
    "Resize": _resize,
    "SliceScatter": _slice_scatter,
    "Roll": _roll,
    "Einsum": _einsum,
    "Attention": _attention,
    "ConvTranspose": _learned_kernel,
    "Im2Col": _window,
    **dict.fromkeys(("Max", "Min"), _extreme),
    **dict.fromkeys(("ReduceSum", "ReduceMin", "ReduceProd"), _reduce),
    "Concat": _concat,
    "Pad": _pad,
    "Add": _add,
    "MatMul": _matmul,
    "Mul": _mul,
    "Div": _div,
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "AdaptiveAveragePool": _adaptive,
    "AdaptiveMaxPool": _adaptive,
    "GlobalAveragePool": _if_same_shape,
    "GlobalMaxPool": _if_same_shape,
    **dict.fromkeys(("Conv", "MaxPool", "AveragePool"), _window),
}
