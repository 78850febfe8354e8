"""What becomes a node, what an operator owns, and what is Custom."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import operators, wrap  # noqa: E402

from cg_frontends.lowering.lowering import COMPLEX_LOWERINGS, LOWERINGS, Lowering, cut, lowers  # noqa: E402
from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT, Call, Leaf, Tape, Value  # noqa: E402
from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402
from cg_ir import GraphError  # noqa: E402


def test_constants_fold_and_parameters_become_nodes():
    def forward(self, x):
        mask = torch.arange(8).view(2, 4).sum(0) > self.limit
        return torch.where(mask, x * (self.a.exp() + self.b).t(), x)

    module = wrap(forward, a=nn.Parameter(torch.zeros(4, 4)), b=nn.Parameter(torch.zeros(4, 4)))
    module.register_buffer("limit", torch.tensor(9))
    graph = from_module(module, torch.zeros(1, 4, 4))
    assert graph.params == 32
    assert operators(graph).count("Constant") == 1
    assert operators(graph).count("Parameter") == 2


@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_parametrised_layers_are_layers(normalise):
    graph = from_module(wrap(lambda self, x: self.a(x), a=normalise(nn.Linear(4, 6))), torch.zeros(1, 4))
    assert operators(graph) == ["Input", "Gemm", "Output"]
    assert graph.params == 30
    assert graph.extras.get("unused_parameters", 0) == (6 if normalise is nn.utils.parametrizations.weight_norm else 0)


def test_computed_weights_are_inputs():
    def forward(self, x):
        weight = self.experts * x.mean((1, 2, 3)).view(1, 1, 1, 1)
        return F.conv2d(x, weight, padding=1)

    module = wrap(forward, experts=nn.Parameter(torch.zeros(6, 3, 3, 3)))
    graph = from_module(module, torch.zeros(1, 3, 8, 8))
    convolution = next(node for node in graph.nodes if node.op == "Conv")
    assert len(convolution.inputs) == 2
    assert convolution.params == 0
    assert convolution.macs == 6 * 64 * 27
    assert graph.params == 6 * 27


def test_low_rank_weights_are_counted_as_they_are():
    module = wrap(
        lambda self, x: F.linear(x, self.a @ self.b),
        a=nn.Parameter(torch.zeros(8, 2)),
        b=nn.Parameter(torch.zeros(2, 8)),
    )
    graph = from_module(module, torch.zeros(1, 8))
    assert graph.params == 32
    assert "unused_parameters" not in graph.extras


def test_an_unknown_operator_keeps_its_parameters():
    module = wrap(lambda self, x: F.embedding_bag(x, self.table), table=nn.Parameter(torch.zeros(9, 4)))
    with pytest.warns(UnknownOperatorWarning, match="embedding_bag"):
        graph = from_module(module, torch.zeros(1, 3, dtype=torch.int64))
    assert graph.params == 36


def traced(*shape, dtype="float32"):
    return Value(TRACED, shape, dtype)


def filled(fill, *shape, dtype="float32"):
    return Value(CONSTANT, shape, dtype, fill=fill)


def parameter(name, *shape):
    """A parameter that stands dense in memory."""
    strides = torch.empty(shape, device="meta").stride()
    leaf = Leaf(name, torch.Size(shape).numel())
    return Value(WEIGHT, shape, "float32", leaf=leaf, place=(0, shape, strides))


def called(name, args, kind=TRACED, shape=(4,), outputs=1):
    call = Call(f"aten::{name}", args, {}, "region")
    call.outputs = tuple(Value(kind, shape, "float32", call, i) for i in range(outputs))
    return call


def test_names_without_a_namespace_are_those_of_aten():
    registry = {}
    one = lowers("one", "other::two", among=registry)(lambda: None)
    assert registry == {"aten::one": one, "other::two": one}


def test_every_lowering_is_that_of_an_operator():
    """A misspelt name would never be called; the catalogue's are those of functions, too."""
    names = {name.removeprefix("aten::") for name in {**LOWERINGS, **COMPLEX_LOWERINGS}}
    missing = {n for n in names if "::" not in n and not hasattr(torch.ops.aten, n) and not hasattr(F, n)}
    assert missing == {"_adaptive_avg_pool1d"}  # registered for one, two and three axes alike


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (2, 2.0),
        (True, 1.0),
        (float("nan"), 0.0),
        (float("inf"), 3.4028234663852886e38),
        (-1e300, -3.4028234663852886e38),
    ],
)
def test_numbers_that_json_has_not_are_replaced(number, found):
    assert Lowering.finite(number) == found
    assert Lowering.finite(found) == found == float(torch.tensor(found, dtype=torch.float32))


def test_what_no_graph_can_hold_is_refused():
    with pytest.raises(GraphError, match=r"a complex number \(1j\) is no element that a graph can hold"):
        Lowering.finite(1j)
    with pytest.raises(GraphError, match=r"a tensor of shape \[2, 0\] has no elements, which a graph cannot hold"):
        Lowering(Tape()).node(filled(1.0, 2, 0))
    call = called("lonely", (traced(4),), outputs=2)
    low = Lowering(Tape(inputs=[call.args[0]], calls=[call], outputs=[call.outputs[1]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOWERINGS, "aten::lonely", lambda low, out, x: [low.add("Relu", x, shape=(4,)), None])
        with pytest.raises(GraphError, match="output 1 of aten::lonely is outside the vocabulary"):
            low.run()


def test_what_no_output_needs_has_no_node():
    x, weight = traced(4), parameter("w", 4)
    used, unused = called("relu", (x,)), called("mul", (x, weight))
    low = Lowering(Tape([x], [used, unused], [used.outputs[0]], [weight.leaf]))
    low.run()
    assert [spec.op for spec in low.specs] == ["Input", "Relu", "Output"]
    assert low.region == ""
    assert [spec.region for spec in low.specs] == ["", "region", ""]


def test_constants_are_made_once_and_where_they_are_read():
    x, mask, square = traced(4, 4), filled(2.0, 4), filled(2.0, 4, 4)
    low = Lowering(Tape([x]))
    low.run()
    assert low.node(mask) == low.node(mask)
    assert low.shape(low.node(mask)) == (4,)
    assert low.shape(low.operand(filled(0.5))) == ()
    assert low.shape(low.operand(square, x, (4, 4))) == ()  # the other operand has the shape already
    assert low.shape(low.operand(mask, filled(1.0, 4, 1), (4, 4))) == (4,)
    assert low.specs[low.operand(float("inf"))].attrs == {"value": (3.4028234663852886e38,)}


def test_complex_constants_are_pairs_without_a_number():
    low = Lowering(Tape())
    spec = low.specs[low.node(filled(2.0, 3, dtype="complex64"))]
    assert (spec.shape, spec.attrs) == ((3, 2), {"value": (), "dtype": "float32"})
    assert low.specs[low.node(filled(0.0, 3, dtype="complex128"))].attrs == {"value": (0.0,), "dtype": "float64"}


@pytest.mark.parametrize(("start", "end", "step"), [(0, 3, 1), (1, 5, 2), (4, 5, 1)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_cut_takes_a_range_of_one_axis(axis, start, end, step):
    x = torch.arange(60).reshape(5, 2, 6) if axis == 0 else torch.arange(60).reshape(2, 5, 6)
    attrs = cut(x.shape, axis, start, end, step)
    found = x[tuple(slice(*bounds) for bounds in zip(attrs["starts"], attrs["ends"], attrs["steps"], strict=True))]
    index = [slice(None)] * 3
    index[axis] = slice(start, end, step)
    assert torch.equal(found, x[tuple(index)])


def test_a_rewind_takes_back_nodes_claims_and_parameters():
    x, weight = traced(4), parameter("w", 8)
    computed = called("norm", (weight,), WEIGHT).outputs[0]
    low = Lowering(Tape([x], leaves=[weight.leaf]))
    low.run()
    mark = low.mark()
    other = parameter("other", 4)
    low.declare(other.leaf)
    low.add("Add", low.node(other), low.scalar(1.0), shape=(4,))
    low.unknown["aten::any"] = 1
    assert low.owned(computed)
    rival = called("exp", (weight,), WEIGHT).outputs[0]
    assert not low.owned(rival)
    low.rewind(mark)
    assert [spec.op for spec in low.specs] == ["Input"]
    assert low.tape.leaves == [weight.leaf]
    assert not low.unknown
    assert low.owned(rival)
    assert low.node(other) == 1


def test_an_operator_owns_a_computed_weight_where_nothing_else_does():
    direction, scale = parameter("direction", 4, 4), parameter("scale", 4)
    computed = called("_weight_norm", (direction, scale), WEIGHT, (4, 4)).outputs[0]
    low = Lowering(Tape(leaves=[direction.leaf, scale.leaf]))
    assert low.owned(computed)
    assert low.owned(computed)
    assert not low.owned(called("mul", (scale, 2.0), WEIGHT).outputs[0])  # the scale is claimed
    larger = called("outer", (parameter("a", 4), parameter("b", 4)), WEIGHT, (4, 4)).outputs[0]
    low = Lowering(Tape(leaves=[v.leaf for v in larger.call.args]))
    assert not low.owned(larger)  # 16 elements made of 8


@pytest.mark.parametrize(
    ("view", "owned"),
    [
        (lambda w: w, True), (lambda w: w.t(), True), (lambda w: w[1:, ::2], True), (lambda w: w[:1].expand(1, 6), True),
        (lambda w: w[:1].expand(4, 6), False), (lambda w: w[0, 0].expand(6), False),
    ],
)  # fmt: skip
def test_a_view_that_repeats_elements_is_not_owned(view, owned):
    tensor = view(torch.zeros(4, 6))
    place = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
    assert (
        Lowering(Tape()).owned(Value(WEIGHT, tuple(tensor.shape), "float32", leaf=Leaf("w", 24), place=place)) is owned
    )


def test_neither_nothing_nor_constants_nor_what_depends_on_inputs_is_owned():
    low = Lowering(Tape())
    assert not any(low.owned(value) for value in (None, filled(1.0, 4), traced(4)))


def test_an_unknown_operator_with_several_outputs():
    x, weight = traced(4), parameter("w", 4)
    call = called("no_such_operator", (x, [weight]), outputs=3)
    low = Lowering(Tape([x], [call], [call.outputs[0], call.outputs[2]], [weight.leaf]))
    low.run()
    custom = next(spec for spec in low.specs if spec.op == "Custom")
    assert custom.attrs == {"name": "no_such_operator", "params": 4}
    assert custom.slots == (weight,)
    assert low.unknown == {"aten::no_such_operator": 1}
    first, third = [spec.inputs[0] for spec in low.specs if spec.op == "Output"]
    assert low.specs[first] is custom
    assert low.specs[third].attrs == {"index": 2}
    assert {value for value, _ in low.places()} == set(call.outputs)


def test_a_call_without_a_first_output():
    x = traced(4)
    call = called("no_such_operator", (x,), outputs=2)
    call.outputs = (None, call.outputs[1])
    low = Lowering(Tape([x], [call], [call.outputs[1]]))
    low.run()
    assert [(spec.op, spec.attrs.get("index")) for spec in low.specs] == [
        ("Input", 0), ("Custom", None), ("Select", 1), ("Output", 0),
    ]  # fmt: skip


def test_a_stand_in_is_a_value_of_a_node():
    low = Lowering(Tape([traced(4, 2)]))
    low.run()
    assert low.stand_in(0).shape == (4, 2)
    pair = low.stand_in(0, "complex64")
    assert (pair.shape, pair.held) == ((4,), (4, 2))
    assert low.node(pair) == 0


def test_what_is_computed_of_parameters_is_lowered_where_it_is_read():
    weight = parameter("w", 4)
    low = Lowering(Tape(leaves=[weight.leaf]))
    low.region = "block"
    value = low.computed("exp", (weight,), (4,), "float32")
    assert value.kind == WEIGHT
    assert not low.specs
    low.region = "reader"
    assert low.specs[low.node(value)].op == "Exp"
    assert [spec.region for spec in low.specs] == ["block", "block"]
    assert low.region == "reader"
    assert low.computed("exp", (filled(1.0),), (), "float32").kind == CONSTANT
