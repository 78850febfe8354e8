"""From blocks to classes: equal blocks share a class, numbers that differ between its uses become arguments."""

from __future__ import annotations

import heapq
import keyword
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.graph import Graph, Node
from cg_ir.module.expressions import expression, plain_numbers
from cg_ir.operators import OPERATORS, Plan, plan, selected_axis
from cg_ir.operators.torch_text import Number, Template
from cg_ir.source_code.blocks import Block, block_tree
from cg_ir.text import printable

__all__ = ["Source", "write_program"]

_NAMES = ("x", "y", "z", "u", "v", "w", "a", "b", "c", "d", "e", "f", "g", "h")
#: What a module has itself (``dir(torch.nn.Module)``), and names that the program uses.
_TAKEN = frozenset((
    "F", "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu", "cuda", "double", "dump_patches",
    "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict",
    "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters", "nn", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module", "register_parameter", "register_state_dict_post_hook",
    "register_state_dict_pre_hook", "requires_grad_", "self", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "torch",
    "train", "training", "type", "xpu", "zero_grad",
))  # fmt: skip
_WIDTH = 96


def _letters(text: str) -> str:
    """A text in the letters of names, as Python reads them (PEP 3131), with underscores for all others."""
    return re.sub(r"\W", "_", unicodedata.normalize("NFKC", text))


@dataclass(frozen=True)
class Source:
    """Python source of a graph.

    Attributes:
        text: the file.
        paths: for each node that owns weights or constants, the path of its module or tensor in what ``build()`` returns.
    """

    text: str
    paths: dict[int, str]


@dataclass(eq=False)
class _Child:
    """A use of a class inside another, perhaps repeated in a row."""

    attribute: str
    body: _Body
    bodies: list[_Body]


@dataclass(eq=False)
class _Body:
    """What a block becomes: statements of ``__init__`` and lines of ``forward``."""

    block: Block
    statements: list[Template | _Child] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    attributes: dict[int, str] = field(default_factory=dict)

    def numbers(self) -> list[Number]:
        """All numbers, those of inner classes included."""
        found: list[Number] = []
        for statement in self.statements:
            if isinstance(statement, _Child):
                found += statement.body.numbers()
            else:
                found += [part for part in statement if isinstance(part, Number)]
        return found

    def key(self) -> tuple[Any, ...]:
        """Equal for bodies that differ in numbers alone."""
        parts: list[Any] = []
        for statement in self.statements:
            if isinstance(statement, _Child):
                parts.append((statement.attribute, len(statement.bodies), statement.body.key()))
            else:
                parts.append(tuple(part.role if isinstance(part, Number) else part for part in statement))
        return (tuple(parts), tuple(self.lines), tuple(self.arguments))


def write_program(graph: Graph) -> Source:
    """See :func:`cg_ir.source_code.to_source`."""
    writer = _Writer(graph)
    body = writer.body(block_tree(graph, set(writer.inline)))
    classes = _Classes()
    classes.add(body, "Network")
    paths: dict[int, str] = {}
    _collect(body, "", paths)
    ties = _ties(graph, paths)
    inputs = sorted((n for n in graph.nodes if n.op == "Input"), key=lambda n: n.attrs["index"])
    return Source(_file(graph, classes, ties, inputs), paths)


def _collect(body: _Body, prefix: str, paths: dict[int, str]) -> None:
    for index, attribute in body.attributes.items():
        paths[index] = prefix + attribute
    for statement in body.statements:
        if isinstance(statement, _Child):
            for place, inner in enumerate(statement.bodies):
                middle = f"{statement.attribute}.{place}." if len(statement.bodies) > 1 else f"{statement.attribute}."
                _collect(inner, prefix + middle, paths)


def _ties(graph: Graph, paths: dict[int, str]) -> list[str]:
    lines = []
    for members in graph.weight_groups().values():
        first = paths[members[0]]
        for other in members[1:]:
            lines.append(f'    _share(network, "{first}", "{paths[other]}")')
    return lines


class _Writer:
    """Writes the bodies of blocks."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = list(graph.nodes)
        self.inline = {index: repr(value) for index, value in plain_numbers(self.nodes).items()}
        self.selects: dict[int, dict[int, int]] = {}
        self.plans: list[Plan] = []
        self.bodies: dict[Block, _Body] = {}
        self.axes: list[tuple[int | None, ...]] = []
        for node in self.nodes:
            own = tuple(self.plans[i].axis for i in node.inputs)
            self.axes.append(own)
            self.plans.append(self._plan(node, own))
            if node.op == "Select":
                self.selects.setdefault(node.inputs[0], {})[node.attrs["index"]] = node.index

    def _plan(self, node: Node, own: tuple[int | None, ...]) -> Plan:
        if node.op == "Input":
            return Plan(0 if node.shape else None)
        if node.op in ("Constant", "Parameter"):
            return Plan(None)
        if node.op == "Select":
            return Plan(selected_axis(self.nodes[node.inputs[0]].signature, own[0]))
        if node.op == "Custom":
            raise GraphError(
                f"{node.attrs['name']!r:.80} is outside the vocabulary and cannot be written as PyTorch",
                f"node {node.index} (Custom)",
            )
        return plan(node.signature, own)

    def body(self, block: Block) -> _Body:
        """A block's statements and lines."""
        if block not in self.bodies:
            self.bodies[block] = _BodyWriter(self, block).write()
        return self.bodies[block]


class _BodyWriter:
    def __init__(self, writer: _Writer, block: Block) -> None:
        self.writer = writer
        self.block = block
        self.result = _Body(block)
        self.texts: dict[int, str] = {}
        self.busy: dict[str, int] = {}
        #: names that were ever given, their places in that list, and places of names that may be free
        self.names: list[str] = []
        self.places: dict[str, int] = {}
        self.free: list[int] = []
        #: values by the position that reads them last, and the position up to which names were freed
        self.ends: dict[int, list[int]] = {}
        self.released = -1
        self.attributes: set[str] = set(_TAKEN)
        self.counts: dict[str, int] = {}
        self.nested: dict[int, str] = {}

    # --- names ----------------------------------------------------------------------------------------------------

    def free_name(self) -> str:
        """The first name that holds no value."""
        while self.free and self.names[self.free[0]] in self.busy:
            heapq.heappop(self.free)
        if self.free:
            return self.names[self.free[0]]
        number = len(self.names)
        self.names.append(_NAMES[number] if number < len(_NAMES) else f"t{number - len(_NAMES)}")
        self.places[self.names[-1]] = number
        heapq.heappush(self.free, number)
        return self.names[-1]

    def attribute(self, wish: str) -> str:
        """A name for what the class holds."""
        name = _letters(wish)
        if name.startswith("_"):  # of Python's or torch's own
            name = f"block{name}"
        if not name.isidentifier() or keyword.iskeyword(name):
            name = f"block_{name}" if f"block_{name}".isidentifier() else "block"
        chosen, count = name, self.counts.get(name, 2)
        while chosen in self.attributes:
            chosen, count = f"{name}_{count}", count + 1
        self.counts[name] = count
        self.attributes.add(chosen)
        return chosen

    # --- liveness -------------------------------------------------------------------------------------------------

    def uses(self) -> dict[int, list[int]]:
        """The items that read each value, by position; an output is read once more at the end."""
        found: dict[int, list[int]] = {}
        for position, item in enumerate(self.block.items):
            read = item.inputs if isinstance(item, Block) else self.writer.nodes[item].inputs
            for i in read:
                found.setdefault(i, []).append(position)
        for i in self.block.outputs:
            found.setdefault(i, []).append(len(self.block.items))
        return found

    def release(self, position: int) -> None:
        """Free the names of values that nothing after a position reads."""
        while self.released < position:
            self.released += 1
            for value in self.ends.get(self.released, ()):
                name = self.texts.get(value)
                if name is not None and self.busy.get(name) == value:
                    del self.busy[name]
                    heapq.heappush(self.free, self.places[name])

    def hold(self, value: int, name: str) -> None:
        self.texts[value] = name
        self.busy[name] = value

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self) -> _Body:
        self.reads = self.uses()
        for value, reads in self.reads.items():
            self.ends.setdefault(reads[-1], []).append(value)
        nodes = self.writer.nodes
        if self.block.path or self.block.inputs:
            taken = self.block.inputs
        else:
            taken = sorted(
                (i for i in self.block.nodes() if nodes[i].op == "Input"), key=lambda i: nodes[i].attrs["index"]
            )
        for value in taken:
            self.hold(value, self.free_name())
            self.result.arguments.append(self.texts[value])
        items = self.block.items
        position = 0
        while position < len(items):
            item = items[position]
            if isinstance(item, Block):
                position = self.call(item, position)
            else:
                if nodes[item].op not in ("Input", "Output", "Select"):
                    self.node(nodes[item], position)
                self.release(position)
                position += 1
        if self.block.path:
            returned = self.block.outputs
        else:
            outputs = sorted(
                (i for i in self.block.nodes() if nodes[i].op == "Output"), key=lambda i: nodes[i].attrs["index"]
            )
            returned = [nodes[i].inputs[0] for i in outputs]
        names = ", ".join(self.text(i) for i in returned)
        lines = self.result.lines
        if len(returned) == 1 and lines and lines[-1].startswith(f"{names} = "):
            lines.append("return " + lines.pop().removeprefix(f"{names} = "))
        else:
            lines.append(f"return {names}")
        return self.result

    def text(self, value: int) -> str:
        if value in self.nested:
            return self.nested.pop(value)
        return self.writer.inline.get(value) or self.texts[value]

    def call(self, item: Block, position: int) -> int:
        """A line that runs an inner block, or equal ones in a row; returns the position after them."""
        body = self.writer.body(item)
        bodies, last, after = [body], item, position + 1
        items = self.block.items
        key, values = body.key(), [n.value for n in body.numbers()]
        while len(item.inputs) == len(item.outputs) == 1 and after < len(items):
            following = items[after]
            if not isinstance(following, Block) or len(following.outputs) != 1:
                break
            if following.inputs != last.outputs or self.reads[last.outputs[0]] != [after]:
                break
            other = self.writer.body(following)
            if other.key() != key or [n.value for n in other.numbers()] != values:
                break
            bodies.append(other)
            last, after = following, after + 1
        wish = item.path[-1]
        if len(bodies) > 1:
            wish = (re.sub(r"[\W_]*\d+$", "", wish) or "block") + "s"
        attribute = self.attribute(wish)
        self.result.statements.append(_Child(attribute, body, bodies))
        arguments = ", ".join(self.text(i) for i in item.inputs)
        self.release(after - 1)
        names = []
        for output in last.outputs:
            name = self.free_name()
            self.hold(output, name)
            names.append(name)
        self.result.lines.append(f"{', '.join(names)} = self.{attribute}({arguments})")
        return after

    def node(self, node: Node, position: int) -> None:
        several = node.index in self.writer.selects
        text = self.formula(node, several)
        if text is None:
            return
        if several:
            self.release(position)
            self.result.lines.append(f"{self.targets(node)} = {text}")
            return
        if len(text) < 60 and (frame := self.frame(node, position)) is not None:
            self.nested[node.index] = frame.format(text) if " " in text.split("(")[0] else text
            return
        self.release(position)
        name = self.free_name()
        self.hold(node.index, name)
        self.result.lines.append(f"{name} = {text}")

    def frame(self, node: Node, position: int) -> str | None:
        """How a value is written within the expression that follows; None where that is not all that reads it, or reads it twice."""
        following = self.block.items[position + 1] if position + 1 < len(self.block.items) else None
        if self.reads.get(node.index) != [position + 1] or isinstance(following, Block) or following is None:
            return None
        reader = self.writer.nodes[following]
        if reader.inputs != (node.index,) or OPERATORS[reader.op].torch is None:
            return None
        text = self.expression(reader, ["\0"], "", following in self.writer.selects)
        _, *after = text.split("\0")
        if len(after) != 1:
            return None
        return "({})" if after[0].startswith((".", "[")) else "{}"

    def expression(self, node: Node, xs: Sequence[str], own: str, several: bool) -> str:
        try:
            return expression(self.writer.nodes, node, xs, own, self.writer.plans[node.index], several)
        except GraphError as error:
            raise GraphError(str(error), f"node {node.index} ({node.op})") from None

    def targets(self, node: Node) -> str:
        """Names for every output that is read, in the shape of what PyTorch returns."""
        chosen = self.writer.selects[node.index]
        count = {"LSTM": 3}.get(node.op, len(node.attrs["split"]) if node.op == "Split" else 2)
        names = []
        for place in range(count):
            value = node.index if place == 0 else chosen.get(place)
            if value is None or value not in self.reads:
                names.append("_")
                continue
            name = self.free_name()
            self.hold(value, name)
            names.append(name)
        return f"{names[0]}, ({names[1]}, {names[2]})" if node.op == "LSTM" else ", ".join(names)

    def formula(self, node: Node, several: bool) -> str | None:
        """The expression of a node; None where what it owns is its value."""
        template = OPERATORS[node.op].layer(node.signature)
        own = self.own(node, template) if template else ""
        if OPERATORS[node.op].kind == "source":
            self.texts[node.index] = own
            return None
        return self.expression(node, self.inputs(node), own, several)

    def inputs(self, node: Node) -> list[str]:
        """Names of the inputs, those without the batch repeated where the plan says so."""
        how = self.writer.plans[node.index]
        axes = self.writer.axes[node.index]
        xs = [self.text(i) for i in node.inputs]
        if not how.repeat or how.apart:
            return xs
        guide = next((k for k, axis in enumerate(axes) if axis is not None), None)
        for k, axis in enumerate(how.repeat):
            if axis is None or guide is None or node.inputs[k] in self.writer.inline:
                continue
            size = node.signature.input_shapes[guide][axes[guide] or 0]
            batch = f"{xs[guide]}.shape[{axes[guide]}]" + (f" // {size}" if size > 1 else "")
            times = ["1"] * len(node.signature.input_shapes[k])
            times[axis] = batch
            xs[k] = f"{xs[k]}.repeat({', '.join(times)})"
        return xs

    def own(self, node: Node, template: Template) -> str:
        """Add what a node owns to the class; returns how it is called."""
        inner = node.region.split(".")[len(self.block.path) :] if node.region else []
        attribute = self.attribute("_".join(inner) if inner and inner[0] else OPERATORS[node.op].owned)
        self.result.attributes[node.index] = attribute
        if node.op == "Constant":
            self.result.statements.append((f'self.register_buffer("{attribute}", ', *template, ", persistent=False)"))
        else:
            self.result.statements.append((f"self.{attribute} = ", *template))
        return f"self.{attribute}"


# --- classes ----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Class:
    name: str
    body: _Body
    vectors: list[list[int]] = field(default_factory=list)
    #: argument of each position of the vector; None where the number is the same in every use
    names: list[str | None] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


class _Classes:
    """The distinct bodies, inner ones first."""

    def __init__(self) -> None:
        self.found: dict[tuple[Any, ...], _Class] = {}
        self.names: set[str] = {"Network"}

    def add(self, body: _Body, name: str = "") -> None:
        """Add a body and those inside."""
        for statement in body.statements:
            if isinstance(statement, _Child):
                for inner in statement.bodies:
                    self.add(inner)
        key = body.key()
        if key not in self.found:
            self.found[key] = _Class(name or self.choose(body.block.path), body)
        self.found[key].vectors.append([n.value for n in body.numbers()])

    def choose(self, path: Sequence[str]) -> str:
        """A class's name from its region: the last part that is no number."""
        words = [part for part in path if not re.fullmatch(r"\d+", part)] or ["block"]
        suffix = "Block" if re.fullmatch(r"\d+", path[-1]) else ""
        base = re.sub(r"_*\d+$", "", _letters(words[-1])) or "block"
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

    def text(self, one: _Class) -> str:
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
            if not isinstance(statement, _Child):
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


_SHARE = '''def _share(network, owner, other):
    """Let two operators use the same weights."""
    first, _, first_name = owner.rpartition(".")
    second, _, second_name = other.rpartition(".")
    there = getattr(network.get_submodule(first), first_name)
    here = getattr(network.get_submodule(second), second_name)
    if isinstance(there, nn.Parameter):
        setattr(network.get_submodule(second), second_name, there)
        return
    for name, value in [*there.named_parameters(), *there.named_buffers()]:
        if value is not None:
            setattr(here, name, value)
'''


def _file(graph: Graph, classes: _Classes, ties: list[str], inputs: Sequence[Node]) -> str:
    classes.parametrise()
    title = " ".join(graph.name.split()) or "A network"
    title = printable(title.replace("\\", "/").replace('"', "'"))
    parts = [
        f'"""{title}: {graph.params:,} parameters, {graph.macs:,} multiply-accumulates.\n\nGraph {graph.hash}.\n"""\n\n'
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    ]
    parts += [classes.text(one) + "\n" for one in classes.found.values()]
    if ties:
        parts.append(_SHARE)
        build = ["    network = Network()", *ties, "    return network"]
    else:
        build = ["    return Network()"]
    parts.append("\n".join(["def build() -> nn.Module:", '    """The network, freshly initialised."""', *build]) + "\n")
    given = []
    for node in inputs:
        shape = ", ".join(map(str, node.shape))
        whole = node.attrs["dtype"].startswith(("int", "uint", "bool"))
        made = (
            f"torch.zeros({shape or '()'}, dtype=torch.{node.attrs['dtype']})"
            if whole
            else f"torch.randn({shape or '()'})"
        )
        given.append(made)
    parts.append(
        'if __name__ == "__main__":\n'
        "    network = build().eval()\n"
        f"    output = network({', '.join(given)})\n"
        "    shapes = [tuple(part.shape) for part in (output if isinstance(output, tuple) else (output,))]\n"
        '    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, output {shapes}")\n'
    )
    return "\n\n".join(parts)
