"""Prove that the documented installation commands work, and that the built distributions are in order.

Every ``sh`` block of README.md and CONTRIBUTING.md that follows the line ``<!-- proved by
tools/prove_installation.py -->`` is run line by line, each line in a fresh virtual environment, with ``REPO`` naming
this clone (its last commit). Afterwards exactly the packages that were asked for are importable, ``pip check`` finds
nothing, and ``cg --help`` answers. Then wheels and sdists are built twice (same bytes), checked by twine, and installed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = "<!-- proved by tools/prove_installation.py -->"
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
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
    """The packages that a command asks for: those it names, or all for the root distribution."""
    named = [name for name in PACKAGES if re.search(rf"(?<![\w-]){name}(?![\w-])", command)]
    return named or PACKAGES


class Environment:
    """A fresh virtual environment in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, clear=True)
        bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.variables = {
            **os.environ,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(folder),
            "REPO": f"git+{ROOT.as_uri()}",
            "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
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
            environment.prove(PACKAGES, folder)
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
        environment = Environment(folder / f"from-{kind}")
        names = ",".join([*PACKAGES, "cg-suite"])
        environment.run("python3", "-m", "pip", "install", "--find-links", str(collected), only, names, "cg-suite")
        environment.prove(PACKAGES, folder)
        print(f"ok  all packages from their {kind}s", flush=True)


def main() -> None:
    """Run all proofs, or those named on the command line."""
    proofs = {"commands": prove_commands, "commit": prove_commit_twice, "distributions": prove_distributions}
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
