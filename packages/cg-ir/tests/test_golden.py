"""Documents of released versions are read for ever, with the same hashes and costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cg_ir import from_json, load_set

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda p: p.name)
def test_golden_documents(path):
    facts = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    graphs = list(load_set(path))
    assert len(graphs) == len(facts) > 100
    found = [f"{g.hash} {g.params} {g.macs} {g.name}" for g in graphs]
    assert found == facts


def test_a_golden_document_has_not_moved():
    """Written out here, so that file and test cannot change together unnoticed."""
    document = {
        "cg_ir": "1.0",
        "opset": 1,
        "nodes": [
            {"op": "Input", "shape": [1, 3, 8, 8]},
            {
                "op": "Conv",
                "inputs": [0],
                "attrs": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
                "shape": [1, 4, 8, 8],
                "weights": "w",
            },
            {"op": "Relu", "inputs": [1], "shape": [1, 4, 8, 8]},
            {"op": "Clip", "inputs": [1], "attrs": {"max": 6.0, "min": 0.0}, "shape": [1, 4, 8, 8]},
            {"op": "Concat", "inputs": [2, 3, 2], "attrs": {"axis": 1}, "shape": [1, 12, 8, 8]},
            {"op": "Output", "inputs": [4], "shape": [1, 12, 8, 8]},
        ],
    }
    graph = from_json(document)
    assert graph.hash == "cg1:417a998cbf6e03e010559814c50ef86f"
    assert (graph.params, graph.macs) == (108, 6912)


def independent_hash(nodes):
    """The hash of docs/format.md, written again from its text for graphs without shared weights."""
    import hashlib

    mask = 2**64 - 1
    a, b, c = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA24BAED4963EE407

    def m(x):
        y = ((x & mask) ^ ((x & mask) >> 32)) * b & mask
        return y ^ (y >> 29)

    def t(x):
        y = ((x & mask) ^ ((x & mask) >> 31)) * c & mask
        return y ^ (y >> 30)

    colours = []
    for node in nodes:
        label = repr((node.op, node.signature.items, node.shape)).encode()
        colours.append(int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "little"))
    commutes = {"Add", "Mul", "Max", "Min", "Equal", "And", "Or", "Xor"}
    n, before, turn = len(nodes), 0, 0
    while True:
        new = [0] * n
        if turn % 2 == 0:
            for i, node in enumerate(nodes):
                ins = [new[j] for j in node.inputs]
                x = colours[i] * a
                if len(ins) == 1:
                    x += ins[0]
                elif node.op in commutes:
                    x += sum(map(t, ins))
                else:
                    for r in ins:
                        x = (x * c + r + 1) & mask
                        x ^= x >> 31
                new[i] = m(x)
        else:
            for i in range(n - 1, -1, -1):
                total = 0
                for j in range(i + 1, n):
                    for p, source in enumerate(nodes[j].inputs, 1):
                        if source == i:
                            plain = len(nodes[j].inputs) == 1 or nodes[j].op in commutes
                            total += t(new[j] if plain else new[j] + p * a)
                new[i] = m(colours[i] * a + total)
        colours = new
        found = len(set(colours))
        if turn and found in (n, before):
            break
        before, turn = found, turn + 1
    data = b"".join(x.to_bytes(8, "little") for x in sorted(colours))
    return "cg1:" + hashlib.blake2b(data, digest_size=16).hexdigest()


def test_the_specification_of_the_hash_is_what_runs(networks):
    for graph in (networks.cells(), networks.unet(), networks.attention_block()):
        assert independent_hash(list(graph.nodes)) == graph.hash
