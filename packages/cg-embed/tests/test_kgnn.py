"""The paper's encoder as a torch module."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import ContrastiveConfig, ContrastiveEncoder

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.kgnn import flip_signs, graph_batch  # noqa: E402

SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


def test_signs_of_positions_are_drawn_for_each_graph_and_vector(networks):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    batch = graph_batch(encoder.prepare(networks[:40]), rich=False, layers=2)
    flipped = flip_signs(batch, torch.Generator().manual_seed(0))
    assert torch.equal(flip_signs(batch, torch.Generator().manual_seed(0)).positions, flipped.positions)
    same, seen = [], batch.positions.abs() > 1e-6
    for begin, end in zip(batch.ptr[:-1].tolist(), batch.ptr[1:].tolist(), strict=True):
        for column in range(4):
            here = seen[begin:end, column]
            if here.any():
                ratio = (flipped.positions / batch.positions)[begin:end, column][here]
                assert ratio.unique().tolist() in ([1.0], [-1.0])
                same.append(ratio[0].item())
    assert abs(np.mean(same)) < 0.3
    assert flipped.x is batch.x
    without = graph_batch([(graph, np.zeros((len(graph), 0))) for graph in networks[:3]], rich=False, layers=2)
    assert flip_signs(without).positions.shape[1] == 0
