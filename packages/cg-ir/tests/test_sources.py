"""SOURCEs: which of space, file and frontend answers, with which options, and what is said where none does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pluggy
import pytest

from cg_ir import ArchError, Graph, GraphBuilder, SourceError, graph_of, plugins
from cg_ir.plugin_registry import Registry
from cg_ir.plugins import PROJECT, hookimpl
from cg_ir.sources import Reading


def tiny(name: str) -> Graph:
    b = GraphBuilder(name)
    b.output(b.add("Relu", b.input((1, 4))))
    return b.build()


class Space:
    name, size = "garden", 2
    made = 0

    def __init__(self, **options: str) -> None:
        type(self).made += 1
        self.options = options

    def graph(self, arch: str) -> Graph:
        if arch not in ("rose", "lily?x=1"):
            raise ArchError(f"'{arch}' does not grow")
        return tiny(f"{arch}/{self.options}")


class Frontend:
    """Reads ``.seed`` files and ``seed.py:...``; keeps what it was asked."""

    name = "seed"
    asked: list[tuple[str, dict[str, Any]]] = []

    def accepts(self, source: Any) -> bool:
        return isinstance(source, str) and (source.endswith(".seed") or source.startswith("seed.py:"))

    def convert(self, source: str, **options: Any) -> Graph:
        self.asked.append((source, options))
        if "bad" in source:
            raise SourceError(f"{source}: is bad.")
        return tiny(source)

    def count(self, source: str, *, args: Any = None) -> int:
        self.asked.append((source, {"args": args}))
        return 3


class Plugin:
    @hookimpl
    def cg_spaces(self) -> list[Any]:
        return [Space]

    @hookimpl
    def cg_frontends(self) -> list[Any]:
        return [Frontend]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but this plugin is installed."""
    monkeypatch.chdir(tmp_path)
    Space.made, Frontend.asked = 0, []
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(plugins)
    one = Registry(manager)
    one.register(Plugin(), "garden-plugin")
    for module in ("sources", "plugin_registry"):
        monkeypatch.setattr(f"cg_ir.{module}.registry", lambda: one)


def test_an_architecture_of_a_space() -> None:
    assert graph_of("garden:rose").name == "rose/{}"
    assert graph_of("garden?soil=wet&sun=no:rose").name == "rose/{'soil': 'wet', 'sun': 'no'}"
    assert graph_of("rose", space="garden").name == "rose/{}"
    assert graph_of("garden:lily?x=1").name == "lily?x=1/{}"
    with pytest.raises(ArchError, match="'tulip' does not grow"):
        graph_of("garden:tulip")


@pytest.mark.parametrize("name", ["g.cg.json", "g.cg.json.gz", "g.json"])
def test_a_graph_file(name: str) -> None:
    tiny("saved").save(name)
    assert graph_of(name).name == "saved"


def test_a_compressed_file_of_any_name_is_a_graph_file() -> None:
    tiny("saved").save("g.cg.json.gz")
    Path("g.cg.json.gz").rename("g.gz")
    assert graph_of("g.gz").name == "saved"


def test_a_frontend_gets_the_options_that_were_given_and_no_others() -> None:
    graph_of("x.seed", input=("3x4",), args=None, strict=False)
    graph_of("x.seed", input=(), strict=True)
    graph_of("x.seed", past=0)
    assert Frontend.asked == [("x.seed", {"input": ("3x4",)}), ("x.seed", {"strict": True}), ("x.seed", {"past": 0})]


def test_arguments_in_a_source_join_those_for_all_and_win() -> None:
    named = graph_of("seed.py:make?depth=3&kind=big", args='{"depth": 1, "width": 2}')
    assert Frontend.asked == [("seed.py:make", {"args": {"depth": 3, "width": 2, "kind": "big"}})]
    assert named.name == "seed.py:make?depth=3&kind=big"
    assert graph_of("seed.py:make").name == "seed.py:make"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            "{",
            "args should be a JSON object, not '{' (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        ),
        ("[1]", "seed.py:make: args should be a JSON object where SOURCEs have arguments of their own"),
    ],
)
def test_arguments_for_all_are_an_object(args: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        graph_of("seed.py:make?depth=3", args=args)
    assert str(error.value).startswith(message[:60])


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("bad.seed", {}, "bad.seed: is bad."),
        (
            "bad.seed",
            {"input": ("1x3x8x8",)},
            "bad.seed: is bad. Or does --input 1x3x8x8 name the batch? Leave it out: --input 3x8x8",
        ),
        (
            "bad.seed",
            {"input": "1x3x8x8"},
            "bad.seed: is bad. Or does --input 1x3x8x8 name the batch? Leave it out: --input 3x8x8",
        ),
        ("bad.seed", {"input": ("3x8x8", "2x3x8x8")}, "bad.seed: is bad."),
        ("gardn:bad.seed", {}, "gardn:bad.seed: is bad. Or did you mean the search space 'garden'?"),
        ("gardn:rose", {}, "'gardn:rose' is no SOURCE; did you mean the search space 'garden'?"),
    ],
)
def test_what_went_wrong_is_told_with_what_may_be_meant(source: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as error:
        graph_of(source, **options)
    assert str(error.value) == message


def test_a_file_that_nothing_reads_and_a_source_that_nothing_is() -> None:
    Path("notes.txt").write_text("")
    with pytest.raises(
        SourceError, match=r"^notes\.txt: no installed frontend reads this file; pip install 'cg-frontends"
    ):
        graph_of("notes.txt")
    with pytest.raises(
        SourceError, match=r"^'nothing' is no SOURCE: expected space:arch \(spaces: garden\), a \.cg\.json"
    ):
        graph_of("nothing")


def test_a_space_that_is_a_call_is_told_from_its_network() -> None:
    with pytest.raises(
        SourceError, match=r"names a search space and no network of it; the network itself is net\.py:make$"
    ):
        graph_of("garden?file=net.py:make&other=1")


def test_all_sources_of_a_command_are_read_alike() -> None:
    reading = Reading(space="garden")
    assert [reading.graph("rose").name for _ in range(3)] == ["rose/{}"] * 3
    assert Space.made == 1
    assert reading.expand(["a?b=1,2", "x"]) == ["a?b=1,2", "x"]
    Reading(input=("4",), args='{"a": 1}', strict=True).graph("x.seed")
    assert Frontend.asked == [("x.seed", {"input": ("4",), "args": '{"a": 1}', "strict": True})]


def test_grids_and_functions_that_yield_stand_for_several() -> None:
    Path("seed.py").write_text("def many(depth=1):\n    yield depth\ndef one():\n    return 1\n")
    reading = Reading(args='{"width": 2}')
    assert reading.expand(["seed.py:one", "seed.py:one?depth=1,2"]) == [
        "seed.py:one", "seed.py:one?depth=1", "seed.py:one?depth=2",
    ]  # fmt: skip
    assert Frontend.asked == []
    assert reading.expand(["seed.py:many?depth=5"]) == [f"seed.py:many#{i}?depth=5" for i in range(3)]
    assert Frontend.asked == [("seed.py:many", {"args": {"width": 2, "depth": 5}})]
    assert reading.expand(["seed.py:many"]) == [f"seed.py:many#{i}" for i in range(3)]
    assert Frontend.asked[-1] == ("seed.py:many", {"args": '{"width": 2}'})
    Path("other.py").write_text("def many():\n    yield 1\n")
    assert reading.expand(["other.py:many"]) == ["other.py:many"]
