"""NAS-Bench-201: notation, the space, and networks equal to a plain construction of the official one."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest

from cg_frontends.spaces.nb201 import EDGES, OPERATIONS, NasBench201
from cg_ir import ArchError, Graph, GraphBuilder, PluginError, equal, get_space
from cg_ir.batch_hashing import hash_all

CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
ALL_NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def plain_network(ops: tuple[str, ...], pruned: bool) -> Graph:
    """The official network node by node; ``none`` is a product with 0, or nothing where the graph is to be pruned."""
    b = GraphBuilder()

    def conv(x: int, channels: int, kernel: int, stride: int = 1) -> int:
        pads = (kernel // 2,) * 4
        return b.add("Conv", x, channels=channels, kernel_shape=(kernel, kernel), strides=(stride, stride), pads=pads)

    def relu_conv_bn(x: int, channels: int, kernel: int, stride: int = 1) -> int:
        return b.add("BatchNormalization", conv(b.add("Relu", x), channels, kernel, stride))

    def edge(op: str, x: int) -> int | None:
        if op == "none":
            return None if pruned else b.add("Mul", x, b.constant((), [0.0]))
        if op == "skip_connect":
            return x
        if op == "avg_pool_3x3":
            return b.add("AveragePool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=False)
        return relu_conv_bn(x, b.shape(x)[1], int(op[-1]))

    def cell(x: int) -> int:
        values: list[int | None] = [x]
        for target in (1, 2, 3):
            terms = []
            for op, (source, end) in zip(ops, EDGES, strict=True):
                value = values[source] if end == target else None
                if value is not None:
                    terms.append(edge(op, value))
            live = [t for t in terms if t is not None]
            values.append(None if not live else live[0] if len(live) == 1 else b.add("Add", *live))
        return b.add("Mul", x, b.constant((), [0.0])) if values[3] is None else values[3]

    x = b.add("BatchNormalization", conv(b.input((1, 3, 32, 32)), 16, 3))
    for channels in (16, 32, 64):
        if channels > 16:
            short = b.add("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2), count_include_pad=False)
            long = relu_conv_bn(relu_conv_bn(x, channels, 3, 2), channels, 3)
            x = b.add("Add", conv(short, channels, 1), long)
        for _ in range(5):
            x = cell(x)
    x = b.add("GlobalAveragePool", b.add("Relu", b.add("BatchNormalization", x)))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 64)), channels=10, bias=True))
    return b.build()


def awkward_cells() -> list[tuple[str, ...]]:
    """Cells of only skips and none, and those with sums that feed sums."""
    plain = list(itertools.product(("none", "skip_connect"), repeat=6))
    sums = [
        ("nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", *rest)
        for rest in itertools.product(("none", "skip_connect"), repeat=3)
    ]
    return plain + sums


def assert_same(graph: Graph, oracle: Graph) -> None:
    assert len(graph) == len(oracle)
    assert graph.hash == oracle.hash
    assert graph.canonicalize().hash == graph.hash
    assert (graph.params, graph.macs) == (oracle.params, oracle.macs)


@pytest.mark.parametrize("pruned", [True, False])
def test_network_equals_plain_construction(pruned: bool) -> None:
    space = NasBench201(pruned=pruned)
    rng = np.random.default_rng(0)
    cells = [*awkward_cells(), *(space.parse(space.sample(rng)) for _ in range(40))]
    for ops in cells:
        assert_same(space.graph(space.format(ops)), plain_network(ops, pruned))


def test_exact_isomorphism_with_plain_construction() -> None:
    space = NasBench201()
    ops = space.parse(CELL)
    assert equal(space.graph(CELL), plain_network(ops, True))
    assert not equal(space.graph(CELL), NasBench201(pruned=False).graph(CELL))


def test_published_parameters() -> None:
    # the largest and the smallest network of the benchmark, Dong and Yang (2020)
    unpruned = NasBench201(pruned=False)
    assert unpruned.graph(unpruned.format(["nor_conv_3x3"] * 6)).params == 1_531_546
    assert unpruned.graph(ALL_NONE).params == 73_306


def test_disconnected_cell_is_a_product_with_zero() -> None:
    graph = NasBench201().graph(ALL_NONE)
    assert [node.op for node in graph.nodes if node.region == "stage_2.cell_3"] == ["Constant", "Mul"]
    same = NasBench201().graph("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|")
    assert same.hash == graph.hash


def test_cells_that_differ_without_influence_share_a_network() -> None:
    space = NasBench201()
    first, second = (
        space.graph(f"|nor_conv_1x1~0|+|none~0|{op}~1|+|none~0|avg_pool_3x3~1|none~2|")
        for op in ("none", "skip_connect")
    )
    assert first.codes is second.codes
    assert first.name != second.name == "nb201/|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|avg_pool_3x3~1|none~2|"
    unpruned = NasBench201(pruned=False)
    assert unpruned.graph(first.name[6:]).hash != unpruned.graph(second.name[6:]).hash


def test_regions_and_name() -> None:
    graph = NasBench201().graph(CELL)
    assert graph.name == f"nb201/{CELL}"
    regions = [node.region for node in graph.nodes]
    assert list(dict.fromkeys(regions))[:2] == ["stem", "stage_1.cell_1"]
    assert regions[-1] == "head"
    assert regions.count("stage_1.cell_2") == regions.count("stage_3.cell_5") > 0


def test_datasets_change_resolution_and_classes() -> None:
    graph = get_space("nb201?dataset=ImageNet16-120").graph(CELL)
    assert graph.nodes[0].shape == (1, 3, 16, 16)
    assert graph.nodes[-1].shape == (1, 120)


@pytest.mark.parametrize(
    "notation",
    [
        f"  {CELL}\n",
        ["nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "none"],
        '["nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "none"]',
        (
            (("nor_conv_3x3", 0),),
            (("none", 0), ("avg_pool_3x3", 1)),
            (("skip_connect", 0), ("nor_conv_1x1", 1), ("none", 2)),
        ),
        "((('nor_conv_3x3', 0),), (('none', 0), ('avg_pool_3x3', 1)), (('skip_connect', 0), ('nor_conv_1x1', 1), ('none', 2)))",
    ],
)
def test_other_notations(notation: object) -> None:
    assert NasBench201().canonical(notation) == CELL


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (
            CELL.replace("nor_conv_1x1", "nor_conv_5x5"),
            r"no operator 'nor_conv_5x5' \(edge 1-3\); it has none, skip_connect",
        ),
        (CELL[:-1], "should look like"),
        ("", "should look like"),
        ("[1, 2", "should look like"),
        (["none"] * 5, "six operator names"),
        ([[["none", 0]], [["none", 0]], [["none", 0], ["none", 1], ["none", 2]]], "no operator for the edges 1-2"),
        (7, "six operator names"),
    ],
)
def test_bad_cells_are_refused_in_one_line(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        NasBench201().graph(arch)
    assert "\n" not in str(caught.value)


def test_bad_options_are_refused() -> None:
    with pytest.raises(PluginError, match="pruned should be true or false"):
        get_space("nb201?pruned=maybe")
    with pytest.raises(PluginError, match="dataset should be one of cifar10"):
        get_space("nb201?dataset=mnist")


def test_enumeration_is_the_whole_space() -> None:
    space = NasBench201()
    assert len(set(space.enumerate())) == space.size == 15_625


def test_neighbours_differ_in_one_edge() -> None:
    space = NasBench201()
    ops = space.parse(CELL)
    neighbours = [space.parse(n) for n in space.neighbors(CELL)]
    assert len(set(neighbours)) == 6 * (len(OPERATIONS) - 1)
    assert all(sum(x != y for x, y in zip(ops, n, strict=True)) == 1 for n in neighbours)


@pytest.mark.parametrize(
    ("operators", "pruned", "distinct"),
    [
        (("none", "skip_connect", "nor_conv_3x3"), True, 99),
        (("none", "skip_connect", "nor_conv_3x3"), False, 483),
        pytest.param(OPERATIONS, True, 5_425, marks=pytest.mark.attack),
        pytest.param(OPERATIONS, False, 11_870, marks=pytest.mark.attack),
    ],
)
def test_number_of_distinct_networks(operators: tuple[str, ...], pruned: bool, distinct: int) -> None:
    space = NasBench201(pruned=pruned)
    cells = itertools.product(operators, repeat=len(EDGES))
    assert len(set(hash_all([space.graph(ops) for ops in cells]))) == distinct


@pytest.mark.realdata
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.attack)])
def test_parameters_of_the_table(data_dir: Path, step: int) -> None:
    unpruned, pruned = NasBench201(pruned=False), NasBench201()
    with gzip.open(data_dir / "nb201_cifar10.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    for row in rows[::step]:
        arch, params = row["arch_str"], int(row["params_c10"])
        assert unpruned.graph(arch).params == params, arch
        if "none" not in arch:
            assert pruned.graph(arch).params == params, arch
