"""Notations of DARTS genotypes: whatever spells one gives its canonical form, and what spells none is refused in one line."""

from __future__ import annotations

import json

import pytest
from darts import DARTS_V2

from cg_frontends.spaces.nb301_genotype import OPERATIONS, format_genotype, read_genotype
from cg_ir import ArchError

COMPACT = "[[[0,3],[1,3],[0,3],[1,3],[0,2],[1,3],[0,2],[2,5]],[[0,0],[1,0],[1,0],[2,2],[0,0],[2,2],[1,0],[2,2]]]"


def test_edges_are_operators_by_number_sorted_by_input_within_a_node() -> None:
    normal, reduce = read_genotype(DARTS_V2)
    named = [[(source, OPERATIONS.index(op)) for op, source in cell] for cell in (DARTS_V2.normal, DARTS_V2.reduce)]
    for cell, edges in zip((normal, reduce), named, strict=True):
        assert list(cell) == [edge for node in range(0, 8, 2) for edge in sorted(edges[node : node + 2])]
    assert normal != reduce


def test_what_is_written_is_read() -> None:
    genotype = read_genotype(COMPACT)
    assert format_genotype(genotype) == COMPACT
    assert read_genotype(genotype) == genotype
    assert json.loads(COMPACT) == [[list(edge) for edge in cell] for cell in genotype]


@pytest.mark.parametrize("node", [2, 3, 4, 5])
def test_a_node_reads_earlier_nodes_alone(node: int) -> None:
    cells = json.loads(COMPACT)
    place = 2 * (node - 2)
    cells[1][place + 1] = [node - 1, 0]
    cells[1][place] = [0, 6]
    assert read_genotype(cells)[1][place : place + 2] == ((0, 6), (node - 1, 0))
    cells[1][place + 1] = [node, 0]
    with pytest.raises(ArchError, match=f"node {node} of the reduce cell reads nodes 0 to {node - 1}, not {node}$"):
        read_genotype(cells)


@pytest.mark.parametrize(
    "notation",
    [
        DARTS_V2,
        DARTS_V2._asdict(),
        str(DARTS_V2),
        "Genotype(normal="
        + str(DARTS_V2.normal)
        + ", reduce="
        + str(DARTS_V2.reduce)
        + ", normal_concat=[2, 3, 4, 5])",
        json.loads(COMPACT),
        f" {COMPACT} ",
        str(tuple(tuple(map(tuple, cell)) for cell in json.loads(COMPACT))),
        json.dumps({"normal": DARTS_V2.normal, "reduce": DARTS_V2.reduce}),
    ],
)
def test_other_notations(notation: object) -> None:
    assert format_genotype(read_genotype(notation)) == COMPACT


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (COMPACT.replace("[2,5]", "[2,7]"), r"no operator 7 \(node 5 of the normal cell\); it has 0 max_pool_3x3"),
        (
            str(DARTS_V2).replace("dil_conv_3x3", "dil_conv_7x7"),
            "no operator 'dil_conv_7x7' .node 5 of the normal cell",
        ),
        (COMPACT.replace("[2,5]", "[5,5]"), "node 5 of the normal cell reads nodes 0 to 4, not 5"),
        (COMPACT.replace("[2,5]", "[0,5]"), "node 5 of the normal cell reads node 0 twice"),
        (COMPACT.replace(",[2,5]", ""), "the normal cell should be eight pairs .input,op., not 7 entries"),
        (COMPACT.replace("[2,5]", "[2]"), "should be a pair"),
        (COMPACT[:-1], "should be"),
        (COMPACT.replace("[2,5]", "[-1,5]"), "node 5 of the normal cell reads nodes 0 to 4, not -1"),
        (COMPACT.replace("[2,5]", "[2,-1]"), "no operator -1"),
        (COMPACT.replace("[2,5]", "[2,true]"), "no operator True"),
        (COMPACT.replace("[2,5]", "[true,5]"), "node 5 of the normal cell reads nodes 0 to 4, not True"),
        ([json.loads(COMPACT)[0], "12345678"], "the reduce cell should be eight pairs"),
        (7, "should be .normal,reduce., each eight pairs"),
        (COMPACT + " " * 20_000, "should be"),
        ("Genotype(normal=open('x'))", "should be"),
        ("Genotype(" * 1000, "should be"),
        (f"Genotype(normal=range({10**12}), reduce=range({10**40}))", "should be eight pairs"),
        ("Genotype(normal=range(None), reduce=[])", "should be"),
        ("({[]}, [])", "should be"),
        ("[" * 100_000, "should be"),
        (DARTS_V2._replace(normal_concat=range(3, 6)), "should return the nodes 2, 3, 4 and 5"),
    ],
)
def test_bad_genotypes_are_refused_in_one_line(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        read_genotype(arch)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
