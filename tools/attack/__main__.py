"""Attacks every reader with hostile inputs: ``python tools/attack [--minutes M | --inputs N | --sample] [--seed S] [--only NAME] ...``.

Inputs are mutations of valid ones, the same for the same seed; those that end in a message not seen before join what the next are made of. They are
read in child processes, each input within 2 GiB of memory beyond what the interpreter has, and within 10 seconds of the processor's time. An input
may be read, or refused by an error of the library's own; another exception, a signal, too much time or memory is a finding. Exit status 1 if there is
one.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from children import CORPUS, TOO_LONG, attack_in_child
from record import Outcome, keep, known, page, table
from target import Target
from targets import targets

from cg_ir.trust import command_line

#: Inputs of a child.
_BATCH = 2000
#: Different findings after which a reader is left alone.
_ENOUGH = 20


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="for all readers together")
    parser.add_argument("--inputs", type=int, help="for each reader, however long that takes")
    parser.add_argument("--sample", action="store_true", help="one minute over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="parts of readers' names, with commas between, in this order")
    parser.add_argument("--findings", type=Path, help="folder where inputs that are findings are kept")
    parser.add_argument("--record", type=Path, help="file (JSON Lines) that keeps what each reader came to")
    parser.add_argument("--missing", action="store_true", help="only readers that --record does not have")
    parser.add_argument("--page", type=Path, help="page (Markdown) of everything in --record")
    options = parser.parse_args(arguments)
    if (options.page or options.missing) and not options.record:
        parser.error("--page and --missing need --record")
    return options


def main() -> int:
    """Run the attack; the exit status."""
    options = options_of(sys.argv[1:])
    for name in ("findings", "record", "page"):
        if getattr(options, name):
            setattr(options, name, getattr(options, name).absolute())
    outcomes = []
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=in_memory) as name, command_line(["attack"]):
        folder = Path(name)
        os.chdir(folder)
        (folder / "seeds").mkdir()
        done = known(options.record) if options.missing else {}
        everything = list(targets(folder / "seeds"))
        found = [target for part in options.only.split(",") for target in everything if part in target.name]
        chosen = [target for target in dict.fromkeys(found) if target.name not in done]
        gc.freeze()  # the children share what is there
        seconds = math.inf if options.inputs else (60.0 if options.sample else 60.0 * options.minutes) / len(chosen)
        for target in chosen:
            outcomes.append(attack(target, seconds, options.inputs, options.seed, folder, options.findings))
            if options.record:
                keep(options.record, outcomes[-1])
            if options.page:
                options.page.write_text(page(list(known(options.record).values())), encoding="utf-8")
        os.chdir("/")
    report(outcomes)
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def report(outcomes: Iterable[Outcome]) -> None:
    """Print what came out, one line a reader, and the findings."""
    outcomes = list(outcomes)
    for first, *rest in table(outcomes):
        print(f"{first:28}", *(f"{cell:>9}" for cell in rest))
    print(f"{'all':28} {sum(outcome.inputs for outcome in outcomes):9,}")
    for outcome in outcomes:
        for text, count in outcome.findings.items():
            print(f"\nFINDING in {outcome.name} ({count:,}): {text}")


def attack(
    target: Target, seconds: float, most: int | None, seed: int, folder: Path, findings: Path | None = None
) -> Outcome:
    """Attack one reader for some seconds, or with a number of inputs."""
    outcome = Outcome(target.name, seed)
    corpus = list(target.seeds)
    end = time.monotonic() + seconds
    batch = 0
    while time.monotonic() < end and outcome.inputs < (most or math.inf) and len(outcome.findings) < _ENOUGH:
        count = min(_BATCH, (most or math.inf) - outcome.inputs)
        place = Path(tempfile.mkdtemp(dir=folder))
        shapes = [*outcome.messages, *outcome.findings]
        children = attack_in_child(target, corpus, shapes, f"{seed} {target.name} {batch}", int(count), place, end)
        for ending, data in children:
            if ending.text == TOO_LONG and _reads(target, data, place):  # a machine that stood still is no finding
                ending = replace(ending, kind="read", text="")
            outcome.note(ending)
            if ending.kind == "finding" and data and findings:
                _save(findings, target.name, data)
            elif ending.kind != "finding" and data and len(corpus) < CORPUS and len(data) < 100_000:
                corpus.append(data)
        shutil.rmtree(place, ignore_errors=True)
        batch += 1
    return outcome


def _reads(target: Target, data: bytes, place: Path) -> bool:
    """Whether a child that reads an input alone ends within the limits."""
    alone = replace(target, mutate=lambda *_: data)
    return all(ending.text != TOO_LONG for ending, _ in attack_in_child(alone, [], [], "", 1, place, math.inf))


def _save(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower())
    (folder / f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
