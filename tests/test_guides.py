"""Every command and snippet of the guides runs as written, page by page, each page in an empty folder.

``sh`` blocks go to a shell each, ``python`` blocks to one interpreter a page, and a block with a ``:caption:`` is a file that the reader
saves under that name. A block after the comment ``<!-- not run: reason -->`` is left out, with the reason. A page that
begins with ``<!-- needs: optuna torch -->`` is skipped where one of these modules is missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from warm_python import warm_python

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]* -->\n+)?```(?:\{code-block\} )?(?P<language>sh|python|yaml|toml|csv|text)\n"
    r"(?::caption: (?P<caption>[^\n]+)\n\n?)?(?P<body>.*?)```",
    re.DOTALL,
)


#: Begins the script of a page. Processes that it starts import it again, without the commands.
SHELL = """\
def _shell(commands):
    import subprocess
    if __name__ == "__main__":
        subprocess.run(["bash", "-euo", "pipefail", "-c", commands], check=True)
"""


@dataclass
class Block:
    language: str
    body: str
    caption: str | None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that a reader would run or save."""
    found = []
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["skip"] or (match["caption"] is None and match["language"] not in ("sh", "python")):
            continue
        found.append(Block(match["language"], match["body"], match["caption"]))
    return found


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python that has imported torch: most commands of the guides do nothing else for seconds."""
    with warm_python(tmp_path_factory.mktemp("python")) as command:
        yield command


def own_tools(folder: Path, python: Path) -> Path:
    """A folder with `cg`, and a `pip` whose installations land in the page's folder; what they require is there already."""
    tools = folder / "tools"
    tools.mkdir()
    pip = tools / "pip"
    options = f'--quiet --disable-pip-version-check --no-deps --target "{folder / "site"}"'
    pip.write_text(
        f'#!/bin/sh\n[ "$1" = install ] || exit 2\nshift\nexec "{sys.executable}" -m pip install {options} "$@"\n'
    )
    pip.chmod(0o755)
    cg = tools / "cg"
    cg.write_text(f'#!/bin/sh\nexec "{python}" "{shutil.which("cg", path=str(Path(sys.executable).parent))}" "$@"\n')
    cg.chmod(0o755)
    return tools


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs_as_written(page: Path, python: Path, tmp_path: Path) -> None:
    needs = re.match(r"<!-- needs: ([\w ]+) -->", page.read_text(encoding="utf-8"))
    missing = [name for name in (needs[1].split() if needs else ()) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the page needs {', '.join(missing)}")
    script = [SHELL]
    for block in blocks(page):
        if block.caption is not None:
            target = tmp_path / block.caption
            assert target.resolve().is_relative_to(tmp_path.resolve())
            # written when its turn comes: a page may show a file twice
            folder = Path(block.caption).parent
            text = f"mkdir -p {folder}\ncat > {block.caption} <<'END_OF_FILE'\n{block.body}END_OF_FILE"
            script.append(f"_shell({text!r})\n")
        else:
            script.append(f"_shell({block.body!r})\n" if block.language == "sh" else block.body)
    if len(script) == 1:
        pytest.skip("the page has nothing to run")
    (tmp_path / "page.py").write_text("".join(script), encoding="utf-8")
    tools = own_tools(tmp_path, python)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "120",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")])),
    }
    done = subprocess.run(
        [str(python), "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"{page.name}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_finished_plugin_is_the_one_that_the_tutorial_ends_with() -> None:
    shown = {b.caption: b.body for b in blocks(ROOT / "docs" / "guide" / "plugin.md") if b.caption}
    finished = {name.removeprefix("cg-layers/"): body for name, body in shown.items() if name.startswith("cg-layers/")}
    folder = ROOT / "docs" / "examples" / "cg-layers"
    there = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".py", ".toml")
    }
    assert there == finished


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_front_page_shows_what_the_command_prints(page: str, python: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.search(r"```console\n\$ cg (.*?)\n(.*?)```", text, re.DOTALL)
    assert shown
    done = subprocess.run(
        [str(own_tools(tmp_path, python) / "cg"), *shlex.split(shown[1])],
        cwd=ROOT / "docs" / "examples", env={**os.environ, "COLUMNS": "80"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told, printed = ([line.split() for line in table.strip().splitlines()] for table in (shown[2], done.stdout))
    assert [row[:2] + row[-2:] for row in told] == [row[:2] + row[-2:] for row in printed]
    scores = [[float(row[2]) for row in table[1:]] for table in (told, printed)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
