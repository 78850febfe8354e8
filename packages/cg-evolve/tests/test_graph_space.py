from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from cg_evolve.graph_space import GraphSpace
from cg_ir import ArchError, Graph, GraphBuilder, SourceError, get_space


def conv(b: GraphBuilder, x: int, channels: int, kernel: int = 3, **attrs: object) -> int:
    x = b.add("Conv", x, channels=channels, kernel_shape=(kernel, kernel), pads=(kernel // 2,) * 4, **attrs)
    return b.add("BatchNormalization", x)


def head(b: GraphBuilder, x: int, classes: int = 10) -> Graph:
    x = b.add("GlobalAveragePool", x)
    x = b.add("Flatten", x, shape=(1, b.shape(x)[1]))
    b.output(b.add("Gemm", x, channels=classes, bias=True))
    return b.build()


def residual_network() -> Graph:
    """A stem and three residual blocks of 16 channels, the second with squeeze and excitation."""
    b = GraphBuilder("residual")
    x = b.add("Relu", conv(b, b.input((1, 3, 16, 16)), 16))
    for number in range(3):
        y = b.add("Relu", conv(b, x, 16))
        y = conv(b, y, 16)
        if number == 1:
            s = b.add("GlobalAveragePool", y)
            s = b.add("Relu", b.add("Conv", s, channels=4, kernel_shape=(1, 1), bias=True))
            s = b.add("Sigmoid", b.add("Conv", s, channels=16, kernel_shape=(1, 1), bias=True))
            y = b.add("Mul", y, s)
        x = b.add("Relu", b.add("Add", x, y))
    return head(b, x)


def mobile_network() -> Graph:
    """Depthwise-separable blocks without skips."""
    b = GraphBuilder("mobile")
    x = b.add("Silu", conv(b, b.input((1, 3, 16, 16)), 16))
    for _ in range(2):
        x = b.add("Silu", conv(b, x, 16, group=16))
        x = b.add("Silu", conv(b, x, 16, kernel=1))
    return head(b, x)


def branched_network() -> Graph:
    """A concatenation behind which only an addition asks for a number of channels."""
    b = GraphBuilder("branched")
    x = b.add("Relu", conv(b, b.input((1, 3, 16, 16)), 8))
    y = b.add("Concat", conv(b, x, 8), conv(b, x, 8, kernel=1), axis=1)
    y = b.add("Relu", conv(b, y, 8))
    z = b.add("Concat", conv(b, y, 4), conv(b, y, 4), axis=1)
    return head(b, b.add("Add", z, y))


NETWORKS = {"residual": residual_network, "mobile": mobile_network, "branched": branched_network}


@pytest.fixture(params=sorted(NETWORKS))
def space(request: pytest.FixtureRequest, tmp_path: Path) -> GraphSpace:
    path = tmp_path / f"{request.param}.cg.json"
    NETWORKS[request.param]().save(path)
    found = get_space(f"graph?file={path}")
    assert isinstance(found, GraphSpace)
    return found


def test_base_is_the_network_itself(space: GraphSpace) -> None:
    assert space.graph("base").hash == NETWORKS[space.base.name]().hash


def test_every_change_of_one_site_is_a_valid_other_network(space: GraphSpace) -> None:
    neighbors = space.neighbors("base")
    kinds = {arch[0] for arch in neighbors}
    assert {"k", "a", "w", "d"} <= kinds
    for arch in neighbors:
        graph = space.graph(arch)
        assert graph.hash != space.base.hash
        assert graph.canonicalize().hash == graph.hash
        assert [n.shape for n in graph.nodes if n.op in ("Input", "Output")] == [
            n.shape for n in space.base.nodes if n.op in ("Input", "Output")
        ]
        assert space.canonical(arch) == arch
        assert space.graph(arch) is graph


def test_moves_stay_inside_and_are_seeded(space: GraphSpace) -> None:
    def walk(seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        archs = [space.sample(rng) for _ in range(6)]
        archs += [space.mutate(arch, rng) for arch in archs]
        return archs + [space.crossover(a, b, rng) for a, b in zip(archs[:6], archs[6:], strict=True)]

    first = walk(3)
    assert first == walk(3) != walk(4)
    for arch in first:
        assert space.graph(arch).macs > 0
        assert space.canonical(arch) == arch


def site(space: GraphSpace, kind: str) -> str:
    return next(name for name in sorted(space.sites, key=lambda n: int(n[1:].split("_")[0])) if name[0] == kind)


def test_what_the_letters_do(tmp_path: Path) -> None:
    residual_network().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    base = space.base
    blocks = [name for name in space.sites if name[0] == "d"]
    assert len(blocks) == 3
    without = space.graph(f"{blocks[0]}=0")
    assert without.params < base.params
    twice = space.graph(f"{blocks[0]}=2")
    assert twice.params - base.params == base.params - without.params
    stem = space.graph(f"{site(space, 'w')}=2")  # the width of the stem is that of every residual sum
    assert all(node.shape[1] == 32 for node in stem.nodes if node.op == "Add")
    kernel = space.graph(f"{site(space, 'k')}=5")
    assert next(n.attrs["kernel_shape"] for n in kernel.nodes if n.op == "Conv") == (5, 5)
    skips = [name for name in space.sites if name[0] == "s"]
    assert all(len([n for n in space.graph(f"{s}=1").nodes if n.op == "Add"]) >= 3 for s in skips)
    silu = space.graph(f"{site(space, 'a')}=silu")
    assert sum(node.op == "Silu" for node in silu.nodes) == 1


def test_depthwise_convolutions_follow_their_width(tmp_path: Path) -> None:
    mobile_network().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    widths = [name for name in space.sites if name[0] == "w"]
    for name in widths:
        graph = space.graph(f"{name}=1.5")
        for node in graph.nodes:
            if node.op == "Conv" and node.attrs["group"] > 1:
                assert node.attrs["group"] == node.shape[1] == graph.nodes[node.inputs[0]].shape[1]


def test_groups_that_do_not_divide_the_channels_are_refused(tmp_path: Path) -> None:
    b = GraphBuilder("odd")
    x = b.add("Relu", conv(b, b.input((1, 3, 8, 8)), 6))
    head(b, b.add("Relu", conv(b, x, 6))).save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    name = site(space, "g")
    assert space.graph(f"{name}=2").macs < space.base.macs
    with pytest.raises(ArchError, match="group"):
        space.graph(f"{name}=4")
    assert f"{name}=4" not in space.neighbors("base")


@pytest.mark.parametrize(
    ("arch", "message"),
    [("", "names no site"), ("k1", "names no site"), ("z9=1", "names no site"), ("base,base", "names no site")],
)
def test_strings_that_name_nothing(tmp_path: Path, arch: str, message: str) -> None:
    residual_network().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    with pytest.raises(ArchError, match=message):
        space.graph(arch)
    name = site(space, "k")
    with pytest.raises(ArchError, match="takes 1, 3, 5, 7, not '4'"):
        space.graph(f"{name}=4")
    with pytest.raises(ArchError, match="set twice"):
        space.graph(f"{name}=5,{name}=7")


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="needs a network"):
        GraphSpace()
    residual_network().save(tmp_path / "net.cg.json")
    with pytest.raises(SourceError, match="edits should be a number"):
        GraphSpace(str(tmp_path / "net.cg.json"), edits="many")
    b = GraphBuilder("fixed")
    b.output(b.add("Exp", b.input((1, 3))))
    b.build().save(tmp_path / "fixed.cg.json")
    with pytest.raises(SourceError, match="nothing that this space knows how to change"):
        GraphSpace(str(tmp_path / "fixed.cg.json"))


def test_a_space_travels_to_workers(space: GraphSpace) -> None:
    arch = space.sample(np.random.default_rng(0))
    assert pickle.loads(pickle.dumps(space)).graph(arch).hash == space.graph(arch).hash


def test_variants_run(space: GraphSpace) -> None:
    torch = pytest.importorskip("torch")
    from cg_ir import to_module

    rng = np.random.default_rng(5)
    for _ in range(4):
        module = to_module(space.graph(space.sample(rng)))
        assert module(torch.randn(2, 3, 16, 16)).shape == (2, 10)
