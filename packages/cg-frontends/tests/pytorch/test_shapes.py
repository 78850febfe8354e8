"""Shapes that were worked out once are not worked out again, and recurrent layers take no step for each element."""

from __future__ import annotations

import time

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.shapes import ShapeMemory  # noqa: E402
from cg_frontends.pytorch.structure import tensors_of  # noqa: E402


def test_a_recurrent_layer_takes_no_step_for_each_element():
    layer = nn.LSTM(32, 32, batch_first=True)
    from_module(layer, torch.zeros(1, 4, 32))
    begun = time.process_time()
    assert from_module(layer, torch.zeros(1, 20_000, 32)).macs == 20_000 * 4 * 32 * 64
    assert time.process_time() - begun < 5


@pytest.fixture
def memory():
    return ShapeMemory()


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def form(result):
    """What a result is made of, as far as it has no elements."""
    if isinstance(result, torch.Tensor):
        return result.shape, result.stride(), result.dtype, result.device.type
    return type(result), [form(item) for item in result]


aten = torch.ops.aten
X = meta(2, 6, 4)
CALLS = {
    "sum": (aten.add.Tensor, (X, meta(6, 1)), {}),
    "sum of other types": (aten.add.Tensor, (X, meta(6, 1, dtype=torch.float64)), {}),
    "transposed": (aten.relu.default, (X.transpose(0, 2),), {}),
    "a number": (aten.mul.Tensor, (meta(3, dtype=torch.int64), 2), {}),
    "a fraction": (aten.mul.Tensor, (meta(3, dtype=torch.int64), 2.0), {}),
    "a truth value": (aten.mul.Tensor, (meta(3, dtype=torch.bool), True), {}),
    "one": (aten.mul.Tensor, (meta(3, dtype=torch.bool), 1), {}),
    "several": (aten.topk.default, (X, 2), {}),
    "a list": (aten.cat.default, ([X, X], 1), {}),
    "a list along another axis": (aten.cat.default, ([X, X], 2), {}),
    "keywords": (aten.sum.dim_IntList, (X, [1]), {"dtype": torch.float64}),
    "other keywords": (aten.sum.dim_IntList, (X, [1]), {"dtype": torch.float16}),
    "a convolution": (aten.convolution.default, (meta(2, 6, 8, 8), meta(4, 3, 3, 3), None, [2, 2], [1, 1], [1, 1], False, [0, 0], 2), {}),
}  # fmt: skip


def tensors(args):
    return [t for a in args for t in (a if isinstance(a, list) else [a]) if isinstance(t, torch.Tensor)]


def test_what_is_remembered_has_the_form_of_what_torch_gives(memory):
    for _ in range(2):
        for name, (func, args, kwargs) in CALLS.items():
            wanted = func(*args, **kwargs)
            found = memory.run(func, args, kwargs, tensors(args))
            assert form(found) == form(wanted), name


def test_an_operator_runs_once_for_the_same_shapes_and_results_are_new(memory):
    runs = []

    def func(x, scale):
        runs.append(scale)
        return x * scale

    first, second = (memory.run(func, (meta(3), 2), {}, [X]) for _ in range(2))
    assert runs == [2]
    assert first is not second
    memory.run(func, (meta(4), 2), {}, [])
    memory.run(func, (meta(3), 2.0), {}, [])
    memory.run(func, (meta(6)[::2], 2), {}, [])
    assert runs == [2, 2, 2.0, 2]


@pytest.mark.parametrize(
    "func",
    [lambda x: x, lambda x: x.view(-1), lambda x: (x.clone(), x[0]), lambda x: x.clone()[1:], lambda x: 3, lambda x: torch.zeros(2)],
)  # fmt: skip
def test_results_that_are_not_memory_of_their_own_are_never_remembered(memory, func):
    runs = []

    def counted(x):
        runs.append(func(x))
        return runs[-1]

    x = meta(2, 3)
    assert all(memory.run(counted, (x,), {}, [x]) is runs[-1] for _ in range(3))
    assert len(runs) == 3


def test_arguments_without_a_hash_are_simply_run(memory):
    assert memory.run(lambda x, options: x * 2, (meta(3), {"a": 1}), {}, []).shape == (3,)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 4)])
@pytest.mark.parametrize(
    "make",
    [lambda **how: nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3, **how), lambda **how: nn.LSTM(4, 6, **how),
     lambda **how: nn.GRU(4, 6, bidirectional=True, bias=False, **how), lambda **how: nn.RNN(4, 6, 3, **how)],
)  # fmt: skip
def test_recurrent_layers_give_the_shapes_that_torch_gives(make, shape, batch_first):
    layer = make(batch_first=batch_first)
    wanted = layer(torch.zeros(shape))
    with torch.device("meta"):
        graph = from_module(make(batch_first=batch_first), meta(*shape))
    batch = {3: 0 if batch_first else 1, 2: None}[len(shape)]
    if batch is None:
        assert [n.shape for n in graph.nodes if n.op == "Output"] == [tuple(t.shape) for t in tensors_of(wanted)]
    else:
        sequence = list(wanted[0].shape)
        sequence[batch] = 1
        states = [(s.shape[0], 1, s.shape[2]) for s in tensors_of(wanted[1])]
        assert [n.shape for n in graph.nodes if n.op == "Output"] == [tuple(sequence), *states]
