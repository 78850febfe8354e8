from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from cg_evolve.graph_space import GraphSpace
from cg_ir import ArchError, Graph, GraphBuilder, OptionError, SourceError, get_space, graph_of


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


def mlp(b: GraphBuilder, x: int) -> int:
    width = b.shape(x)[-1]
    y = b.add("LayerNormalization", x, axis=len(b.shape(x)) - 1)
    y = b.add("Gelu", b.add("Gemm", y, channels=4 * width, bias=True))
    return b.add("Add", x, b.add("Gemm", y, channels=width, bias=True))


def heads_of(b: GraphBuilder, x: int, heads: int) -> list[int]:
    """Queries, keys and values (batch, heads, tokens, size) of one affine map."""
    batch, tokens, width = b.shape(x)
    x = b.add("Gemm", x, channels=3 * width, bias=True)
    x = b.add("Reshape", x, shape=(batch, tokens, 3, heads, width // heads))
    x = b.add("Transpose", x, perm=(2, 0, 3, 1, 4))
    shape = b.shape(x)
    parts = [b.add("Slice", x, starts=(i, 0, 0, 0, 0), ends=(i + 1, *shape[1:]), steps=(1,) * 5) for i in range(3)]
    return [b.add("Squeeze", part, shape=shape[1:]) for part in parts]


def projected(b: GraphBuilder, x: int) -> int:
    batch, heads, tokens, size = b.shape(x)
    x = b.add("Reshape", b.add("Transpose", x, perm=(0, 2, 1, 3)), shape=(batch, tokens, heads * size))
    return b.add("Gemm", x, channels=heads * size, bias=True)


def vit_network() -> Graph:
    """Two encoder blocks of two heads on 16 patches and a class token, which is read."""
    b = GraphBuilder("vit")
    x = b.add("Conv", b.input((1, 3, 16, 16)), channels=16, kernel_shape=(4, 4), strides=(4, 4), bias=True)
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, 16, 16)), perm=(0, 2, 1))
    x = b.add("Add", b.add("Concat", b.parameter((1, 1, 16)), x, axis=1), b.parameter((1, 17, 16)))
    for _ in range(2):
        y = b.add("Attention", *heads_of(b, b.add("LayerNormalization", x, axis=2), 2))
        x = mlp(b, b.add("Add", x, projected(b, y)))
    x = b.add("LayerNormalization", x, axis=2)
    x = b.add("Squeeze", b.add("Slice", x, starts=(0,) * 3, ends=(1, 1, 16), steps=(1,) * 3), shape=(1, 16))
    b.output(b.add("Gemm", x, channels=10, bias=True))
    return b.build()


def windowed(b: GraphBuilder, x: int, heads: int, side: int = 4) -> int:
    """Attention within windows, with a learned bias of relative positions, as the products that it is made of (Swin)."""
    _, height, wide, width = b.shape(x)
    rows, columns, area = height // side, wide // side, side * side
    y = b.add("Roll", b.add("LayerNormalization", x, axis=3), shifts=(-2, -2), axes=(1, 2))
    y = b.add("Reshape", y, shape=(1, rows, side, columns, side, width))
    y = b.add("Transpose", y, perm=(0, 1, 3, 2, 4, 5))
    q, k, v = heads_of(b, b.add("Reshape", y, shape=(rows * columns, area, width)), heads)
    y = b.add("MatMul", b.add("Mul", q, b.constant((), (0.5,))), b.add("Transpose", k, perm=(0, 1, 3, 2)))
    index = b.constant((area * area,), dtype="int64")
    bias = b.add("Gather", b.parameter((49, heads)), index, axis=0)
    bias = b.add("Transpose", b.add("Reshape", bias, shape=(area, area, heads)), perm=(2, 0, 1))
    y = b.add("Add", y, b.add("Unsqueeze", bias, shape=(1, heads, area, area)))
    y = projected(b, b.add("MatMul", b.add("Softmax", y, axis=3), v))
    y = b.add("Reshape", y, shape=(1, rows, columns, side, side, width))
    y = b.add("Reshape", b.add("Transpose", y, perm=(0, 1, 3, 2, 4, 5)), shape=(1, height, wide, width))
    return b.add("Add", x, y)


def swin_network() -> Graph:
    """Two stages, between them patches merge."""
    b = GraphBuilder("swin")
    x = b.add("Conv", b.input((1, 3, 16, 16)), channels=16, kernel_shape=(2, 2), strides=(2, 2), bias=True)
    x = mlp(b, windowed(b, b.add("Transpose", x, perm=(0, 2, 3, 1)), 2))
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, 4, 2, 4, 2, 16)), perm=(0, 1, 3, 4, 2, 5))
    x = b.add("Gemm", b.add("Reshape", x, shape=(1, 4, 4, 64)), channels=32)
    x = mlp(b, windowed(b, x, 4))
    x = b.add("ReduceMean", b.add("LayerNormalization", x, axis=3), axes=(1, 2), keepdims=False)
    b.output(b.add("Gemm", x, channels=10, bias=True))
    return b.build()


CNNS = {"residual": residual_network, "mobile": mobile_network, "branched": branched_network}
TRANSFORMERS = {"vit": vit_network, "swin": swin_network}
NETWORKS = {**CNNS, **TRANSFORMERS}


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
    assert ({"h", "a", "w", "d"} if space.base.name in TRANSFORMERS else {"k", "a", "w", "d"}) <= kinds
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


def of_op(graph: Graph, op: str) -> list[tuple[int, ...]]:
    return [node.shape for node in graph.nodes if node.op == op]


def test_heads_and_widths_of_a_vision_transformer(tmp_path: Path) -> None:
    vit_network().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    heads = [name for name in space.sites if name[0] == "h"]
    assert len(heads) == 2
    assert space.sites[heads[0]] == ("1", "2", "3", "4")
    graph = space.graph(
        f"{heads[0]}=3"
    )  # heads of 8 features: queries, keys and values 72, 24 features projected to 16
    assert [shape[1:] for shape in of_op(graph, "Attention")] == [(3, 17, 8), (2, 17, 8)]
    # a head costs its 8 features of queries, keys and values (with biases) and of the projection
    assert graph.params - space.base.params == 3 * 8 * 17 + 8 * 16
    tokens = space.graph("w1=1.5")  # the tokens' width, from the patches to the head, and nothing in the attention
    assert {shape[-1] for shape in of_op(tokens, "LayerNormalization")} == {24}
    assert sorted(of_op(tokens, "Parameter")) == [(1, 1, 24), (1, 17, 24)]
    assert of_op(tokens, "Attention") == of_op(space.base, "Attention")
    first = next(name for name in space.sites if name[0] == "w" and name != "w1")
    assert [shape[-1] for shape in of_op(space.graph(f"{first}=0.5"), "Gelu")] == [32, 64]
    blocks = [name for name in space.sites if name[0] == "d"]
    assert len(blocks) == 4  # attention and MLP of each block
    both = space.graph(f"{blocks[0]}=0,{blocks[3]}=3")
    assert (len(of_op(both, "Attention")), len(of_op(both, "Gelu"))) == (1, 4)


def test_heads_and_widths_in_windows(tmp_path: Path) -> None:
    swin_network().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    first, second = (name for name in space.sites if name[0] == "h")
    graph = space.graph(f"{first}=4,{second}=6")
    assert of_op(graph, "Softmax") == [(4, 4, 16, 16), (1, 6, 16, 16)]
    assert of_op(graph, "Parameter") == [(49, 4), (49, 6)]  # biases of relative positions follow
    graph = space.graph("w1=2")  # the first stage's width, and with it what four merged patches hold
    assert [shape for shape in of_op(graph, "Reshape") if shape[-1] == 128] == [(1, 4, 4, 128)]
    assert graph.nodes[-1].shape == (1, 10)


def test_what_does_not_follow_is_fixed(tmp_path: Path) -> None:
    """A convolution of the tokens' features reads a number that a constant of the same size asks for."""
    b = GraphBuilder("constant")
    x = b.add("Gemm", b.input((1, 16)), channels=32, bias=True)
    x = b.add("Relu", b.add("Add", x, b.constant((1, 32), [0.5])))
    x = b.add("Gemm", x, channels=24)
    b.output(b.add("Gemm", b.add("Relu", x), channels=10))
    b.build().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    assert [name for name in space.sites if name[0] == "w"] == [f"w{space.base.nodes[-4].index}"]


def test_a_parameter_that_several_blocks_read_stays_one(tmp_path: Path) -> None:
    b = GraphBuilder("shared")
    x = b.add("Relu", conv(b, b.input((1, 3, 16, 16)), 16))
    scale = b.parameter((1, 32, 1, 1))
    for _ in range(2):
        x = b.add("Relu", conv(b, b.add("Mul", conv(b, x, 32), scale), 16))
    head(b, x).save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    block = site(space, "d")
    graph = space.graph(f"{block}=3")
    assert len(of_op(graph, "Parameter")) == 1
    assert len(of_op(graph, "Mul")) == 4


def test_a_chain_of_mutations_traces_to_itself(space: GraphSpace) -> None:
    torch = pytest.importorskip("torch")
    convert = pytest.importorskip("cg_frontends.pytorch")
    from cg_ir import to_module

    rng = np.random.default_rng(1)
    arch = "base"
    for step in range(12):
        arch = space.mutate("base" if step % 6 == 0 else arch, rng)
        graph = space.graph(arch)
        module = to_module(graph).eval()
        assert convert.from_module(module, torch.empty(graph.nodes[0].shape)).hash == graph.hash, arch
        with torch.no_grad():
            assert torch.isfinite(module(torch.randn(2, 3, 16, 16))).all()


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
    for text, message in (
        ("graph?fil=net.cg.json", "there is no 'fil', did you mean 'file'"),
        ("graph?file=own.py:make?width=8&depth=1", "there is no 'depth', .*'&' ends the option 'file'"),
    ):
        with pytest.raises(OptionError, match=message):
            get_space(text)
    with pytest.raises(
        SourceError, match=r"a search space and no network of it; the network itself is own\.py:make\?width=8&depth=1"
    ):
        graph_of("graph?file=own.py:make?width=8&depth=1")
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


@pytest.mark.parametrize("edits", ["0", "-1", "many", ""])
def test_edits_are_a_positive_number(tmp_path, edits):
    with pytest.raises(SourceError, match="edits should be"):
        get_space(f"graph?file={tmp_path / 'net.cg.json'}&edits={edits}")


def test_more_heads_than_any_option_are_no_site(tmp_path: Path) -> None:
    b = GraphBuilder("many heads")
    x = b.add("Conv", b.input((1, 3, 16, 16)), channels=256, kernel_shape=(4, 4), strides=(4, 4), bias=True)
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, 256, 16)), perm=(0, 2, 1))
    y = b.add("Attention", *heads_of(b, b.add("LayerNormalization", x, axis=2), 128))
    b.output(mlp(b, b.add("Add", x, projected(b, y))))
    b.build().save(tmp_path / "net.cg.json")
    space = GraphSpace(str(tmp_path / "net.cg.json"))
    assert all(len(options) > 1 for options in space.sites.values())
    assert not [name for name in space.sites if name[0] == "h"]
    rng = np.random.default_rng(0)
    for _ in range(20):  # every kind of site is drawn
        space.mutate("base", rng)
