"""What the format knows about one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cg_ir.errors import GraphError
from cg_ir.operators.attribute import REQUIRED, Attribute, AttrValue
from cg_ir.operators.batch import BatchRule, Use, apart
from cg_ir.operators.shapes import (
    Attrs,
    CostRule,
    FurtherRule,
    Shape,
    ShapeRule,
    TensorRule,
    counted,
    no_tensors,
    none,
    one_output,
)
from cg_ir.operators.torch_text import Call, Template

if TYPE_CHECKING:
    from cg_ir.graph import Node
    from cg_ir.onnx_export.emitter import Emitter
else:  # above the catalogue: names in its annotations alone
    Node = Emitter = Any

#: The non-default attributes of a node in canonical order: what is stored, hashed and written.
AttrItems = tuple[tuple[str, AttrValue], ...]


@dataclass(frozen=True)
class Operator:
    """All that the project knows about one operator: a record of the catalogue.

    Args:
        name: ONNX name where ONNX has the operator.
        kind: the group under which the reference lists it and descriptors count it.
        arity: least and greatest number of inputs (``None``: no bound).
        shape: shape rule, see :mod:`cg_ir.operators.shapes`.
        doc: one line for the reference.
        tensors: what it learns.
        params: parameter rule; by default it counts ``tensors``.
        macs: multiply-accumulate rule.
        further: rule for the shapes of outputs after the first, which ``Select`` reads.
        attributes: the attributes by name.
        commutes: whether the order of the inputs means nothing.
        layout: whether it only moves or renames elements; ``graph.simplify()`` leaves it out.
        batch: where the output holds a batch, see :mod:`cg_ir.operators.batch`.
        numbers: first input that enters the arithmetic and may be a plain number; None where no input may.
        result: element type of the first output: ``first`` (that of the first input), ``common`` (the one that all inputs from ``numbers`` on
            are brought to), the name of an attribute that states it, or the type itself.
        gain: second moment of the output where the input is a unit Gaussian, of functions of one tensor; None where it was not worked out.
        gate: functions whose value at x multiplies x, outermost first, where that product is the operator.
        view: whether the result lies in the buffer of the input: not at all (empty), as it lies there (``view``), perhaps not in one piece
            (``strided``), or only where the input lies in one piece (``dense``).
        in_place: whether the common model libraries let it overwrite its input.
        owns: the call that makes what it learns (:mod:`cg_ir.operators.torch_text`); empty where this use owns nothing.
        owned: what an attribute that holds it is called.
        ids: the input that numbers rows of what is learned.
        torch: PyTorch's expression: a template for :meth:`cg_ir.operators.torch_text.Call.fill`, or a function that writes it; None where the
            operator computes nothing.
        onnx: whether ONNX's default domain has it under this name.
        to_onnx: adds its ONNX nodes and returns the names of its outputs, or None where ONNX cannot say it; by default one node of the same
            name and attributes where ONNX has it.
    """

    name: str
    kind: str
    arity: tuple[int, int | None]
    shape: ShapeRule
    doc: str
    tensors: TensorRule = no_tensors
    params: CostRule = none
    macs: CostRule = none
    further: FurtherRule = one_output
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    commutes: bool = False
    layout: bool = False
    batch: BatchRule = apart
    numbers: int | None = None
    result: str = "first"
    gain: float | None = None
    gate: tuple[str, ...] = ()
    view: str = ""
    in_place: bool = False
    owns: Callable[[Use], Template] | None = None
    owned: str = ""
    ids: int | None = None
    torch: str | Callable[[Call], str] | None = None
    onnx: bool = True
    to_onnx: Callable[[Emitter, Node], str | list[str] | None] | None = None
    required: tuple[str, ...] = field(init=False)
    defaults: tuple[dict[str, AttrValue], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(name for name, attribute in self.attributes.items() if attribute.default is REQUIRED)
        object.__setattr__(self, "required", names)
        filled = ({name: a.default_for(axes) for name, a in self.attributes.items()} for axes in range(4))
        object.__setattr__(self, "defaults", tuple(filled))  # by the number of spatial axes
        if self.params is none and self.tensors is not no_tensors:
            object.__setattr__(self, "params", counted(self.tensors))

    def read_attrs(self, attrs: Mapping[str, Any]) -> AttrItems:
        """Check ``attrs`` and return those that differ from their defaults, sorted by name.

        Raises:
            GraphError: an unknown attribute, a wrong type or length, a missing one.
        """
        if not attrs and not self.required:
            return ()
        spatial = 0
        if "kernel_shape" in self.attributes and "kernel_shape" in attrs:
            kernel = self.attributes["kernel_shape"].read(attrs["kernel_shape"], "kernel_shape", 0)
            spatial = len(kernel)  # type: ignore[arg-type]
            if not 1 <= spatial <= 3:
                raise GraphError(f"attribute 'kernel_shape' should have 1 to 3 numbers, not {spatial}")
        result = []
        for name in sorted(attrs):
            attribute = self.attributes.get(name)
            if attribute is None:
                known = ", ".join(self.attributes) or "none"
                raise GraphError(f"{self.name} has no attribute {name!r:.60} (it has {known})")
            if attrs[name] is None and attribute.default is None:
                continue
            value = attribute.read(attrs[name], name, spatial)
            if value != attribute.default_for(spatial):
                result.append((name, value))
        for name in self.required:
            if name not in attrs:
                raise GraphError(f"{self.name} lacks its attribute '{name}'")
        return tuple(result)

    def fill_attrs(self, items: AttrItems) -> dict[str, AttrValue]:
        """The attributes with defaults, in the table's order."""
        if not self.attributes:
            return {}
        given = dict(items)
        spatial = len(given.get("kernel_shape", ()))  # type: ignore[arg-type]
        return {**self.defaults[spatial], **given}

    def infer(self, ins: Sequence[Shape], attrs: Attrs, out: Shape | None, channels: int | None = None) -> Shape:
        """The output shape from inputs, attributes (defaults filled) and what is stated; both must agree.

        Raises:
            GraphError: the inputs do not fit, or the stated shape is not the one that follows.
        """
        low, high = self.arity
        if len(ins) < low or (high is not None and len(ins) > high):
            wanted = str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"
            raise GraphError(f"{self.name} takes {wanted} inputs, not {len(ins)}")
        shape = self.shape(ins, attrs, out)
        if out is None:
            if channels is None and None in shape:
                raise GraphError(f"{self.name} needs its output channels or shape")
            out = tuple(channels if size is None else size for size in shape)  # type: ignore[misc]
            if channels is not None:
                self.shape(ins, attrs, out)  # rules that look at the stated channels, such as divisibility by group
        elif len(out) != len(shape) or any(a is not None and a != b for a, b in zip(shape, out, strict=True)):
            wanted = "[" + ", ".join("any" if s is None else str(s) for s in shape) + "]"
            raise GraphError(f"shape should be {wanted} by the rule of {self.name}, not {list(out)}")
        return out

    def check_select(self, ins: Sequence[Shape], attrs: Attrs, out: Shape, index: int, shape: Shape) -> None:
        """Whether a ``Select`` may read output ``index`` of this node in this shape.

        Raises:
            GraphError: there is no such output, or it has another shape.
        """
        shapes = self.further(ins, attrs, out)
        if shapes is None:
            return
        if index > len(shapes):
            count = "one output" if not shapes else f"outputs 0 to {len(shapes)}"
            raise GraphError(f"output {index} cannot be read, {self.name} has {count}")
        if tuple(shapes[index - 1]) != shape:
            raise GraphError(f"output {index} of {self.name} has shape {list(shapes[index - 1])}, not {list(shape)}")

    def layer(self, use: Use) -> Template:
        """The call that makes what this use owns; empty where it owns nothing."""
        return () if self.owns is None else self.owns(use)

    def expression(self, call: Call) -> str:
        """The text that computes it.

        Raises:
            GraphError: PyTorch cannot say it.
        """
        if self.torch is None:
            raise GraphError("is outside the vocabulary and cannot be written as PyTorch")
        if call.several and self.further is one_output:
            raise GraphError("PyTorch gives no further outputs of this use")
        return call.fill(self.torch) if isinstance(self.torch, str) else self.torch(call)
