"""Prove that the documented installation commands work, and that the built distributions are in order.

Every ``sh`` block of README.md and CONTRIBUTING.md that follows the line ``<!-- proved by
tools/prove_installation.py -->`` is run line by line, each line in a fresh virtual environment, with ``REPO`` naming
this clone (its last commit). Afterwards exactly the packages that were asked for are importable, ``pip check`` finds
nothing, and ``cg --help`` answers. Then wheels and sdists are built twice (same bytes), checked by twine, and each
package is installed alone from either. Last, each package is installed with the lowest versions that it declares, on
the oldest Python that is there, and its tests are run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
MARK = "<!-- proved by tools/prove_installation.py -->"
PROJECTS = {
    path.parent.name: tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
}
PACKAGES = list(PROJECTS)
#: Only the extra `bench` of the whole brings it.
OPTIONAL = "cg-bench"
#: Pythons for which the lowest versions have wheels, the oldest first.
PYTHONS = ("python3.10", "python3.11", "python3.12")
#: Too large to be installed once more: their lower bound is not proved.
UNPROVED = ("torch", "torch-geometric")
CHECK = """
import importlib.util, json, sys
expected = set(json.loads(sys.argv[1]))
found = {name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)}
if found != expected:
    sys.exit(f"importable are {sorted(found)}, expected {sorted(expected)}")
import importlib
for name in sorted(found):
    importlib.import_module(name)
if "torch" in sys.modules:
    sys.exit("importing the packages imported torch")
"""


def documented_commands(page: Path) -> list[str]:
    """The commands of the marked blocks of a page, one a line."""
    blocks = re.findall(re.escape(MARK) + r"\n```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    if not blocks:
        raise SystemExit(f"{page.name} has no block marked {MARK}")
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def expected_packages(command: str) -> list[str]:
    """The packages that a command asks for: those it names, or for the root distribution all but the optional one, unless its extra is named."""
    named = [name for name in PACKAGES if re.search(rf"(?<![\w-]){name}(?![\w-])", command)]
    return named or [name for name in PACKAGES if name != OPTIONAL or "[bench]" in command]


class Environment:
    """A fresh virtual environment in a temporary folder."""

    def __init__(self, folder: Path, python: str | None = None, constraints: Path | None = None) -> None:
        if python is None:
            venv.create(folder, with_pip=True, clear=True)
        else:
            subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.variables = {
            **os.environ,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(folder),
            "REPO": f"git+{ROOT.as_uri()}",
            "PIP_CONSTRAINT": str(constraints or ROOT / "constraints.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.variables.pop("PYTHONPATH", None)

    def run(self, *command: str, cwd: Path = ROOT) -> None:
        """Run a command; its output is shown only when it fails."""
        done = subprocess.run(command, env=self.variables, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            raise SystemExit(f"failed with status {done.returncode}: {' '.join(command)}")

    def prove(self, packages: list[str], elsewhere: Path) -> None:
        """Check that exactly `packages` are importable, that the command answers, and that requirements agree."""
        modules = [name.replace("-", "_") for name in packages]
        everything = [name.replace("-", "_") for name in PACKAGES]
        self.run("python3", "-c", CHECK, json_list(modules), json_list(everything), cwd=elsewhere)
        self.run("cg", "--help", cwd=elsewhere)
        self.run("python3", "-m", "pip", "check", cwd=elsewhere)


def json_list(names: list[str]) -> str:
    """`names` as a JSON list."""
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def prove_commands(folder: Path) -> None:
    """Run every documented command in an environment of its own."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for number, command in enumerate(documented_commands(page)):
            environment = Environment(folder / f"{page.stem}-{number}")
            environment.run("bash", "-c", command)
            environment.prove(expected_packages(command), folder)
            print(f"ok  {page.name}: {command}", flush=True)


def prove_commit_twice(folder: Path) -> None:
    """A remote URL with a commit installs twice: the second time pip takes the root wheel from its cache."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(folder / "served")], check=True)
    with git_server(folder) as address:
        for number in range(2):
            environment = Environment(folder / f"commit-{number}")
            environment.variables["PIP_CACHE_DIR"] = str(folder / "pip-cache")
            environment.run("python3", "-m", "pip", "install", f"git+{address}/served@{commit}")
            environment.prove(expected_packages(address), folder)
    print("ok  the root distribution from one commit of a remote URL, twice", flush=True)


@contextlib.contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """Serve the repositories in `folder` on the loopback interface, read-only; yields the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}", str(folder)]
    with subprocess.Popen(["git", "daemon", *arguments]) as server:
        try:
            for _ in range(50):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.1)
            yield f"git://127.0.0.1:{port}"
        finally:
            server.terminate()


def build(source: Path, target: Path) -> dict[str, str]:
    """Build sdist and wheel of `source` into `target`; their digests by file name."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)],
        env={**os.environ, "CG_SUITE_RELEASE": "1"}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())}


def prove_distributions(folder: Path) -> None:
    """Wheels and sdists build reproducibly, pass twine, and install without the checkout."""
    collected = folder / "dist"
    collected.mkdir()
    for source in [ROOT, *(ROOT / "packages" / name for name in PACKAGES)]:
        first, second = (build(source, folder / f"{source.name}-build-{number}") for number in range(2))
        if first != second:
            raise SystemExit(f"building {source.name} twice gave different files: {first} and {second}")
        for path in (folder / f"{source.name}-build-0").iterdir():
            path.rename(collected / path.name)
    files = sorted(map(str, collected.iterdir()))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    print(f"ok  {len(files)} wheels and sdists, built twice alike", flush=True)
    for kind, only in (("wheel", "--only-binary"), ("sdist", "--no-binary")):
        for name in [*PACKAGES, "cg-suite"]:
            environment = Environment(folder / f"{name}-from-{kind}")
            names = ",".join([*PACKAGES, "cg-suite"])
            environment.run("python3", "-m", "pip", "install", "--find-links", str(collected), only, names, name)
            environment.prove(siblings(name) if name in PACKAGES else expected_packages(name), folder)
            print(f"ok  {name} from its {kind}", flush=True)


def requirements(package: str, extras: bool) -> list[str]:
    """What `package` declares, with the requirements of its extras or without."""
    groups = PROJECTS[package].get("optional-dependencies", {}) if extras else {}
    return [*PROJECTS[package]["dependencies"], *(line for lines in groups.values() for line in lines)]


def siblings(package: str) -> list[str]:
    """The packages of this repository that `package` needs, itself last."""
    needed: list[str] = []
    for requirement in requirements(package, extras=False):
        name = re.split(r"[^A-Za-z0-9-]", requirement, maxsplit=1)[0]
        if name in PACKAGES:
            needed += [sibling for sibling in siblings(name) if sibling not in needed]
    return [*needed, package]


def lowest_versions(package: str) -> dict[str, str]:
    """The lower bounds that `package` and its siblings declare, the highest of several; without `UNPROVED` ones.

    Raises:
        SystemExit: a requirement without a lower bound.
    """
    found: dict[str, str] = {}
    for name in siblings(package):
        for line in requirements(name, extras=True):
            bound = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[\w,-]+\])?(?:>=|~=)([\w.]+)", line)
            if bound is None:
                raise SystemExit(f"{name} requires '{line}': should be a name and a lower bound, 'name>=1.2'")
            if bound[1] not in (*PACKAGES, *UNPROVED):
                found[bound[1]] = max(
                    bound[2], found.get(bound[1], ""), key=lambda text: [*map(int, text.split(".") if text else ())]
                )
    return found


def oldest_python() -> str:
    """The oldest Python on the path for which the lowest versions have wheels.

    Raises:
        SystemExit: there is none.
    """
    for name in PYTHONS:
        found = shutil.which(name)
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    raise SystemExit(f"proving the lowest versions needs one of {', '.join(PYTHONS)}")


def prove_lowest(folder: Path) -> None:
    """Each package's quick tests pass with the lowest versions that it declares, with every extra but torch."""
    python = oldest_python()
    for package in PACKAGES:
        versions = lowest_versions(package)
        constraints = folder / f"{package}.txt"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        environment = Environment(folder / f"lowest-{package}", python, constraints)
        needed = [part for name in siblings(package) for part in ("-e", f"./packages/{name}")]
        environment.run("python3", "-m", "pip", "install", "pytest", "hypothesis", *versions, *needed)
        environment.run("python3", "-m", "pip", "check")
        # what older versions warn about is mended in newer ones
        options = ("-q", "-m", "not slow and not browser and not attack", "-o", "filterwarnings=default")
        environment.run("python3", "-m", "pytest", *options, f"packages/{package}/tests")
        print(f"ok  {package} with {', '.join(f'{name} {version}' for name, version in versions.items())}", flush=True)


def main() -> None:
    """Run all proofs, or those named on the command line."""
    proofs = {
        "commands": prove_commands,
        "commit": prove_commit_twice,
        "distributions": prove_distributions,
        "lowest": prove_lowest,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "proofs", nargs="*", choices=[*proofs, []], metavar="|".join(proofs), help="all when none is named"
    )
    chosen = parser.parse_args().proofs or list(proofs)
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="cg-installation-") as folder:
            proofs[name](Path(folder))


if __name__ == "__main__":
    main()
