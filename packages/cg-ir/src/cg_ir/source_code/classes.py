"""From bodies to classes: equal bodies share a class, numbers that differ between its uses become arguments."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cg_ir.operators.torch_text import Number
from cg_ir.source_code.bodies import Body, Child, letters

_WIDTH = 96


@dataclass(eq=False)
class Class:
    name: str
    body: Body
    vectors: list[list[int]] = field(default_factory=list)
    #: argument of each position of the vector; None where the number is the same in every use
    names: list[str | None] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


class Classes:
    """The distinct bodies, inner ones first."""

    def __init__(self) -> None:
        self.found: dict[tuple[Any, ...], Class] = {}
        self.names: set[str] = {"Network"}

    def add(self, body: Body, name: str = "") -> None:
        """Add a body and those inside."""
        for statement in body.statements:
            if isinstance(statement, Child):
                for inner in statement.bodies:
                    self.add(inner)
        key = body.key()
        if key not in self.found:
            self.found[key] = Class(name or self.choose(body.block.path), body)
        self.found[key].vectors.append([n.value for n in body.numbers()])

    def choose(self, path: Sequence[str]) -> str:
        """A class's name from its region: the last part that is no number."""
        words = [part for part in path if not re.fullmatch(r"\d+", part)] or ["block"]
        suffix = "Block" if re.fullmatch(r"\d+", path[-1]) else ""
        base = re.sub(r"_*\d+$", "", letters(words[-1])) or "block"
        name = "".join(word[:1].upper() + word[1:] for word in base.split("_") if word) + suffix
        if not name.isidentifier() or keyword.iskeyword(name) or name == "F":
            name = "Block"
        chosen, count = name, 2
        while chosen in self.names:
            chosen, count = f"{name}{count}", count + 1
        self.names.add(chosen)
        return chosen

    def parametrise(self) -> None:
        """Numbers that differ between the uses of a class become its arguments; numbers that always agree, one argument."""
        for one in self.found.values():
            roles = [n.role for n in one.body.numbers()]
            known: dict[tuple[int, ...], str] = {}
            for position, role in enumerate(roles):
                column = tuple(vector[position] for vector in one.vectors)
                if len(set(column)) == 1:
                    one.names.append(None)
                    continue
                if column not in known:
                    name, count = role, 2
                    while name in known.values():
                        name, count = f"{role}_{count}", count + 1
                    known[column] = name
                one.names.append(known[column])
            one.arguments = list(known.values())

    def text(self, one: Class) -> str:
        """The source of a class."""
        values = one.vectors[0]
        position = 0

        def number() -> str:
            nonlocal position
            name = one.names[position]
            text = str(values[position]) if name is None else name
            position += 1
            return text

        lines = []
        for statement in one.body.statements:
            if not isinstance(statement, Child):
                text = "".join(number() if isinstance(part, Number) else str(part) for part in statement)
                lines += _wrapped(text)
                continue
            inner = self.found[statement.body.key()]
            given = [number() for _ in statement.body.numbers()]
            call = {name: given[i] for i, name in enumerate(inner.names) if name is not None}
            made = f"{inner.name}({', '.join(call[name] for name in inner.arguments)})"
            if len(statement.bodies) > 1:
                made = f"nn.Sequential(*({made} for _ in range({len(statement.bodies)})))"
            lines.append(f"self.{statement.attribute} = {made}")
        arguments = "".join(f", {name}: int" for name in one.arguments)
        taken = "".join(f", {name}" for name in one.body.arguments)
        result = [f"class {one.name}(nn.Module):"]
        if lines:
            result += [f"    def __init__(self{arguments}) -> None:", "        super().__init__()"]
            result += [*(f"        {line}" for line in lines), ""]
        result += [f"    def forward(self{taken}):", *(f"        {line}" for line in one.body.lines)]
        return "\n".join(result)


def _wrapped(text: str) -> list[str]:
    if len(text) <= 160 or "[" not in text:
        return [text]
    head, _, rest = text.partition("[")
    numbers, _, tail = rest.rpartition("]")
    return [head + "[", *(f"    {line}" for line in textwrap.wrap(numbers, _WIDTH)), "]" + tail]
