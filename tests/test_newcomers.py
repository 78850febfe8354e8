"""A newcomer's changes take one file and its test: each is made in a copy of a package, where the files that differ are counted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SPACE = '''
"""Ladders: convolutions of one width, as many as the letter says."""

from cg_frontends.spaces.blocks import classifier, conv_bn_relu
from cg_frontends.spaces.categorical import CategoricalSpace
from cg_ir import ArchError, GraphBuilder


class Ladder(CategoricalSpace):
    name = "ladder"
    size = 12
    choices = ("abcd", "xyz")

    def parse(self, arch):
        genes = tuple(arch)
        if len(genes) != 2 or any(gene not in values for gene, values in zip(genes, self.choices)):
            raise ArchError(f"a ladder is one of abcd and one of xyz, not {arch!r:.20}")
        return genes

    def format(self, genes):
        return "".join(genes)

    def graph(self, arch):
        depth, width = self.parse(arch)
        b = GraphBuilder(f"ladder/{self.canonical(arch)}")
        x = b.input((1, 3, 16, 16))
        for _ in range("abcd".index(depth) + 1):
            x = conv_bn_relu(b, x, 8 * ("xyz".index(width) + 1), 3)
        classifier(b, x, 10)
        return b.build()


SPACE = Ladder
'''

SPACE_TEST = """
from cg_ir import get_space
from cg_ir.testing import SpaceSuite


class TestLadder(SpaceSuite):
    def make(self):
        return get_space("ladder")


def test_a_ladder_is_as_deep_as_its_letter_says():
    graphs = [get_space("ladder").graph(f"{letter}y") for letter in "abcd"]
    assert [sum(node.op == "Conv" for node in graph.nodes) for graph in graphs] == [1, 2, 3, 4]
"""


def copied(package: str, folder: Path) -> Path:
    """A copy of a package's sources and tests."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    return Path(shutil.copytree(ROOT / "packages" / package, folder / package, ignore=ignored))


def touched(package: str, copy: Path) -> list[str]:
    """Files of the copy that are new or changed."""
    original = ROOT / "packages" / package
    return sorted(
        path.relative_to(copy).as_posix()
        for path in copy.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not ((old := original / path.relative_to(copy)).is_file() and old.read_bytes() == path.read_bytes())
    )


def passes(copy: Path, test: Path, *selection: str) -> None:
    """Run tests of the copy, which is imported in the place of the installed package."""
    paths = [str(copy / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    options = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(copy.parent)]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, *selection, str(test)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, cwd=copy.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_search_space_is_one_file_and_its_test(tmp_path: Path) -> None:
    copy = copied("cg-frontends", tmp_path)
    assert touched("cg-frontends", copy) == []
    (copy / "src/cg_frontends/spaces/ladder.py").write_text(SPACE, encoding="utf-8")
    test = copy / "tests/spaces/test_ladder.py"
    test.write_text(SPACE_TEST, encoding="utf-8")
    passes(copy, test)
    assert touched("cg-frontends", copy) == ["src/cg_frontends/spaces/ladder.py", "tests/spaces/test_ladder.py"]


def test_an_acquisition_function_is_one_file_and_its_test(tmp_path: Path) -> None:
    """The change that CONTRIBUTING.md works through, put in as it stands there; and a search that proposes by it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = [re.sub(r"(?m)^   ", "", block) for block in re.findall(r"   ```python\n(.*?)   ```", text, re.DOTALL)]
    (test_code,) = [block for block in shown if block.startswith("def test_")]
    (code,) = [block for block in shown if block.startswith("def log_probability")]
    copy = copied("cg-evolve", tmp_path)
    source, test = (
        copy / name for name in ("src/cg_evolve/algorithms/acquisition.py", "tests/algorithms/test_acquisition.py")
    )
    before = source.read_text(encoding="utf-8")
    name = "log_probability_of_improvement"
    changed = before.replace("def _scaled(", f"{code}\n\ndef _scaled(").replace(
        '"level_order"', f'"level_order", "{name}"', 1
    )
    assert len(changed) > len(before) + len(code)
    source.write_text(changed, encoding="utf-8")
    use = f"""
from cg_evolve.algorithms.acquisition import {name}

{test_code}

def test_a_search_proposes_by_it(toy_pool: list[str]) -> None:
    search = Search("toy", BayesianSearch("toy-gp", acquisition=Acquisition({name})), seed=0, pool=toy_pool)
    for _ in range(12):
        (candidate,) = search.ask()
        search.tell([candidate], [float(candidate.graph.macs)])
    assert len(set(row.arch for row in search.history)) == 12
"""
    test.write_text(test.read_text(encoding="utf-8") + use, encoding="utf-8")
    passes(copy, test, "-k", "probability_of_improvement or proposes_by_it")
    assert touched("cg-evolve", copy) == [str(path.relative_to(copy).as_posix()) for path in (source, test)]
