"""What the architecture page says holds: picture, named files, tests beside modules, sizes of modules and functions, one record an operator."""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from architecture import ROLES, TARGET, draw, imports  # noqa: E402


def test_the_picture_is_up_to_date():
    assert TARGET.read_text(encoding="utf-8") == draw(), "run tools/architecture.py"


def test_every_package_and_import_is_drawn():
    root = ElementTree.fromstring(draw())
    text = " ".join(root.itertext())
    assert all(package.replace("_", "-") in text for package in ROLES)
    lines = [node for node in root.iter("{http://www.w3.org/2000/svg}path") if node.get("marker-end")]
    assert len(lines) == sum(map(len, imports().values())) == 9


def test_files_that_the_pages_name_are_there():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(cg_[a-z]+/[\w/]+(?:\.py|/))`", page))
    assert len(named) > 20
    missing = [
        name for name in named if not (ROOT / "packages" / name.split("/")[0].replace("_", "-") / "src" / name).exists()
    ]
    assert not missing


def test_the_tests_of_a_module_stand_where_it_does():
    missing = []
    for source in ROOT.glob("packages/*/src/*"):
        for module in source.rglob("*.py"):
            name = module.stem.lstrip("_")
            if name != "init__" and module.read_text(encoding="utf-8").count("\n") >= 30:
                place = source.parents[1] / "tests" / module.relative_to(source).with_name(f"test_{name}.py")
                missing += [] if place.exists() else [str(place.relative_to(ROOT))]
    assert not missing


def test_modules_and_functions_can_be_read_in_one_sitting():
    files = [
        *ROOT.glob("packages/*/src/**/*.py"),
        *ROOT.glob("packages/*/benchmarks/*.py"),
        *ROOT.glob("tools/**/*.py"),
    ]
    long = []
    for path in files:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 500:
            long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno >= 60:
                long.append(f"{path.relative_to(ROOT)}: {node.name} has {node.end_lineno - node.lineno + 1} lines")
    assert len(files) > 400
    assert not long


def test_a_function_of_one_tensor_stands_in_few_files():
    """One record; whatever else names it names it as one choice of many."""
    for name in ("Mish", "Asinh", "LogSigmoid"):
        named = [
            path
            for path in ROOT.glob("packages/*/src/**/*.py")
            if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
        ]
        assert 1 <= len(named) <= 3, (name, named)
