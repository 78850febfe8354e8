"""Operators of ONNX that move, join or pick elements: negative axes, what is left out, older spellings."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx import helper
from onnx_models import agree, model_of, numbers, one, operators, told, whole

from cg_frontends.onnx_ import from_onnx
from cg_ir import SourceError

X = numbers(2, 3, 4)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("shape", [(6, 4), (-1,), (0, -1), (2, 0, 2, 2), (0, 0, -1, 1), (4, 3, 2)])
def test_shapes(shape):
    agree(one("Reshape", [X], {"s": ints(*shape)}), X)


def test_a_zero_may_be_a_size():
    agree(one("Reshape", [X], {"s": ints(6, 4)}, allowzero=1), X)
    with pytest.raises(SourceError, match="Reshape"):
        from_onnx(one("Reshape", [X], {"s": ints(0, 24)}, allowzero=1))


@pytest.mark.parametrize("axis", [None, 0, 1, 3, -1, -3])
def test_flattening(axis):
    agree(one("Flatten", [X], **({} if axis is None else {"axis": axis})), X)


@pytest.mark.parametrize("axis", [4, -4])
def test_flattening_at_an_axis_that_is_none(axis):
    with pytest.raises(SourceError, match=f"axis {axis} is outside"):
        from_onnx(one("Flatten", [X], axis=axis))


@pytest.mark.parametrize("axes", [None, (0,), (-2,), (2, 0), (0, -2, -1)])
@pytest.mark.parametrize("opset", [11, 13])
def test_axes_of_one_go(axes, opset):
    x = numbers(1, 3, 1, 1)
    given = {} if axes is None else {"axes": list(axes)}
    agree(
        one("Squeeze", [x], opset=11, **given)
        if opset == 11
        else one("Squeeze", [x], {k: ints(*v) for k, v in given.items()}),
        x,
    )


def test_an_axis_of_several_stays():
    with pytest.raises(SourceError, match=r"axes \[1\] of shape \[2, 3, 4\] are not all of size 1"):
        from_onnx(one("Squeeze", [X], {"a": ints(1)}))


@pytest.mark.parametrize("axes", [(0,), (-1,), (0, 2), (-1, 1), (4, 0)])
@pytest.mark.parametrize("opset", [11, 13])
def test_axes_of_one_come(axes, opset):
    agree(
        one("Unsqueeze", [X], opset=11, axes=list(axes)) if opset == 11 else one("Unsqueeze", [X], {"a": ints(*axes)}),
        X,
    )


@pytest.mark.parametrize("perm", [None, [1, 2, 0], [0, 2, 1]])
def test_orders_of_axes(perm):
    agree(one("Transpose", [X], **({} if perm is None else {"perm": perm})), X)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ((1,), (3,), None, None), ((0, 1, 1), (2, 2, 4), None, None), ((1,), (2**62,), (2,), None), ((-2,), (-1,), (-1,), None), ((0,), (4,), (2,), (2,)),
        ((3,), (0,), (2,), (-1,)), ((-1,), (-(2**62),), (1,), (-1,)), ((3, 0), (-9, 3), (-1, 1), (-2, 2)), ((-9,), (9,), (1,), None),
    ],
)  # fmt: skip
def test_slices(starts, ends, axes, steps):
    x = X if axes is not None or len(starts) == 3 else numbers(4, 3)
    weights = {"s": ints(*starts), "e": ints(*ends)}
    weights |= {name: ints(*v) for name, v in (("a", axes), ("t", steps)) if v is not None}
    names = ["x0", "s", "e", "a" if axes else "", "t" if steps else ""]
    agree(one("Slice", [x], weights, names=names), x)


SPLITS = [
    (11, {"axis": 1}, None, 3), (13, {"axis": -1}, None, 2), (11, {"axis": 2, "split": [1, 3]}, None, 2), (13, {"axis": 2}, (3, 1), 2), (13, {}, None, 2),
    (18, {"num_outputs": 2, "axis": 1}, None, 2), (18, {"num_outputs": 3, "axis": -1}, None, 3),
    (18, {"axis": 1}, (1, 1, 1), 3), (18, {"num_outputs": 1}, None, 1),
]  # fmt: skip


@pytest.mark.parametrize(("opset", "attrs", "sizes", "count"), SPLITS)
def test_parts(opset, attrs, sizes, count):
    x = numbers(2, 3, 8) if count == 3 and attrs["axis"] == -1 else X
    weights = {} if sizes is None else {"s": ints(*sizes)}
    agree(one("Split", [x], weights, outputs=[f"y{i}" for i in range(count)], opset=opset, **attrs), x)


@pytest.mark.parametrize(
    ("attrs", "sizes", "message"),
    [
        ({"axis": 2}, (1, 2), r"parts \[1, 2\] should be 2 and add up to the 4 of axis 2"),
        ({"axis": 2}, (1, 1, 2), r"parts \[1, 1, 2\] should be 2"),
        ({"num_outputs": 3}, None, "has 2 outputs, but num_outputs 3"),
    ],
)
def test_parts_that_do_not_add_up(attrs, sizes, message):
    weights = {} if sizes is None else {"s": ints(*sizes)}
    with pytest.raises(SourceError, match=message):
        from_onnx(one("Split", [X], weights, outputs=["y0", "y1"], **attrs))


@pytest.mark.parametrize("count", [2, 4])
def test_parts_of_a_shape_are_known(count):
    """A shape that is split and joined again, as exporters write it."""
    x = numbers(2, 3, 4, 5)
    parts = [f"p{i}" for i in range(count)]
    nodes = [
        helper.make_node("Shape", ["x0"], ["s"]),
        helper.make_node("Split", ["s"], parts, num_outputs=count, axis=0),
        helper.make_node("Concat", parts[::-1], ["r"], axis=0),
        helper.make_node("Reshape", ["x0", "r"], ["y"]),
    ]
    assert operators(agree(model_of(nodes, [x]), x)) == ["Reshape"]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining(axis):
    other = numbers(2, 3, 4, seed=1)
    agree(one("Concat", [X, other], {"w": numbers(2, 3, 4, seed=2)}, axis=axis), X, other)
    empty = {"w": np.zeros([0 if i == axis % 3 else s for i, s in enumerate(X.shape)], np.float32)}
    assert operators(agree(one("Concat", [X], empty, axis=axis), X)) == []


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 1, 1, 1), (3, 4), (1,), (2, 2, 3, 4)])
def test_expanding(shape):
    agree(one("Expand", [X], {"s": ints(*shape)}), X)
    ones = numbers(3, 1)
    if shape[-2:] == (3, 4):
        agree(one("Expand", [ones], {"s": ints(*shape)}), ones)


@pytest.mark.parametrize("repeats", [(1, 2, 1), (2, 1, 3), (1, 1, 1)])
def test_tiles(repeats):
    agree(one("Tile", [X], {"r": ints(*repeats)}), X)


@pytest.mark.parametrize("mode", [None, "constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize(
    ("pads", "axes"), [((0, 1, 2, 0, 0, 1), None), ((1, 2), (-1,)), ((1, 0, 0, 2), (2, 1)), ((0, 0, 0, 0, 2, 0), None)]
)
def test_pads(mode, pads, axes):
    weights = {"p": ints(*pads)} | ({} if axes is None else {"a": ints(*axes)})
    attrs = {} if mode is None else {"mode": mode}
    agree(one("Pad", [X], weights, names=["x0", "p", "", "a" if axes else ""], **attrs), X)


@pytest.mark.parametrize("value", [0.0, -1.5, 1e30])
def test_what_is_filled(value):
    agree(one("Pad", [X], {"p": ints(0, 0, 1, 0, 0, 2), "v": np.float32(value)}), X)
    agree(one("Pad", [whole(2, 3)], {"p": ints(0, 1, 1, 0), "v": np.int64(7)}), whole(2, 3))


def test_pads_filled_with_what_the_network_computes_are_told():
    v = np.array(1.0, np.float32)
    told(one("Pad", [X, v], {"p": ints(0, 0, 1, 0, 0, 2)}, names=["x0", "p", "x1"]), "Pad")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index", [0, -1, [1], [0, -1], [[1, 0], [0, 1]]])
def test_picking_by_known_places(axis, index):
    agree(one("Gather", [X], {"i": np.array(index)}, axis=axis), X)


@pytest.mark.parametrize("axis", [0, 1])
def test_picking_by_computed_places(axis):
    places = whole(2, 5, low=0, high=2)
    agree(one("Gather", [X, places], axis=axis), X, places)
    table = numbers(9, 4)
    graph = agree(one("Gather", [places], {"t": table}, names=["t", "x0"], axis=axis), places)
    assert operators(graph) == (["Embedding"] if axis == 0 else ["Parameter", "Gather"])
    assert graph.params == 36


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_picking_elements(axis):
    places = whole(2, 3, 4, low=0, high=2)
    agree(one("GatherElements", [X, places], axis=axis), X, places)
    agree(one("GatherElements", [X], {"i": whole(2, 2, 2, low=-2, high=2)}, axis=axis), X)


@pytest.mark.parametrize(
    ("index", "batch"),
    [([[0, 1], [1, 2]], 0), ([[1], [0]], 0), ([[-1, -2, -3]], 0), ([[[0, 1, 2]]], 0), ([[1], [2]], 1), ([[[1, 2]], [[0, -1]]], 1), ([[[0], [1], [3]]] * 2, 2)],
)  # fmt: skip
def test_picking_by_several_numbers(index, batch):
    agree(one("GatherND", [X], {"i": np.array(index)}, batch_dims=batch), X)


@pytest.mark.parametrize("reduction", [None, "none", "add", "mul", "max", "min"])
def test_writing(reduction):
    attrs = {} if reduction is None else {"reduction": reduction}
    updates, places = numbers(2, 4, seed=1), {"i": np.array([[0, 1], [1, -1]])}
    agree(one("ScatterND", [X, updates], places, names=["x0", "i", "x1"], **attrs), X, updates)
    rows = numbers(2, 2, 4, seed=2)
    index = {"i": np.array([[[0, 0, 0, 0], [2, 2, 2, 2]], [[1, 1, 1, 1], [-1, -1, -1, -1]]])}
    agree(one("ScatterElements", [X, rows], index, names=["x0", "i", "x1"], axis=1, **attrs), X, rows)
    agree(one("ScatterElements", [X, rows], index, names=["x0", "i", "x1"], axis=-2, **attrs), X, rows)


@pytest.mark.parametrize("attrs", [{}, {"axis": 0}, {"axis": 1}, {"axis": -2}])
@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 3.0), (1, 4)])
def test_places_as_vectors(attrs, values):
    places = whole(2, 3, low=-5, high=5)
    agree(
        one(
            "OneHot",
            [places],
            {"d": ints(5), "v": np.array(values, np.float32 if isinstance(values[0], float) else np.int64)},
            **attrs,
        ),
        places,
    )
