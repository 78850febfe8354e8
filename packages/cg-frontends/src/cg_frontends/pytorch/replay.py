"""Whether a graph computes what the module does that it came from: both run with the same weights on one random input."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from cg_frontends.lowering.assembly import assemble
from cg_frontends.lowering.tape import TRACED, Value
from cg_frontends.pytorch.convert import PRODUCER, Conversion, convert
from cg_frontends.pytorch.copying import WeightSource, fill, real
from cg_frontends.pytorch.exported import program_of_script, runner_of
from cg_frontends.pytorch.structure import map_tensors, tensors_of
from cg_ir import Graph, SourceError, to_module

#: The largest difference of an output, relative to its largest element where that is above 1.
TOLERANCE = 1e-3


def replay(module: Any, conversion: Conversion, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> None:
    """Run the module and the network of its graph, and compare.

    Args:
        module: as it was converted; a module on meta is copied and gets random weights.
        args, kwargs: what it was converted with; inputs without elements get random ones, integers 0 and 1.

    Raises:
        SourceError: the outputs differ, and where first; or there is something that cannot be run.
    """
    custom = sorted({str(n.attrs["name"]) for n in conversion.graph.nodes if n.op == "Custom"})
    if custom:
        raise SourceError(f"{name}: cannot be verified, for {', '.join(custom)} has no meaning that could be run")
    original = _with_elements(module, args, kwargs)
    if original is not module:
        conversion = convert(original, args, kwargs, name)
    wanted_shapes = [node.shape for node in conversion.graph.nodes if node.op == "Input"]
    given, named = _random((args, kwargs), wanted_shapes)
    network = to_module(conversion.graph).eval()
    source = _ReplaySource(conversion.lowering, name)
    fill(network, conversion.lowering, source)
    inputs = list(tensors_of((given, named)))
    with torch.no_grad():
        wanted = [real(tensor) for tensor in tensors_of(_run(original, given, named))]
        found = network(*map(real, inputs))
        found = list(found) if isinstance(found, tuple) else [found]
        distance = max((difference(a, b) for a, b in zip(found, wanted, strict=True)), default=0.0)
        if distance <= TOLERANCE:
            return
        place = _first(network, conversion, source, inputs)
    raise SourceError(
        f"{name}: the graph does not compute what the module does: outputs differ by {distance:.2g}{place}"
    )


def difference(found: Tensor, wanted: Tensor) -> float:
    """The largest difference of two tensors, relative to the largest element of the second where that is above 1."""
    if found.shape != wanted.shape:
        return float("inf")
    if not wanted.numel():
        return 0.0
    a, b = found.double(), wanted.double()
    same = (a == b) | (a.isnan() & b.isnan())
    gap = torch.where(same, torch.zeros_like(a), (a - b).abs())
    finite = b[b.isfinite()].abs()
    return float(gap.max() / max(1.0, float(finite.max()) if finite.numel() else 1.0))


def _with_elements(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if isinstance(module, torch.jit.ScriptModule):
        return program_of_script(module, args, kwargs)
    if not isinstance(module, nn.Module) or not any(t.is_meta for t in (*module.parameters(), *module.buffers())):
        return module
    made = copy.deepcopy(module).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*made.parameters(), *made.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1)
            else:
                tensor.zero_()
    return made


def _random(tree: Any, shapes: list[tuple[int, ...]]) -> Any:
    """The same structure with tensors of the graph's inputs; elements that are there are kept where the shape is."""
    generator = torch.Generator().manual_seed(0)
    left = iter(shapes)

    def make(tensor: Tensor) -> Tensor:
        shape = next(left)[: tensor.ndim]
        if not tensor.is_meta:
            cut = tensor.detach().cpu()
            for axis, size in enumerate(shape):
                cut = cut.narrow(axis, 0, size)
            return cut.contiguous()
        if tensor.is_floating_point() or tensor.is_complex():
            return torch.randn(shape, generator=generator).to(tensor.dtype)
        return torch.randint(0, 2, shape, generator=generator).to(tensor.dtype)

    return map_tensors(tree, make)


def _run(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One forward pass in evaluation mode; the module's mode is left as it was."""
    run, owner = runner_of(module)
    training = {m: m.training for m in owner.modules()}
    if isinstance(module, nn.Module):
        module.eval()
    try:
        return run(lambda path: None, args, kwargs)
    finally:
        for submodule, mode in training.items():
            submodule.training = mode


class _ReplaySource(WeightSource):
    """The tensors of a module, and what the recorded calls make of an input."""

    inputs: tuple[Tensor, ...] = ()

    def value(self, value: Value) -> Tensor:
        if value.kind == TRACED and value.call is None:
            return self.inputs[value.index]
        return super().value(value)


def _first(network: Any, conversion: Conversion, source: _ReplaySource, inputs: list[Tensor]) -> str:
    """Where the network first differs from the recorded calls, run one by one."""
    values: dict[int, Any] = {}
    network.watch = values.__setitem__
    network(*map(real, inputs))
    network.watch = None
    source.inputs = tuple(inputs)
    numbers = {node: value for value, node in conversion.lowering.places()}
    tagged: Graph = assemble(conversion.lowering, source.name, PRODUCER, tagged=True)
    for node, origin in zip(conversion.graph.nodes, tagged.nodes, strict=True):
        number = origin.region.partition(".")[0]
        value = numbers.get(int(number)) if number else None
        if value is None or value.call is None or node.index not in values or value.held != node.shape:
            continue
        try:
            wanted = real(source.value(value))
        except Exception:  # what cannot be run alone tells nothing
            continue
        found = values[node.index]
        found = found[0] if isinstance(found, tuple) else found
        if isinstance(found, Tensor) and difference(found, wanted) > TOLERANCE:
            region = f" in '{node.region}'" if node.region else ""
            return f", first at node {node.index}, {node.op} for {value.call.name.removeprefix('aten::')}{region}"
    return ", though each operator agrees: the program does something that was not recorded"
