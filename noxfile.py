"""Everything that a contributor or CI runs: ``python3 -m nox -s NAME`` (``-l`` lists the sessions).

``tests``, ``integration``, ``attack``, ``demo``, ``bench``, ``zoo``, ``zoo-sample``, ``conformance``, ``published-models`` and ``docs`` share one
environment, ``.nox/torch``, with all packages, editable, and all their extras. Each ``tests-<package>`` has an environment of its own
with only what that package declares.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
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
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
#: One worker process a core and one more, for some tests wait, each with one thread; neighbours share fixtures and stay together until a worker
#: has nothing left to do.
IN_PARALLEL = ("-n", str(CORES + 1), "--dist", "worksteal")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
#: Tests start hundreds of processes, and each would compile every module again where the environment asks for no byte code.
FOR_TESTS = {**ONE_THREAD, "PYTHONDONTWRITEBYTECODE": ""}
#: What is installed beside the packages, by the groups of pyproject.toml.
GROUPS = {
    name: nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), name)
    for name in ("test", "guides", "onnx", "coverage", "lint", "typecheck", "docs", "release")
}
DEMO_LABELS = "analog-nasbench==0.1.3"
MUTATION = "cosmic-ray==8.7.0"
#: The model zoos, and what they import; without their dependencies, which would bring another torch.
ZOO = (
    "torchvision==0.28.0", "timm==1.0.31", "transformers==5.23.0", "huggingface_hub", "safetensors", "tokenizers", "regex", "tqdm",
    "filelock", "fsspec", "requests", "urllib3", "idna", "certifi", "charset-normalizer", "pillow", "httpx2", "httpcore2", "h11",
    "anyio", "truststore", "typer", "shellingham", "annotated-doc", "hf-xet",
)  # fmt: skip
#: What the conformance page converts networks of, what it counts with, and what they import; without their dependencies, too.
FOREIGN = (
    "pytorchcv==0.0.74", "segmentation-models-pytorch==0.6.0", "monai==1.6.1", "diffusers==0.42.1", "ultralytics==8.4.190",
    "open_clip_torch==3.3.0", "torchaudio==2.11.1", "speechbrain==1.1.2", "asteroid==0.7.0", "asteroid-filterbanks==0.4.0",
    "vit-pytorch==1.26.14", "x-transformers==2.31.10", "einops==0.8.2", "einx==0.4.3", "frozendict==2.5.1", "torch-einops-utils==0.2.0",
    "loguru==0.7.3", "kornia==0.9.0", "kornia_rs==0.2.0", "resnest==0.0.5", "torch_geometric==2.8.1", "efficientnet-pytorch==0.7.1",
    "facenet-pytorch==2.6.0", "torchsr==1.0.4", "encodec==0.1.1", "fvcore==0.1.5.post20221221", "thop==0.1.1-2209072238", "ptflops==0.7.5",
    "torchinfo==1.8.0", "calflops==0.3.2", "onnx-tool==1.0.1", "accelerate==1.15.0", "hyperpyyaml==1.2.3", "ruamel.yaml==0.19.1",
    "sentencepiece==0.2.3", "ftfy==6.3.1", "wcwidth==0.9.4", "importlib_metadata==10.2.0", "zipp==4.1.2", "xxhash==4.1.0",
    "aiohttp==3.14.5", "multidict==7.2.1", "yarl==1.25.1", "propcache==0.5.4", "frozenlist==1.8.0", "aiosignal==1.4.0", "attrs==26.1.0",
    "aiohappyeyeballs==2.7.1", "psutil==7.2.2", "pyparsing==3.3.3", "joblib==1.6.0", "pandas==3.1.1", "python-dateutil==4.0.0",
    "six==1.17.0", "pytz==2026.6", "tzdata==2026.6", "opencv-python-headless==5.0.0.93", "matplotlib==3.11.2", "contourpy==1.3.3",
    "cycler==0.12.1", "fonttools==4.68.0", "kiwisolver==1.5.1", "torchmetrics==1.9.0", "lightning-utilities==0.15.3",
    "pytorch-lightning==2.6.6", "cached_property==2.0.1", "soundfile==0.14.0", "cffi==2.1.1", "pycparser==3.12", "julius==0.2.8",
    "iopath==0.1.10", "yacs==0.1.8", "tabulate==0.10.0", "termcolor==3.3.0", "portalocker==4.4.2",
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
    bring_up_to_date(session, str(python), "packages", [*GROUPS["test"], *GROUPS["guides"], *GROUPS["onnx"], *packages])
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
    run(session, python, "-m", "pytest", *IN_PARALLEL, *session.posargs, env=FOR_TESTS)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """Only the tests of what crosses packages."""
    python = shared_python(session)
    run(session, python, "-m", "pytest", *(session.posargs or ["tests"]))


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Lines and branches that the tests reach, by package (arguments go to pytest)."""
    python = shared_python(session, *GROUPS["coverage"])
    tests = session.posargs or ["-m", "not slow and not browser"]
    run(session, python, "-m", "coverage", "erase")
    run(session, python, "-m", "pytest", *IN_PARALLEL, "--cov", "--cov-branch", "--cov-report=", *tests, env=ONE_THREAD)
    for name in PROJECTS:
        session.log(f"{name}: what is not reached")
        run(session, python, "-m", "coverage", "report", "--include", f"packages/{name}/src/*")


def tests_of(package: str) -> None:
    """Define the session `tests-<package>`."""

    @nox.session(name=f"tests-{package}", reuse_venv=True)
    def alone(session: nox.Session) -> None:
        install(session, *GROUPS["test"], *(part for name in siblings(package) for part in editable(name)))
        session.run(
            "python", "-m", "pytest", *IN_PARALLEL, f"packages/{package}/tests", *session.posargs, env=FOR_TESTS
        )

    alone.__doc__ = f"Tests of {package}, with only its declared dependencies."


for _package in PROJECTS:
    tests_of(_package)


@nox.session(reuse_venv=True)
def plugin(session: nox.Session) -> None:
    """The example plugin, installed as an outsider's, its conformance tests, and the core's tests again beside it."""
    install(session, *GROUPS["test"], *editable("cg-ir"), "./docs/examples/cg-stack")
    session.run("cg", "info", "stack:1353")
    paths = ("docs/examples/cg-stack", "packages/cg-ir/tests")
    session.run("python", "-m", "pytest", *IN_PARALLEL, *paths, *session.posargs, env=FOR_TESTS)


# --- checks -----------------------------------------------------------------------------------------------------------


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """ruff, its formatter, and who may import whom."""
    install(session, *GROUPS["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    sources = os.pathsep.join(str(ROOT / "packages" / name / "src") for name in PROJECTS)
    session.run("lint-imports", env={"PYTHONPATH": sources})


@nox.session(reuse_venv=True)
def typecheck(session: nox.Session) -> None:
    """mypy."""
    requirements = [part for package in in_order() for part in editable(package)]
    install(session, *GROUPS["typecheck"], *requirements)
    session.run("mypy", *session.posargs)


@nox.session(name="install", reuse_venv=True)
def prove_installation(session: nox.Session) -> None:
    """The README's installation commands against this clone, wheels, sdists, metadata."""
    install(session, *GROUPS["release"])
    session.run("python", "tools/prove_installation.py", *session.posargs)


@nox.session(reuse_venv=True)
def build(session: nox.Session) -> None:
    """Wheels and sdists for an index into dist/, under the names in pyproject.toml."""
    install(session, *GROUPS["release"])
    session.run("python", "tools/build_distributions.py", *session.posargs)


@nox.session(venv_backend="none")
def pictures(session: nox.Session) -> None:
    """The pictures of README.md and of the documentation, into docs/pictures."""
    python = shared_python(session)
    run(session, python, "tools/pictures.py", *session.posargs, env=ONE_THREAD)


@nox.session(reuse_venv=True)
def licences(session: nox.Session) -> None:
    """The licences of everything that is pinned, into docs/licences.md."""
    session.chdir(ROOT)
    session.run("python", "tools/licences.py")


@nox.session(venv_backend="none")
def mutation(session: nox.Session) -> None:
    """Whether the tests would notice defects in the core: a seeded sample of mutants (an hour or more; arguments: --unit, --sample, --seed)."""
    python = shared_python(session)
    tool = SHARED / "mutation"
    if not (tool / "cosmic_ray").is_dir():
        options = ("--disable-pip-version-check", "--quiet", "--target", str(tool))
        session.run(python, "-m", "pip", "install", *options, MUTATION, external=True)
    path = os.pathsep.join([str(tool), os.environ.get("PYTHONPATH", "")])
    run(session, python, "tools/mutation.py", *session.posargs, env={**ONE_THREAD, "PYTHONPATH": path})


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
    python = shared_python(session)
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
    folder = "packages/cg-frontends/tests"
    sample = [
        f"{folder}/{name}.py"
        for name in ("pytorch/test_zoo_sample", "pytorch/test_decoding", "spaces/test_timm_models")
    ]
    sample += ["packages/cg-bench/tests/test_published_models.py", "tests/test_published_transformers.py"]
    run(session, python, "-m", "pytest", *sample, *session.posargs, env=models)


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


def foreign_libraries(session: nox.Session, python: str) -> Path:
    """The folder of the libraries that the conformance page converts networks of, and of the counters that it compares with."""
    libraries = SHARED / "foreign"
    if not (libraries / "x_transformers").is_dir():
        options = ("--disable-pip-version-check", "--quiet", "--no-deps", "--target", str(libraries))
        session.run(python, "-m", "pip", "install", *options, *FOREIGN, external=True)
        shutil.rmtree(
            libraries / "torchaudio" / "lib", ignore_errors=True
        )  # compiled for one torch; its networks do without
    return libraries


@nox.session(venv_backend="none")
def conformance(session: nox.Session) -> None:
    """Node cases of ONNX, exports, libraries, language models, other counters, into docs/conformance.md and docs/results/counters.md.

    An hour or two; ``-- --resume`` goes on where one that was stopped ended.
    """
    python = shared_python(session)
    models, libraries = zoo_models(session, python), foreign_libraries(session, python)
    environment = {**ONE_THREAD, "PYTHONPATH": os.pathsep.join([str(models), str(libraries)]), "HF_HUB_OFFLINE": "1"}
    folder = "packages/cg-frontends/benchmarks"
    rows = {
        name: str(SHARED / f"conformance-{name}.jsonl")
        for name in ("nodes", "libraries", "exports", "models", "times", "counters")
    }
    for path in rows.values():
        if "--resume" not in session.posargs:
            Path(path).unlink(missing_ok=True)
    run(session, python, f"{folder}/conformance.py", "nodes", "-o", rows["nodes"], env=ONE_THREAD)
    for name, script in (
        ("libraries", "third_party"),
        ("exports", "exports"),
        ("models", "language_models"),
        ("times", "conversion_time"),
        ("counters", "counters"),
    ):
        run(session, python, f"{folder}/{script}.py", "run", "-o", rows[name], env=environment)
    parts = [part for name in ("libraries", "exports", "models", "times") for part in (f"--{name}", rows[name])]
    page = ("table", rows["nodes"], *parts, "-o", "docs/conformance.md")
    run(session, python, f"{folder}/conformance.py", *page)
    counted = ("table", rows["counters"], "-o", "docs/results/counters.md")
    run(session, python, f"{folder}/counters.py", *counted, env=environment)


@nox.session(name="published-models", venv_backend="none")
def published_models(session: nox.Session) -> None:
    """Torchvision's classifiers ranked without labels, against the accuracies that it publishes, into docs/results/torchvision."""
    python = shared_python(session, "pandas")
    zoo = ROOT / "packages" / "cg-frontends" / "benchmarks"  # whose zoo.py the script imports
    models = {"PYTHONPATH": os.pathsep.join([str(zoo_models(session, python)), str(zoo)])}
    script = "packages/cg-bench/benchmarks/published_models.py"
    run(session, python, script, "-o", "docs/results/torchvision", *session.posargs, env=models)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors, into docs/_build/html."""
    python = shared_python(session, *GROUPS["docs"])
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
        env=ONE_THREAD,
    )
