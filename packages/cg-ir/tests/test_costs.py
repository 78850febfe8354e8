"""Parameters and MACs against PyTorch's own counts."""

from __future__ import annotations

import cmath
from math import prod

import pytest

torch = pytest.importorskip("torch")

from operator_samples import SAMPLES  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from cg_ir import to_module  # noqa: E402
from cg_ir.operators import OPERATORS  # noqa: E402

COUNTED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Attention", "ExpertGemm"}
RECURRENT = {"LSTM", "GRU", "RNN"}


def run(sample):
    graph = sample.graph()
    module = to_module(graph).eval()
    inputs = []
    for shape, dtype in sample.given():
        whole = dtype.startswith("index") or dtype == "int64"
        inputs.append(torch.zeros(shape, dtype=torch.int64) if whole else torch.randn(shape))
    return graph, module, inputs


def test_every_operator_with_costs_is_checked():
    costly = {s.op for s in SAMPLES if s.graph().macs}
    assert costly == COUNTED | RECURRENT | {"Einsum", "DFT"}


def fast_transform(values):
    """The transform of 2^k numbers (Cooley and Tukey 1965), and the complex products that it takes."""
    if len(values) == 1:
        return values, 0
    (even, a), (odd, b) = fast_transform(values[::2]), fast_transform(values[1::2])
    turned = [x * cmath.exp(-2j * cmath.pi * k / len(values)) for k, x in enumerate(odd)]
    both = zip(even, turned, strict=True)
    sums, differences = zip(*((x + y, x - y) for x, y in both), strict=True)
    return [*sums, *differences], a + b + len(odd)


@pytest.mark.parametrize("length", [2, 8, 64])
def test_fourier_transforms_cost_the_products_of_a_fast_one(length):
    values = torch.randn(length, dtype=torch.complex128)
    found, products = fast_transform(values.tolist())
    torch.testing.assert_close(torch.tensor(found, dtype=torch.complex128), torch.fft.fft(values))
    shape, attrs = (3, length, 5), {"axis": 1, "inverse": False, "onesided": False}
    assert OPERATORS["DFT"].macs([(*shape, 2)], attrs, (*shape, 2)) == 15 * 4 * products
    assert OPERATORS["DFT"].macs([(*shape, 1)], attrs, (*shape, 2)) == 15 * 2 * products


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.op in COUNTED], ids=lambda s: f"{s.op}-{s.inputs}-{s.attrs}"
)
def test_macs_are_half_of_torchs_flops(sample):
    graph, module, inputs = run(sample)
    counter = FlopCounterMode(display=False)
    with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        module(*inputs)
    counted = counter.get_total_flops()
    if sample.op == "MatMul" and min(map(len, sample.inputs)) == 1:
        counted = 2 * torch.matmul(*[torch.ones(s) for s in sample.inputs]).sum().item()  # torch counts no vectors
    if sample.op == "Attention" and sample.learned == (0,):
        assert graph.macs > 0
    assert 2 * graph.macs == counted


def multiplications(sample):
    """Products of a recurrent layer, from the sizes of PyTorch's own weight matrices."""
    graph, module, inputs = run(sample)
    (layer,) = [m for m in module.modules() if isinstance(m, torch.nn.RNNBase)]
    steps = inputs[0].numel() // inputs[0].shape[-1]
    return graph.macs, steps * sum(p.numel() for name, p in layer.named_parameters() if name.startswith("weight"))


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op in RECURRENT], ids=lambda s: f"{s.op}-{s.attrs}")
def test_macs_of_recurrent_layers(sample):
    counted, expected = multiplications(sample)
    assert counted == expected


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op == "Einsum"], ids=lambda s: s.attrs["equation"])
def test_macs_of_einsum(sample):
    """Every contracted index combination is one product."""
    graph = sample.graph()
    left, right = sample.attrs["equation"].split("->")
    sizes = {
        k: n
        for term, shape in zip(left.split(","), sample.inputs, strict=True)
        for k, n in zip(term, shape, strict=True)
    }
    contracted = set(sizes) - set(right)
    total = 1
    for size in sizes.values():
        total *= size
    assert graph.macs == (total if contracted and "," in left else 0)


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.op != "Custom"], ids=lambda s: f"{s.op}-{s.inputs}-{s.attrs}"
)
def test_parameters_are_those_of_the_module(sample):
    graph, module, _ = run(sample)
    assert graph.params == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.op}-{s.inputs}-{s.attrs}")
def test_what_an_operator_holds_is_what_it_counts(sample):
    for node in sample.graph().nodes:
        held = OPERATORS[node.op].tensors(node.signature.input_shapes, node.attrs, node.shape)
        learned = sum(prod(shape) for name, shape in held.items() if not name.startswith("running_"))
        assert node.op == "Custom" or learned == node.params
