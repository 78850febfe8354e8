"""Reading and writing: round trips, identity, and every kind of broken document."""

from __future__ import annotations

import gzip
import json
import math
import pickle
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import graphs, networks

from cg_ir import CgError, GraphBuilder, GraphError, equal, from_json, load, load_set, save_set
from cg_ir.cli import main
from cg_ir.operators import OPERATORS
from cg_ir.serialization import from_dict

PROPERTY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shuffled(document, seed):
    """The same graph with its nodes in another topological order and other names."""
    rng = random.Random(seed)
    nodes = document["nodes"]
    waiting = {i: set(node.get("inputs", ())) for i, node in enumerate(nodes)}
    order = []
    while waiting:
        ready = [i for i, ins in waiting.items() if not ins]
        chosen = rng.choice(ready)
        order.append(chosen)
        del waiting[chosen]
        for ins in waiting.values():
            ins.discard(chosen)
    place = {old: new for new, old in enumerate(order)}
    result = []
    for old in order:
        node = dict(nodes[old])
        if "inputs" in node:
            node["inputs"] = [place[i] for i in node["inputs"]]
            if OPERATORS[node["op"]].commutes:
                rng.shuffle(node["inputs"])
        node["region"] = rng.choice(["", "elsewhere", "x.y"])
        if "weights" in node:
            node["weights"] = "renamed " + node["weights"]
        result.append(node)
    return {**document, "nodes": result, "name": "another"}


@PROPERTY
@given(graphs())
def test_a_document_reads_back(graph):
    text = graph.to_json()
    again = from_json(text)
    assert again.hash == graph.hash
    assert again.to_json() == text
    assert (again.params, again.macs, again.name) == (graph.params, graph.macs, graph.name)
    assert [n.region for n in again.nodes] == [n.region for n in graph.nodes]
    assert equal(graph, again)


@PROPERTY
@given(graphs(), st.integers(0, 2**32))
def test_node_order_names_and_commuting_inputs_mean_nothing(graph, seed):
    other = from_json(shuffled(graph.to_dict(), seed))
    assert other.hash == graph.hash
    assert equal(graph, other)
    assert (other.params, other.macs) == (graph.params, graph.macs)


@PROPERTY
@given(networks())
def test_pickles_and_simplified_views_survive(graph):
    again = pickle.loads(pickle.dumps(graph))
    assert again.to_json() == graph.to_json()
    view = graph.simplify()
    twin = pickle.loads(pickle.dumps(view))
    assert (twin.hash, twin.params, twin.macs, len(twin)) == (view.hash, graph.params, graph.macs, len(view))


def joined(op, swap, **attrs):
    b = GraphBuilder()
    x = b.input((1, 4))
    y, z = b.add("Relu", x), b.add("Tanh", x)
    b.output(b.add(op, *((z, y) if swap else (y, z)), **attrs))
    return b.build()


@pytest.mark.parametrize("op", ["Add", "Mul", "Max", "Min"])
def test_operands_that_commute(op):
    assert joined(op, False).hash == joined(op, True).hash
    assert equal(joined(op, False), joined(op, True))


@pytest.mark.parametrize(("op", "attrs"), [("Concat", {"axis": 1}), ("Sub", {}), ("Div", {}), ("Pow", {})])
def test_operands_in_order(op, attrs):
    assert joined(op, False, **attrs).hash != joined(op, True, **attrs).hash
    assert not equal(joined(op, False, **attrs), joined(op, True, **attrs))


def test_multiplicity_counts():
    def graph(twice):
        b = GraphBuilder()
        x = b.input((1, 4))
        y, z = b.add("Relu", x), b.add("Tanh", x)
        b.output(b.add("Max", y, y, z) if twice else b.add("Max", y, z, z))
        return b.build()

    assert graph(True).hash != graph(False).hash
    assert not equal(graph(True), graph(False))


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_and_sets(tmp_path, networks):
    graphs = [networks.cells(), networks.unet(), networks.attention_block()]
    for name in ("g.cg.json", "g.cg.json.gz"):
        graphs[0].save(tmp_path / name)
        assert load(tmp_path / name).to_json() == graphs[0].to_json()
    first = (tmp_path / "g.cg.json.gz").read_bytes()
    graphs[0].save(tmp_path / "g.cg.json.gz")
    assert (tmp_path / "g.cg.json.gz").read_bytes() == first
    for name in ("set.jsonl", "set.jsonl.gz"):
        save_set(iter(graphs), tmp_path / name)
        assert [g.to_json() for g in load_set(tmp_path / name)] == [g.to_json() for g in graphs]
    assert len((tmp_path / "set.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_sets_are_read_one_at_a_time_and_name_the_line(tmp_path, networks):
    path = tmp_path / "set.jsonl"
    save_set([networks.cells(), networks.unet()], path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{lines[0]}\n\n{lines[1][:-5]}\n", encoding="utf-8")
    reader = load_set(path)
    assert next(reader).name == "cells"
    with pytest.raises(GraphError, match=r"set\.jsonl, line 3"):
        next(reader)


def test_a_failed_write_leaves_the_old_file(tmp_path, networks):
    path = tmp_path / "set.jsonl"
    save_set([networks.cells()], path)
    before = path.read_bytes()

    def failing():
        yield networks.unet()
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        save_set(failing(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["set.jsonl"]


def test_newer_minor_versions_keep_their_fields(networks):
    document = networks.cells().to_dict()
    document["cg_ir"] = "1.7"
    document["licence"] = {"a": [1]}
    document["nodes"][2]["quantised"] = True
    graph = from_json(document)
    assert graph.to_dict() == document
    assert graph.hash == networks.cells().hash
    with pytest.raises(GraphError, match="unknown field 'licence'"):
        from_json({**document, "cg_ir": "1.0"})
    del document["licence"]
    assert from_json(document).to_dict() == document
    document["licence"] = "MIT"
    del document["nodes"][2]["quantised"]
    assert from_json(document).to_dict() == document
    assert not from_json(networks.cells().to_dict()).extras


def test_the_reserved_key_is_refused(networks):
    document = networks.cells().to_dict()
    document["extras"] = {"cg_ir.unknown_fields": {"cg_ir": "9.9", "document": {"nodes": []}, "nodes": {}}}
    with pytest.raises(GraphError, match="reserved"):
        from_json(document)


# --- broken documents -------------------------------------------------------------------------------------------------

VALID = (
    '{"cg_ir": "1.0", "opset": 1, "nodes": [{"op": "Input", "shape": [1, 3, 8, 8]}, '
    '{"op": "Conv", "inputs": [0], "attrs": {"kernel_shape": [3, 3]}, "shape": [1, 4, 6, 6]}, '
    '{"op": "Relu", "inputs": [1], "shape": [1, 4, 6, 6]}, {"op": "Output", "inputs": [2], "shape": [1, 4, 6, 6]}]}'
)


def changed(old, new):
    assert old in VALID
    return VALID.replace(old, new, 1).encode()


BROKEN = {
    "misspelt operator": (changed('"Conv"', '"Convv"'), "operator 'Convv' is not in opset 1"),
    "misspelt field": (changed('"inputs": [0]', '"input": [0]'), "unknown field 'input'"),
    "misspelt attribute": (changed("kernel_shape", "kernel_size"), "Conv has no attribute 'kernel_size'"),
    "empty file": (b"", "empty"),
    "blank file": (b" \n ", "empty"),
    "truncated": (VALID[:-20].encode(), "not JSON"),
    "not UTF-8": (b'{"cg_ir": "\xff"}', "not UTF-8"),
    "UTF-16": (VALID.encode("utf-16"), "not UTF-8"),
    "nested lists": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "nested extras": (
        changed('"opset": 1', '"opset": 1, "extras": ' + '{"a":' * 50_000 + "1" + "}" * 50_000),
        "nested",
    ),
    "a list": (b"[]", "should be an object"),
    "a number": (b"12", "should be an object"),
    "another JSON file": (b'{"name": "package", "version": "1.0"}', "is this a graph document?"),
    "cycle": (changed('"inputs": [1]', '"inputs": [2]'), "no cycle"),
    "forward edge": (changed('"inputs": [1]', '"inputs": [3]'), "not an earlier node"),
    "dangling input": (changed('"inputs": [1]', '"inputs": [77]'), "there is no node 77; the last of this document is"),
    "negative input": (changed('"inputs": [1]', '"inputs": [-1]'), "should be the number of an earlier node"),
    "input by name": (changed('"inputs": [1]', '"inputs": ["x"]'), "should be the number of an earlier node"),
    "wrong shape": (
        changed('"shape": [1, 4, 6, 6]}, {"op": "Relu"', '"shape": [1, 4, 8, 8]}, {"op": "Relu"'),
        "nodes[1]",
    ),
    "shape of zero": (changed("[1, 3, 8, 8]", "[0, 3, 8, 8]"), "shape[0]"),
    "huge shape": (changed("[1, 3, 8, 8]", "[1, 3, 8, 99999999999]"), "2^31"),
    "shape missing": (changed(', "shape": [1, 3, 8, 8]', ""), "nodes[0].shape: is missing"),
    "newer major": (changed('"1.0"', '"2.0"'), "newer than what this release reads"),
    "older major": (changed('"1.0"', '"0.9"'), "older"),
    "version as number": (changed('"1.0"', "1.0"), "should look like '1.0'"),
    "newer opset": (changed('"opset": 1', '"opset": 9'), "opset 9 is newer"),
    "opset missing": (changed(' "opset": 1,', ""), "opset"),
    "no output": (VALID[: VALID.index(', {"op": "Output"')].encode() + b"]}", "at least one Output"),
    "arity": (changed('"inputs": [1]', '"inputs": [1, 1]'), "Relu takes 1 inputs, not 2"),
    "attribute type": (changed("[3, 3]}", '"3"}'), "should be a list of integers"),
    "attribute missing": (changed('"attrs": {"kernel_shape": [3, 3]}, ', ""), "lacks its attribute 'kernel_shape'"),
    "NaN": (changed('"opset": 1', '"opset": 1, "extras": {"a": NaN}'), "NaN is no JSON number"),
    "duplicate key": (changed('"opset": 1', '"opset": 1, "opset": 1'), "stands twice"),
    "long integer": (changed("[3, 3]", "[3, " + "9" * 5000 + "]"), "not JSON"),
    "output read": (
        changed('"inputs": [2]', '"inputs": [2]').replace(
            b"]}]}", b']}, {"op": "Relu", "inputs": [3], "shape": [1, 4, 6, 6]}]}'
        ),
        "nothing reads",
    ),
    "shared without weights": (changed('"op": "Relu"', '"op": "Relu", "weights": "w"'), "no parameters to share"),
    "half a surrogate": (changed('"opset": 1', '"opset": 1, "name": "\\ud800"'), "surrogate"),
    "broken gzip": (gzip.compress(VALID.encode())[:-12], "cannot read"),
    "gzip of garbage": (b"\x1f\x8bgarbage", "cannot read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_documents_give_one_line_and_no_file(case, tmp_path, capsys):
    content, words = BROKEN[case]
    path = tmp_path / "broken.cg.json"
    path.write_bytes(content)
    with pytest.raises(GraphError):
        load(path)
    for arguments in (
        ["validate", str(path)],
        ["info", str(path)],
        ["convert", str(path), "-o", str(tmp_path / "o.cg.json")],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert words in captured.err
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("cg: error: ")
        assert len(captured.err) < 600
    assert [p.name for p in tmp_path.iterdir()] == ["broken.cg.json"]


def test_the_unbroken_document_is_fine(tmp_path, capsys):
    path = tmp_path / "fine.cg.json"
    path.write_text(VALID, encoding="utf-8")
    assert main(["validate", str(path)]) in (0, None)
    assert "valid, 4 nodes" in capsys.readouterr().out


def test_weights_must_agree():
    document = json.loads(VALID)
    conv = document["nodes"][1]
    conv["weights"] = "w"
    document["nodes"].insert(2, {**conv, "attrs": {"kernel_shape": [3, 3], "bias": True}})
    document["nodes"][3]["inputs"] = [1]
    document["nodes"][4]["inputs"] = [3]
    with pytest.raises(GraphError, match="shared with node 1, which has another operator or size"):
        from_dict(document)


def test_select_reads_what_there_is():
    def document(index, shape):
        return {
            "cg_ir": "1.0",
            "opset": 1,
            "nodes": [
                {"op": "Input", "shape": [1, 6]},
                {"op": "Split", "inputs": [0], "attrs": {"axis": 1, "split": [2, 4]}, "shape": [1, 2]},
                {"op": "Select", "inputs": [1], "attrs": {"index": index}, "shape": shape},
                {"op": "Output", "inputs": [2], "shape": shape},
            ],
        }

    from_json(document(1, [1, 4]))
    for index, shape in ((2, [1, 4]), (1, [1, 2])):
        with pytest.raises(GraphError, match=r"nodes\[2\]"):
            from_json(document(index, shape))
    single = document(1, [1, 6])
    single["nodes"][1] = {"op": "Relu", "inputs": [0], "shape": [1, 6]}
    with pytest.raises(GraphError, match="Relu has one output"):
        from_json(single)


def test_bombs_are_refused(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.cg.json.gz"
    bomb.write_bytes(gzip.compress(b" " * (300 * 2**20), 1))
    with pytest.raises(
        GraphError, match=r"bomb\.cg\.json\.gz: more than 268,435,456 bytes once decompressed.*CG_READ_LIMIT"
    ):
        load(bomb)
    with pytest.raises(GraphError, match=r"line 1: larger than 268,435,456 bytes"):
        list(load_set(bomb))
    lists = tmp_path / "lists.cg.json"
    lists.write_bytes(b"[" + b"[]," * (9 * 2**20) + b"[]]")
    with pytest.raises(GraphError, match="holds 9,437,186 objects and lists"):
        load(lists)
    monkeypatch.setenv("CG_READ_LIMIT", "100")
    small = tmp_path / "small.cg.json"
    small.write_text(VALID)
    with pytest.raises(GraphError, match="CG_READ_LIMIT should be raised"):
        load(small)
    monkeypatch.setenv("CG_READ_LIMIT", "much")
    with pytest.raises(CgError, match="CG_READ_LIMIT should be a number of bytes"):
        load(small)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "[[1e400]]"])
def test_extras_hold_numbers_that_can_be_written(number):
    with pytest.raises(GraphError, match="extras: holds a number that is too large"):
        from_json(VALID.rstrip()[:-1] + f', "extras": {{"a": {number}}}}}')


@pytest.mark.parametrize("extras", ["", ', "extras": {"a": []}'])
def test_the_limit_is_the_last_number_of_objects_and_lists_that_is_read(monkeypatch, extras):
    text = changed('"opset": 1', f'"opset": 1{extras}').decode()
    brackets = text.count("{") + text.count("[")
    monkeypatch.setattr("cg_ir.serialization.read_limit", lambda: 32 * brackets)
    assert from_json(text).nodes[1].op == "Conv"
    monkeypatch.setattr("cg_ir.serialization.read_limit", lambda: 32 * brackets - 1)
    with pytest.raises(GraphError, match=f"holds {brackets:,} objects and lists"):
        from_json(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Relu"', "7", "nodes[2].op: should be"),
        ('"inputs": [1]', '"inputs": 1', "nodes[2].inputs: should be"),
        ('"inputs": [1]', '"inputs": ["x"]', "nodes[2].inputs[0]: should be"),
        ('"shape": [1, 3, 8, 8]', '"shape": 8', "nodes[0].shape: should be"),
        ('"inputs": [1]', '"inputs": [4]', "nodes[2].inputs[0]: there is no node 4; the last of this document is 3"),
        (
            '"inputs": [1]',
            '"inputs": [-1]',
            "nodes[2].inputs[0]: should be the number of an earlier node (0 to 1), not -1",
        ),
        ('"inputs": [1]', '"inputs": [2]', "nodes[2].inputs[0]: 2 is not an earlier node"),
        ('"opset": 1', '"opset": 0', "opset: should be a positive integer, not 0"),
        ('"opset": 1', '"opset": true', "opset: should be a positive integer, not True"),
        ('"opset": 1', '"opset": 2', "opset: opset 2 is newer"),
        ('"opset": 1', '"opset": 1, "name": 7', "name: should be a string"),
        ('"opset": 1', '"opset": 1, "producer": {"a": 1}', "producer: should hold strings only"),
        ('"opset": 1', '"opset": 1, "producer": []', "producer: should be an object"),
        ('"opset": 1', '"opset": 1, "extras": []', "extras: should be an object"),
        ('"opset": 1', '"opset": 1, "extras": {"cg_ir.b": 1, "cg_ir.a": 2}', "extras: key 'cg_ir.b' is reserved"),
        ('"op": "Relu"', '"op": "Relu", "region": 1', "nodes[2].region: should be a string"),
        ('"op": "Relu"', '"op": "Relu", "attrs": []', "nodes[2].attrs: should be an object"),
        ('"op": "Relu"', '"op": "Relu", "zz": 1, "aa": 1', "nodes[2]: unknown field 'aa'"),
        ('"op": "Conv"', '"op": "Conv", "weights": ""', "nodes[1].weights: should be a name"),
        ("[1, 3, 8, 8]", "[1, 3, 2147483648, 8]", "nodes[0].shape[2]: sizes should be integers from 1 to 2^31 - 1"),
        ("[1, 3, 8, 8]", "[1, 3, true, 8]", "nodes[0].shape[2]: sizes should be"),
        ("[1, 3, 8, 8]", str([1] * 33), "nodes[0].shape: has 33 axes; at most 32 are allowed"),
        (
            '"op": "Output"',
            '"op": "Output", "attrs": {"index": 1}',
            "nodes: the indices of Output nodes should count from 0",
        ),
        ('"op": "Relu"', '"op": "Input"', "nodes[2]: Input takes 0 inputs, not 1"),
    ],
)
def test_the_place_in_a_document_is_said_once(old, new, message):
    with pytest.raises(GraphError) as caught:
        from_json(VALID.replace(old, new, 1))
    assert str(caught.value).startswith(message)


def test_the_greatest_sizes_are_read():
    one = '{"cg_ir": "1.0", "opset": 1, "nodes": [{"op": "Input", "shape": %s}, {"op": "Output", "inputs": [0], "shape": %s}]}'
    for shape in ([2**31 - 1], [1] * 32):
        assert from_json(one % (shape, shape)).nodes[0].shape == tuple(shape)


def test_inputs_and_outputs_stand_once():
    document = json.loads(VALID)
    document["nodes"].append({"op": "Output", "inputs": [1], "shape": [1, 4, 6, 6]})
    with pytest.raises(GraphError, match=r"nodes\[4\].attrs.index: Output 0 stands twice \(nodes 3 and 4\)"):
        from_json(document)
    document["nodes"][-1]["attrs"] = {"index": 1}
    assert len(from_json(document).nodes) == 5


@pytest.mark.parametrize("count", [255, 256, 300])
def test_any_number_of_regions(count):
    """More regions than a byte can count."""
    builder = GraphBuilder(canonical=False)
    x = builder.input((1, 2))
    for number in range(count):
        x = builder.add("Relu", x, region=f"r{number}")
    builder.output(x)
    graph = builder.build()
    again = from_json(graph.to_json())
    assert [node.region for node in again.nodes] == [node.region for node in graph.nodes]
    assert again.to_json() == graph.to_json()


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object()])
def test_what_is_no_json_is_not_written(value):
    builder = GraphBuilder()
    builder.output(builder.input((1, 2)))
    builder.extras["a"] = value
    with pytest.raises(GraphError, match="extras and producer should hold JSON values only"):
        builder.build().to_json()


def test_a_compressed_set_that_ends_too_soon_says_so_after_what_was_read(tmp_path):
    path = tmp_path / "set.jsonl.gz"
    save_set([from_json(VALID)] * 400, path)
    path.write_bytes(path.read_bytes()[:-12])
    reader = load_set(path)
    assert next(reader).to_json() == from_json(VALID).to_json()
    with pytest.raises(GraphError, match=r"set\.jsonl\.gz, after line \d+: cannot read: Compressed file ended before"):
        list(reader)
    path.write_bytes(path.read_bytes()[:12])
    with pytest.raises(GraphError, match=r"set\.jsonl\.gz: cannot read: Compressed file ended before"):
        list(load_set(path))


def test_letters_of_all_languages_are_written_as_they_are(tmp_path):
    graph = from_json(VALID).renamed("größer \u7db2 \U0001f9e0")
    assert '"name": "größer \u7db2 \U0001f9e0"' in graph.to_json()
    graph.save(tmp_path / "g.cg.json")
    assert graph.name.encode() in (tmp_path / "g.cg.json").read_bytes()
    assert load(tmp_path / "g.cg.json").name == graph.name
