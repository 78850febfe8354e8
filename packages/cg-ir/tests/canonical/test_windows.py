"""Reductions, pooling, convolutions and their pads: what is rewritten, what is not, and that the function stays."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from canonical_checks import IMAGE, build, check, ops  # noqa: E402

from cg_ir import GraphBuilder, canonicalize  # noqa: E402


def conv(b, x, **attrs):
    return b.add("Conv", x, channels=4, kernel_shape=(3, 3), **attrs)


RULES = {
    "pad before conv": (
        lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, 1, 0, 0, 0, 2, 1)), pads=(0, 1, 0, 1)),
        ["Conv"],
    ),
    "pad with ones stays": (
        lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), value=1.0)),
        ["Pad", "Conv"],
    ),
    "reflected pad stays": (
        lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")),
        ["Pad", "Conv"],
    ),
    "pad of channels stays": (lambda b, x: conv(b, b.add("Pad", x, pads=(0, 1, 0, 0, 0, 0, 0, 0))), ["Pad", "Conv"]),
    "pad before average": (
        lambda b, x: b.add(
            "AveragePool", b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=(3, 3), count_include_pad=False
        ),
        ["AveragePool"],
    ),
    "pad before max of positives": (
        lambda b, x: b.add(
            "MaxPool", b.add("Pad", b.add("Relu", x), pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=(3, 3)
        ),
        ["Relu", "MaxPool"],
    ),
    "pad before max of anything stays": (
        lambda b, x: b.add("MaxPool", b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=(3, 3)),
        ["Pad", "MaxPool"],
    ),
    "lowest pad before max": (
        lambda b, x: b.add(
            "MaxPool", b.add("Pad", x, pads=(0, 0, 1, 0, 0, 0, 1, 2), value=-3.4028234663852886e38), kernel_shape=(3, 3)
        ),
        ["MaxPool"],
    ),
    "windows of padding alone stay": (
        lambda b, x: b.add(
            "MaxPool", b.add("Pad", b.add("Relu", x), pads=(0, 0, 2, 2, 0, 0, 2, 2)), kernel_shape=(2, 2)
        ),
        ["Relu", "Pad", "MaxPool"],
    ),
    "mean of space": (lambda b, x: b.add("ReduceMean", x, axes=(2, 3)), ["GlobalAveragePool"]),
    "mean of space without axes": (
        lambda b, x: b.add("ReduceMean", x, axes=(3, 2), keepdims=False),
        ["GlobalAveragePool", "Flatten"],
    ),
    "mean of space in two steps": (
        lambda b, x: b.add("ReduceMean", b.add("ReduceMean", x, axes=(3,), keepdims=False), axes=(2,), keepdims=False),
        ["GlobalAveragePool", "Flatten"],
    ),
    "mean of channels stays": (lambda b, x: b.add("ReduceMean", x, axes=(1,)), ["ReduceMean"]),
    "sums in two steps": (
        lambda b, x: b.add("ReduceSum", b.add("ReduceSum", x, axes=(1,), keepdims=False), axes=(2,), keepdims=False),
        ["ReduceSum"],
    ),
    "adaptive to one": (lambda b, x: b.add("AdaptiveAveragePool", x, output_size=(1, 1)), ["GlobalAveragePool"]),
    "adaptive to the same": (lambda b, x: b.add("AdaptiveMaxPool", x, output_size=(6, 6)), []),
    "pool over everything": (
        lambda b, x: b.add("AveragePool", x, kernel_shape=(6, 6), count_include_pad=False),
        ["GlobalAveragePool"],
    ),
    "max over everything": (lambda b, x: b.add("MaxPool", x, kernel_shape=(6, 6), strides=(2, 2)), ["GlobalMaxPool"]),
    "pool over nothing": (lambda b, x: b.add("MaxPool", x, kernel_shape=(1, 1)), []),
    "max with positions stays": (
        lambda b, x: (lambda m: (m, b.add("Select", m, index=1, shape=(1, 4, 1, 1))))(
            b.add("MaxPool", x, kernel_shape=(6, 6))
        ),
        ["MaxPool", "Select"],
    ),
    "resize by area": (lambda b, x: b.add("Resize", x, mode="area", shape=(1, 4, 3, 2)), ["AdaptiveAveragePool"]),
    "resize to the same": (lambda b, x: b.add("Resize", x, shape=IMAGE), []),
    "reductions of two kinds stay": (
        lambda b, x: b.add("ReduceMax", b.add("ReduceMean", x, axes=(1,)), axes=(2,)),
        ["ReduceMean", "ReduceMax"],
    ),
    "reductions of two other kinds stay": (
        lambda b, x: b.add("ReduceMean", b.add("ReduceMax", x, axes=(1,)), axes=(2,)),
        ["ReduceMean", "ReduceMax"],
    ),
    "reduction of a function": (lambda b, x: b.add("ReduceSum", b.add("Tanh", x), axes=(2,)), ["Tanh", "ReduceSum"]),
    "reduction of a reduction that is read twice": (
        lambda b, x: (lambda s: (b.add("ReduceSum", s, axes=(2,)), s))(b.add("ReduceSum", x, axes=(1,))),
        ["ReduceSum", "ReduceSum"],
    ),
    "sums that keep and drop axes": (
        lambda b, x: b.add("ReduceSum", b.add("ReduceSum", x, axes=(1,)), axes=(2,), keepdims=False),
        ["ReduceSum", "Squeeze"],
    ),
    "maximum of space": (lambda b, x: b.add("ReduceMax", x, axes=(2, 3)), ["GlobalMaxPool"]),
    "sum of space stays": (lambda b, x: b.add("ReduceSum", x, axes=(2, 3)), ["ReduceSum"]),
    "mean of half of space stays": (lambda b, x: b.add("ReduceMean", x, axes=(2,)), ["ReduceMean"]),
    "adaptive maximum to one": (lambda b, x: b.add("AdaptiveMaxPool", x, output_size=(1, 1)), ["GlobalMaxPool"]),
    "adaptive to one row stays": (
        lambda b, x: b.add("AdaptiveAveragePool", x, output_size=(1, 2)),
        ["AdaptiveAveragePool"],
    ),
    "pool over single elements with steps stays": (
        lambda b, x: b.add("MaxPool", x, kernel_shape=(1, 1), strides=(2, 2)),
        ["MaxPool"],
    ),
    "pool over a row stays": (lambda b, x: b.add("MaxPool", x, kernel_shape=(6, 1)), ["MaxPool"]),
    "pool with pads over everything stays": (
        lambda b, x: b.add("MaxPool", x, kernel_shape=(6, 6), pads=(1, 1, 1, 1), strides=(3, 3)),
        ["MaxPool"],
    ),
    "pad before an average that leaves its own out stays": (
        lambda b, x: b.add(
            "AveragePool",
            b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1)),
            kernel_shape=(3, 3),
            pads=(1, 1, 1, 1),
            count_include_pad=False,
        ),
        ["Pad", "AveragePool"],
    ),
    "pad before an average that counts its own": (
        lambda b, x: b.add(
            "AveragePool",
            b.add("Pad", x, pads=(0, 0, 1, 0, 0, 0, 0, 1)),
            kernel_shape=(4, 4),
            pads=(1, 1, 1, 1),
            count_include_pad=True,
        ),
        ["AveragePool"],
    ),
    "pad that cuts stays": (lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, -1, 1, 0, 0, 1, 1))), ["Pad", "Conv"]),
    "pad before dilated max stays": (
        lambda b, x: b.add(
            "MaxPool",
            b.add("Pad", b.add("Relu", x), pads=(0, 0, 1, 1, 0, 0, 1, 1)),
            kernel_shape=(3, 3),
            dilations=(2, 2),
        ),
        ["Relu", "Pad", "MaxPool"],
    ),
    "pad before max of a clip from zero": (
        lambda b, x: b.add(
            "MaxPool",
            b.add("Pad", b.add("Clip", x, min=0.0, max=2.0), pads=(0, 0, 1, 1, 0, 0, 1, 1)),
            kernel_shape=(3, 3),
        ),
        ["Clip", "MaxPool"],
    ),
    "pad before max of a clip from below stays": (
        lambda b, x: b.add(
            "MaxPool", b.add("Pad", b.add("Clip", x, min=-1.0), pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=(3, 3)
        ),
        ["Clip", "Pad", "MaxPool"],
    ),
    "pad before max of pooled positives": (
        lambda b, x: b.add(
            "MaxPool",
            b.add(
                "Pad",
                b.add("AveragePool", b.add("Relu", x), kernel_shape=(2, 2), count_include_pad=True),
                pads=(0, 0, 1, 1, 0, 0, 1, 1),
            ),
            kernel_shape=(3, 3),
        ),
        ["Relu", "AveragePool", "MaxPool"],
    ),
    "resize by area of channels stays": (
        lambda b, x: b.add("Resize", x, mode="linear", shape=(1, 4, 3, 2)),
        ["Resize"],
    ),
    "sums in two steps without kept axes": (
        lambda b, x: b.add("ReduceSum", b.add("ReduceSum", x, axes=(1,), keepdims=False), axes=(2,), keepdims=False),
        ["ReduceSum"],
    ),
    "pad that another reads": (
        lambda b, x: (lambda y: (conv(b, y), y))(b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1))),
        ["Pad", "Conv"],
    ),
    "pad of the batch stays": (
        lambda b, x: conv(b, b.add("Pad", x, pads=(1, 0, 0, 0, 0, 0, 0, 0))),
        ["Pad", "Conv"],
    ),
    "pad at the end of channels stays": (
        lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, 0, 0, 0, 1, 0, 0))),
        ["Pad", "Conv"],
    ),
    "pad before a max that has pads of its own": (
        lambda b, x: b.add(
            "MaxPool",
            b.add("Pad", b.add("Relu", x), pads=(0, 0, 1, 0, 0, 0, 0, 1)),
            kernel_shape=(4, 4),
            pads=(2, 2, 1, 1),
        ),
        ["Relu", "MaxPool"],
    ),
    "windows of its own padding and the pad's stay": (
        lambda b, x: b.add(
            "MaxPool",
            b.add("Pad", b.add("Relu", x), pads=(0, 0, 2, 0, 0, 0, 0, 0)),
            kernel_shape=(3, 3),
            pads=(1, 1, 1, 1),
        ),
        ["Relu", "Pad", "MaxPool"],
    ),
    "pad before max of pooled positives with pads stays": (
        lambda b, x: b.add(
            "MaxPool",
            b.add(
                "Pad",
                b.add("MaxPool", b.add("Relu", x), kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
                pads=(0, 0, 1, 1, 0, 0, 1, 1),
            ),
            kernel_shape=(3, 3),
        ),
        ["Relu", "MaxPool", "Pad", "MaxPool"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    make, expected = RULES[name]
    assert sorted(ops(check(build(make)))) == sorted(expected)


SHAPES = {
    "mean of a volume": ((1, 4, 2, 3, 3), lambda b, x: b.add("ReduceMean", x, axes=(2, 3, 4)), ["GlobalAveragePool"]),
    "mean of a line stays": ((1, 4, 9), lambda b, x: b.add("ReduceMean", x, axes=(2,)), ["ReduceMean"]),
    "line to one": ((1, 4, 9), lambda b, x: b.add("AdaptiveAveragePool", x, output_size=(1,)), ["GlobalAveragePool"]),
    "image without batch to one stays": (
        (4, 6, 6),
        lambda b, x: b.add("AdaptiveAveragePool", x, output_size=(1, 1)),
        ["AdaptiveAveragePool"],
    ),
    "pool over an image without batch stays": (
        (4, 6, 6),
        lambda b, x: b.add("MaxPool", x, kernel_shape=(6, 6)),
        ["MaxPool"],
    ),
    "pool over a line": ((1, 4, 9), lambda b, x: b.add("MaxPool", x, kernel_shape=(9,)), ["GlobalMaxPool"]),
    "line by area": ((1, 4, 9), lambda b, x: b.add("Resize", x, mode="area", shape=(1, 4, 3)), ["AdaptiveAveragePool"]),
    "resize to an equal shape": ((1, 4, 700, 1), lambda b, x: b.add("Resize", x, shape=(1, 4, int("700"), 1)), []),
    "pad before a pool that rounds up": (
        IMAGE,
        lambda b, x: b.add(
            "MaxPool",
            b.add("Pad", b.add("Relu", x), pads=(0, 0, 1, 1, 0, 0, 1, 1)),
            kernel_shape=(3, 3),
            strides=(2, 2),
            ceil_mode=True,
        ),
        ["Relu", "MaxPool"],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_rule_in_other_shapes(name):
    shape, make, expected = SHAPES[name]
    assert sorted(ops(check(build(make, shape)))) == sorted(expected)


def test_kernels_are_owned():
    graph = build(lambda b, x: b.add("Conv", x, b.parameter((8, 2, 3, 3)), kernel_shape=(3, 3), group=2))
    canonical = check(graph)
    assert [n.op for n in canonical.nodes] == ["Input", "Conv", "Output"]


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp"])
def test_zeros_are_nothing_beside_what_is_never_negative(op):
    def pooled(function):
        def make(b, x):
            y = b.add(
                "MaxPool", b.add(function, x, **({"axis": 1} if function == "Softmax" else {})), kernel_shape=(2, 2)
            )
            return b.add("MaxPool", b.add("Pad", y, pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=(3, 3))

        return ops(check(build(make)))

    assert pooled(op) == [op, "MaxPool", "MaxPool"]
    assert pooled("Tanh") == ["Tanh", "MaxPool", "Pad", "MaxPool"]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_kernels_that_are_shared_or_computed_stay(op):
    def readers(kernel):
        """How many inputs the convolutions have in the end."""

        def make(b, x):
            for _ in range(2):
                x = b.add(op, x, kernel(b), kernel_shape=(3, 3), pads=(1, 1, 1, 1))
            return x

        return [len(node.inputs) for node in check(build(make)).nodes if node.op == op]

    assert readers(lambda b: b.parameter((4, 4, 3, 3))) == [1, 1]
    assert readers(lambda b: b.parameter((4, 4, 3, 3), weights="k")) == [2, 2]
    assert readers(lambda b: b.add("Tanh", b.parameter((4, 4, 3, 3)))) == [2, 2]


def pool(op, *, pad=None, value=0.0, before="Relu", shape=(1, 2, 8, 8), **attrs):
    """The operators of a pooling behind a pad behind a function."""

    def make(b, x):
        x = b.add(before, x) if isinstance(before, str) else before(b, x)
        if pad is not None:
            x = b.add("Pad", x, pads=pad, value=value)
        return b.add(op, x, **attrs)

    return check(build(make, shape))


def pads_of(graph, op):
    (found,) = (node.attrs["pads"] for node in graph.nodes if node.op == op)
    return found


@pytest.mark.parametrize(
    ("shape", "kernel", "pad", "own", "expected"),
    [
        ((1, 2, 8), (3,), (0, 0, 1, 0, 0, 2), (4, 8), (5, 10)),
        ((1, 2, 8, 8), (3, 3), (0, 0, 1, 2, 0, 0, 3, 4), (10, 20, 30, 40), (11, 22, 33, 44)),
        ((1, 2, 4, 4, 4), (2, 2, 2), (0, 0, 1, 2, 3, 0, 0, 4, 5, 6), (6, 5, 4, 3, 2, 1), (7, 7, 7, 7, 7, 7)),
    ],
)
def test_pads_add_up_side_by_side(shape, kernel, pad, own, expected):
    def make(b, x):
        return b.add("Conv", b.add("Pad", x, pads=pad), channels=2, kernel_shape=kernel, pads=own)

    graph = check(build(make, shape))
    assert ops(graph) == ["Conv"]
    assert pads_of(graph, "Conv") == expected


@pytest.mark.parametrize("axis", range(8))
def test_a_pad_moves_into_windows_only_along_their_axes(axis):
    pad = [0] * 8
    pad[axis] = 1
    conv_of = check(build(lambda b, x: conv(b, b.add("Pad", x, pads=pad))))
    image_of = check(build(lambda b, x: b.add("Im2Col", b.add("Pad", x, pads=pad), kernel_shape=(2, 2))))
    inside = axis % 4 >= 2
    assert ops(conv_of) == (["Conv"] if inside else ["Pad", "Conv"])
    assert ops(image_of) == (["Im2Col"] if inside else ["Pad", "Im2Col"])


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize(("width", "moves"), [(2, True), (3, False)])
def test_a_greatest_element_needs_one_in_every_window(side, width, moves):
    pad = [0, 0, 0, 0, 0, 0, 0, 0]
    pad[(2, 3, 6, 7)[side]] = width
    graph = pool("MaxPool", pad=pad, kernel_shape=(3, 3))
    assert ops(graph) == (["Relu", "MaxPool"] if moves else ["Relu", "Pad", "MaxPool"])


@pytest.mark.parametrize(
    ("value", "before", "moves"),
    [
        (-3.4e38, "Tanh", True),
        (-3.39e38, "Tanh", False),
        (-1.0, "Relu", False),
        (0.0, "Tanh", False),
        (0.5, "Relu", False),
        (0.0, lambda b, x: b.add("Clip", x, min=0.5), True),
        (0.0, lambda b, x: b.add("Clip", x, min=0.0, max=0.5), True),
        (0.0, lambda b, x: b.add("Clip", x, max=0.5), False),
        (0.0, lambda b, x: b.add("Clip", x, min=-0.5, max=0.5), False),
    ],
)
def test_what_is_padded_with_counts_where_a_greatest_element_is_sought(value, before, moves):
    graph = pool("MaxPool", pad=(0, 0, 1, 1, 0, 0, 1, 1), value=value, before=before, kernel_shape=(2, 2))
    assert ("Pad" not in ops(graph)) == moves


@pytest.mark.parametrize("value", [-3.4e38, 1.0])
@pytest.mark.parametrize("op", ["AveragePool", "Conv", "Im2Col"])
def test_sums_take_pads_of_zero_alone(op, value):
    attrs = {"AveragePool": {"count_include_pad": True}, "Conv": {"channels": 2}}.get(op, {})

    def make(b, x):
        return b.add(op, b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), value=value), kernel_shape=(2, 2), **attrs)

    assert ops(canonicalize(build(make))) == ["Pad", op]


@pytest.mark.parametrize("dilations", [(1, 2), (2, 1), (3, 3)])
def test_dilated_windows_keep_the_pad(dilations):
    graph = pool("MaxPool", pad=(0, 0, 1, 1, 0, 0, 1, 1), kernel_shape=(2, 2), dilations=dilations)
    assert ops(graph) == ["Relu", "Pad", "MaxPool"]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_only_pads_of_a_constant_move(mode):
    graph = build(lambda b, x: conv(b, b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), mode=mode)))
    assert ops(canonicalize(graph)) == (["Conv"] if mode == "constant" else ["Pad", "Conv"])


@pytest.mark.parametrize(
    ("op", "size", "moves"), [("MaxPool", 5, False), ("MaxPool", 6, True), ("AveragePool", 5, False)]
)
def test_a_pad_stays_where_rounding_up_would_cut_the_last_window(op, size, moves):
    """A window that begins in the padding behind the elements does not count, in the elements of a pad it does."""
    attrs = {"count_include_pad": True} if op == "AveragePool" else {}
    pad = (0, 0, 0, 0, 0, 0, 1, 1)
    graph = pool(
        op,
        pad=pad,
        shape=(1, 2, size, size),
        kernel_shape=(3, 3),
        strides=(5, 5) if size == 5 else (2, 2),
        ceil_mode=True,
        **attrs,
    )
    assert ("Pad" not in ops(graph)) == moves


@pytest.mark.parametrize(
    ("own", "counted", "moves"),
    [((0, 0, 0, 0), False, True), ((0, 0, 0, 0), True, True), ((0, 1, 0, 0), False, False), ((0, 1, 0, 0), True, True)],
)
def test_an_average_takes_a_pad_unless_it_leaves_its_own_out(own, counted, moves):
    graph = pool("AveragePool", pad=(0, 0, 1, 0, 0, 0, 0, 1), kernel_shape=(3, 3), pads=own, count_include_pad=counted)
    assert ops(graph) == (["Relu", "AveragePool"] if moves else ["Relu", "Pad", "AveragePool"])
    assert [node.attrs["count_include_pad"] for node in graph.nodes if node.op == "AveragePool"] == [moves or counted]


@pytest.mark.parametrize(("count", "moves"), [(64, True), (65, False)])
def test_poolings_are_looked_through_up_to_a_limit(count, moves):
    def make(b, x):
        x = b.add("Relu", x)
        for _ in range(count):
            x = b.add("MaxPool", x, kernel_shape=(2,))
        return b.add("MaxPool", b.add("Pad", x, pads=(0, 0, 1, 0, 0, 1)), kernel_shape=(2,))

    assert ("Pad" not in ops(canonicalize(build(make, (1, 1, 70))))) == moves


@pytest.mark.parametrize("op", ["AveragePool", "LpPool", "MaxPool"])
def test_poolings_between_keep_elements_from_being_negative(op):
    attrs = {"count_include_pad": True} if op == "AveragePool" else {}

    def pooled(b, x):
        return b.add(op, b.add("Relu", x), kernel_shape=(2, 2), **attrs)

    graph = pool("MaxPool", pad=(0, 0, 1, 1, 0, 0, 1, 1), before=pooled, kernel_shape=(2, 2))
    assert ("Pad" in ops(graph)) == (op == "LpPool")


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({"kernel_shape": (1, 1)}, []),
        ({"kernel_shape": (1, 1), "strides": (1, 2)}, ["MaxPool"]),
        ({"kernel_shape": (1, 2)}, ["MaxPool"]),
        ({"kernel_shape": (1, 1), "dilations": (2, 2)}, []),
        ({"kernel_shape": (6, 6)}, ["GlobalMaxPool"]),
        ({"kernel_shape": (6, 6), "strides": (9, 1), "ceil_mode": True}, ["GlobalMaxPool"]),
        ({"kernel_shape": (6, 5)}, ["MaxPool"]),
        ({"kernel_shape": (5, 6)}, ["MaxPool"]),
        ({"kernel_shape": (6,)}, ["MaxPool"]),
        ({"kernel_shape": (6, 6), "pads": (1, 0, 0, 0)}, ["MaxPool"]),
        ({"kernel_shape": (6, 6), "pads": (0, 0, 0, 1)}, ["MaxPool"]),
    ],
)
def test_windows_of_everything_and_of_single_elements(attrs, expected):
    assert ops(check(build(lambda b, x: b.add("MaxPool", x, **attrs)))) == expected
    average = {key: value for key, value in attrs.items() if key != "dilations"}
    found = ops(check(build(lambda b, x: b.add("AveragePool", x, count_include_pad=True, **average))))
    assert found == [name.replace("Max", "Average") for name in expected]


@pytest.mark.parametrize(
    ("op", "shape", "expected"),
    [
        ("ReduceMean", (1, 2, 3, 4), "GlobalAveragePool"),
        ("ReduceMean", (1, 2, 3, 4, 5), "GlobalAveragePool"),
        ("ReduceMax", (1, 2, 3, 4, 5), "GlobalMaxPool"),
        ("ReduceMean", (1, 2, 3, 4, 5, 6), "ReduceMean"),
        ("ReduceMean", (1, 2, 3), "ReduceMean"),
        ("ReduceSum", (1, 2, 3, 4), "ReduceSum"),
        ("ReduceMin", (1, 2, 3, 4), "ReduceMin"),
        ("ReduceProd", (1, 2, 3, 4), "ReduceProd"),
    ],
)
def test_means_and_maxima_of_all_spatial_axes_of_images_and_volumes_are_global(op, shape, expected):
    spatial = tuple(range(2, len(shape)))
    graph = check(build(lambda b, x: b.add(op, x, axes=spatial), shape))
    assert ops(graph) == [expected]
    dropped = canonicalize(build(lambda b, x: b.add(op, x, axes=spatial, keepdims=False), shape))
    assert ops(dropped) == ([expected, "Flatten"] if expected.startswith("Global") else [expected])


@pytest.mark.parametrize("axes", [(3, 4), (2, 3), (2, 4), (1, 2, 3, 4), (0, 2, 3, 4), ()])
def test_means_over_other_axes_of_a_volume_stay(axes):
    graph = canonicalize(build(lambda b, x: b.add("ReduceMean", x, axes=axes), (1, 2, 3, 4, 5)))
    assert ops(graph) == ["ReduceMean"]
    assert graph.nodes[1].attrs["axes"] == (axes or (0, 1, 2, 3, 4))


@pytest.mark.parametrize("kept", list(product((False, True), repeat=2)))
def test_reductions_in_two_steps_are_one_over_the_axes_of_both(kept):
    array = np.arange(24.0).reshape(2, 3, 4)
    for first in ((0,), (1,), (2,), (2, 0), (1, 2)):
        middle = array.sum(first, keepdims=kept[0])
        for second in [(i,) for i in range(middle.ndim)] + ([()] if middle.ndim > 1 else []):
            b = GraphBuilder()
            x = b.add("ReduceSum", b.input(array.shape), axes=first, keepdims=kept[0])
            b.output(b.add("ReduceSum", x, axes=second, keepdims=kept[1]))
            (one,) = (node.attrs for node in b.build().nodes if node.op == "ReduceSum")
            wanted = middle.sum(second or None, keepdims=kept[1])
            assert np.array_equal(array.sum(one["axes"], keepdims=one["keepdims"]).ravel(), wanted.ravel())
            assert list(one["axes"]) == sorted(one["axes"])
            assert b.build().nodes[-1].shape == wanted.shape


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((1, 4, 9), (1,), "GlobalAveragePool"),
        ((1, 4, 9, 9), (1, 1), "GlobalAveragePool"),
        ((1, 4, 9, 9), (1, 2), "AdaptiveAveragePool"),
        ((1, 4, 9, 9), (2, 1), "AdaptiveAveragePool"),
        ((1, 4, 9, 9), (2, 2), "AdaptiveAveragePool"),
        ((1, 4, 3, 9, 9), (1, 1, 1), "GlobalAveragePool"),
        ((4, 9, 9), (1, 1), "AdaptiveAveragePool"),
    ],
)
def test_adaptive_pooling_to_one_everywhere_is_global(shape, size, expected):
    assert ops(check(build(lambda b, x: b.add("AdaptiveAveragePool", x, output_size=size), shape))) == [expected]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1, 4, 6), (1, 4, 3), "AdaptiveAveragePool"),
        ((1, 4, 6, 6), (1, 4, 3, 2), "AdaptiveAveragePool"),
        ((1, 4, 6, 6), (1, 2, 3, 3), "Resize"),
        ((1, 4, 4, 4, 4), (1, 4, 2, 2, 2), "AdaptiveAveragePool"),
        ((1, 4, 2, 2, 2, 2), (1, 4, 1, 1, 1, 1), "Resize"),
        ((4, 6), (4, 3), "Resize"),
    ],
)
def test_resizing_by_area_averages_up_to_three_spatial_axes(before, after, expected):
    graph = canonicalize(build(lambda b, x: b.add("Resize", x, mode="area", shape=after), before))
    found = [op.replace("Global", "Adaptive") for op in ops(graph)]
    assert found == [expected]


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pooling_of_single_elements_is_nothing(op):
    assert ops(check(build(lambda b, x: b.add(op, x), (1, 4, 1, 1)))) == []
    assert ops(check(build(lambda b, x: b.add(op, x), (1, 4, 1, 2)))) == [op]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_a_kernel_that_others_read_stays(op):
    def make(b, x):
        kernel = b.parameter((4, 4, 3, 3))
        return b.add(op, x, kernel, kernel_shape=(3, 3)), kernel

    graph = check(build(make))
    assert [len(node.inputs) for node in graph.nodes if node.op == op] == [2]


def test_a_convolution_keeps_what_it_is_when_a_pad_moves_into_it():
    def make(b, x):
        for _ in range(2):
            x = b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), region="pad")
            x = b.add("Conv", x, channels=4, kernel_shape=(3, 3), group=2, bias=True, weights="w", region="conv")
        return x

    graph = check(build(make))
    convs = [node for node in graph.nodes if node.op == "Conv"]
    assert len(graph) == 4
    assert {(n.attrs["group"], n.attrs["bias"], n.region, n.weights is None) for n in convs} == {
        (2, True, "conv", False)
    }


def test_a_pad_moves_into_a_convolution_with_a_computed_kernel():
    def make(b, x):
        kernel = b.add("Tanh", b.parameter((4, 4, 3, 3)))
        return b.add("Conv", b.add("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1)), kernel, kernel_shape=(3, 3))

    assert ops(check(build(make))) == ["Tanh", "Conv"]
