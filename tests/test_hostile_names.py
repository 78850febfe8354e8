"""Names that strangers chose - of networks, operators, regions, shared weights - are text in whatever is made of them: pages, drawings, programs, tables."""

from __future__ import annotations

import ast
import contextlib
import html
import json
import re
import shutil
import sqlite3
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cg_evolve.report import write_report
from cg_ir import Graph, GraphBuilder
from cg_ir.cli import main
from cg_ir.drawing import to_dot, to_svg
from cg_ir.drawing.labels import printable
from cg_ir.output_formats import write
from cg_ir.page import graph_page
from cg_ir.source_code import to_source

SCRIPT = "document.title='owned'"
NAMES = [
    # markup of HTML and SVG
    f"<script>{SCRIPT}</script>", f"</script><script>{SCRIPT}</script>", f"</title><script>{SCRIPT}</script>", f"<img src=x onerror={SCRIPT}>",
    f"<svg onload={SCRIPT}>", f'"><script>{SCRIPT}</script>', f"' onmouseover='{SCRIPT}", f"--><script>{SCRIPT}</script><!--",
    f"]]><script>{SCRIPT}</script>", f"<iframe src=javascript:{SCRIPT}>", f"<style>@import 'http://x.invalid'</style><a href=javascript:{SCRIPT}>",
    '<meta http-equiv=refresh content="0;url=about:blank">', "<base href=http://x.invalid/>", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "&lt;b&gt;&amp;&#60;script&#62;", "{title} {{x}} {0} %s %(x)s ${x} `${x}`", "<!--", "<![CDATA[", "<?xml?>", "</svg></body></html>",
    # JavaScript's own names and ends of lines
    "__proto__", "constructor.prototype.polluted", "hasOwnProperty", "\u2028\u2029", "'+" + SCRIPT + "+'", "\\u003cscript\\u003e", "*/" + SCRIPT + "/*",
    # Graphviz
    'a"]; n0 -> n1 [URL="javascript:x"', "\\", "\\N\\G\\l", 'x\\"y', "<<b>x</b>>", 'x" }; digraph { "y',
    # Python
    '"""\nimport os\nos.abort()\n"""', "'''", "a\nos.abort()", "\\\n", "{__import__('os').abort()}", "x = __import__('os').abort()", "class", "None",
    # terminals, and text that is no text
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "[/x][bold]b", "[link=http://x.invalid]y[/link]", ":smile:", "a\rb\x08c",
    "\u202egnp.exe\u2066", "\x00\x01\x7f", "\ud800",
]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def network(*names: str, title: str = "", custom: bool = True) -> Graph:
    """A network in which each name is an operator, a region, a region in a region and the key of shared weights."""
    builder = GraphBuilder(title or names[0])
    x = builder.input((1, 3, 8, 8))
    for name in names:
        for _ in range(2):
            x = builder.add("Conv", x, channels=3, kernel_shape=(1, 1), region=f"{name}.{name}", weights=name)
        if custom:
            x = builder.add("Custom", x, shape=(1, 3, 8, 8), name=name, region=name)
    builder.output(builder.add("Relu", x))
    return builder.build()


def test_there_are_fifty() -> None:
    assert len(set(NAMES)) == 50


# --- parsed -----------------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


@pytest.mark.parametrize("name", NAMES)
def test_pages_have_the_same_elements_whatever_the_names(name: str) -> None:
    text = graph_page(network(name))
    assert _Tags(text).found == _Tags(graph_page(network("plain"))).found
    embedded = re.search(r'<script type="application/json" id="graph-data">(.*?)</script>', text, re.S)
    assert embedded is not None
    data = json.loads(embedded[1])
    assert data["name"] == network(name).name
    assert f"{name}.{name}" in data["regions"]


@pytest.mark.parametrize("name", NAMES)
def test_drawings_have_the_same_elements_whatever_the_names(name: str) -> None:
    def elements(text: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(e.tag, tuple(e.attrib)) for e in ElementTree.fromstring(text).iter()]

    text = to_svg(network(name), depth=9)
    levels = 2 * (1 + name.count("."))
    assert set(elements(text)) == set(elements(to_svg(network("plain"), depth=9)))
    root = ElementTree.fromstring(text)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert (title.text or "").split() == printable(name).split()
    assert len(root.findall(f".//{SVG}rect")) >= 4 + levels - 1


def _statements(text: str) -> Iterator[list[str]]:
    """The statements of a DOT file as lists of tokens, braces apart; strings are what they stand for."""
    token = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(->|[{}\[\];=,])|([A-Za-z_0-9]+))', re.S)
    place, tokens = 0, []
    text = text.rstrip()
    while place < len(text):
        found = token.match(text, place)
        assert found is not None, text[place : place + 60]
        place = found.end()
        if found[2] in ("{", "}", ";"):
            yield [*tokens, found[2]]
            tokens = []
        else:
            string = found[1]
            tokens.append(
                re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], string)
                if string is not None
                else found[0].strip()
            )


@pytest.mark.parametrize("name", NAMES)
def test_graphviz_files_have_the_same_statements_whatever_the_names(name: str) -> None:
    def kinds(text: str) -> list[list[str]]:
        return [[t for t in s if re.fullmatch(r"n\d+|->|[{}\[\]=,;]|digraph|subgraph", t)] for s in _statements(text)]

    graph = network(name)
    plain = network(".".join("x" for _ in name.split(".")))
    assert kinds(to_dot(graph)) == kinds(to_dot(plain))
    first = next(_statements(to_dot(graph)))
    assert first[:2] == ["digraph", html.escape(printable(name), quote=False).replace("&lt;", "<").replace("&gt;", ">")]


@pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")
def test_graphviz_reads_them() -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=to_dot(network(*NAMES)).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    root = ElementTree.fromstring(done.stdout)
    assert not root.findall(f".//{SVG}script")
    assert not root.findall(f".//{SVG}a")


#: What a module has itself, and letters that Python reads as others.
OWN = [
    "parameters",
    "_modules",
    "__init__",
    "state_dict",
    "\U0001d40d\U0001d428\U0001d427\U0001d41e",
    "\ufb01",
    "\xbd",
    "\xb2",
    "forward",
    "Network",
]


@pytest.mark.parametrize("name", NAMES + OWN)
def test_programs_define_classes_and_functions_alone(name: str) -> None:
    pytest.importorskip("torch")
    text = to_source(network(name, custom=False)).text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    tree = ast.parse(text)
    assert {type(part) for part in tree.body} <= {
        ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.If,
    }  # fmt: skip
    assert [part for part in tree.body if isinstance(part, ast.Expr)] == tree.body[:1]
    assert isinstance(tree.body[0].value, ast.Constant)  # type: ignore[attr-defined]
    imported = {a.name for part in ast.walk(tree) if isinstance(part, ast.Import) for a in part.names}
    assert imported == {"torch", "torch.nn.functional"}
    called = {ast.unparse(part.func) for part in ast.walk(tree) if isinstance(part, ast.Call)}
    assert not [call for call in called if re.match(r"(?!self\.).*(abort|__import__)", call)]
    scope: dict[str, Any] = {"__name__": "made"}
    exec(compile(tree, "made.py", "exec"), scope)
    assert sum(p.numel() for p in scope["build"]().parameters()) == network(name, custom=False).params


# --- in a terminal ----------------------------------------------------------------------------------------------------

COMMANDS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


def saved(folder: Path, names: list[str]) -> list[str]:
    """Files of networks of these names; also of one that no writer lets pass."""
    paths = []
    for number, name in enumerate(names):
        paths.append(str(folder / f"{number}.cg.json"))
        Path(paths[-1]).write_text(json.dumps(network(name).to_dict()))
    return paths


def test_tables_of_all_names_are_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    paths = saved(tmp_path, NAMES[:-1])  # no file can hold the last one
    main(["info", *paths])
    main(["info", "--json", *paths])
    with pytest.raises(SystemExit):
        main(["validate", *NAMES[:-2]])
    text = "".join(capsys.readouterr())
    assert not re.search(COMMANDS, re.sub("\x1b\\[[0-9;]*m", "", text))
    assert "\x1b]8" not in text
    assert all(name in text for name in ("[/x][bold]b", ":smile:"))


# --- in a browser -----------------------------------------------------------------------------------------------------


def settle(browser: Any, file: Path) -> None:
    """Open a file; nothing ran and nothing was asked for if its title is its own afterwards."""
    browser.get(file.as_uri())
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 30));")
    assert browser.title != "owned"
    assert "polluted" not in browser.execute_script("return Object.keys(Object.prototype)")
    assert (
        browser.execute_script("return document.querySelectorAll('img, iframe, base, a[href^=javascript]').length") == 0
    )


@pytest.mark.browser
def test_a_browser_shows_all_names_and_runs_none(browser: Any, tmp_path: Path) -> None:
    graph = network(*NAMES, title=NAMES[0])
    (tmp_path / "g.html").write_text(graph_page(graph, depth=9), encoding="utf-8", errors="surrogatepass")
    settle(browser, tmp_path / "g.html")
    assert browser.title == NAMES[0]
    (tmp_path / "g.svg").write_text(to_svg(graph, depth=9), encoding="utf-8")
    settle(browser, tmp_path / "g.svg")


@pytest.mark.attack
@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_a_browser_shows_each_name_in_page_drawing_and_report(
    browser: Any, tmp_path: Path, name: str, run: Path
) -> None:
    for suffix in ("html", "svg"):
        write(network(name), tmp_path / f"g.{suffix}", "draw", depth=9)
        settle(browser, tmp_path / f"g.{suffix}")
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    if name != "\ud800":  # no history can hold it
        with contextlib.closing(sqlite3.connect(copy / "history.sqlite")) as history, history:
            history.execute(
                "UPDATE evaluations SET arch=?, origin=?, error=?, status='failed', metrics=? WHERE id=3",
                (name, name, name, json.dumps({name or "x": 1.0})),
            )
        history.close()
    write_report(copy, tmp_path / "r.html")
    settle(browser, tmp_path / "r.html")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of five evaluations."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    main(["search", "nb201", "--evaluator", "scorer:macs", "--budget", "5", "-o", str(folder), "--quiet", "--json"])
    return folder


@pytest.mark.attack
@pytest.mark.parametrize("name", NAMES)
def test_each_command_prints_a_name_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    one, other = saved(tmp_path, [name, "plain"])
    for arguments in (
        ["info", one], ["info", "--layers", one], ["validate", one], ["diff", one, other], ["rank", one, other, "--scorer", "macs"],
        ["convert", one, "-o", str(tmp_path / "x.py")], ["draw", one, "-o", str(tmp_path / "x.svg")],
    ):  # fmt: skip
        with contextlib.suppress(SystemExit):
            main(arguments)
        text = "".join(capsys.readouterr())
        assert "Traceback" not in text
        assert not re.search(COMMANDS, text)
