"""Which graphs are the same network, and networks that are built once."""

from cg_ir import GraphBuilder
from cg_ir.identity import Interned, distinct


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


def test_a_network_in_use_is_not_built_again():
    built = []

    def build():
        built.append(network(f"build {len(built)}", ("Relu", "Tanh")))
        return built[-1]

    known = Interned()
    first = known.get(1, "build 0", build)
    second = known.get(1, "spelled otherwise", build)
    assert len(built) == 1
    assert (first.name, second.name) == ("build 0", "spelled otherwise")
    assert second.codes is first.codes
    assert second.facts is first.facts
    assert known.get(2, "build 1", build).facts is not first.facts
    built.clear()
    del first
    assert known.get(1, "build 0", build) is built[0]  # nobody used it any more
