"""Small networks and their canonical forms, for the tests of each module of rules."""

from __future__ import annotations

import torch

from cg_ir import GraphBuilder, canonicalize, to_module

IMAGE = (1, 4, 6, 6)


def ops(graph):
    return [n.op for n in graph.nodes if n.op not in ("Input", "Output", "Constant", "Parameter")]


def run(graph, inputs, weights):
    """Outputs in double precision, with weights given in the order of the nodes."""
    torch.manual_seed(0)
    module = to_module(graph).double().eval()
    if weights is not None:
        state = list(module.parameters())
        flat = torch.cat([w.flatten() for w in weights]) if weights else torch.zeros(0)
        assert sum(p.numel() for p in state) == flat.numel()
        with torch.no_grad():
            for p in state:
                p.copy_(flat[: p.numel()].reshape(p.shape))
                flat = flat[p.numel() :]
    out = module(*inputs)
    return (out if isinstance(out, tuple) else (out,)), [p.detach().clone() for p in module.parameters()]


def check(graph, weights_move=False):
    """The canonical form computes the same and costs the same; returns it."""
    canonical = canonicalize(graph)
    assert (canonical.params, canonical.macs) == (graph.params, graph.macs)
    assert canonicalize(canonical).hash == canonical.hash
    generator = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(n.shape, generator=generator, dtype=torch.float64) * 3 for n in graph.nodes if n.op == "Input"
    ]
    if not weights_move:
        expected, weights = run(graph, inputs, None)
        found, _ = run(canonical, inputs, weights)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, equal_nan=True)
    return canonical


def build(make, shape=IMAGE, outputs=1):
    b = GraphBuilder(canonical=False)
    x = b.input(shape)
    result = make(b, x)
    for node in result if isinstance(result, tuple) else (result,):
        b.output(node)
    return b.build()
