"""Attacks every reader with hostile inputs: ``python tools/attack [--minutes M] [--sample] [--seed S] [--only NAME] [--findings FOLDER]``.

Inputs are mutations of valid ones, the same for the same seed; those that end in a message not seen before join what the next are made of. They are read in
child processes, each input within 2 GiB of memory beyond what the interpreter has, and within 10 seconds. An input may be read, or refused by an error of
the library's own; another exception, a signal, too much time or memory is a finding. Exit status 1 if there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from targets import Target, targets

from cg_ir.errors import CgError
from cg_ir.terminal import one_line
from cg_ir.trust import command_line

MEMORY = 2 * 2**30
SECONDS = 10
_BATCH = 400
_CORPUS = 400


@dataclass
class Outcome:
    """What a target came to."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    messages: set[str] = field(default_factory=set)
    findings: dict[str, bytes] = field(default_factory=dict)
    slowest: float = 0.0
    largest: int = 0


def main() -> int:
    """Run the attack; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--sample", action="store_true", help="one minute over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a reader's name")
    parser.add_argument("--findings", type=Path, help="where to keep inputs that are findings")
    options = parser.parse_args()
    seconds = 60.0 if options.sample else 60.0 * options.minutes
    with tempfile.TemporaryDirectory() as name, command_line(["attack"]):
        folder = Path(name)
        os.chdir(folder)
        (folder / "seeds").mkdir()
        chosen = [target for target in targets(folder / "seeds") if options.only in target.name]
        outcomes = {target.name: attack(target, seconds / len(chosen), options.seed, folder) for target in chosen}
    report(outcomes)
    findings = [(name, text, data) for name, outcome in outcomes.items() for text, data in outcome.findings.items()]
    for name, text, data in findings:
        print(f"\nFINDING in {name}: {text}")
        if options.findings:
            options.findings.mkdir(parents=True, exist_ok=True)
            (
                options.findings / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{hashlib.sha256(data).hexdigest()[:12]}"
            ).write_bytes(data)
    return 1 if findings else 0


def report(outcomes: dict[str, Outcome]) -> None:
    """Print what came out, one line a reader, and the largest times and memory."""
    print(
        f"{'reader':24} {'inputs':>8} {'read':>8} {'refused':>8} {'messages':>8} {'findings':>8} {'seconds':>8} {'MiB':>6}"
    )
    for name, o in outcomes.items():
        mebibytes = o.largest / 2**20
        print(
            f"{name:24} {o.inputs:8,} {o.read:8,} {o.refused:8,} {len(o.messages):8,} {len(o.findings):8,} {o.slowest:8.2f} {mebibytes:6.0f}"
        )
    print(f"{'all':24} {sum(o.inputs for o in outcomes.values()):8,}")


def attack(target: Target, seconds: float, seed: int, folder: Path) -> Outcome:
    """Attack one reader for some seconds."""
    outcome = Outcome()
    corpus = list(target.seeds)
    end = time.monotonic() + seconds
    batch = 0
    while time.monotonic() < end and len(outcome.findings) < 20:
        place = Path(tempfile.mkdtemp(dir=folder))
        done = _child(target, corpus, f"{seed} {target.name} {batch}", place, end, outcome)
        shutil.rmtree(place, ignore_errors=True)
        batch += 1
        for data in done:
            if len(corpus) < _CORPUS and len(data) < 100_000:
                corpus.append(data)
    return outcome


def _inputs(target: Target, corpus: list[bytes], name: str, count: int) -> list[bytes]:
    rng = random.Random(name)
    return [target.mutate(rng, corpus) for _ in range(count)]


def _child(target: Target, corpus: list[bytes], name: str, place: Path, end: float, outcome: Outcome) -> list[bytes]:
    """Read a batch of inputs in a child process; gives those whose messages are new."""
    inputs = _inputs(target, corpus, name, _BATCH if outcome.inputs else 40)
    receive, send = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receive)
        _serve(target, inputs, place, send, end)
    os.close(send)
    new: list[bytes] = []
    begun = 0
    with os.fdopen(receive, "r") as stream:
        for line in stream:
            row = json.loads(line)
            if row["kind"] == "begin":
                begun = row["index"]
                continue
            _note(outcome, row, inputs[row["index"]], new)
    status = os.waitpid(process, 0)[1]
    if status:
        what = (
            signal.Signals(os.WTERMSIG(status)).name
            if os.WIFSIGNALED(status)
            else f"exit status {os.WEXITSTATUS(status)}"
        )
        if what == "SIGALRM":
            what = f"more than {SECONDS} s"
        outcome.inputs += 1
        outcome.findings.setdefault(f"the process ended: {what}", inputs[begun])
    return new


def _note(outcome: Outcome, row: dict[str, Any], data: bytes, new: list[bytes]) -> None:
    outcome.inputs += 1
    outcome.slowest = max(outcome.slowest, row["seconds"])
    outcome.largest = max(outcome.largest, row["memory"])
    if row["kind"] == "finding":
        outcome.findings.setdefault(row["text"], data)
        return
    outcome.read += row["kind"] == "read"
    outcome.refused += row["kind"] == "refused"
    shape = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "#", row["text"])[:120]
    if shape not in outcome.messages:
        outcome.messages.add(shape)
        new.append(data)


def _serve(target: Target, inputs: list[bytes], place: Path, send: int, end: float) -> None:
    """The child: reads inputs under limits and says how each ended."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        size = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    with os.fdopen(send, "w") as stream:
        for index, data in enumerate(inputs):
            if time.monotonic() > end:
                break
            print(json.dumps({"kind": "begin", "index": index}), file=stream, flush=True)
            before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            kind, text = _ending(target, data, place)
            signal.setitimer(signal.ITIMER_REAL, 0)
            memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            row = {"kind": kind, "text": text, "index": index, "seconds": time.monotonic() - begin, "memory": memory}
            print(json.dumps(row), file=stream, flush=True)
    os._exit(0)


def _ending(target: Target, data: bytes, place: Path) -> tuple[str, str]:
    try:
        target.read(data, place)
    except CgError as error:
        return "refused", one_line(error).replace(str(place), "")
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        inner = [f for f in traceback.extract_tb(error.__traceback__) if "/cg_" in f.filename]
        where = inner[-1] if inner else frame
        return "finding", f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:150]!r}"
    return "read", ""


if __name__ == "__main__":
    sys.exit(main())
