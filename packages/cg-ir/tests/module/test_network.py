"""to_module: every operator runs, has the shape that the table says, and treats the examples of a batch alike."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_samples import SAMPLES, OperatorSample  # noqa: E402
from sample_tensors import tensor  # noqa: E402

import cg_ir  # noqa: E402
from cg_ir import GraphBuilder, GraphError, to_module  # noqa: E402
from cg_ir.operators import OPERATORS  # noqa: E402


def inputs_of(sample, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    result = []
    for shape, dtype in sample.given():
        result.append(tensor((shape[0] * batch, *shape[1:]) if shape else (), dtype, generator))
    return result


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def ident(sample: OperatorSample) -> str:
    return f"{sample.op}-{'-'.join(map(str, sample.attrs.values()))}-{sample.inputs}"


def test_samples_cover_the_table():
    used = {sample.op for sample in SAMPLES} | {"Select"}
    assert used == set(OPERATORS)
    assert any(sample.select for sample in SAMPLES)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op != "Custom"], ids=ident)
def test_shapes_and_parameters_are_the_tables(sample):
    graph = sample.graph()
    module = to_module(graph).eval()
    outputs = as_tuple(module(*inputs_of(sample, 1)))
    wanted = [node.shape for node in graph.nodes if node.op == "Output"]
    assert [tuple(o.shape) for o in outputs] == wanted
    assert sum(p.numel() for p in module.parameters()) == graph.params


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op != "Custom" and s.given()], ids=ident)
def test_a_batch_is_its_examples(sample):
    graph = sample.graph()
    torch.manual_seed(0)
    module = to_module(graph).eval()
    batch = 3
    xs = inputs_of(sample, batch)
    together = as_tuple(module(*xs))
    apart = [[x.unflatten(0, (batch, x.shape[0] // batch))[i] for x in xs] for i in range(batch)]
    alone = [as_tuple(module(*example)) for example in apart]
    ends = [step.plan.axis for step in module._steps if step.sig.op == "Output"]
    for position, axis in enumerate(ends):
        joined = torch.cat([outputs[position] for outputs in alone], axis)
        torch.testing.assert_close(together[position], joined, equal_nan=True)


def test_custom_is_named():
    (sample,) = [s for s in SAMPLES if s.op == "Custom"]
    with pytest.raises(GraphError, match=r"org\.example\.Fft"):
        to_module(sample.graph())


def small_network(dropout=False):
    b = GraphBuilder("small")
    x = b.input((1, 3, 8, 8))
    y = b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="stem.conv")
    y = b.add("BatchNormalization", y, region="stem.norm")
    y = b.add("Relu", y, region="stem.act")
    a = b.add("Conv", y, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="cell", weights="w")
    c = b.add(
        "Conv", a, channels=4, kernel_shape=(3, 3), pads=(2, 2, 2, 2), dilations=(2, 2), region="cell", weights="w"
    )
    d = b.add("Conv", c, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="cell", weights="w")
    y = b.add("Add", d, y)
    y = b.add("Mul", y, b.constant((), [0.5]))
    y = b.add("Flatten", b.add("GlobalAveragePool", y), shape=(1, 4))
    b.output(b.add("Gemm", y, channels=10, bias=True, region="head"))
    return b.build()


def test_names_follow_regions_and_weights_are_shared():
    graph = small_network()
    module = to_module(graph)
    names = dict(module.named_parameters())
    assert {"stem.conv.weight", "stem.norm.weight", "head.weight", "head.bias"} <= set(names)
    assert sum(p.numel() for p in module.parameters()) == graph.params
    shared = [m.weight for _, m in module.cell.named_modules(remove_duplicate=False) if hasattr(m, "weight")]
    assert len(shared) == 3
    assert all(weight is shared[0] for weight in shared)


def test_training_uses_batch_statistics_and_evaluation_running_ones():
    torch.manual_seed(0)
    module = to_module(small_network())
    x = torch.randn(4, 3, 8, 8)
    module.train()
    before = module.stem.norm.running_mean.clone()
    module(x).sum().backward()
    assert not torch.equal(before, module.stem.norm.running_mean)
    assert all(p.grad is not None for p in module.parameters())
    module.eval()
    torch.testing.assert_close(module(x)[:1], module(x[:1]))


def test_copies_and_pickles_are_independent():
    torch.manual_seed(0)
    module = to_module(small_network()).eval()
    x = torch.randn(2, 3, 8, 8)
    wanted = module(x)
    twin = copy.deepcopy(module)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    with torch.no_grad():
        module.head.weight.zero_()
    torch.testing.assert_close(twin(x), wanted)
    torch.testing.assert_close(loaded(x), wanted)
    assert not torch.allclose(module(x), wanted)
    assert twin.cell.get_submodule("Conv_4").weight is twin.cell.get_submodule("Conv_6").weight


def test_constants_are_exact():
    values = np.linspace(-1, 1, 6).tolist()
    b = GraphBuilder()
    b.output(b.add("Mul", b.input((1, 2, 3)), b.constant((2, 3), values)))
    module = to_module(b.build())
    ones = torch.ones(1, 2, 3)
    assert module(ones).flatten().tolist() == torch.tensor(values).tolist()


def test_folded_batches_stay_apart():
    """Windows as in Swin: the batch is the outer factor of a folded axis, and a mask differs between windows."""
    b = GraphBuilder()
    x = b.input((1, 4, 4, 6))
    x = b.add("Reshape", x, shape=(1, 2, 2, 2, 2, 6))
    x = b.add("Transpose", x, perm=(0, 1, 3, 2, 4, 5))
    x = b.add("Reshape", x, shape=(4, 4, 6))
    qkv = b.add("Reshape", b.add("Gemm", x, channels=18), shape=(4, 4, 3, 2, 3))
    qkv = b.add("Transpose", qkv, perm=(2, 0, 3, 1, 4))
    parts = []
    for i in range(3):
        part = b.add("Slice", qkv, starts=(i, 0, 0, 0, 0), ends=(i + 1, 4, 2, 4, 3), steps=(1, 1, 1, 1, 1))
        parts.append(b.add("Squeeze", part, shape=(4, 2, 4, 3)))
    scores = b.add("MatMul", parts[0], b.add("Transpose", parts[1], perm=(0, 1, 3, 2)))
    mask = b.parameter((4, 1, 4, 4))
    scores = b.add("Softmax", b.add("Add", scores, mask), axis=3)
    y = b.add("Reshape", b.add("Transpose", b.add("MatMul", scores, parts[2]), perm=(0, 2, 1, 3)), shape=(4, 4, 6))
    y = b.add("Transpose", b.add("Reshape", y, shape=(1, 2, 2, 2, 2, 6)), perm=(0, 1, 3, 2, 4, 5))
    b.output(b.add("Reshape", y, shape=(1, 4, 4, 6)))
    module = to_module(b.build()).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.normal_()
    assert not any(step.plan.apart for step in module._steps)
    x = torch.randn(3, 4, 4, 6)
    torch.testing.assert_close(module(x), torch.cat([module(x[i : i + 1]) for i in range(3)]))


def test_wrong_inputs_are_refused_in_words():
    module = to_module(small_network())
    with pytest.raises(ValueError, match=r"should have shape \[batch, 3, 8, 8\]"):
        module(torch.zeros(1, 3, 9, 9))
    with pytest.raises(ValueError, match="takes 1 inputs"):
        module(torch.zeros(1, 3, 8, 8), torch.zeros(1))


def test_the_core_does_not_import_torch():
    import subprocess
    import sys

    code = "import cg_ir, sys; cg_ir.GraphBuilder; cg_ir.to_module; cg_ir.load; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "to_module" in cg_ir.__all__


@pytest.mark.parametrize("first", ["Embedding", "Parameter"])
def test_a_parameter_that_is_an_embedding_too(first):
    """The codebook of a quantiser: looked up, and compared with."""
    b = GraphBuilder()
    ids, rows = b.input((1, 5), dtype="int64"), b.input((1, 7, 4))
    made = {}
    for op in (first, *{"Embedding", "Parameter"} - {first}):
        if op == "Embedding":
            made[op] = b.add("Embedding", ids, channels=4, num_embeddings=9, weights="codes")
        else:
            made[op] = b.add(
                "Mul",
                rows,
                b.add("Slice", b.parameter((9, 4), weights="codes"), starts=[0, 0], ends=[7, 4], steps=[1, 1]),
            )
    b.output(made["Embedding"])
    b.output(made["Parameter"])
    module = to_module(b.build())
    assert sum(p.numel() for p in module.parameters()) == 36
    codes = next(module.parameters())
    looked_up, product = module(torch.arange(5)[None], torch.ones(1, 7, 4))
    torch.testing.assert_close(looked_up[0], codes[:5])
    torch.testing.assert_close(product[0], codes[:7])


def test_one_number_an_example():
    """A chain that ends without axes runs with one example, and says why it takes no more."""
    b = GraphBuilder()
    x = b.add("ReduceMax", b.input((1, 4)), axes=(0, 1), keepdims=False)
    b.output(b.add("Clip", b.add("Mul", x, x), min=0.0))
    module = to_module(b.build())
    assert float(module(torch.tensor([[1.0, 3.0, -2.0, 0.0]]))) == 9.0
    with pytest.raises(ValueError, match="batch size 1"):
        module(torch.ones(2, 4))


@pytest.mark.parametrize(("pads", "extra", "stride"), [((1, 1), 1, 1), ((0, 2), 1, 2), ((2, 1), 0, 1)])
def test_transposed_convolutions_that_pytorch_has_only_in_parts(pads, extra, stride):
    """Uneven pads, and an output padding as large as the stride; the oracle is the definition, one product after the other."""
    b = GraphBuilder()
    x = b.input((1, 1, 5))
    settings = {"kernel_shape": (4,), "pads": pads, "output_padding": (extra,), "strides": (stride,)}
    b.output(b.add("ConvTranspose", x, channels=1, **settings))
    graph = b.build()
    module = to_module(graph)
    values, weight = torch.randn(1, 1, 5), next(module.parameters()).detach().flatten()
    wanted = torch.zeros(graph.nodes[-1].shape[-1])
    for i, value in enumerate(values.flatten()):
        for k, w in enumerate(weight):
            place = i * stride + k - pads[0]
            if 0 <= place < len(wanted):
                wanted[place] += value * w
    torch.testing.assert_close(module(values).flatten().detach(), wanted)


@pytest.mark.parametrize(
    ("reduction", "meet"),
    [("max", max), ("min", min), ("mul", lambda old, new: old * new), ("add", lambda old, new: old + new)],
)
def test_elements_that_meet_at_one_place(reduction, meet):
    """Places that come twice and places from the end, one element after the other."""
    b = GraphBuilder(canonical=False)
    x, rows, columns, values = (
        b.input((3, 4)),
        b.input((5,), dtype="int64"),
        b.input((5,), dtype="int64"),
        b.input((5,)),
    )
    b.output(b.add("ScatterND", x, rows, columns, values, reduction=reduction))
    given = torch.randn(3, 4), torch.tensor([0, 2, 0, -1, 1]), torch.tensor([1, -1, 1, 3, 0]), torch.randn(5)
    wanted = given[0].clone()
    for row, column, value in zip(*given[1:], strict=True):
        wanted[row, column] = meet(wanted[row, column].item(), value.item())
    torch.testing.assert_close(to_module(b.build())(*given), wanted)
