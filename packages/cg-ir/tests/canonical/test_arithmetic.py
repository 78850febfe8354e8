"""Sums, products and activations that are spelled out: what is rewritten, what is not, and that the function stays."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from canonical_checks import IMAGE, build, check, ops  # noqa: E402

from cg_ir import GraphBuilder, canonicalize, to_module  # noqa: E402


def hard(b, x, shift=3.0, top=6.0):
    return b.add("Clip", b.add("Add", x, b.constant((), [shift])), min=0.0, max=top)


def gelu(b, x, inner, half=0.5, one=1.0):
    return b.add("Mul", b.add("Mul", x, b.constant((), [half])), b.add("Add", inner, b.constant((), [one])))


def number(b, *values, shape=()):
    return b.constant(shape, values)


WIDE = (2, 4, 6, 6)
ROOT = 2**0.5
RULES = {
    "relu6 stays a clip": (lambda b, x: b.add("Clip", x, min=0.0, max=6.0), ["Clip"]),
    "clip from zero": (lambda b, x: b.add("Clip", x, min=0.0), ["Relu"]),
    "clip without bounds": (lambda b, x: b.add("Clip", x), []),
    "leaky with slope zero": (lambda b, x: b.add("LeakyRelu", x, alpha=0.0), ["Relu"]),
    "silu": (lambda b, x: b.add("Mul", b.add("Sigmoid", x), x), ["Silu"]),
    "mish": (lambda b, x: b.add("Mul", x, b.add("Tanh", b.add("Softplus", x))), ["Mish"]),
    "hard sigmoid by division": (lambda b, x: b.add("Div", hard(b, x), b.constant((), [6.0])), ["HardSigmoid"]),
    "hard sigmoid by product": (lambda b, x: b.add("Mul", b.constant((), [1 / 6]), hard(b, x)), ["HardSigmoid"]),
    "hard swish": (lambda b, x: b.add("Div", b.add("Mul", x, hard(b, x)), b.constant((), [6.0])), ["HardSwish"]),
    "hard swish by sigmoid": (lambda b, x: b.add("Mul", x, b.add("HardSigmoid", x)), ["HardSwish"]),
    "softsign": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Abs", x), b.constant((), [1.0]))),
        ["Softsign"],
    ),
    "softsign has nothing else below": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Abs", x), b.constant((), [1.0]), b.add("Relu", x))),
        ["Abs", "Relu", "Add", "Div"],
    ),
    "division that broadcasts is none": (
        lambda b, x: b.add("Div", hard(b, x), b.constant((2, 4, 6, 6), [6.0])),
        ["Add", "Clip", "Div"],
    ),
    "chain of additions": (
        lambda b, x: b.add("Add", b.add("Add", x, b.add("Relu", x)), b.add("Tanh", x)),
        ["Relu", "Tanh", "Add"],
    ),
    "additions read twice stay": (
        lambda b, x: (lambda s: b.add("Mul", b.add("Add", s, x), s))(b.add("Add", x, b.add("Relu", x))),
        ["Relu", "Add", "Add", "Mul"],
    ),
    "adding zero": (lambda b, x: b.add("Add", x, b.constant((), [0.0])), []),
    "adding zero that broadcasts": (lambda b, x: b.add("Add", x, b.constant((2, 4, 6, 6), [0.0])), ["Add"]),
    "chain of maxima": (
        lambda b, x: b.add("Max", b.add("Max", x, b.add("Neg", x)), b.add("Tanh", x)),
        ["Neg", "Tanh", "Max"],
    ),
    "einsum's letters": (lambda b, x: b.add("Einsum", x, x, equation="n c h w, nChw -> nCc"), ["Einsum"]),
    "attention's usual scale": (lambda b, x: b.add("Attention", x, x, x, scale=6**-0.5), ["Attention"]),
    "gelu": (lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [2**0.5])))), ["Gelu"]),
    "gelu by product": (lambda b, x: gelu(b, x, b.add("Erf", b.add("Mul", b.constant((), [0.5**0.5]), x))), ["Gelu"]),
    "gelu by another root stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [2.0])))),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu by division and product confused stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Mul", x, b.constant((), [2**0.5])))),
        ["Mul", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu of another function stays": (
        lambda b, x: gelu(b, x, b.add("Cos", b.add("Div", x, b.constant((), [2**0.5])))),
        ["Div", "Cos", "Add", "Mul", "Mul"],
    ),
    "gelu of another input stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", b.add("Neg", x), b.constant((), [2**0.5])))),
        ["Neg", "Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with another sum stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [2**0.5]))), one=2.0),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with another factor stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [2**0.5]))), half=0.25),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "silu of another input stays": (
        lambda b, x: b.add("Mul", x, b.add("Sigmoid", b.add("Neg", x))),
        ["Neg", "Sigmoid", "Mul"],
    ),
    "mish of an earlier input stays": (
        lambda b, x: b.add("Mul", b.add("Neg", x), b.add("Tanh", b.add("Softplus", x))),
        ["Neg", "Softplus", "Tanh", "Mul"],
    ),
    "mish with a sharpness stays": (
        lambda b, x: b.add("Mul", x, b.add("Tanh", b.add("Softplus", x, beta=2.0))),
        ["Softplus", "Tanh", "Mul"],
    ),
    "softsign of another number stays": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Abs", x), b.constant((), [2.0]))),
        ["Abs", "Add", "Div"],
    ),
    "softsign of another input stays": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Abs", b.add("Tanh", x)), b.constant((), [1.0]))),
        ["Tanh", "Abs", "Add", "Div"],
    ),
    "softsign of another function stays": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Exp", x), b.constant((), [1.0]))),
        ["Exp", "Add", "Div"],
    ),
    "hard sigmoid with another shift stays": (
        lambda b, x: b.add("Div", hard(b, x, shift=2.0), b.constant((), [6.0])),
        ["Add", "Clip", "Div"],
    ),
    "hard sigmoid with another bound stays": (
        lambda b, x: b.add("Div", hard(b, x, top=5.0), b.constant((), [6.0])),
        ["Add", "Clip", "Div"],
    ),
    "hard sigmoid over another number stays": (
        lambda b, x: b.add("Div", hard(b, x), b.constant((), [5.0])),
        ["Add", "Clip", "Div"],
    ),
    "hard sigmoid times six stays": (
        lambda b, x: b.add("Mul", hard(b, x), b.constant((), [6.0])),
        ["Add", "Clip", "Mul"],
    ),
    "hard sigmoid with a product for the sum stays": (
        lambda b, x: b.add(
            "Div", b.add("Clip", b.add("Mul", x, b.constant((), [3.0])), min=0.0, max=6.0), b.constant((), [6.0])
        ),
        ["Mul", "Clip", "Div"],
    ),
    "hard swish of another input stays": (
        lambda b, x: b.add("Div", b.add("Mul", b.add("Tanh", x), hard(b, x)), b.constant((), [6.0])),
        ["Tanh", "Add", "Clip", "Mul", "Div"],
    ),
    "hard swish with the gate first": (
        lambda b, x: b.add("Mul", b.add("Mul", hard(b, x), x), b.constant((), [1 / 6])),
        ["HardSwish"],
    ),
    "leaky with a slope stays": (lambda b, x: b.add("LeakyRelu", x, alpha=0.1), ["LeakyRelu"]),
    "clip from one stays": (lambda b, x: b.add("Clip", x, min=1.0), ["Clip"]),
    "clip below zero stays": (lambda b, x: b.add("Clip", x, max=0.0), ["Clip"]),
    "adding zero to two": (
        lambda b, x: b.add("Add", x, b.constant((), [0.0]), b.add("Tanh", x)),
        ["Tanh", "Add"],
    ),
    "adding one stays": (lambda b, x: b.add("Add", x, b.constant((), [1.0])), ["Add"]),
    "adding zero that broadcasts to two stays": (
        lambda b, x: b.add("Add", x, b.constant((2, 4, 6, 6), [0.0]), b.add("Tanh", x)),
        ["Tanh", "Add"],
    ),
    "maxima of minima stay": (
        lambda b, x: b.add("Max", b.add("Min", x, b.add("Neg", x)), b.add("Tanh", x)),
        ["Neg", "Min", "Tanh", "Max"],
    ),
    "attention's scale of its own": (lambda b, x: b.add("Attention", x, x, x, scale=0.5), ["Attention"]),
    "gelu by a root in single precision": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [1.4142135381698608])))),
        ["Gelu"],
    ),
    "gelu by a rough root stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, b.constant((), [1.41422])))),
        ["Mul", "Div", "Erf", "Add", "Mul"],
    ),
    "hard sigmoid by a sixth in single precision": (
        lambda b, x: b.add("Mul", hard(b, x), b.constant((), [0.1666666716337204])),
        ["HardSigmoid"],
    ),
    "hard sigmoid by a rough sixth stays": (
        lambda b, x: b.add("Mul", hard(b, x), b.constant((), [0.16667])),
        ["Add", "Clip", "Mul"],
    ),
    "hard sigmoid of a sum that broadcasts stays": (
        lambda b, x: b.add(
            "Div",
            b.add("Clip", b.add("Add", x, b.constant((2, 4, 6, 6), [3.0])), min=0.0, max=6.0),
            b.constant((), [6.0]),
        ),
        ["Add", "Clip", "Div"],
    ),
    "softsign that broadcasts stays": (
        lambda b, x: (lambda m: b.add("Div", m, b.add("Add", b.add("Abs", x), b.constant((), [1.0]))))(
            b.add("ReduceMax", x, axes=(1,))
        ),
        ["ReduceMax", "Abs", "Add", "Div"],
    ),
    "gelu with a half that broadcasts stays": (
        lambda b, x: b.add(
            "Mul",
            b.add("Mul", x, number(b, 0.5, shape=WIDE)),
            b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0)),
        ),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with a sum that broadcasts stays": (
        lambda b, x: b.add(
            "Mul",
            b.add("Mul", x, number(b, 0.5)),
            b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0, shape=WIDE)),
        ),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with a root that broadcasts stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", x, number(b, ROOT, shape=WIDE)))),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with the half first and the sum last": (
        lambda b, x: b.add(
            "Mul",
            number(b, 0.5),
            b.add("Mul", b.add("Add", number(b, 1.0), b.add("Erf", b.add("Div", x, number(b, ROOT)))), x),
        ),
        ["Gelu"],
    ),
    "gelu with the half in the sum's factor": (
        lambda b, x: b.add(
            "Mul",
            x,
            b.add("Mul", b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0)), number(b, 0.5)),
        ),
        ["Gelu"],
    ),
    "gelu of four factors stays": (
        lambda b, x: b.add(
            "Mul",
            b.add("Mul", x, number(b, 0.5)),
            b.add("Mul", b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0)), x),
        ),
        ["Mul", "Div", "Erf", "Add", "Mul", "Mul"],
    ),
    "gelu with two numbers stays": (
        lambda b, x: b.add(
            "Mul",
            b.add("Mul", b.add("Mul", x, number(b, 0.5)), number(b, 0.5)),
            b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0)),
        ),
        ["Mul", "Mul", "Div", "Erf", "Add", "Mul"],
    ),
    "gelu of three summands stays": (
        lambda b, x: b.add(
            "Mul",
            b.add("Mul", x, number(b, 0.5)),
            b.add("Add", b.add("Erf", b.add("Div", x, number(b, ROOT))), number(b, 1.0), b.add("Abs", x)),
        ),
        ["Mul", "Div", "Erf", "Abs", "Add", "Mul"],
    ),
    "a half times x plus one stays": (
        lambda b, x: b.add("Mul", b.add("Mul", x, number(b, 0.5)), b.add("Add", x, number(b, 1.0))),
        ["Mul", "Add", "Mul"],
    ),
    "gelu of a root that divides stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Div", number(b, ROOT), x))),
        ["Mul", "Div", "Erf", "Add", "Mul"],
    ),
    "gelu of a sum with the root stays": (
        lambda b, x: gelu(b, x, b.add("Erf", b.add("Sub", x, number(b, ROOT)))),
        ["Mul", "Sub", "Erf", "Add", "Mul"],
    ),
    "silu with the gate last": (lambda b, x: b.add("Mul", x, b.add("Sigmoid", x)), ["Silu"]),
    "a gate of a gate stays": (
        lambda b, x: b.add("Mul", x, b.add("Sigmoid", b.add("Sigmoid", x))),
        ["Sigmoid", "Sigmoid", "Mul"],
    ),
    "tanh as a gate stays": (lambda b, x: b.add("Mul", x, b.add("Tanh", x)), ["Tanh", "Mul"]),
    "softplus of tanh stays": (
        lambda b, x: b.add("Mul", x, b.add("Softplus", b.add("Tanh", x))),
        ["Tanh", "Softplus", "Mul"],
    ),
    "a product with a parameter stays": (lambda b, x: b.add("Mul", x, b.parameter((6,))), ["Mul"]),
    "a product with itself stays": (lambda b, x: b.add("Mul", x, x), ["Mul"]),
    "six over hard sigmoid's clip stays": (
        lambda b, x: b.add("Div", number(b, 6.0), b.add("Add", hard(b, x), number(b, 1.0))),
        ["Add", "Clip", "Add", "Div"],
    ),
    "hard sigmoid that broadcasts stays": (
        lambda b, x: b.add("Mul", hard(b, x), number(b, 1 / 6, shape=WIDE)),
        ["Add", "Clip", "Mul"],
    ),
    "hard sigmoid of three summands stays": (
        lambda b, x: b.add(
            "Div",
            b.add("Clip", b.add("Add", x, number(b, 3.0), b.add("Abs", x)), min=0.0, max=6.0),
            number(b, 6.0),
        ),
        ["Abs", "Add", "Clip", "Div"],
    ),
    "hard sigmoid with the shift first": (
        lambda b, x: b.add("Div", b.add("Clip", b.add("Add", number(b, 3.0), x), min=0.0, max=6.0), number(b, 6.0)),
        ["HardSigmoid"],
    ),
    "hard sigmoid of a difference stays": (
        lambda b, x: b.add("Div", b.add("Clip", b.add("Sub", x, number(b, 3.0)), min=0.0, max=6.0), number(b, 6.0)),
        ["Sub", "Clip", "Div"],
    ),
    "hard sigmoid of a negative stays": (
        lambda b, x: b.add("Div", b.add("Clip", b.add("Neg", x), min=0.0, max=6.0), number(b, 6.0)),
        ["Neg", "Clip", "Div"],
    ),
    "hard sigmoid without the lower bound stays": (
        lambda b, x: b.add("Div", b.add("Clip", b.add("Add", x, number(b, 3.0)), max=6.0), number(b, 6.0)),
        ["Add", "Clip", "Div"],
    ),
    "hard sigmoid with a relu for the clip stays": (
        lambda b, x: b.add("Div", b.add("Relu", b.add("Add", x, number(b, 3.0))), number(b, 6.0)),
        ["Add", "Relu", "Div"],
    ),
    "hard swish with a sum for the product stays": (
        lambda b, x: b.add("Div", b.add("Add", x, hard(b, x)), number(b, 6.0)),
        ["Add", "Clip", "Add", "Div"],
    ),
    "hard swish with a difference for the product stays": (
        lambda b, x: b.add("Div", b.add("Sub", x, hard(b, x)), number(b, 6.0)),
        ["Add", "Clip", "Sub", "Div"],
    ),
    "softsign with the one first": (
        lambda b, x: b.add("Div", x, b.add("Add", number(b, 1.0), b.add("Abs", x))),
        ["Softsign"],
    ),
    "softsign with a one that broadcasts stays": (
        lambda b, x: b.add("Div", x, b.add("Add", b.add("Abs", x), number(b, 1.0, shape=WIDE))),
        ["Abs", "Add", "Div"],
    ),
    "softsign of a difference stays": (
        lambda b, x: b.add("Div", x, b.add("Sub", b.add("Abs", x), number(b, 1.0))),
        ["Abs", "Sub", "Div"],
    ),
    "softsign by a product stays": (
        lambda b, x: b.add("Div", x, b.add("Mul", b.add("Abs", x), number(b, 1.0))),
        ["Abs", "Mul", "Div"],
    ),
    "an input over itself plus one stays": (
        lambda b, x: b.add("Div", x, b.add("Add", x, number(b, 1.0))),
        ["Add", "Div"],
    ),
    "adding zero first": (lambda b, x: b.add("Add", number(b, 0.0, shape=IMAGE), x), []),
    "adding zeros to zeros stays": (lambda b, x: b.add("Add", number(b, 0.0), number(b, 0.0)), ["Add"]),
    "adding nothing that is negative stays": (lambda b, x: b.add("Add", x, number(b, -1.0)), ["Add"]),
    "adding elements that differ stays": (
        lambda b, x: b.add("Add", x, number(b, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, shape=(6,))),
        ["Add"],
    ),
    "chain of minima": (
        lambda b, x: b.add("Min", b.add("Tanh", x), b.add("Min", b.add("Neg", x), x)),
        ["Neg", "Tanh", "Min"],
    ),
    "minima of maxima stay": (
        lambda b, x: b.add("Min", b.add("Max", x, b.add("Neg", x)), b.add("Tanh", x)),
        ["Neg", "Max", "Tanh", "Min"],
    ),
    "sums of maxima stay": (
        lambda b, x: b.add("Add", b.add("Max", x, b.add("Neg", x)), b.add("Tanh", x)),
        ["Neg", "Max", "Tanh", "Add"],
    ),
    "a sum twice in a sum stays": (
        lambda b, x: (lambda s: b.add("Add", s, s))(b.add("Add", x, b.add("Tanh", x))),
        ["Tanh", "Add", "Add"],
    ),
    "sums on both sides": (
        lambda b, x: b.add("Add", b.add("Add", x, b.add("Tanh", x)), b.add("Add", b.add("Neg", x), b.add("Abs", x))),
        ["Tanh", "Neg", "Abs", "Add"],
    ),
    "a chain of three sums": (
        lambda b, x: b.add("Add", b.add("Add", b.add("Add", x, b.add("Tanh", x)), b.add("Neg", x)), b.add("Abs", x)),
        ["Tanh", "Neg", "Abs", "Add"],
    ),
    "clip from zero to one stays": (lambda b, x: b.add("Clip", x, min=0.0, max=1.0), ["Clip"]),
    "clip from minus one stays": (lambda b, x: b.add("Clip", x, min=-1.0), ["Clip"]),
    "attention with wide values": (
        lambda b, x: b.add("Attention", x, x, b.add("Concat", x, x, axis=3), scale=6**-0.5),
        ["Concat", "Attention"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    make, expected = RULES[name]
    assert sorted(ops(check(build(make)))) == sorted(expected)


def test_a_bias_joins_what_can_take_it():
    def added(vector, **attrs):
        def make(b, x):
            y = b.add("Gemm", x, channels=3, **attrs)
            return b.add("Add", b.parameter(vector), y)

        return ops(check(build(make), weights_move=True))

    assert added((3,)) == added((1, 1, 1, 3)) == ["Gemm"]
    assert added((3,), bias=True) == ["Gemm", "Add"]
    for vector in ((6, 3), (1,), (), (1, 1, 1, 1, 3)):
        assert added(vector) == ["Gemm", "Add"], vector


def test_a_bias_that_others_read_stays():
    def twice(b, x):
        y, vector = b.add("Gemm", x, channels=3), b.parameter((3,))
        return b.add("Add", y, vector), vector

    def read(b, x):
        y = b.add("Gemm", x, channels=3)
        return b.add("Add", y, b.parameter((3,))), y

    assert ops(check(build(twice))) == ops(check(build(read))) == ["Gemm", "Add"]


def test_gates_are_found_far_from_the_input():
    """Nodes are told apart by their numbers, however large."""

    def deep(b, x):
        for _ in range(300):
            x = b.add("Tanh", x)
        return b.add("Mul", x, b.add("Sigmoid", x))

    assert ops(canonicalize(build(deep)))[-2:] == ["Tanh", "Silu"]


def test_weights_are_owned():
    def product(b, x):
        return b.add("Add", b.add("MatMul", x, b.add("Transpose", b.parameter((3, 6)), perm=(1, 0))), b.parameter((3,)))

    graph = build(product)
    canonical = check(graph, weights_move=True)
    assert ops(canonical) == ["Gemm"]
    assert canonical.nodes[1].attrs["bias"] is True
    x = torch.randn(IMAGE)
    before, after = to_module(graph), to_module(canonical)
    with torch.no_grad():
        matrix, vector = before.parameters()
        weight, bias = after.parameters()
        weight.copy_(matrix)
        bias.copy_(vector)
    torch.testing.assert_close(before(x), after(x))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (lambda b: b.parameter((6, 3)), ["Gemm"]),
        (lambda b: b.parameter((4, 6, 3)), ["MatMul"]),
        (lambda b: b.add("Tanh", b.parameter((6, 3))), ["Tanh", "MatMul"]),
    ],
    ids=["matrix", "three axes", "function"],
)
def test_products_own_a_matrix_and_nothing_else(weights, expected):
    assert ops(check(build(lambda b, x: b.add("MatMul", x, weights(b))), weights_move=True)) == expected


def test_products_with_shared_weights_do_not_own_them():
    def make(b, x):
        plain, turned = b.parameter((6, 6), weights="w"), b.parameter((6, 6), weights="w")
        return b.add("MatMul", b.add("MatMul", x, plain), b.add("Transpose", turned, perm=(1, 0)))

    assert ops(check(build(make), weights_move=True)) == ["MatMul", "Transpose", "MatMul"]


def test_a_shared_vector_is_nobodys_bias():
    def make(b, x):
        y = b.add("Add", b.add("Gemm", x, channels=6), b.parameter((6,), weights="v"))
        return b.add("Add", b.add("Gemm", y, channels=6), b.parameter((6,), weights="v"))

    assert ops(check(build(make), weights_move=True)) == ["Gemm", "Add", "Gemm", "Add"]


def test_a_transposed_matrix_that_others_read_stays():
    def make(b, x):
        matrix = b.add("Transpose", b.parameter((6, 6)), perm=(1, 0))
        return b.add("MatMul", x, matrix), matrix

    assert ops(check(build(make), weights_move=True)) == ["Transpose", "MatMul"]


def test_a_matrix_before_the_product_stays():
    assert ops(check(build(lambda b, x: b.add("MatMul", b.parameter((6, 6)), x)))) == ["MatMul"]


def test_the_usual_scale_of_attention_may_be_rounded():
    def scaled(by):
        return canonicalize(build(lambda b, x: b.add("Attention", x, x, x, scale=6**-0.5 * by))).nodes[1].attrs["scale"]

    assert scaled(1 + 9e-7) is None
    assert scaled(1 - 9e-7) is None
    assert scaled(1 + 1.1e-6) == 6**-0.5 * (1 + 1.1e-6)


def test_a_parameter_that_others_read_stays():
    def shared(b, x):
        matrix = b.parameter((6, 6))
        return b.add("Add", b.add("MatMul", x, matrix), matrix)

    assert sorted(ops(check(build(shared)))) == ["Add", "MatMul"]


@pytest.mark.parametrize("others", [1, 2])
def test_a_bias_joins_a_sum_of_two_alone(others):
    def make(b, x):
        return b.add("Add", b.add("Gemm", x, channels=6), b.parameter((6,)), *[x] * (others - 1))

    assert ops(check(build(make), weights_move=True)) == (["Gemm"] if others == 1 else ["Gemm", "Add"])


@pytest.mark.parametrize("op", ["Conv", "Relu", "LSTM"])
def test_only_an_affine_map_takes_a_bias(op):
    attrs = {"Conv": {"channels": 4, "kernel_shape": (1, 1)}, "LSTM": {"hidden_size": 6}}.get(op, {})
    graph = build(
        lambda b, x: b.add("Add", b.add(op, x, **attrs), b.parameter((6,))), (5, 1, 6) if op == "LSTM" else IMAGE
    )
    assert ops(canonicalize(graph)) == [op, "Add"]


def test_a_bias_keeps_the_region_of_the_map():
    b = GraphBuilder()
    b.output(b.add("Add", b.add("Gemm", b.input((1, 4)), channels=3, region="map"), b.parameter((3,), region="bias")))
    (gemm,) = (node for node in b.build().nodes if node.op == "Gemm")
    assert (gemm.region, gemm.attrs["bias"], gemm.params) == ("map", True, 15)


def test_maps_that_share_weights_take_no_bias():
    def make(b, x):
        for _ in range(2):
            x = b.add("Add", b.add("Gemm", x, channels=6, weights="w"), b.parameter((6,)))
        return x

    assert ops(check(build(make), weights_move=True)) == ["Gemm", "Add"] * 2


@pytest.mark.parametrize(("rank", "expected"), [(1, ["MatMul"]), (2, ["Gemm"])])
def test_products_own_what_has_two_axes(rank, expected):
    graph = build(lambda b, x: b.add("MatMul", x, b.parameter((6, 3)[:rank])))
    assert ops(check(graph, weights_move=True)) == expected


def test_a_function_of_a_transposed_parameter_is_no_matrix():
    def make(b, x):
        turned = b.add("Transpose", b.add("Tanh", b.parameter((3, 6))), perm=(1, 0))
        return b.add("MatMul", x, turned)

    assert ops(check(build(make), weights_move=True)) == ["Tanh", "Transpose", "MatMul"]


def equation(text, *shapes):
    b = GraphBuilder()
    b.output(b.add("Einsum", *(b.input(shape) for shape in shapes), equation=text))
    return next(node for node in b.build().nodes if node.op == "Einsum").attrs["equation"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("b a -> ab", "ab->ba"), ("ZY , YX->ZX", "ab,bc->ac"), ("ab,bc->ac", "ab,bc->ac"), ("12,23->13", "12,23->13")],
)
def test_letters_of_einsum_are_named_in_order(text, expected):
    assert equation(text, *[(2, 2)] * (1 + text.count(","))) == expected


@pytest.mark.parametrize(("count", "renamed"), [(52, True), (53, False)])
def test_einsum_keeps_its_letters_where_the_alphabet_ends(count, renamed):
    letters = [chr(0x4E00 + i) for i in range(count)]
    terms = ["".join(letters[:26]), "".join(letters[26:])]
    found = equation(",".join(terms) + "->" + letters[-1], *((1,) * len(term) for term in terms))
    assert found.isascii() == renamed
    assert not renamed or found == "abcdefghijklmnopqrstuvwxyz,ABCDEFGHIJKLMNOPQRSTUVWXYZ->Z"


@pytest.mark.parametrize("op", ["Div", "Mul"])
@pytest.mark.parametrize(("by", "near"), [(1 - 9e-7, True), (1 + 9e-7, True), (1 - 1.1e-6, False), (1 + 1.1e-6, False)])
def test_numbers_of_activations_may_be_rounded(op, by, near):
    def spelled(value):
        return number_of_six(value if op == "Div" else 1 / value), number_of_root(value if op == "Div" else 1 / value)

    def number_of_six(factor):
        six = 6.0 if op == "Div" else 1 / 6
        return canonicalize(build(lambda b, x: b.add(op, hard(b, x), number(b, six * factor)))).nodes[-2].op

    def number_of_root(factor):
        root = ROOT if op == "Div" else 1 / ROOT
        made = build(lambda b, x: gelu(b, x, b.add("Erf", b.add(op, x, number(b, root * factor)))))
        return canonicalize(made).nodes[-2].op

    assert spelled(by) == (("HardSigmoid", "Gelu") if near else (op, "Mul"))
