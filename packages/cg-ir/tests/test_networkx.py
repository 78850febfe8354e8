"""What networkx makes of a graph."""

from __future__ import annotations

import json

import networkx as nx
import pytest


@pytest.mark.parametrize(
    ("write", "read"), [(nx.write_graphml, nx.read_graphml), (nx.write_gexf, nx.read_gexf), (nx.write_gml, nx.read_gml)]
)
def test_networkx_writes_a_graph_to_its_formats(write, read, networks, tmp_path):
    graph = networks.attention_block()
    path = tmp_path / "network"
    write(graph.to_networkx(), path)
    back = read(path)
    data = [back.nodes[name] for name in sorted(back.nodes, key=int)]
    assert [d["op"] for d in data] == [node.op for node in graph.nodes]
    assert [d["macs"] for d in data] == [node.macs for node in graph.nodes]
    # that of a number is empty, which networkx 3.0 does not read back from GraphML
    assert [d.get("shape", "") for d in data] == ["x".join(map(str, node.shape)) for node in graph.nodes]
    assert [json.loads(d["attrs"]).keys() for d in data] == [node.attrs.keys() for node in graph.nodes]
    assert back.number_of_edges() == sum(len(node.inputs) for node in graph.nodes)
