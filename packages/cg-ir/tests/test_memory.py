"""The schedule of lifetimes against what PyTorch allocates."""

from __future__ import annotations

import gc
import weakref

import pytest

from cg_ir import CgError, GraphBuilder, memory_of

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from cg_ir import to_module  # noqa: E402


class TracedAllocator(TorchDispatchMode):
    """Adds up the storages that operators return, from when they appear to when they are freed."""

    def __init__(self, held) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.known = {t.untyped_storage()._cdata for t in held}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        return result

    def add(self, storage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.alive += size
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self.free, key, size)

    def free(self, key, size) -> None:
        self.known.discard(key)
        self.alive -= size


def traced(graph, batch):
    """Bytes at the peak of a forward pass, inputs included."""
    module = to_module(graph).eval()
    inputs = [torch.zeros((batch, *n.shape[1:])) for n in graph.nodes if n.op == "Input"]
    gc.collect()
    given = sum(t.numel() * t.element_size() for t in inputs)
    with torch.inference_mode(False), torch.no_grad():
        allocator = TracedAllocator([*module.parameters(), *module.buffers(), *inputs])
        with allocator:
            module(*inputs)
    return given + allocator.peak


@pytest.mark.parametrize("make", ["cells", "unet", "attention_block"])
@pytest.mark.parametrize("batch", [1, 3])
def test_peak_is_what_pytorch_allocates(networks, make, batch):
    graph = getattr(networks, make)()
    assert memory_of(graph, batch).activations == pytest.approx(traced(graph, batch), rel=0.02)


def residual(keep: bool):
    """A chain of three convolutions of 4 channels on 8 x 8, whose input is added at the end or not."""
    b = GraphBuilder("chain")
    x = first = b.add("Conv", b.input((1, 4, 8, 8)), channels=4, kernel_shape=(1, 1))
    for _ in range(2):
        x = b.add("Relu", x)
    b.output(b.add("Add", x, first) if keep else x)
    return b.build()


def test_peak_by_hand():
    one = 4 * 8 * 8 * 4  # bytes of every tensor of the chain
    assert memory_of(residual(False)).activations == 3 * one  # the input stays, a result and the one before
    assert memory_of(residual(True)).activations == 4 * one  # and what the addition waits for
    assert memory_of(residual(True), batch=5).activations == 20 * one
    half = memory_of(residual(True), precision="float16")
    assert (half.activations, half.weights) == (2 * one, 2 * 16)
    assert memory_of(residual(True)).weights == 4 * residual(True).params


def test_views_need_nothing_and_copies_do():
    b = GraphBuilder("views")
    x = b.add("Relu", b.input((1, 4, 8, 8)))
    flat = b.add("Reshape", x, shape=(1, 4, 64))
    b.output(b.add("Transpose", flat, perm=(0, 2, 1)))
    one = 4 * 8 * 8 * 4
    assert memory_of(b.build()).activations == 2 * one
    b = GraphBuilder("copy")
    x = b.add("Relu", b.input((1, 4, 8, 8)))
    turned = b.add("Transpose", x, perm=(0, 2, 3, 1))
    b.output(b.add("Reshape", turned, shape=(1, 256)))
    assert memory_of(b.build()).activations == 3 * one


def test_modules_hold_what_they_are_given():
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = torch.nn.Conv2d(4, 32, 1)
            self.act = torch.nn.ReLU(inplace=True)
            self.narrow = torch.nn.Conv2d(32, 4, 1)

        def forward(self, x):
            return self.narrow(self.act(self.wide(x)))

    convert = pytest.importorskip("cg_frontends.pytorch").from_module
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), Block(), Block()).eval()
    x = torch.zeros(1, 3, 8, 8)
    needs = memory_of(convert(network, x))
    one = 4 * 64  # bytes of a channel
    assert needs.activations == (3 + 2 * 32) * one
    assert (
        needs.in_modules == (3 + 4 + 32 + 4) * one
    )  # the narrow convolution's input and result, and what the block was given
    with torch.no_grad():
        allocator = TracedAllocator([*network.parameters(), x])
        with allocator:
            network(x)
    assert needs.in_modules == 3 * one + allocator.peak


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_with_what_does_not_lie_in_one_piece_needs_more(batch, bias):
    b = GraphBuilder("heads")
    x = b.add("Relu", b.input((1, 16, 8, 8)))
    turned = b.add("Transpose", x, perm=(0, 2, 3, 1))
    b.output(b.add("Gemm", turned, channels=12, bias=bias))
    graph = b.build()
    assert memory_of(graph, batch).activations == traced(graph, batch)


def test_what_is_joined_stays_to_the_end_of_the_module():
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(16)
            self.wide = torch.nn.Conv2d(16, 64, 1)

        def forward(self, x):
            both = torch.cat([x, x], 1)
            return self.wide(self.norm(both))

    convert = pytest.importorskip("cg_frontends.pytorch").from_module
    network, x = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), Block()).eval(), torch.zeros(1, 3, 8, 8)
    needs = memory_of(convert(network, x))
    with torch.no_grad():
        allocator = TracedAllocator([*network.parameters(), *network.buffers(), x])
        with allocator:
            network(x)
    assert needs.in_modules == 3 * 4 * 64 + allocator.peak == 4 * 64 * (3 + 8 + 16 + 16 + 64)


def test_shared_weights_count_once():
    b = GraphBuilder("shared")
    x = b.input((1, 4, 8, 8))
    for _ in range(2):
        x = b.add("Conv", x, channels=4, kernel_shape=(1, 1), weights="same")
    b.output(x)
    assert memory_of(b.build()).weights == 4 * 16


def test_unknown_precision_is_refused():
    with pytest.raises(CgError, match="float16"):
        memory_of(residual(True), precision="int4")
    with pytest.raises(CgError, match="1 example"):
        memory_of(residual(True), batch=0)
