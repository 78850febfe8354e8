"""A forward pass as values that never change: writes in place, views, fills and constants with elements."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import computes, normal, operators, wrap  # noqa: E402

from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.blame import DataDependent, describe  # noqa: E402
from cg_frontends.pytorch.recorder import Recorder  # noqa: E402


@pytest.mark.parametrize(
    ("write", "same"),
    [
        (lambda self, x: x.clone().add_(1), lambda self, x: x + 1),
        (lambda self, x: F.relu(x, inplace=True), lambda self, x: F.relu(x)),
        (lambda self, x: torch.add(x, 1, out=torch.empty_like(x)), lambda self, x: x + 1),
        (lambda self, x: _through_view(x * 2), lambda self, x: (x * 2).view(-1, 8).relu().view(1, 4, 4)),
        (lambda self, x: _transposed(x * 2), lambda self, x: (x * 2).transpose(1, 2).relu().transpose(1, 2)),
        (lambda self, x: _filled(x), lambda self, x: x + 1),
    ],
)
def test_writes_in_place_are_their_plain_twins(write, same):
    x = torch.zeros(1, 4, 4)
    assert from_module(wrap(write), x).hash == from_module(wrap(same), x).hash


def _through_view(x):
    x.view(-1, 8).relu_()
    return x


def _transposed(x):
    x.transpose(1, 2).relu_()
    return x


def _filled(x):
    result = torch.zeros_like(x)
    result[...] = x + 1
    return result


def test_a_view_sees_a_later_write():
    def forward(self, x):
        x = x * 2
        row = x[:, 1]
        x.add_(1)
        return row

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    assert operators(graph) == ["Input", "Constant", "Mul", "Constant", "Add", "Slice", "Flatten", "Output"]


def test_a_write_to_a_part_scatters():
    def forward(self, x):
        x = x * 2
        x[:, 1] = x[:, 2] + 1
        return x

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    scatter = next(node for node in graph.nodes if node.op == "SliceScatter")
    assert scatter.attrs["starts"] == (0, 1, 0)
    assert graph.nodes[scatter.inputs[1]].shape == (1, 1, 4)


def test_filled_with_a_computed_number():
    def fill(self, x):
        y = torch.zeros_like(x)
        y[:, 1:] = x.mean()
        return y + 1

    graph = from_module(wrap(fill), torch.zeros(1, 4))
    assert operators(graph).count("Expand") == 1
    from cg_ir import to_module

    x = torch.randn(1, 4)
    torch.testing.assert_close(to_module(graph)(x), fill(None, x))


def test_plain_tensors_and_cpu_constants_mix_with_meta():
    def forward(self, x):
        return x * self.mean.view(1, 3) + torch.arange(3) + torch.tensor([1.0, 2.0, 3.0])

    module = wrap(forward, mean=torch.ones(3))
    assert operators(from_module(module, torch.zeros(1, 3))).count("Add") == 1


def record(function, *inputs, whole=lambda name: True):
    """The tape of a function on meta tensors of these shapes."""
    recorder = Recorder(whole)
    given = [torch.empty(shape, device="meta") for shape in inputs]
    with torch.inference_mode():
        for tensor in given:
            recorder.input(tensor)
        with recorder:
            result = function(*given)
        recorder.output(result)
    return recorder.tape


def written(write):
    """Writes to a new tensor and reads it afterwards."""

    def forward(x):
        y = x * 1.5
        write(y)
        return y + 1

    return forward


def parts_one_after_another(split):
    def forward(x):
        y = x * 1.5
        for i, part in enumerate(split(y)):
            part.mul_(i + 2)
        return y

    return forward


def shifted(y):
    for i in range(1, 4):
        y[:, i].add_(y[:, i - 1])


def into_integers(x):
    y = torch.zeros(1, 4, 6, dtype=torch.int64)
    y[:, 1] = x[:, 1] * 3
    return y


def into_another(x):
    out = torch.ones(1, 5, 6)
    torch.add(x, 1, out=out[:, :4])
    return out


def both_outputs(x):
    values, places = torch.empty(1, 6), torch.empty(1, 6, dtype=torch.int64)
    torch.max(x, 1, out=(values, places))
    return values + places


@pytest.mark.parametrize(
    "function",
    [
        written(lambda y: y[:, 0].zero_()), written(lambda y: y[:, 0].fill_(2.5)), written(lambda y: y[:, 0].fill_(torch.tensor(2.5))),
        written(lambda y: y.__setitem__((slice(None), 1), 3.5)), written(lambda y: y.copy_(y[:, :1] * 3)),
        written(lambda y: y.addcmul_(y, y, value=0.5)), written(lambda y: y.sub_(y.tanh(), alpha=2)),
        written(lambda y: y.masked_fill_(y > 0, 1.0)), written(lambda y: y.data.mul_(2)), written(shifted),
        written(lambda y: y[:, 0].copy_(y[:, 1].clone())), written(lambda y: y[:, 1:][:, 1:].neg_()), written(lambda y: y.view(4, 6)[1:3].t().abs_()),
        lambda x: (x * 2).zero_() + x, lambda x: x[:, :1].clone().squeeze_(1), lambda x: (x * 2).transpose_(1, 2), lambda x: (x * 2).unsqueeze_(1),
        lambda x: torch.zeros(1, 4, 6, dtype=torch.int64).copy_(x * 3), into_integers, into_another, both_outputs,
        lambda x: x @ torch.zeros(6, 6).fill_diagonal_(2.0), lambda x: (x > 0).clone().logical_not_().logical_and_(x < 1),
        parts_one_after_another(lambda y: y.split([1, 3], 1)), parts_one_after_another(lambda y: y.chunk(3, -1)),
        parts_one_after_another(lambda y: y.unbind(1)), parts_one_after_another(lambda y: [y[:, :2], y[:, 1:]]),
    ],
)  # fmt: skip
def test_writes_leave_what_they_leave_in_pytorch(function):
    computes(function, normal(1, 4, 6))


def test_a_part_is_read_after_another_was_written_to():
    def forward(x):
        y = x * 1.5
        first, second = y.chunk(2, -1)
        first.mul_(3)
        second.copy_(first)
        y.add_(1)
        return y, first * second

    computes(forward, normal(1, 4, 6))


def test_in_place_operators_are_recorded_under_their_plain_names():
    tape = record(lambda x: (x * 2).add_(1).relu_().__imul__(3), (2, 3))
    assert [call.name for call in tape.calls] == ["aten::mul", "aten::add", "aten::relu", "aten::mul"]
    assert all(len(call.outputs) == 1 for call in tape.calls)
    assert tape.outputs[0] is tape.calls[-1].outputs[0]
    assert len({id(v) for call in tape.calls for v in call.outputs}) == 4


def test_composite_operators_are_whole_where_they_are_known():
    def names(whole):
        return [call.name for call in record(lambda x: F.silu(F.linear(x, x)), (3, 3), whole=whole).calls]

    assert names(lambda name: True) == ["aten::linear", "aten::silu"]
    assert names(lambda name: name != "aten::linear") == ["aten::t", "aten::matmul", "aten::silu"]


def test_regions_are_those_in_which_a_call_was_made():
    recorder = Recorder(lambda name: True)
    x = torch.empty(2, device="meta")
    recorder.input(x)
    with torch.inference_mode(), recorder:
        recorder.region = "first"
        y = x + 1
        recorder.region = "second.0"
        y.mul_(2)
    assert [call.region for call in recorder.tape.calls] == ["first", "second.0"]


def test_kinds_of_what_is_computed():
    recorder = Recorder(lambda name: True)
    x, weight, buffer = (torch.empty(2, 3, device="meta") for _ in range(3))
    recorder.input(x)
    recorder.parameter(weight, "w")
    with torch.inference_mode(), recorder:
        kinds = [
            recorder._value(t).kind
            for t in (buffer * 2, weight + buffer, x + weight, torch.ones_like(x), x.shape[0] * buffer)
        ]
        place = recorder._value(weight[1:, ::2]).place
    assert kinds == [CONSTANT, WEIGHT, TRACED, CONSTANT, CONSTANT]
    assert place == (3, (1, 2), (3, 2))
    assert [call.name for call in recorder.tape.calls][:2] == ["aten::add", "aten::add"]


def test_complex_parameters_stand_as_pairs():
    recorder = Recorder(lambda name: True)
    weight = torch.empty(2, 3, dtype=torch.cfloat, device="meta")
    recorder.parameter(weight, "w")
    assert recorder.tape.leaves[0].numel == 12
    with torch.inference_mode(), recorder:
        assert recorder._value(weight[1].view(3)).place == (6, (3, 2), (2, 1))


def test_an_error_tells_the_operator_and_its_shapes():
    with pytest.raises(RuntimeError) as caught:
        record(lambda x: torch.cat([x, x.t()]), (2, 3))
    assert describe(caught.value, None).endswith("(cat of [2, 3] and [3, 2])")


def test_elements_of_constants_may_be_read_and_those_of_inputs_may_not():
    tape = record(lambda x: x * torch.arange(3.0)[2].item() if torch.ones(1).item() else x, (3,))
    assert tape.calls[0].args[1] == 2.0
    with pytest.raises(DataDependent, match=r"^aten::item$"):
        record(lambda x: x * x[0].item(), (3,))
    with pytest.raises(DataDependent):
        record(lambda x: x * torch.zeros(1).add_(x[0]).item(), (3,))


def test_tensors_on_meta_stay_there_wherever_they_are_sent():
    tape = record(lambda x: x.cpu().to("cpu", torch.float64) + torch.arange(3).to(x.device), (3,))
    assert tape.outputs[0].dtype == "float64"
    assert tape.outputs[0].shape == (3,)


@pytest.mark.parametrize(
    ("make", "fill"),
    [
        (lambda x: torch.zeros(2), 0.0), (lambda x: torch.ones_like(x), 1.0), (lambda x: torch.full((2,), 2.5), 2.5), (lambda x: x.new_full((2,), -1), -1.0),
        (lambda x: torch.full_like(x, fill_value=4), 4.0), (lambda x: torch.scalar_tensor(3.0), 3.0), (lambda x: torch.empty(2), 0.0),
        (lambda x: x.new_zeros(2).fill_(7), 7.0), (lambda x: torch.ones(2).zero_(), 0.0), (lambda x: (x * 2).fill_(torch.tensor(5.0)), 5.0),
        (lambda x: torch.ones(2, 3)[0].view(1, 3), 1.0), (lambda x: torch.arange(2.0), None),
    ],
)  # fmt: skip
def test_numbers_that_fill_constants_are_known(make, fill):
    def forward(x):
        with torch.device("meta" if fill != 5.0 else "cpu"):  # the number is known where it is not on meta
            return make(x)

    value = record(forward, (2,)).outputs[0]
    assert (value.kind, value.fill) == (CONSTANT, fill)
