"""A graph as one PyTorch module that runs its operators in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cg_ir.errors import GraphError
from cg_ir.graph import Graph, Node
from cg_ir.module.expressions import ends, expression, plain_numbers, plans
from cg_ir.operators import OPERATORS, Plan
from cg_ir.operators.torch_text import Elements
from cg_ir.signature import Signature

_PREPARED = ("_steps", "_inputs", "_outputs", "_numbers", "_drops")


#: What no submodule may be called.
_RESERVED = frozenset([*dir(nn.Module()), *_PREPARED, "graph", "watch"])


@dataclass(frozen=True)
class _Step:
    """What a node does: ``run`` takes what it owns, which lies at ``path`` ('' for nothing), and its inputs, which hold the batch at ``axes``."""

    index: int
    sig: Signature
    reads: tuple[int, ...]
    path: str
    run: Callable[..., Any]
    plan: Plan
    axes: tuple[int | None, ...]


class NetworkModule(nn.Module):
    """The runnable form of a graph, see :func:`cg_ir.to_module`.

    Attributes:
        graph: the graph that this module runs.
        watch: called with the number of each node that is computed and its first output, where it is set.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.watch: Callable[[int, Any], None] | None = None
        self._prepare()
        owners: dict[str, tuple[Signature, str]] = {}
        for node, step in zip(graph.nodes, self._steps, strict=True):
            if step.path:
                with _located(node):
                    self._fill(node, step.path, owners)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _PREPARED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._prepare()

    def extra_repr(self) -> str:
        return repr(self.graph)

    def owned(self, node: int) -> Any:
        """The module, parameter or constant that a node of the graph owns; None where it has none."""
        path = self._steps[node].path
        return attrgetter(path)(self) if path else None

    # --- construction ---------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Everything but weights: what follows from the graph alone."""
        nodes = list(self.graph.nodes)
        paths = _paths(self.graph)
        self._inputs = [node.index for node in ends(nodes, "Input")]
        self._outputs = [node.index for node in ends(nodes, "Output")]
        self._numbers = plain_numbers(nodes)
        several = {n.inputs[0] for n in nodes if n.op == "Select"}
        hows = plans(nodes)
        self._steps: list[_Step] = []
        for node in nodes:
            with _located(node):
                run = _meaning(nodes, node, hows, self._numbers, node.index in several)
                owns = node.index not in self._numbers if node.op == "Constant" else _maker(node.signature)
            path = paths[node.index] if owns else ""
            axes = tuple(hows[i].axis for i in node.inputs)
            self._steps.append(_Step(node.index, node.signature, node.inputs, path, run, hows[node.index], axes))
        self._drops = _last_uses(self._steps, self._outputs)

    def _fill(self, node: Node, path: str, owners: dict[str, tuple[Signature, str]]) -> None:
        """Put a node's module, parameter or constant at its path, or share what another node with the same key owns."""
        owner, leaf = self._place(path)
        if node.op == "Constant":
            owner.register_buffer(leaf, _constant(node.signature), persistent=False)
            return
        make = _maker(node.signature)
        assert make is not None
        made = make()
        if node.weights is not None:
            first = owners.setdefault(node.weights, (node.signature, path))
            if first[1] != path:
                there = attrgetter(first[1])(self)
                same = first[0].op == node.op and (node.op == "Parameter" or first[0].items == node.signature.items)
                made = there if same else _tied(made, there)
        if isinstance(made, nn.Parameter):
            owner.register_parameter(leaf, made)
        else:
            owner.add_module(leaf, made)

    def _place(self, path: str) -> tuple[nn.Module, str]:
        """The container of a path, made where there is none, and the last name."""
        owner: nn.Module = self
        *parents, leaf = path.split(".")
        for name in parents:
            if name not in owner._modules:
                owner.add_module(name, nn.Module())
            owner = owner.get_submodule(name)
        return owner, leaf

    # --- running --------------------------------------------------------------------------------------------------

    def forward(self, *inputs: Tensor) -> Any:
        """Run the graph.

        Args:
            inputs: one tensor for each ``Input``, by index; the batch multiplies each leading axis.

        Raises:
            ValueError: the number of tensors, or a shape, is not what the graph takes.
        """
        batch = self._check(inputs)
        values: dict[int, Any] = dict(zip(self._inputs, inputs, strict=True))
        extra: dict[int, tuple[Any, ...]] = {}
        for step in self._steps:
            index = step.index
            if step.sig.op == "Select":
                result = extra[step.reads[0]][step.sig.attrs["index"]]
            elif index in values:
                result = values[index]
            else:
                if index in self._numbers:
                    continue
                xs = [self._numbers[i] if i in self._numbers else values[i] for i in step.reads]
                owned = attrgetter(step.path)(self) if step.path else None
                result = _once(step, owned, xs) if batch == 1 else _batched(step, owned, xs, batch)
            if isinstance(result, tuple):
                extra[index] = result
                result = result[0]
            values[index] = result
            if self.watch is not None:
                self.watch(index, result)
            for gone in self._drops.get(index, ()):
                values.pop(gone, None)
                extra.pop(gone, None)
        outputs = tuple(values[i] for i in self._outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _check(self, inputs: Sequence[Tensor]) -> int:
        """The batch size."""
        wanted = [self._steps[i].sig.shape for i in self._inputs]
        if len(inputs) != len(wanted):
            raise ValueError(f"this network takes {len(wanted)} inputs, not {len(inputs)}")
        batches = set()
        for number, (x, shape) in enumerate(zip(inputs, wanted, strict=True)):
            given = tuple(x.shape)
            if len(given) != len(shape) or given[1:] != shape[1:] or (shape and given[0] % shape[0]):
                expected = ", ".join(["batch" if shape[:1] == (1,) else f"{shape[0]} x batch", *map(str, shape[1:])])
                raise ValueError(f"input {number} should have shape [{expected}], not {list(given)}")
            if shape:
                batches.add(given[0] // shape[0])
        if len(batches) > 1:
            raise ValueError(f"the inputs have different batch sizes: {sorted(batches)}")
        return batches.pop() if batches else 1


@contextlib.contextmanager
def _located(node: Node) -> Iterator[None]:
    try:
        yield
    except GraphError as error:
        raise GraphError(str(error), f"node {node.index} ({node.op})") from None


def _nothing(*args: Any) -> Any:
    raise AssertionError("inputs and selections are read, not computed")


def _leading(size: int, axis: int) -> Callable[[Any, Tensor], Tensor]:
    """The examples that an axis holds as its outer factor, ``size`` elements each, along the first axis."""

    def run(own: Any, x: Tensor) -> Tensor:
        batch = x.shape[axis] // size
        return x if axis == 0 or batch == 1 else x.unflatten(axis, (batch, size)).movedim(axis, 0).flatten(0, 1)

    return run


def _filled(sig: Signature) -> Callable[[Tensor], Tensor]:
    """A tensor filled with one number is made where it is needed, so that a trace without elements knows the number."""
    (number,) = sig.attrs["value"]
    return lambda owned: owned.new_full(sig.shape, number if owned.is_floating_point() else int(number))


#: All that generated source refers to.
_SPACE = {"torch": torch, "F": F, "nn": nn}


@lru_cache(maxsize=4096)
def _compiled(text: str, inputs: int) -> Callable[..., Any]:
    """An expression as a function of what the node owns and of its inputs."""
    names = ["own", *(f"x{i}" for i in range(inputs))]
    return eval(f"lambda {', '.join(names)}: {text}", dict(_SPACE))


@lru_cache(maxsize=4096)
def _maker(sig: Signature) -> Callable[[], Any] | None:
    """What makes that which a use of an operator owns; None where it owns nothing."""
    template = OPERATORS[sig.op].layer(sig)
    return eval(f"lambda: {''.join(map(str, template))}", dict(_SPACE)) if template else None


def _constant(sig: Signature) -> Tensor:
    """A constant, whose elements may be many."""
    template = OPERATORS[sig.op].layer(sig)
    elements = next((part.values for part in template if isinstance(part, Elements)), ())
    text = "".join("elements" if isinstance(part, Elements) else str(part) for part in template)
    return eval(text, {**_SPACE, "elements": elements})


def _meaning(
    nodes: Sequence[Node], node: Node, hows: Sequence[Plan], numbers: Mapping[int, float | int], several: bool
) -> Callable[..., Any]:
    """How a node runs: what it owns and its inputs to its value."""
    sig = node.signature
    if node.op in ("Input", "Select"):
        return _nothing
    if node.op == "Output":
        axis = hows[node.inputs[0]].axis
        # several examples folded into an axis of the result come first; where the axis holds nothing else they stay
        return (
            _leading(sig.shape[axis], axis)
            if axis is not None and sig.shape and sig.shape[axis] > 1
            else lambda own, x: x
        )
    if node.op == "Constant" and len(sig.attrs["value"]) == 1:
        return _filled(sig)
    if node.op in ("Constant", "Parameter"):
        return lambda own: own
    xs = [repr(numbers[i]) if i in numbers else f"x{k}" for k, i in enumerate(node.inputs)]
    return _compiled(expression(nodes, node, xs, "own", hows[node.index], several), len(xs))


def _once(step: _Step, owned: Any, xs: Sequence[Any]) -> Any:
    """A tensor, or a tuple of all outputs."""
    result = step.run(owned, *xs)
    if isinstance(result, Tensor):
        return result
    first, *further = result
    return (first, *(further[0] if isinstance(further[0], tuple) else further))


def _tied(made: nn.Module | nn.Parameter, there: nn.Module | nn.Parameter) -> nn.Module | nn.Parameter:
    """What uses the parameters of another operator: one with other attributes (a stride, say), or a bare parameter.

    Raises:
        GraphError: they differ in shape.
    """
    theirs = {"weight": there} if isinstance(there, nn.Parameter) else dict(there.named_parameters())
    if isinstance(made, nn.Parameter):
        if theirs.get("weight", made[:0]).shape != made.shape:
            raise GraphError("weights cannot be shared by operators whose weights differ in shape")
        return theirs["weight"]
    _tie(made, theirs, {} if isinstance(there, nn.Parameter) else dict(there.named_buffers()))
    return made


def _tie(module: nn.Module, theirs: dict[str, nn.Parameter], buffers: dict[str, Tensor]) -> None:
    """Let a module use the parameters and buffers of another operator."""
    for name, parameter in list(module.named_parameters()):
        if name not in theirs or theirs[name].shape != parameter.shape:
            raise GraphError("weights cannot be shared by operators whose weights differ in shape")
        path, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(path), leaf, theirs[name])
    for name, buffer in buffers.items():
        if name in dict(module.named_buffers()):
            setattr(module, name, buffer)


def _last_uses(steps: Sequence[_Step], outputs: Sequence[int]) -> dict[int, list[int]]:
    """After each step, the values that nothing reads any more."""
    last: dict[int, int] = {}
    for step in steps:
        for i in step.reads:
            last[i] = step.index
    drops: dict[int, list[int]] = {}
    for index, end in last.items():
        if index not in outputs:
            drops.setdefault(end, []).append(index)
    return drops


def _batched(step: _Step, owned: Any, xs: list[Any], batch: int) -> Any:
    """Run a node whose inputs hold ``batch`` examples."""
    how = step.plan
    shape = step.sig.shape
    if how.axis is None:
        return _once(step, owned, xs)
    if not how.apart:
        for i, axis in enumerate(how.repeat):
            if axis is not None and isinstance(xs[i], Tensor):
                times = [1] * xs[i].dim()
                times[axis] = batch
                xs[i] = xs[i].repeat(times)
        return _once(step, owned, xs)
    if not shape:
        raise ValueError(
            f"node {step.index} ({step.sig.op}) gives one number an example; such a network runs with batch size 1"
        )
    parts: list[Sequence[Any]] = []
    for x, axis, size in zip(xs, step.axes, step.sig.input_shapes, strict=True):
        if axis is None or not isinstance(x, Tensor):
            parts.append([x] * batch)
        else:
            parts.append(x.unflatten(axis, (batch, size[axis])).unbind(axis))
    results = [_once(step, owned, example) for example in zip(*parts, strict=True)]
    if isinstance(results[0], tuple):
        return tuple(torch.cat(items, 0) for items in zip(*results, strict=True))
    return torch.cat(results, 0)


def _paths(graph: Graph) -> dict[int, str]:
    """For each node that may own tensors the path where they lie.

    A region that holds exactly one operator with weights, and no region below it, is that operator's path: a graph that came from a
    PyTorch model keeps the model's own names. In any other region the path ends in the operator's name and the node's number. Names in
    ``_RESERVED`` get an underscore.
    """
    names = [region.split(".") if region else [] for region in graph.region_names]
    regions = [tuple(name + "_" if name in _RESERVED else name for name in parts if name) for parts in names]
    inner = {region[:depth] for region in regions for depth in range(len(region))}
    owners: dict[tuple[str, ...], list[int]] = {}
    for node in graph.nodes:
        if OPERATORS[node.op].owns is not None:
            owners.setdefault(regions[graph.region_codes[node.index]], []).append(node.index)
    paths: dict[int, str] = {}
    for region, members in owners.items():
        bare = any(graph.nodes[i].op in ("Parameter", "Constant") for i in members)
        if len(members) == 1 and region and region not in inner and not bare:
            paths[members[0]] = ".".join(region)
        else:
            paths |= {i: ".".join((*region, f"{graph.nodes[i].op}_{i}")) for i in members}
    return paths
