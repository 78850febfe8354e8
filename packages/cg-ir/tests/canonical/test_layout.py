"""What moves, repeats and joins elements: one spelling each, and that the function stays."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from canonical_checks import IMAGE, build, check, ops  # noqa: E402

from cg_ir import GraphBuilder, canonicalize  # noqa: E402
from cg_ir.canonical.layout import reshape_name  # noqa: E402


def slice_(b, x, axis, start, end, step=1):
    bounds = [(0, size, 1) for size in b.shape(x)]
    bounds[axis] = (start, end, step)
    starts, ends, steps = zip(*bounds, strict=True)
    return b.add("Slice", x, starts=starts, ends=ends, steps=steps)


RULES = {
    "chain of reshapes": (
        lambda b, x: b.add("Reshape", b.add("Flatten", x, shape=(1, 144)), shape=(1, 2, 72)),
        ["Reshape"],
    ),
    "reshape and back": (lambda b, x: b.add("Reshape", b.add("Flatten", x, shape=(1, 144)), shape=IMAGE), []),
    "names of reshapes": (lambda b, x: b.add("Reshape", x, shape=(1, 144)), ["Flatten"]),
    "unsqueeze": (lambda b, x: b.add("Reshape", x, shape=(1, 4, 6, 1, 6)), ["Unsqueeze"]),
    "more axes, but no new ones of 1": (lambda b, x: b.add("Reshape", x, shape=(1, 2, 2, 6, 6)), ["Reshape"]),
    "transpose twice": (
        lambda b, x: b.add("Transpose", b.add("Transpose", x, perm=(0, 2, 3, 1)), perm=(0, 2, 1, 3)),
        ["Transpose"],
    ),
    "transpose and back": (
        lambda b, x: b.add("Transpose", b.add("Transpose", x, perm=(0, 2, 3, 1)), perm=(0, 3, 1, 2)),
        [],
    ),
    "slices of several axes": (lambda b, x: slice_(b, slice_(b, x, 1, 1, 4), 2, 0, 6, 2), ["Slice"]),
    "slices of one axis": (lambda b, x: slice_(b, slice_(b, x, 2, 5, -1, -1), 2, 1, 6, 2), ["Slice"]),
    "flip twice": (lambda b, x: slice_(b, slice_(b, x, 2, 5, -1, -1), 2, 5, -1, -1), []),
    "roll around": (lambda b, x: b.add("Roll", x, shifts=(6, -7, 1), axes=(2, 3, 1)), ["Roll"]),
    "roll by nothing": (lambda b, x: b.add("Roll", x, shifts=(6, 5, 1), axes=(2, 3, 3)), []),
    "concat of one": (lambda b, x: b.add("Concat", x, axis=1), []),
    "whole slice": (lambda b, x: slice_(b, x, 2, 0, 6), []),
    "whole axis turned round stays": (lambda b, x: slice_(b, x, 2, 5, -1, -1), ["Slice"]),
    "repeated once": (lambda b, x: b.add("Tile", b.add("Expand", x, shape=IMAGE), repeats=(1, 1, 1, 1)), []),
    "repeated twice stays": (lambda b, x: b.add("Tile", x, repeats=(1, 2, 1, 1)), ["Tile"]),
    "pad by nothing": (lambda b, x: b.add("Pad", x, pads=(0,) * 8), []),
    "pad by something stays": (lambda b, x: b.add("Pad", x, pads=(0,) * 7 + (1,)), ["Pad"]),
    "replacing a part stays": (
        lambda b, x: b.add(
            "SliceScatter", x, slice_(b, b.add("Tanh", x), 1, 0, 2), starts=(0,) * 4, ends=(1, 2, 6, 6), steps=(1,) * 4
        ),
        ["Tanh", "Slice", "SliceScatter"],
    ),
    "replacing everything": (
        lambda b, x: b.add("SliceScatter", x, b.add("Tanh", x), starts=(0,) * 4, ends=IMAGE, steps=(1,) * 4),
        ["Tanh"],
    ),
    "replacing everything turned round stays": (
        lambda b, x: b.add(
            "SliceScatter", x, b.add("Tanh", x), starts=(0, 3, 0, 0), ends=(1, -1, 6, 6), steps=(1, -1, 1, 1)
        ),
        ["Tanh", "SliceScatter"],
    ),
    "concat of two stays": (lambda b, x: b.add("Concat", x, x, axis=1), ["Concat"]),
    "slices turned round twice with steps": (
        lambda b, x: slice_(b, slice_(b, x, 2, 5, -1, -2), 2, 2, -1, -1),
        ["Slice"],
    ),
    "transposed and reshaped stay": (
        lambda b, x: b.add("Transpose", b.add("Reshape", x, shape=(1, 6, 4, 6)), perm=(0, 2, 1, 3)),
        ["Reshape", "Transpose"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    make, expected = RULES[name]
    assert sorted(ops(check(build(make)))) == sorted(expected)


SHAPES = {
    "large batch flattened": ((1000, 3, 2), lambda b, x: b.add("Reshape", x, shape=(int("1000"), 6)), ["Flatten"]),
    "line flattened": ((1, 4, 9), lambda b, x: b.add("Reshape", x, shape=(1, 36)), ["Flatten"]),
    "matrix to another": ((4, 9), lambda b, x: b.add("Flatten", x, shape=(4, 9, 1)), ["Unsqueeze"]),
    "ones dropped": ((4, 1, 9, 1), lambda b, x: b.add("Reshape", x, shape=(4, 9)), ["Flatten"]),
    "a one dropped": ((4, 1, 9, 1), lambda b, x: b.add("Reshape", x, shape=(4, 9, 1)), ["Squeeze"]),
    "axes joined": ((4, 2, 9, 1), lambda b, x: b.add("Reshape", x, shape=(8, 9, 1)), ["Reshape"]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_rule_in_other_shapes(name):
    shape, make, expected = SHAPES[name]
    assert sorted(ops(check(build(make, shape)))) == sorted(expected)


def test_rolls_have_one_spelling():
    def rolled(**attrs):
        return check(build(lambda b, x: b.add("Roll", x, **attrs)))

    plain = rolled(shifts=(1, 5), axes=(1, 3))
    assert plain.nodes[1].attrs == {"shifts": (1, 5), "axes": (1, 3)}
    assert rolled(shifts=(6, -7, 1), axes=(2, 3, 1)).hash == rolled(shifts=(5, 1), axes=(3, 1)).hash == plain.hash


def test_positions_of_a_written_slice_have_one_spelling():
    def interleaved(end):
        def make(b, x):
            part = b.add("Slice", x, starts=[0, 0, 0, 0], ends=[1, 4, 6, 3], steps=[1, 1, 1, 1])
            return b.add("SliceScatter", x, part, starts=[0, 0, 0, 0], ends=[1, 4, 6, end], steps=[1, 1, 1, 2])

        return check(build(make))

    assert interleaved(6).hash == interleaved(5).hash


@pytest.mark.parametrize("op", ["Unsqueeze", "Expand"])
def test_a_constant_of_one_number_stays_one_in_every_shape(op):
    def spelled(b, x):
        zeros = b.constant((1, 6), (0.0,))
        return b.add("Where", b.add("Greater", x, b.constant((), (0.0,))), x, b.add(op, zeros, shape=(1, 1, 6)))

    def plain(b, x):
        return b.add("Where", b.add("Greater", x, b.constant((), (0.0,))), x, b.constant((1, 1, 6), (0.0,)))

    assert check(build(spelled)).hash == canonicalize(build(plain)).hash


def test_a_constant_that_repeats_one_number_is_that_number() -> None:
    def sum_with(values):
        b = GraphBuilder()
        b.output(b.add("Add", b.input((1, 2)), b.constant((1, 2), values)))
        return b.build()

    assert sum_with([5.0, 5.0]).hash == sum_with([5.0]).hash
    assert sum_with([5.0, 5.0]).hash != sum_with([5.0, 6.0]).hash


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ((4, 2, 3), (4, 6), "Flatten"),
        ((4, 1, 9), (4, 9), "Flatten"),
        ((4, 1, 1), (4, 1), "Flatten"),
        ((2, 2, 3), (4, 3), "Reshape"),
        ((4, 1, 1), (4,), "Squeeze"),
        ((1, 4, 6), (4, 6), "Squeeze"),
        ((1, 1), (), "Squeeze"),
        ((4, 2, 3), (4, 3, 2), "Reshape"),
        ((4, 2, 3), (4, 2, 3, 1), "Unsqueeze"),
        ((6,), (6, 1), "Unsqueeze"),
        ((), (1, 1), "Unsqueeze"),
        ((6,), (1, 6), "Unsqueeze"),
        ((6,), (2, 3), "Reshape"),
        ((6, 1), (2, 3), "Reshape"),
        ((2, 1, 1, 3), (1, 2, 3), "Reshape"),
        ((1, 2, 3), (2, 1, 1, 3), "Reshape"),
        ((4, 2, 3), (24,), "Reshape"),
        ((4, 1, 3, 1), (4, 3, 1), "Squeeze"),
        ((4, 2, 3, 1), (4, 6, 1), "Reshape"),
    ],
)
def test_a_change_of_shape_has_one_name(before, after, name):
    assert reshape_name(before, after) == name
    assert ops(canonicalize(build(lambda b, x: b.add("Reshape", x, shape=after), before))) == [name]


def only(graph, op):
    """The attributes of the one node of this operator, None where there is none."""
    found = [node.attrs for node in graph.nodes if node.op == op]
    assert len(found) <= 1
    return found[0] if found else None


def spellings(size):
    """Slices of an axis that hold something, with their positions."""
    for start, end, step in product(range(size), range(-1, size + 1), (-3, -2, -1, 1, 2, 3)):
        if positions := tuple(range(start, end, step)):
            yield (start, end, step), positions


def test_slices_of_slices_read_the_same_elements_in_one_spelling():
    size, spelled, count = 5, {}, 0
    for first, outer in spellings(size):
        for second, inner in spellings(len(outer)):
            b = GraphBuilder()
            x = b.input((1, size))
            for start, end, step in (first, second):
                x = b.add("Slice", x, starts=(0, start), ends=(1, end), steps=(1, step))
            b.output(x)
            found, wanted = only(b.build(), "Slice"), tuple(outer[i] for i in inner)
            if found is None:
                assert wanted == tuple(range(size))
                continue
            bounds = tuple(found[key][1] for key in ("starts", "ends", "steps"))
            assert tuple(range(*bounds)) == wanted
            assert spelled.setdefault(wanted, bounds) == bounds
            count += 1
    assert count > 1000


def test_what_is_written_at_the_same_positions_has_one_spelling():
    spelled = {}
    for (start, end, step), positions in spellings(5):
        b = GraphBuilder()
        x, part = b.input((1, 5)), b.input((1, len(positions)))
        b.output(b.add("SliceScatter", x, part, starts=(0, start), ends=(1, end), steps=(1, step)))
        found = only(b.build(), "SliceScatter")
        bounds = found and tuple(found[key][1] for key in ("starts", "ends", "steps"))
        assert positions == tuple(range(5) if bounds is None else range(*bounds))
        assert spelled.setdefault(positions, bounds) == bounds


def test_transposes_compose():
    array = np.arange(24).reshape(2, 3, 4)
    for first, second in product(permutations(range(3)), repeat=2):
        b = GraphBuilder()
        b.output(b.add("Transpose", b.add("Transpose", b.input(array.shape), perm=first), perm=second))
        found = only(b.build(), "Transpose")
        wanted = array.transpose(first).transpose(second)
        assert np.array_equal(array if found is None else array.transpose(found["perm"]), wanted)
        assert (found is None) == (wanted.shape == array.shape)


def test_rolls_add_up_around_each_axis():
    array = np.arange(12).reshape(3, 4)
    for shifts in product((-5, -1, 0, 3, 4), repeat=3):
        b = GraphBuilder()
        b.output(b.add("Roll", b.input(array.shape), shifts=shifts, axes=(1, 0, 1)))
        found = only(b.build(), "Roll")
        wanted = np.roll(np.roll(array, shifts[1], 0), shifts[0] + shifts[2], 1)
        assert np.array_equal(np.roll(array, found["shifts"], found["axes"]) if found else array, wanted)
        assert found is None or all(0 < s < array.shape[a] for s, a in zip(found["shifts"], found["axes"], strict=True))


@pytest.mark.parametrize(
    ("value", "kept"), [((), ()), ((2.0,), (2.0,)), ((2.0, 2.0), (2.0,)), ((2.0, 3.0), (2.0, 3.0))]
)
def test_a_constant_keeps_its_numbers_unless_they_are_one(value, kept):
    constant = only(
        canonicalize(build(lambda b, x: b.add("Add", x, b.constant((2,), value, dtype="int64")), (2, 2))), "Constant"
    )
    assert (constant["value"], constant["dtype"]) == (kept, "int64")


@pytest.mark.parametrize(
    ("shape", "value", "op", "stays"),
    [
        ((1, 2), [3.0], "Expand", False),
        ((), [3.0], "Expand", True),
        ((1, 2), [3.0, 4.0], "Expand", True),
        ((1, 2), [3.0], "Reshape", False),
        ((), [3.0], "Reshape", True),
    ],
)
def test_what_repeats_a_constant_of_one_number_is_one_unless_that_is_a_scalar(shape, value, op, stays):
    wanted = (2, 2) if op == "Expand" else (2, 1, 1) if shape else (1, 1)
    graph = canonicalize(build(lambda b, x: b.add("Mul", x, b.add(op, b.constant(shape, value), shape=wanted)), (2, 2)))
    assert len(ops(graph)) == 1 + stays


def test_joining_one_tensor_twice_is_no_identity():
    assert ops(check(build(lambda b, x: b.add("Concat", x, x, x, axis=2)))) == ["Concat"]
