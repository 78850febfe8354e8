"""AutoFormer: notation, members, parameters and costs by formula."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cg_frontends.spaces.autoformer import CLASSES, AutoFormer
from cg_ir import ArchError, get_space

SETTINGS = {
    "hidden_dim": 240,
    "depth": 13,
    "num_heads": [3, 4, 4, 3, 3, 3, 4, 4, 3, 4, 3, 4, 3],
    "mlp_ratio": [3.5, 4, 4.0, 3.5, 3.5, 3.5, 4, 4, 3.5, 4, 3.5, 4, 3.5],
}
ARCH = "240:3443334434343:7887778878787"


def test_notations() -> None:
    space = get_space("autoformer")
    assert space.canonical(SETTINGS) == space.canonical(json.dumps(SETTINGS)) == space.canonical(ARCH) == ARCH


@pytest.mark.parametrize(("dataset", "classes"), CLASSES.items())
def test_parameters_and_costs_by_formula(dataset: str, classes: int) -> None:
    space = get_space("autoformer", dataset=dataset)
    rng = np.random.default_rng(0)
    for arch in [ARCH, *(space.sample(rng) for _ in range(20))]:
        width, heads, ratios = arch.split(":")
        d, tokens = int(width), 197
        inner = [int(d * int(ratio) / 2) for ratio in ratios]
        params = 3 * 256 * d + d + d + tokens * d + 2 * d + d * classes + classes
        params += sum(4 * d + 4 * d * d + 4 * d + 2 * d * m + m + d for m in inner)
        macs = (
            196 * 3 * 256 * d + d * classes + sum(tokens * (4 * d * d + 2 * d * m) + 2 * tokens**2 * d for m in inner)
        )
        graph = space.graph(arch)
        assert (graph.params, graph.macs) == (params, macs), arch
        assert sum(node.op == "Attention" for node in graph.nodes) == len(heads)
        assert [node.shape[1] for node in graph.nodes if node.op == "Attention"] == list(map(int, heads))


def test_networks_are_canonical() -> None:
    space = AutoFormer()
    rng = np.random.default_rng(0)
    for _ in range(5):
        graph = space.graph(space.sample(rng))
        again = graph.canonicalize()
        assert (len(again), again.hash) == (len(graph), graph.hash)


def test_size_counts_the_members() -> None:
    space = AutoFormer()
    assert space.size == 3 * (4**12 + 4**13 + 4**14)
    arch = "192:343434343434:787878787878"
    # two widths, four blocks more, heads or ratio of twelve blocks
    assert len(set(space.neighbors(arch))) == len(space.neighbors(arch)) == 2 + 4 + 24


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("192:343434343434:78787878787", "of 12 and 11"),
        ("192:34343434343:78787878787", "12 to 14 blocks"),
        ("200:343434343434:787878787878", "width should be 192, 216 or 240"),
        ("192:543434343434:787878787878", r"heads should be 3 or 4, not 5 \(block 1\)"),
        ("192:343434343434:787878787876", r"MLP ratio should be 3.5 or 4.0, not 3.0 \(block 12\)"),
        ('{"hidden_dim": 192', "no valid JSON"),
        ('{"hidden_dim": 192}', "should have 'hidden_dim' and lists"),
        (json.dumps({**SETTINGS, "depth": 12}), "depth 12, but 13"),
        (json.dumps({**SETTINGS, "num_heads": [True] * 13}), "heads should be 3 or 4, not True"),
        (7, "should look like"),
    ],
)
def test_bad_networks_are_refused(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        AutoFormer().graph(arch)
