"""convert, info, validate and plugins: what they print, write and refuse, run in the process."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cg_ir import CgError, Graph, GraphBuilder, load
from cg_ir.cli import main
from cg_ir.commands import reading_options, summary
from cg_ir.experts import experts_of
from cg_ir.memory import memory_of
from cg_ir.plugin_registry import registry
from cg_ir.plugins import hookimpl
from cg_ir.serialization import save_set
from cg_ir.sources import Reading


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command line: exit status, standard output and error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            status = int(main(list(arguments)) or 0)
        except SystemExit as stop:
            status = int(stop.code or 0)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def raw() -> Graph:
    """A network that is not in canonical form, with an operator outside the vocabulary."""
    b = GraphBuilder("raw", canonical=False)
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(3, 3), bias=True)
    x = b.add("Clip", b.add("Clip", x, min=0.0), min=0.0)
    x = b.add("Custom", x, name="org.example.Op", params=5, shape=(1, 4))
    b.output(x)
    b.extras["unused_parameters"] = 7
    return b.build()


def routed() -> Graph:
    """A mixture of experts, two of eight."""
    b = GraphBuilder("routed")
    x = b.input((1, 6, 4))
    scores = b.add("TopK", b.add("Softmax", b.add("Gemm", x, channels=8), axis=2), axis=2, k=2)
    chosen = b.add("Reshape", b.add("Select", scores, index=1, shape=(1, 6, 2)), shape=(12,))
    rows = b.add(
        "Reshape", b.add("Expand", b.add("Unsqueeze", x, shape=(1, 6, 1, 4)), shape=(1, 6, 2, 4)), shape=(12, 4)
    )
    b.output(b.add("ExpertGemm", rows, chosen, num_experts=8, channels=5))
    return b.build()


# --- convert ----------------------------------------------------------------------------------------------------------


def test_convert_prints_the_canonical_graph(run: Any) -> None:
    raw().save("raw.cg.json")
    status, out, err = run("convert", "raw.cg.json")
    assert (status, out, err) == (0, raw().canonicalize().to_json(), "")
    assert raw().canonicalize().hash != raw().hash


@pytest.mark.parametrize("name", ["g.cg.json", "g.cg.json.gz"])
def test_convert_writes_what_it_says(run: Any, name: str) -> None:
    raw().save("raw.cg.json")
    made = raw().canonicalize()
    line = f"{name}: {len(made)} nodes, {made.params:,} parameters, {made.macs:,} MACs\n"
    assert run("convert", "raw.cg.json", "-o", name) == (0, "", line)
    assert load(name).hash == made.hash
    status, out, err = run("convert", "raw.cg.json", "-o", name, "--json")
    facts = {"output": name, "hash": made.hash, "nodes": len(made), "parameters": made.params, "macs": made.macs}
    assert (status, json.loads(out), err) == (0, facts, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "g.txt"], "cg: error: g.txt: the name should end in .cg.json, .cg.json.gz, .py or .onnx"),
        (["-o", "g.svg"], "cg: error: g.svg: the name should end in .cg.json, .cg.json.gz, .py or .onnx ('cg draw' writes .svg)"),
        (["-o", "none/g.cg.json"], f"cg: error: {Path('none/g.cg.json')}: cannot write"),
        (["-o", "g.py"], "cg: error: node 4 (Custom): 'org.example.Op' is outside the vocabulary and PyTorch cannot run it"),
    ],
)  # fmt: skip
def test_convert_leaves_no_file_where_it_fails(run: Any, arguments: list[str], message: str) -> None:
    raw().save("raw.cg.json")
    Path("g.py").write_text("as it was")
    status, out, err = run("convert", "raw.cg.json", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["g.py", "raw.cg.json"]
    assert Path("g.py").read_text() == "as it was"


class Seeds:
    """Reads ``.seed`` files; keeps the options that it is given."""

    name = "seeds"
    asked: list[dict[str, Any]] = []

    def accepts(self, source: Any) -> bool:
        return str(source).endswith(".seed")

    def convert(self, source: str, **options: Any) -> Graph:
        self.asked.append(options)
        return raw()


@pytest.fixture
def plugin() -> Any:
    """Register plugins for the time of a test."""
    added: list[Any] = []

    def add(name: str, **hooks: Any) -> None:
        made = SimpleNamespace(**{hook: hookimpl(function) for hook, function in hooks.items()})
        registry().register(made, name)
        added.append(made)

    yield add
    for made in added:
        registry().unregister(made)
    registry().errors.clear()


def test_options_of_reading_reach_the_frontend(run: Any, plugin: Any) -> None:
    plugin("seed-plugin", cg_frontends=lambda: [Seeds])
    Seeds.asked = []
    given = ("--input", "3x8x8", "--input", "4:int64", "--args", '{"depth": 1}', "--strict")
    read = {"input": ("3x8x8", "4:int64"), "args": '{"depth": 1}', "strict": True}
    assert run("convert", "x.seed", *given, "--verify")[0] == 0
    assert run("info", "x.seed", *given, "--tokens", "3", "--past", "0")[0] == 0
    assert run("info", "x.seed")[0] == 0
    assert Seeds.asked == [{**read, "verify": True}, {**read, "tokens": 3, "past": 0}, {}]


def test_a_command_takes_the_options_of_reading_as_one_argument() -> None:
    seen: list[Any] = []
    command = reading_options(lambda **options: seen.append(options))
    command(inputs=("4",), arguments="{}", strict=True, other=1)
    assert seen == [{"reading": Reading(None, ("4",), "{}", True), "other": 1}]


# --- info -------------------------------------------------------------------------------------------------------------


def test_a_summary_says_what_the_graph_does() -> None:
    graph = raw()
    found = summary(graph)
    assert (found["name"], found["hash"], found["nodes"], found["edges"], found["depth"]) == (
        "raw",
        graph.hash,
        6,
        5,
        graph.depth,
    )
    assert (found["parameters"], found["unused_parameters"]) == (4 * 3 * 9 + 4 + 5, 7)
    assert (found["macs"], found["flops"]) == (36 * 4 * 27, 2 * 36 * 4 * 27)
    assert (found["inputs"], found["outputs"]) == ([[1, 3, 8, 8]], [[1, 4]])
    assert list(found["operators"].items()) == [("Clip", 2), ("Conv", 1), ("Custom", 1), ("Input", 1), ("Output", 1)]
    assert found["custom"] == {"org.example.Op": 1}
    assert found["experts"] is None
    needs = memory_of(graph)
    names = ("weight_bytes", "peak_activation_bytes", "peak_activation_bytes_in_modules")
    assert [found[name] for name in names] == [needs.weights, needs.activations, needs.in_modules]


@pytest.mark.parametrize("extra", ["seven", 7.0, True, None])
def test_an_extra_of_a_document_that_is_no_count_is_none(extra: Any) -> None:
    b = GraphBuilder("net")
    b.extras["unused_parameters"] = extra
    b.output(b.add("Relu", b.input((1, 4))))
    assert summary(b.build())["unused_parameters"] == 0


def cells(text: str) -> dict[str, str]:
    """The rows of a table of two columns."""
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in text.splitlines() if "│" in line]
    return {row[0]: row[1] for row in rows if len(row) == 2}


def test_info_shows_one_network_in_full(run: Any) -> None:
    raw().save("raw.cg.json")
    status, out, err = run("info", "raw.cg.json")
    assert (status, err) == (0, "")
    shown = cells(out)
    assert out.splitlines()[0].strip() == "raw"
    assert shown["parameters"] == "117 (and 7 never used)"
    assert shown["MACs"] == "3,888 (FLOPs 7,776)"
    assert shown["nodes"] == "6 (5 edges, depth 4)"
    assert (shown["inputs"], shown["outputs"]) == ("1x3x8x8", "1x4")
    assert shown["operators"] == "2 Clip, 1 Conv, 1 Custom"  # neither inputs nor outputs
    assert shown["custom"] == "1 org.example.Op"
    assert shown["memory"].startswith("468 B weights, ")
    assert shown["hash"] == raw().hash
    assert "experts" not in shown


def test_info_shows_what_is_active_of_mixtures_of_experts(run: Any) -> None:
    graph = routed()
    graph.save("routed.cg.json")
    costs = experts_of(graph)
    assert costs is not None
    assert json.loads(run("info", "routed.cg.json", "--json")[1])["experts"] == json.loads(json.dumps(asdict(costs)))
    text = cells(run("info", "routed.cg.json")[1])["experts"]
    assert text.startswith(f"2 of 8 active: {costs.active_params:,} parameters a token, {costs.macs:,} MACs; ")
    assert text.endswith(f"with all experts {costs.params:,} and {costs.all_macs:,}")


def test_info_shows_several_networks_in_a_line_each(run: Any, networks: Any) -> None:
    raw().save("raw.cg.json")
    networks.cells().save("cells.cg.json")
    status, out, _ = run("info", "raw.cg.json", "cells.cg.json")
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if ".cg.json" in line]
    expected = [
        [name, f"{g.params:,}", f"{g.macs:,}", f"{len(g):,}", f"{g.depth:,}", custom, g.hash[:12]]
        for name, g, custom in (("raw.cg.json", raw(), "1"), ("cells.cg.json", networks.cells(), "0"))
    ]
    assert (status, rows) == (0, expected)


def test_info_as_json_is_a_document_or_a_list_of_them(run: Any) -> None:
    raw().save("raw.cg.json")
    one = json.loads(run("info", "raw.cg.json", "--json")[1])
    assert one == {"source": "raw.cg.json", **summary(raw())}
    assert json.loads(run("info", "raw.cg.json", "raw.cg.json", "--json")[1]) == [one, one]


def test_cg_info_lists_layers(networks, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    path = str(tmp_path / "cells.cg.json")
    networks.cells().save(path)
    assert not main(["info", path, "--layers", "--depth", "2"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "  cell_0" in out
    assert not main(["info", path, "--layers", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert sum(row["macs"] for row in document["layers"] if row["depth"] == 0) == document["macs"]
    with pytest.raises(SystemExit):
        main(["info", path, "--depth", "2"])
    assert "give --layers" in capsys.readouterr().err


def test_layers_leave_out_what_costs_next_to_nothing(run: Any) -> None:
    b = GraphBuilder("net")
    x = b.add("Gemm", b.input((1, 1000)), channels=1000)
    b.output(b.add("Gemm", b.add("Relu", x), channels=1, bias=True))
    b.build().save("net.cg.json")
    lines = run("info", "net.cg.json", "--layers")[1].split("Layers of net.cg.json")[1].splitlines()
    rows = [line.split() for line in lines if "Gemm" in line or "Relu" in line]
    assert [row[1:] for row in rows] == [
        ["Gemm", "1x1000", "1,000,000", "1,000,000", "99.9"],
        ["Relu", "1x1000"],
        ["Gemm", "1x1", "1,001", "1,000"],  # a share of 0.0999 %
    ]


# --- validate ---------------------------------------------------------------------------------------------------------


def test_validate_says_what_is_not_in_canonical_form(run: Any) -> None:
    raw().save("raw.cg.json")
    raw().canonicalize().save("made.cg.json")
    made = raw().canonicalize()
    assert run("validate", "raw.cg.json", "made.cg.json") == (
        0,
        f"raw.cg.json: valid, 6 nodes, {raw().hash}, not in canonical form (cg convert rewrites it)\n"
        f"made.cg.json: valid, {len(made)} nodes, {made.hash}\n",
        "",
    )
    found = json.loads(run("validate", "raw.cg.json", "--json")[1])
    assert found == {"file": "raw.cg.json", "valid": True, "canonical": False, "hash": raw().hash, "nodes": 6}
    both = json.loads(run("validate", "raw.cg.json", "made.cg.json", "--json")[1])
    assert [row["canonical"] for row in both] == [False, True]


def test_sets_are_validated_line_by_line(tmp_path, networks, capsys):
    path = tmp_path / "set.jsonl.gz"
    save_set([networks.cells(), networks.unet()], path)
    assert main(["validate", str(path)]) in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}, graph 1", f"{path}, graph 2"]
    with gzip.open(path, "at", encoding="utf-8") as out:
        out.write("{}\n")
    with pytest.raises(SystemExit):
        main(["validate", str(path)])
    assert "set.jsonl.gz, line 3" in capsys.readouterr().err


def test_lines_of_a_set_count_from_1(run: Any) -> None:
    save_set([raw(), raw()], "set.jsonl")
    assert [row["line"] for row in json.loads(run("validate", "set.jsonl", "--json")[1])] == [1, 2]


def test_an_empty_set_is_refused(run: Any) -> None:
    Path("empty.jsonl").touch()
    raw().save("raw.cg.json")
    message = "cg: error: empty.jsonl: holds no graph; a set has one document a line\n"
    assert run("validate", "empty.jsonl") == (2, "", message)
    assert run("validate", "raw.cg.json", "empty.jsonl") == (2, "", message)  # nothing is said to be valid before


@pytest.mark.parametrize("arguments", [["info", "missing.cg.json"], ["validate", "."], ["info", "nowhere:net"]])
def test_sources_that_are_none(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- plugins ----------------------------------------------------------------------------------------------------------


def broken() -> list[Any]:
    raise ValueError("no\nluck")


def test_plugins_are_listed_and_broken_ones_named(run: Any, plugin: Any) -> None:
    plugin("seed-plugin", cg_frontends=lambda: [Seeds], cg_spaces=lambda: [SimpleNamespace(name="[red]x\x1b[2J")])
    plugin("broken-plugin", cg_spaces=broken)
    status, out, err = run("plugins")
    assert status == 0
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "seed-plugin" in line]
    assert rows == [["frontend", "seeds", "seed-plugin"], ["space", r"[red]x\x1b[2J", "seed-plugin"]]
    assert "skipped broken-plugin: cg_spaces: ValueError: no" in err.splitlines()[-1]
    assert err.count("\n") == len(registry().errors)
    document = json.loads(run("plugins", "--json")[1])
    assert {"kind": "frontend", "name": "seeds", "distribution": "seed-plugin"} in document["plugins"]
    assert document["errors"]["broken-plugin"].startswith("cg_spaces: ValueError: no")


def test_a_kind_that_cannot_be_asked_is_named_and_the_rest_is_listed(
    run: Any, plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin("seed-plugin", cg_frontends=lambda: [Seeds])
    entries = type(registry()).entries

    def fail(self: Any, kind: str) -> Any:
        if kind == "space":
            raise CgError("spaces are closed")
        return entries(self, kind)

    monkeypatch.setattr(type(registry()), "entries", fail)
    status, out, err = run("plugins")
    assert status == 0
    assert "seed-plugin" in out
    assert "skipped space: spaces are closed" in err
