"""Rules for sums and products, and for activations that are spelled out."""

from __future__ import annotations

from math import prod

from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.operators import OPERATORS
from cg_ir.records import Record

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Activations that are x times functions of x, by these.
_GATED = {operator.gate: operator.name for operator in OPERATORS.values() if operator.gate}
_DEEPEST = max(map(len, _GATED))


def _add(p: Pass, r: Record) -> Record | int | None:
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


def _extreme(p: Pass, r: Record) -> Record | None:
    terms = p.terms(r)
    return Record(r.op, (), terms, r.shape, r.region) if terms != r.inputs else None


def _bias(p: Pass, r: Record) -> Record | None:
    """Gemm without a bias plus a bare vector parameter is Gemm with a bias."""
    if len(r.inputs) != 2:
        return None
    for i, j in (r.inputs, r.inputs[::-1]):
        a, b = p.nodes[i], p.nodes[j]
        plain = a.op == "Gemm" and not a.attrs["bias"] and p.uses[i] == 1 and a.weights is None and a.shape == r.shape
        if plain and _own_vector(p, j, a.shape[-1]) and prod(b.shape) == a.shape[-1]:
            return make("Gemm", list(a.inputs), a.shape, a, bias=True)
    return None


def _own_vector(p: Pass, index: int, size: int) -> bool:
    node = p.nodes[index]
    return node.op == "Parameter" and p.uses[index] == 1 and node.weights is None and node.shape[-1:] == (size,)


def _matmul(p: Pass, r: Record) -> Record | None:
    """A product with a matrix that nothing else uses is an affine map."""
    source, matrix = r.inputs
    if p.uses[matrix] == 1 and p.nodes[matrix].op == "Transpose":
        matrix = p.nodes[matrix].inputs[0]
    node = p.nodes[matrix]
    if node.op == "Parameter" and len(node.shape) == 2 and p.uses[matrix] == 1 and node.weights is None:
        return make("Gemm", [source], r.shape, r)
    return None


def _einsum(p: Pass, r: Record) -> Record | None:
    """Letters in the order of their appearance."""
    equation = r.attrs["equation"]
    letters = dict.fromkeys(letter for letter in equation if letter.isalpha())
    if len(letters) > len(_LETTERS):
        return None
    names = dict(zip(letters, _LETTERS, strict=False))
    plain = "".join(names.get(letter, letter) for letter in equation if letter != " ")
    return make("Einsum", list(r.inputs), r.shape, r, equation=plain) if plain != equation else None


def _attention(p: Pass, r: Record) -> Record | None:
    """The scale that is meant where none is given is left out."""
    scale = r.attrs["scale"]
    usual = p.input(r).shape[-1] ** -0.5
    if scale is None or abs(scale - usual) > 1e-6 * usual:
        return None
    return make("Attention", list(r.inputs), r.shape, r, is_causal=r.attrs["is_causal"])


def _softsign(p: Pass, r: Record) -> Record | None:
    """x / (1 + |x|)."""
    x, below = r.inputs
    total = p.nodes[below]
    if total.op != "Add" or len(total.inputs) != 2 or p.nodes[x].shape != r.shape:
        return None
    for i, j in (total.inputs, total.inputs[::-1]):
        if p.scalar(i) == 1.0 and p.nodes[j].op == "Abs" and p.nodes[j].inputs[0] == x:
            return Record("Softsign", (), [x], r.shape, r.region)
    return None


def _hard_sigmoid_argument(p: Pass, index: int) -> int | None:
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


def _sixth(p: Pass, r: Record) -> Record | None:
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


def _mul(p: Pass, r: Record) -> Record | None:
    for x, gate in (r.inputs, r.inputs[::-1]):
        name = _GATED.get(_functions(p, gate, x))
        if name is not None:
            return Record(name, (), [x], r.shape, r.region)
    return _gelu(p, r) or _sixth(p, r)


def _functions(p: Pass, index: int, x: int) -> tuple[str, ...]:
    """The functions without attributes, outermost first, that make a node of x; none where it is not made so."""
    found: tuple[str, ...] = ()
    while index != x and len(found) < _DEEPEST:
        node = p.nodes[index]
        if node.items or len(node.inputs) != 1:
            return ()
        found += (node.op,)
        index = node.inputs[0]
    return found if index == x else ()


def _gelu(p: Pass, r: Record) -> Record | None:
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


def _over_root_two(p: Pass, index: int) -> int | None:
    """x where the node is x / sqrt(2), the division spelled either way."""
    node = p.nodes[index]
    if node.op not in ("Mul", "Div"):
        return None
    for i, j in (node.inputs, node.inputs[::-1]) if node.op == "Mul" else (node.inputs,):
        number = p.scalar(j)
        if number is not None and abs(number - (2**0.5 if node.op == "Div" else 0.5**0.5)) < 1e-6:
            return i
    return None


def _clip(p: Pass, r: Record) -> Record | int | None:
    a = r.attrs
    if a["min"] is None and a["max"] is None:
        return r.inputs[0]
    if a["min"] == 0.0 and a["max"] is None:
        return Record("Relu", (), list(r.inputs), r.shape, r.region)
    return None


ARITHMETIC: dict[str, Rule] = {
    "Einsum": _einsum,
    "Attention": _attention,
    **dict.fromkeys(("Max", "Min"), _extreme),
    "Add": _add,
    "MatMul": _matmul,
    "Mul": _mul,
    "Div": lambda p, r: _sixth(p, r) or _softsign(p, r),
    "Clip": _clip,
    "LeakyRelu": lambda p, r: None if r.attrs["alpha"] else Record("Relu", (), list(r.inputs), r.shape, r.region),
}
