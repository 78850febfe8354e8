"""Everything that a contributor or CI runs: ``python3 -m nox -s NAME`` (``-l`` lists the sessions).

``tests``, ``integration``, ``attack``, ``demo``, ``bench``, ``zoo``, ``zoo-sample``, ``conformance``, ``published-models`` and ``docs`` share one
environment, ``.nox/torch``, with all five packages, editable, and all their extras. Each ``tests-<package>`` has an environment of its own
with only what that package declares.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typecheck", "tests"]

ROOT = Path(__file__).parent.resolve()
CONSTRAINTS = ROOT / "constraints.txt"
PROJECTS = {
    path.parent.name: nox.project.load_toml(path)["project"] for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
}
SHARED = ROOT / ".nox" / "torch"
#: One worker process a core, one thread each; neighbours share fixtures and stay together until a worker has nothing left to do.
IN_PARALLEL = ("-n", "auto", "--dist", "worksteal")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TEST_TOOLS = ("pytest", "pytest-xdist", "hypothesis", "selenium", "axe-core-python")
#: What the plugin template and one guide need beside the packages.
GUIDE_TOOLS = ("copier", "optuna", "ruff")
#: What runs and writes the ONNX files of the tests.
ONNX_TOOLS = ("onnxruntime", "onnxscript")
DEMO_LABELS = "analog-nasbench==0.1.3"
#: The model zoos, and what they import; without their dependencies, which would bring another torch.
ZOO = (
    "torchvision==0.28.0", "timm==1.0.31", "transformers==5.23.0", "huggingface_hub", "safetensors", "tokenizers", "regex", "tqdm",
    "filelock", "fsspec", "requests", "urllib3", "idna", "certifi", "charset-normalizer", "pillow", "httpx2", "httpcore2", "h11",
    "anyio", "truststore", "typer", "shellingham", "annotated-doc", "hf-xet",
)  # fmt: skip


# --- environments -----------------------------------------------------------------------------------------------------


def siblings(package: str) -> list[str]:
    """The packages of this repository that `package` needs, itself last."""
    needed: list[str] = []
    for requirement in PROJECTS[package]["dependencies"]:
        name = re.split(r"[^A-Za-z0-9-]", requirement, maxsplit=1)[0]
        if name in PROJECTS:
            needed += [sibling for sibling in siblings(name) if sibling not in needed]
    return [*needed, package]


def in_order() -> list[str]:
    """All packages, each behind the siblings that it needs: older pips look for those elsewhere otherwise."""
    return list(dict.fromkeys(name for package in PROJECTS for name in siblings(package)))


def editable(package: str, extras: bool = False) -> list[str]:
    """Arguments that make pip install `package` editable, with or without all its extras."""
    names = ",".join(sorted(PROJECTS[package].get("optional-dependencies", {}))) if extras else ""
    return ["-e", f"./packages/{package}" + (f"[{names}]" if names else "")]


def shared_python(session: nox.Session, *tools: str) -> str:
    """The interpreter of the shared environment, made or brought up to date first."""
    python = SHARED / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    session.chdir(ROOT)
    if not python.exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", str(SHARED), external=True)
    packages = [part for package in in_order() for part in editable(package, extras=True)]
    bring_up_to_date(session, str(python), "packages", [*TEST_TOOLS, *GUIDE_TOOLS, *ONNX_TOOLS, *packages])
    if tools:
        bring_up_to_date(session, str(python), session.name, tools)
    return str(python)


def bring_up_to_date(session: nox.Session, python: str, name: str, requirements: Sequence[str]) -> None:
    """Install into the shared environment. Torch takes minutes, so pip is asked only when a requirement has changed."""
    inputs = [path.read_bytes() for path in [CONSTRAINTS, *sorted(ROOT.glob("packages/*/pyproject.toml"))]]
    state = hashlib.sha256(b"\0".join([*inputs, *map(str.encode, requirements)])).hexdigest()
    stamp = SHARED / f"installed-{name}.txt"
    if stamp.exists() and stamp.read_text() == state:
        return
    session.log(f"installing {name} into .nox/torch (the first time this takes some minutes)")
    options = ("--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS))
    session.run(python, "-m", "pip", "install", *options, *requirements, external=True)
    stamp.write_text(state)


def run(session: nox.Session, *command: str, env: dict[str, str] | None = None) -> None:
    """Run a command of the shared environment from the root of the repository."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    session.run(*command, env={"PATH": path, "VIRTUAL_ENV": str(SHARED), **(env or {})}, external=True)


def install(session: nox.Session, *requirements: str) -> None:
    """Install into the session's own environment, pinned."""
    session.chdir(ROOT)
    session.install("--disable-pip-version-check", "-c", str(CONSTRAINTS), *requirements)


# --- tests ------------------------------------------------------------------------------------------------------------


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests, in one environment with all packages and extras."""
    python = shared_python(session)
    run(session, python, "-m", "pytest", *IN_PARALLEL, *session.posargs, env=ONE_THREAD)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """Only the tests of what crosses packages."""
    python = shared_python(session)
    run(session, python, "-m", "pytest", *(session.posargs or ["tests"]))


def tests_of(package: str) -> None:
    """Define the session `tests-<package>`."""

    @nox.session(name=f"tests-{package}", reuse_venv=True)
    def alone(session: nox.Session) -> None:
        install(session, *TEST_TOOLS, *(part for name in siblings(package) for part in editable(name)))
        session.run(
            "python", "-m", "pytest", *IN_PARALLEL, f"packages/{package}/tests", *session.posargs, env=ONE_THREAD
        )

    alone.__doc__ = f"Tests of {package}, with only its declared dependencies."


for _package in PROJECTS:
    tests_of(_package)


@nox.session(reuse_venv=True)
def plugin(session: nox.Session) -> None:
    """The example plugin, installed as an outsider's, its conformance tests, and the core's tests again beside it."""
    install(session, *TEST_TOOLS, *editable("cg-ir"), "./docs/examples/cg-stack")
    session.run("cg", "info", "stack:1353")
    session.run("python", "-m", "pytest", "docs/examples/cg-stack", "packages/cg-ir/tests", *session.posargs)


# --- checks -----------------------------------------------------------------------------------------------------------


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """ruff, its formatter, and who may import whom."""
    install(session, "ruff", "import-linter")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    sources = os.pathsep.join(str(ROOT / "packages" / name / "src") for name in PROJECTS)
    session.run("lint-imports", env={"PYTHONPATH": sources})


@nox.session(reuse_venv=True)
def typecheck(session: nox.Session) -> None:
    """mypy."""
    requirements = [part for package in in_order() for part in editable(package)]
    install(session, "mypy", "nox", *TEST_TOOLS, "types-PyYAML", "types-jsonschema", "types-networkx", *requirements)
    session.run("mypy", *session.posargs)


@nox.session(name="install", reuse_venv=True)
def prove_installation(session: nox.Session) -> None:
    """The README's installation commands against this clone, wheels, sdists, metadata."""
    install(session, "build", "twine", "hatchling", "tomli; python_version < '3.11'")
    session.run("python", "tools/prove_installation.py", *session.posargs)


@nox.session(reuse_venv=True)
def licences(session: nox.Session) -> None:
    """The licences of everything that is pinned, into docs/licences.md."""
    session.chdir(ROOT)
    session.run("python", "tools/licences.py")


# --- results ----------------------------------------------------------------------------------------------------------


@nox.session(venv_backend="none")
def attack(session: nox.Session) -> None:
    """Hostile inputs for every reader, twenty minutes (arguments: --sample, --minutes, --inputs, --only, ...), then crashes, evaluators and names."""
    python = shared_python(session)
    run(session, python, "tools/attack", *session.posargs, env=ONE_THREAD)
    if not session.posargs:
        run(session, python, "-m", "pytest", "-m", "attack", "-p", "no:xdist", env=ONE_THREAD)


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """Rank and search real NAS-Bench-201 cells, and write a report."""
    python = shared_python(session, "matplotlib")
    labels = SHARED / "demo-labels"  # outside site-packages: only the demo sees it
    if not (labels / "analognasbench").is_dir():
        session.run(
            python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps", "--target",
            str(labels), DEMO_LABELS, external=True,
        )  # fmt: skip
    # one worker process a core, one thread each
    environment = {"PYTHONPATH": str(labels), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run(session, python, "docs/examples/nb201_demo/demo.py", *session.posargs, env=environment)


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """The benchmark tables (CG_DATA names the folder with evaluation data; arguments go to `cg bench`)."""
    python = shared_python(session)
    if not session.posargs:
        run(session, python, "packages/cg-frontends/benchmarks/spaces.py")
        run(session, python, "packages/cg-predict/benchmarks/speed.py")
        run(session, python, "packages/cg-embed/benchmarks/pretraining.py")
    data = os.environ.get("CG_DATA")
    if not data:
        session.error("set CG_DATA to the folder with evaluation data")
    arguments = session.posargs or ["transfer", "--data", data, "--quick", "-o", "bench-results"]
    run(session, str(Path(python).with_name("cg")), "bench", *arguments)


def zoo_models(session: nox.Session, python: str) -> Path:
    """The folder of the model libraries; outside site-packages, so that only the sessions that ask for them see them."""
    models = SHARED / "zoo"
    if not (models / "transformers").is_dir():
        session.run(
            python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps", "--target", str(models), *ZOO,
            external=True,
        )  # fmt: skip
    return models


@nox.session(name="zoo-sample", venv_backend="none")
def zoo_sample(session: nox.Session) -> None:
    """The fixed sample of the zoo: conversion, parameters, MACs, round trips, outputs; some models against published accuracies."""
    python = shared_python(session)
    models = {"PYTHONPATH": str(zoo_models(session, python))}
    folder = "packages/cg-frontends/tests/pytorch"
    sample = [f"{folder}/test_{name}.py" for name in ("zoo_sample", "timm_space", "published_models", "decoding")]
    run(session, python, "-m", "pytest", *sample, "tests/test_published_transformers.py", *session.posargs, env=models)


@nox.session(venv_backend="none")
def zoo(session: nox.Session) -> None:
    """Every model of torchvision and timm, and transformers configurations, into docs/zoo.md (about an hour)."""
    python = shared_python(session)
    models = {"PYTHONPATH": str(zoo_models(session, python))}
    script = "packages/cg-frontends/benchmarks/zoo.py"
    results = []
    for family, options in (
        ("torchvision", ["--time-every", "4"]),
        ("timm", ["--time-every", "40", "--count-every", "5"]),
        ("transformers", ["--time-every", "3"]),
    ):
        results.append(str(SHARED / f"zoo-{family}.jsonl"))
        command = [python, script, "run", "--family", family, *options, *session.posargs, "-o", results[-1]]
        run(session, *command, env=models)
    for family, options in (
        ("torchvision", ["--most-macs", "2e11"]),
        ("timm", ["--every", "20"]),
        ("transformers", ["--every", "4"]),
    ):
        results.append(str(SHARED / f"zoo-{family}-agree.jsonl"))
        command = [python, script, "agree", "--family", family, *options, "-o", results[-1]]
        run(session, *command, env=models)
    run(session, python, script, "table", *results, "-o", "docs/zoo.md")


@nox.session(venv_backend="none")
def conformance(session: nox.Session) -> None:
    """The node cases of the ONNX project, converted and run, into docs/conformance.md (some minutes)."""
    python = shared_python(session)
    script, rows = "packages/cg-frontends/benchmarks/conformance.py", str(SHARED / "conformance-nodes.jsonl")
    Path(rows).unlink(missing_ok=True)
    run(session, python, script, "nodes", "-o", rows, env=ONE_THREAD)
    run(session, python, script, "table", rows, "-o", "docs/conformance.md", *session.posargs)


@nox.session(name="published-models", venv_backend="none")
def published_models(session: nox.Session) -> None:
    """Torchvision's classifiers ranked without labels, against the accuracies that it publishes, into docs/results/torchvision."""
    python = shared_python(session, "matplotlib", "pandas")
    models = {"PYTHONPATH": str(zoo_models(session, python))}
    script = "packages/cg-frontends/benchmarks/published_models.py"
    run(session, python, script, "-o", "docs/results/torchvision", *session.posargs, env=models)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors, into docs/_build/html."""
    python = shared_python(session, "sphinx", "furo", "myst-parser", "sphinx-copybutton", "sphinx-click")
    run(
        session,
        python,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "docs",
        "docs/_build/html",
        *session.posargs,
    )
