"""What an attack came to: a record of each reader, and the page that shows all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from children import MEMORY, SECONDS, Ending

__all__ = ["Outcome", "keep", "known", "page", "table"]

_LARGEST = 10


@dataclass
class Outcome:
    """What a reader came to.

    Attributes:
        name: the reader.
        seed: of the attack.
        inputs, read, refused: how many there were, and how they ended; those that are left are findings.
        messages: shapes of what was said.
        findings: each with how often it occurred.
        slowest: the largest times (seconds), each with what was said.
        largest: the largest peaks of memory (bytes), likewise.
        seconds: of the processor, over all inputs.
    """

    name: str
    seed: int
    inputs: int = 0
    read: int = 0
    refused: int = 0
    messages: list[str] = field(default_factory=list)
    findings: dict[str, int] = field(default_factory=dict)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    largest: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, ending: Ending) -> None:
        """Take note of an input."""
        self.inputs += 1
        self.seconds += ending.seconds
        said = ending.text or "read"
        _insert(self.slowest, (ending.seconds, said[:200]))
        _insert(self.largest, (ending.memory, said[:200]))
        if ending.kind == "finding":
            self.findings[said] = self.findings.get(said, 0) + 1
            return
        self.read += ending.kind == "read"
        self.refused += ending.kind == "refused"
        if ending.shape not in self.messages:
            self.messages.append(ending.shape)


def _insert(values: list[Any], value: tuple[Any, ...]) -> None:
    """Keep the largest values, the largest first."""
    if len(values) < _LARGEST or value[0] > values[-1][0]:
        values.append(value)
        values.sort(key=lambda pair: -pair[0])
        del values[_LARGEST:]


def known(path: Path) -> dict[str, Outcome]:
    """The records in a file, by reader."""
    lines = path.read_text().splitlines() if path.exists() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return {outcome.name: outcome for outcome in outcomes}


def keep(path: Path, outcome: Outcome) -> None:
    """Add a record to a file, in the place of an earlier one of the same reader."""
    outcomes = {**known(path), outcome.name: outcome}
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in outcomes.values()))


def table(outcomes: Iterable[Outcome]) -> list[list[str]]:
    """Heading and rows of numbers, one reader a row."""
    rows = [["reader", "inputs", "read", "refused", "findings", "messages", "slowest, s", "largest peak, MiB"]]
    for one in outcomes:
        counts = (one.inputs, one.read, one.refused, sum(one.findings.values()), len(one.messages))
        slowest, largest = one.slowest[0][0] if one.slowest else 0.0, one.largest[0][0] if one.largest else 0
        rows.append([one.name, *(f"{count:,}" for count in counts), f"{slowest:.2f}", f"{largest / 2**20:,.0f}"])
    return rows


def page(outcomes: Sequence[Outcome]) -> str:
    """The page of results, Markdown."""
    seeds = ", ".join(sorted({str(one.seed) for one in outcomes}))
    total, bad = sum(one.inputs for one in outcomes), sum(sum(one.findings.values()) for one in outcomes)
    counts = table(outcomes)
    counts.append(
        ["**all**", f"{total:,}", *(f"{sum(getattr(o, n) for o in outcomes):,}" for n in ("read", "refused")), f"{bad:,}", "", "", ""]
    )  # fmt: skip
    slowest = sorted(((*pair, one.name) for one in outcomes for pair in one.slowest), reverse=True)[:_LARGEST]
    largest = sorted(((*pair, one.name) for one in outcomes for pair in one.largest), reverse=True)[:_LARGEST]
    findings = [f"- {one.name}: {_cell(text)} ({count:,})" for one in outcomes for text, count in one.findings.items()]
    parts = [
        "# Readers under attack",
        "Written by `python3 -m nox -s attack -- --inputs N --record FILE --page PAGE`. Inputs are mutations of valid files, made in memory from the seed "
        f"({seeds}) and from inputs that ended in a message not seen before. Child processes read them, each input within {MEMORY // 2**30} GiB of "
        f"memory beyond what the interpreter holds and {SECONDS} seconds of the processor. Allowed ends: the input is read, or refused by the library's "
        "own error (status 2 of the command line). Anything else - another exception, a signal, too much time - is a finding.",
        f"**{total:,} inputs, {bad:,} of them findings.**",
        _markdown(counts, 1),
        *(["## Findings", "\n".join(findings)] if findings else []),
        "## The ten largest times",
        _markdown([["seconds", "reader", "end"], *([f"{s:.2f}", name, _cell(text)] for s, text, name in slowest)], 0),
        "## The ten largest peaks of memory",
        "Resident memory while the input was read, beyond what was held before; the helper process that infers shapes of ONNX files has limits of its own.",
        _markdown([["MiB", "reader", "end"], *([f"{b / 2**20:,.1f}", name, _cell(text)] for b, text, name in largest)], 0),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    """A message as code in a cell."""
    short = text if len(text) <= 100 else text[:99] + "…"
    return "`" + short.replace("|", "¦").replace("`", "'") + "`"


def _markdown(rows: list[list[str]], right: int) -> str:
    """A table; columns from `right` on are numbers where the table is one of counts."""
    marks = ["---:" if right and place >= right else "---" for place in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], marks, *rows[1:]])
