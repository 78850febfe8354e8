"""Which of many graphs are the same network."""

from cg_ir import GraphBuilder
from cg_ir.identity import distinct


def network(name, operators, swapped=False):
    """Two branches of one operator each, added; ``swapped`` writes the second branch first."""
    b = GraphBuilder(name)
    x = b.input((1, 8, 4, 4))
    branches = [b.add(op, x) for op in (reversed(operators) if swapped else operators)]
    b.output(b.add("Add", *branches))
    return b.build()


def test_twins_are_found_however_they_are_written():
    first = network("first", ("Relu", "Sigmoid"))
    graphs = [
        first,
        network("again", ("Relu", "Sigmoid")),
        network("other", ("Relu", "Tanh")),
        network("swapped", ("Relu", "Sigmoid"), swapped=True),
        first.renamed("renamed"),
        network("other swapped", ("Relu", "Tanh"), swapped=True),
    ]
    assert graphs[0].codes.tolist() != graphs[3].codes.tolist()
    firsts, place = distinct(graphs)
    assert firsts == [0, 2]
    assert place.tolist() == [0, 0, 1, 0, 0, 1]


def test_no_graph_is_no_network():
    firsts, place = distinct([])
    assert firsts == []
    assert len(place) == 0
