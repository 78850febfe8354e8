"""What a block becomes: statements of ``__init__`` and lines of ``forward``."""

from __future__ import annotations

import heapq
import keyword
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.graph import Graph, Node
from cg_ir.module.expressions import ends, expression, plain_numbers, plans
from cg_ir.operators import OPERATORS
from cg_ir.operators.torch_text import Number, Template
from cg_ir.source_code.blocks import Block

_NAMES = ("x", "y", "z", "u", "v", "w", "a", "b", "c", "d", "e", "f", "g", "h")


#: What a module has itself (``dir(torch.nn.Module)``), and names that the program uses.
TAKEN = frozenset((
    "F", "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu", "cuda", "double", "dump_patches",
    "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict",
    "modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters", "nn", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module", "register_parameter", "register_state_dict_post_hook",
    "register_state_dict_pre_hook", "requires_grad_", "self", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "torch",
    "train", "training", "type", "xpu", "zero_grad",
))  # fmt: skip


def letters(text: str) -> str:
    """A text in the letters of names, as Python reads them (PEP 3131), with underscores for all others."""
    return re.sub(r"\W", "_", unicodedata.normalize("NFKC", text))


@dataclass(eq=False)
class Child:
    """A use of a class inside another, perhaps repeated in a row."""

    attribute: str
    body: Body
    bodies: list[Body]


@dataclass(eq=False)
class Body:
    """What a block becomes: statements of ``__init__`` and lines of ``forward``."""

    block: Block
    statements: list[Template | Child] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    attributes: dict[int, str] = field(default_factory=dict)

    def numbers(self) -> list[Number]:
        """All numbers, those of inner classes included."""
        found: list[Number] = []
        for statement in self.statements:
            if isinstance(statement, Child):
                found += statement.body.numbers()
            else:
                found += [part for part in statement if isinstance(part, Number)]
        return found

    def key(self) -> tuple[Any, ...]:
        """Equal for bodies that differ in numbers alone."""
        parts: list[Any] = []
        for statement in self.statements:
            if isinstance(statement, Child):
                parts.append((statement.attribute, len(statement.bodies), statement.body.key()))
            else:
                parts.append(tuple(part.role if isinstance(part, Number) else part for part in statement))
        return (tuple(parts), tuple(self.lines), tuple(self.arguments))


class Writer:
    """Writes the bodies of blocks."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = list(graph.nodes)
        self.inline = {index: repr(value) for index, value in plain_numbers(self.nodes).items()}
        self.selects: dict[int, dict[int, int]] = {}
        self.plans = plans(self.nodes)
        self.bodies: dict[Block, Body] = {}
        for node in self.nodes:
            if node.op == "Select":
                self.selects.setdefault(node.inputs[0], {})[node.attrs["index"]] = node.index

    def body(self, block: Block) -> Body:
        """A block's statements and lines."""
        if block not in self.bodies:
            self.bodies[block] = _BodyWriter(self, block).write()
        return self.bodies[block]


class _BodyWriter:
    def __init__(self, writer: Writer, block: Block) -> None:
        self.writer = writer
        self.block = block
        self.result = Body(block)
        self.texts: dict[int, str] = {}
        #: numbers of the names that hold a value, how many names there are, and those of them that hold none
        self.numbers: dict[int, int] = {}
        self.given = 0
        self.free: list[int] = []
        #: values by the position that reads them last, and the position up to which names were freed
        self.ends: dict[int, list[int]] = {}
        self.released = -1
        self.attributes: set[str] = set(TAKEN)
        self.counts: dict[str, int] = {}
        self.nested: dict[int, str] = {}

    # --- names ----------------------------------------------------------------------------------------------------

    def name(self, value: int) -> str:
        """A name for a value: the first that holds no other."""
        if not self.free:
            self.free, self.given = [self.given], self.given + 1
        number = self.numbers[value] = heapq.heappop(self.free)
        self.texts[value] = _NAMES[number] if number < len(_NAMES) else f"t{number - len(_NAMES)}"
        return self.texts[value]

    def attribute(self, wish: str) -> str:
        """A name for what the class holds."""
        name = letters(wish)
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
        """The items that read each value, by position; what the network or the block returns is read at the end."""
        found: dict[int, list[int]] = {}
        end = len(self.block.items)
        for position, item in enumerate(self.block.items):
            reader = item if isinstance(item, Block) else self.writer.nodes[item]
            returned = isinstance(reader, Node) and reader.op == "Output"
            for i in reader.inputs:
                found.setdefault(i, []).append(end if returned else position)
        for i in self.block.outputs:
            found.setdefault(i, []).append(end)
        return found

    def release(self, position: int) -> None:
        """Free the names of values that nothing after a position reads."""
        while self.released < position:
            self.released += 1
            for value in self.ends.get(self.released, ()):
                if value in self.numbers:
                    heapq.heappush(self.free, self.numbers.pop(value))

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self) -> Body:
        self.reads = self.uses()
        for value, reads in self.reads.items():
            self.ends.setdefault(max(reads), []).append(value)
        nodes = self.writer.nodes
        whole = not self.block.path and not self.block.inputs
        taken = [node.index for node in ends(nodes, "Input")] if whole else self.block.inputs
        self.result.arguments.extend(map(self.name, taken))
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
            returned = [node.inputs[0] for node in ends(nodes, "Output")]
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
        self.result.statements.append(Child(attribute, body, bodies))
        arguments = ", ".join(self.text(i) for i in item.inputs)
        self.release(after - 1)
        names = ", ".join(map(self.name, last.outputs))
        self.result.lines.append(f"{names} = self.{attribute}({arguments})")
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
        self.result.lines.append(f"{self.name(node.index)} = {text}")

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
            names.append("_" if value is None or value not in self.reads else self.name(value))
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
        axes = [self.writer.plans[i].axis for i in node.inputs]
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
