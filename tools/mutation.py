"""Whether the tests would notice a defect: one operator, number or condition of a module is changed at a time, and its tests are run.

    python3 -m nox -s mutation -- [--unit NAME ...] [--sample 60] [--seed 0]

cosmic-ray makes the mutants, outside annotations; a seeded sample of them is tried, in a copy of the sources. Each gets a process of its own, forked from
one that has imported the libraries, and in it the tests that reach the changed statement, the shortest first (all tests where it runs on import, or none
reaches it in this process). A mutant that makes them fail, or take four times as long and more, is noticed; the others are printed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
_IR, _EVOLVE, _PREDICT = (f"packages/{name}" for name in ("cg-ir", "cg-evolve", "cg-predict"))
_CORE = f"{_PREDICT}/src/cg_predict"


class Unit(NamedTuple):
    """Sources that are changed, and the tests that should notice."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


UNITS = {
    "canonical": Unit(
        tuple(f"{_IR}/src/cg_ir/canonical/{name}.py" for name in ("arithmetic", "layout", "rewriting", "windows")),
        (
            *(f"{_IR}/tests/canonical/test_{name}.py" for name in ("arithmetic", "layout", "rewriting", "windows")),
            *(f"{_IR}/tests/test_{name}.py" for name in ("canonical", "golden")),
        ),
    ),
    "hashing": Unit(
        (f"{_IR}/src/cg_ir/hashing.py",),
        (f"{_IR}/tests/test_hashing.py", f"{_IR}/tests/test_golden.py"),
    ),
    "serialization": Unit(
        (f"{_IR}/src/cg_ir/serialization.py",),
        (f"{_IR}/tests/test_golden.py", f"{_IR}/tests/test_serialization.py", f"{_IR}/tests/test_schema.py"),
    ),
    "store": Unit((f"{_EVOLVE}/src/cg_evolve/store.py",), (f"{_EVOLVE}/tests/test_store.py",)),
    "process": Unit(
        tuple(f"{_CORE}/{name}.py" for name in ("gp", "kernels", "pool", "posterior", "targets")),
        tuple(
            f"{_PREDICT}/tests/test_{name}.py" for name in ("kernels", "pool", "targets", "gp", "posterior", "parts")
        ),
    ),
    "prior": Unit((f"{_CORE}/prior.py",), tuple(f"{_PREDICT}/tests/test_{name}.py" for name in ("prior", "families"))),
    "predictor": Unit((f"{_CORE}/predictor.py",), (f"{_PREDICT}/tests/test_predictor.py",)),
}
#: Imported once, before any process is forked.
_LIBRARIES = (
    "_pytest.monkeypatch",
    "hypothesis.strategies",
    "hypothesis.extra.numpy",
    "numpy",
    "scipy.stats",
    "networkx",
    "jsonschema",
    "yaml",
    "pluggy",
    "click",
    "rich.table",
    "torch",
    "onnx",
)


class Mutant(NamedTuple):
    """One change to a source: an operator of cosmic-ray, at one of the places that it applies to."""

    source: str
    line: int
    operator: Any
    occurrence: int

    def change(self, text: str) -> str | None:
        """The changed text of the source; nothing where cosmic-ray cannot make it."""
        from cosmic_ray.mutating import mutate_code

        try:
            changed = mutate_code(text, self.operator, self.occurrence)
        except AttributeError:  # an exception with a dot in its name
            return None
        return str(changed)


def unevaluated(source: str) -> set[int]:
    """Lines and columns, as ``line * 1000 + column``, that lie in annotations, which nothing evaluates."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(part, ast.expr):
                assert part.end_lineno is not None
                assert part.end_col_offset is not None
                for line in range(part.lineno, part.end_lineno + 1):
                    first = part.col_offset if line == part.lineno else 0
                    last = part.end_col_offset if line == part.end_lineno else 999
                    found.update(range(line * 1000 + first, line * 1000 + last))
    return found


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """All of a source, in the order of cosmic-ray's operators."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.operators.provider import OperatorProvider

    source = (root / path).read_text(encoding="utf-8")
    idle, tree, provider = unevaluated(source), get_ast(source), OperatorProvider()
    for name in provider:
        if provider[name].arguments():
            continue
        operator = provider[name]()
        places = [start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, column) in enumerate(places):
            if line * 1000 + column not in idle:
                yield Mutant(path, line, operator, occurrence)


class Reaching:
    """A plugin of pytest that notes which lines of the sources each test reaches, and its seconds; what runs on import belongs to no test."""

    def __init__(self, copy: Path, sources: tuple[str, ...], report: Path) -> None:
        self.files = {str(copy / source): source for source in sources}
        self.report = report
        self.test = ""
        self.lines: dict[str, set[tuple[str, int]]] = {"": set()}
        self.seconds: dict[str, float] = {}
        sys.settrace(self.trace)

    def trace(self, frame: Any, event: str, argument: Any) -> Any:
        """Note a line; frames of other files are not traced."""
        source = self.files.get(frame.f_code.co_filename)
        if source is None:
            return None
        self.lines[self.test].add((source, frame.f_lineno))
        return self.trace

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """One test."""
        self.test, begin = item.nodeid, time.monotonic()
        self.lines[self.test] = set()
        sys.settrace(self.trace)  # again: a test before it may have ended that
        try:
            return (yield)
        finally:
            self.seconds[self.test] = time.monotonic() - begin
            self.test = ""

    def pytest_sessionfinish(self) -> None:
        """Hand the notes over."""
        sys.settrace(None)
        lines = {test: sorted(found) for test, found in self.lines.items()}
        self.report.write_text(json.dumps({"lines": lines, "seconds": self.seconds}), encoding="utf-8")


class Chosen:
    """A plugin of pytest that runs the named tests alone, in the order of the names, and does not look for smaller examples."""

    def __init__(self, tests: list[str]) -> None:
        self.order = {test: place for place, test in enumerate(tests)}

    def pytest_configure(self) -> None:
        """Behind conftest.py, before any test is imported."""
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutation", parent=hypothesis.settings.get_profile("cg-ci"), phases=phases)
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep them."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


class Reach:
    """Which tests reach a statement."""

    def __init__(self, copy: Path, sources: tuple[str, ...], report: Path) -> None:
        notes = json.loads(report.read_text(encoding="utf-8"))
        self.seconds: dict[str, float] = notes["seconds"]
        self.lines = {test: {(source, line) for source, line in found} for test, found in notes["lines"].items()}
        self.statements = {source: statements((copy / source).read_text(encoding="utf-8")) for source in sources}

    def tests(self, source: str, line: int) -> list[str]:
        """The shortest first."""
        first, last = self.statements[source].get(line, (line, line))
        places = {(source, place) for place in range(first, last + 1)}
        found = [test for test in self.seconds if self.lines[test] & places]
        if not found or self.lines[""] & places:
            found = list(self.seconds)
        return sorted(found, key=self.seconds.__getitem__)


def statements(source: str) -> dict[int, tuple[int, int]]:
    """First and last line of the innermost statement by line; of one with a body, its head."""
    found: dict[int, tuple[int, int]] = {}
    for node in ast.walk(ast.parse(source)):  # breadth first: inner ones come later
        if isinstance(node, ast.stmt):
            assert node.end_lineno is not None
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            found.update(dict.fromkeys(range(node.lineno, last + 1), (node.lineno, last)))
    return found


def run_tests(copy: Path, tests: list[str], plugin: Callable[[], object], seconds: float) -> bool:
    """Whether the tests pass, in a process of their own, in time."""
    child = os.fork()
    if not child:
        os.setsid()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.chdir(copy)
        sources = [str(path) for path in copy.glob("packages/*/src")]
        sys.path[:0] = sources
        os.environ["PYTHONPATH"] = os.pathsep.join([*sources, os.environ.get("PYTHONPATH", "")])
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = [
            "-x",
            "-q",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow and not browser and not realdata",
        ]
        os._exit(int(pytest.main([*options, *tests], plugins=[plugin()])))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def try_out(name: str, unit: Unit, size: int, seed: int, copy: Path) -> tuple[int, int, int]:
    """Mutants there are, tried, and noticed."""
    every = [mutant for source in unit.sources for mutant in mutants(copy, source)]
    report = copy / "reached.json"
    if not run_tests(copy, list(unit.tests), lambda: Reaching(copy, unit.sources, report), 3600):
        raise SystemExit(f"{name}: the tests do not pass without any change")
    reach = Reach(copy, unit.sources, report)
    tried = noticed = 0
    for mutant in random.Random(seed).sample(every, len(every)):
        file = copy / mutant.source
        original = file.read_text(encoding="utf-8")
        changed = mutant.change(original)
        if changed is None:
            continue
        if tried == size:
            break
        file.write_text(changed, encoding="utf-8")
        tests = reach.tests(mutant.source, mutant.line)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        allowed = 20 + 4 * sum(reach.seconds[test] for test in tests)
        survived = run_tests(copy, files, partial(Chosen, tests), allowed)
        file.write_text(original, encoding="utf-8")
        tried, noticed = tried + 1, noticed + (not survived)
        print(f"{name}: {noticed} of {tried}", end="\r", file=sys.stderr, flush=True)
        if survived:
            lines = list(difflib.unified_diff(original.splitlines(), changed.splitlines(), lineterm="", n=0))[3:]
            print(f"{mutant.source}:{mutant.line}", *lines, sep="\n  ", flush=True)
    return len(every), tried, noticed


def main() -> None:
    """Try out the units that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", action="append", choices=list(UNITS), help="only these")
    parser.add_argument("--sample", type=int, default=60, help="mutants of each unit")
    parser.add_argument("--seed", type=int, default=0)
    options: Any = parser.parse_args()
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", CI="1")  # property tests see the same examples every time
    for library in _LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "packages", copy / "packages", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy2(ROOT / name, copy / name)
        for name in options.unit or UNITS:
            total, tried, noticed = try_out(name, UNITS[name], options.sample, options.seed, copy)
            print(f"{name}: {noticed} of {tried} noticed ({noticed / tried:.0%}), of {total} mutants", flush=True)


if __name__ == "__main__":
    main()
