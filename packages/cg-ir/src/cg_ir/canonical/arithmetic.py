"""Rules for sums and products, and for activations that are spelled out."""

from __future__ import annotations

from math import isclose, prod

from cg_ir.canonical.rewriting import Pass, Rule, make
from cg_ir.operators import OPERATORS
from cg_ir.records import Record

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Activations that are x times functions of x, by these.
_GATED = {operator.gate: operator.name for operator in OPERATORS.values() if operator.gate}
_DEEPEST = max(map(len, _GATED))
#: Numbers that differ by less, relatively, are one that was rounded to single precision.
_ROUNDING = 1e-6


def _add(p: Pass, r: Record) -> Record | int | None:
    terms = p.terms(r)
    nonzero = [i for i in terms if p.scalar(i) != 0.0]
    if nonzero and OPERATORS["Add"].shape([p.nodes[i].shape for i in nonzero], {}, None) == r.shape:
        first, *others = terms = nonzero
        if not others:
            return first
    return Record("Add", (), terms, r.shape, r.region) if terms != r.inputs else _bias(p, r)


def _extreme(p: Pass, r: Record) -> Record:
    return Record(r.op, (), p.terms(r), r.shape, r.region)


def _bias(p: Pass, r: Record) -> Record | None:
    """Gemm without a bias plus a bare vector parameter is Gemm with a bias."""
    if len(r.inputs) != 2:
        return None
    for i, j in (r.inputs, r.inputs[::-1]):
        a, b = p.nodes[i], p.nodes[j].shape
        plain = a.op == "Gemm" and not a.attrs["bias"] and p.is_read_once(i) and a.weights is None
        if plain and p.is_own(j) and a.shape == r.shape and b[-1:] == a.shape[-1:] and prod(b) == a.shape[-1]:
            return make("Gemm", a.inputs, a.shape, a, bias=True)
    return None


def _matmul(p: Pass, r: Record) -> Record | None:
    """A product with a matrix that nothing else uses is an affine map."""
    source, matrix = r.inputs
    if p.is_read_once(matrix) and p.nodes[matrix].op == "Transpose":
        matrix = p.nodes[matrix].source
    return make("Gemm", [source], r.shape, r) if p.is_own(matrix) and len(p.nodes[matrix].shape) == 2 else None


def _einsum(p: Pass, r: Record) -> Record | None:
    """Letters in the order of their appearance."""
    equation = r.attrs["equation"].replace(" ", "")
    letters = dict.fromkeys(filter(str.isalpha, equation))
    if len(letters) > len(_LETTERS):
        return None
    names = dict(zip(letters, _LETTERS, strict=False))
    return make("Einsum", r.inputs, r.shape, r, equation="".join(names.get(letter, letter) for letter in equation))


def _attention(p: Pass, r: Record) -> Record | None:
    """The scale that is meant where none is given is left out."""
    scale = r.attrs["scale"]
    if scale is None or not isclose(scale, p.input(r).shape[-1] ** -0.5, rel_tol=_ROUNDING):
        return None
    return make("Attention", r.inputs, r.shape, r, is_causal=r.attrs["is_causal"])


def _before_adding(p: Pass, index: int, number: float) -> int | None:
    """x where the node is x + ``number``."""
    node = p.nodes[index]
    if node.op == "Add" and len(node.inputs) == 2:
        for x, other in (node.inputs, node.inputs[::-1]):
            if p.scalar(other) == number and p.nodes[x].shape == node.shape:
                return x
    return None


def _before_dividing(p: Pass, r: Record, number: float) -> int | None:
    """x where the node is x / ``number``, the division spelled either way."""
    spelled = {"Div": (r.inputs,), "Mul": (r.inputs, r.inputs[::-1])}
    for x, other in spelled.get(r.op, ()):
        found = p.scalar(other)
        wanted = number if r.op == "Div" else 1 / number
        if found is not None and isclose(found, wanted, rel_tol=_ROUNDING) and p.nodes[x].shape == r.shape:
            return x
    return None


def _softsign(p: Pass, r: Record) -> Record | None:
    """x / (1 + |x|)."""
    x, below = r.inputs
    size = _before_adding(p, below, 1.0)
    if size is None or p.nodes[size].op != "Abs" or p.nodes[size].source != x:
        return None
    return Record("Softsign", (), [x], r.shape, r.region)


def _hard_sigmoid_argument(p: Pass, index: int) -> int | None:
    """x where the node is clip(x + 3, 0, 6)."""
    clip = p.nodes[index]
    if clip.op != "Clip" or dict(clip.items) != {"min": 0.0, "max": 6.0}:
        return None
    return _before_adding(p, clip.source, 3.0)


def _sixth(p: Pass, r: Record) -> Record | None:
    """x clip(x + 3, 0, 6) / 6 and clip(x + 3, 0, 6) / 6, the division spelled either way."""
    whole = _before_dividing(p, r, 6.0)
    if whole is None:
        return None
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
    for _ in range(_DEEPEST):
        node = p.nodes[index]
        if node.items or not node.inputs:
            break
        found += (node.op,)
        index = node.source
        if index == x:
            return found
    return ()


def _gelu(p: Pass, r: Record) -> Record | None:
    """x (1 + erf(x / sqrt 2)) / 2, its factors in any order."""
    factors = [j for i in r.inputs for j in (p.nodes[i].inputs if p.nodes[i].op == "Mul" else [i])]
    numbers = [number for number in map(p.scalar, factors) if number is not None]
    rest = [i for i in factors if p.scalar(i) is None]
    if numbers != [0.5] or len(rest) != 2:
        return None
    for x, shifted in (rest, rest[::-1]):
        erf = _before_adding(p, shifted, 1.0)
        if erf is None or p.nodes[erf].op != "Erf" or p.nodes[x].shape != r.shape:
            continue
        if _before_dividing(p, p.input(p.nodes[erf]), 2**0.5) == x:
            return Record("Gelu", (), [x], r.shape, r.region)
    return None


def _clip(p: Pass, r: Record) -> Record | int | None:
    if not r.items:
        return r.source
    return Record("Relu", (), r.inputs, r.shape, r.region) if r.items == (("min", 0.0),) else None


ARITHMETIC: dict[str, Rule] = {
    "Einsum": _einsum,
    "Attention": _attention,
    **dict.fromkeys(("Max", "Min"), _extreme),
    "Add": _add,
    "MatMul": _matmul,
    "Mul": _mul,
    "Div": lambda p, r: _sixth(p, r) or _softsign(p, r),
    "Clip": _clip,
    "LeakyRelu": lambda p, r: None if r.attrs["alpha"] else Record("Relu", (), r.inputs, r.shape, r.region),
}
