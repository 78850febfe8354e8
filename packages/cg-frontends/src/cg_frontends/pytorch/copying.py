"""``copy_weights``: the weights of a module into the network that ``to_module`` made of its graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cg_frontends.lowering.assembly import assemble
from cg_frontends.lowering.lowering import Lowering, Spec
from cg_frontends.lowering.tape import Call, Value
from cg_frontends.pytorch.convert import PRODUCER, convert, name_of
from cg_ir import Graph, Node, SourceError

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def copy_weights(module: Any, network: Any, *example_inputs: Any, **kwargs: Any) -> None:
    """Give a network the weights of the module that it came from: both then compute the same.

    Every operator of the graph gets what the module has in its place: parameters (computed ones as well: weight norm, weight
    standardisation), running statistics, and constants whose elements the graph does not record (buffers such as relative positions).
    Shared weights stay shared.

    Args:
        module: the original, with weights; it stays as it is.
        network: what ``cg_ir.to_module`` made of ``from_module(module, *example_inputs, **kwargs)``; it is written to.
        example_inputs, kwargs: as for :func:`from_module`; their elements do not matter.

    Raises:
        SourceError: the network is not of this module's graph, a tensor of the module is on meta, or two operators share weights
            that one of them reads transposed.

    >>> import cg_ir, torch
    >>> from torch import nn
    >>> from cg_frontends.pytorch import from_module
    >>> layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    >>> image = torch.rand(1, 3, 8, 8)
    >>> network = cg_ir.to_module(from_module(layers, image)).eval()
    >>> copy_weights(layers, network, image)
    >>> torch.allclose(network(image), layers(image), atol=1e-4)
    True
    """
    name = name_of(module)
    conversion = convert(module, example_inputs, kwargs, name)
    check_same(conversion.graph, network.graph, name)
    fill(network, conversion.lowering, WeightSource(conversion.lowering, name))


def fill(network: Any, lowering: Lowering, source: WeightSource) -> None:
    """Write what the operators of a lowering own into the network of its graph.

    Raises:
        SourceError: see :func:`copy_weights`.
    """
    name = source.name
    tagged = assemble(lowering, name, PRODUCER, tagged=True)
    pairs: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        for node, origin in zip(network.graph.nodes, tagged.nodes, strict=True):
            owned = network.owned(node.index)
            if owned is None:
                continue
            for target, tensor in source.pairs(node, origin.region, owned):
                tensor = real(tensor)
                target.copy_(tensor.reshape(target.shape))
                if node.weights is not None:
                    pairs.append((target, tensor))
        for target, tensor in pairs:
            if not torch.equal(target, tensor.reshape(target.shape).to(target)):
                raise SourceError(
                    f"{name}: two operators share weights that one of them reads transposed; the network cannot hold both"
                )


def real(tensor: Tensor) -> Tensor:
    """The tensor as a graph holds it: complex numbers as pairs along a last axis."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def check_same(made: Graph, given: Graph, name: str) -> None:
    """Whether a network is that of a graph.

    Raises:
        SourceError: it is not.
    """
    same = all(np.array_equal(getattr(made, field), getattr(given, field)) for field in ("indptr", "indices"))
    if not same or [n.signature for n in made.nodes] != [n.signature for n in given.nodes]:
        raise SourceError(
            f"{name}: the network is not what to_module makes of this module's graph (of from_module with these inputs)"
        )


class WeightSource:
    """The original's side: the tensors that the operators of a lowering own."""

    def __init__(self, lowering: Lowering, name: str) -> None:
        self.lowering = lowering
        self.specs = lowering.specs
        self.name = name
        self._results: dict[int, Any] = {}
        self._readers: dict[int, list[Spec]] = {}
        for spec in self.specs:
            for i in spec.inputs:
                self._readers.setdefault(i, []).append(spec)
        self.device = next(
            (leaf.origin.device for leaf in lowering.tape.leaves if isinstance(leaf.origin, Tensor)),
            torch.device("cpu"),
        )

    def pairs(self, node: Node, tag: str, owned: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """What to write where: (tensor of the network, tensor of the module).

        Args:
            tag: the number of the spec that became the node, and perhaps that of a slot.
        """
        number, _, slot = tag.partition(".")
        spec = self.specs[int(number)]
        if node.op == "Constant":
            if not node.attrs["value"] and spec.state:
                yield owned, self.value(spec.state[0])
        elif node.op == "Parameter":
            yield owned, self.value(spec.slots[int(slot or 0)])
        else:
            targets = list(owned.parameters())
            tensors = self.owned(spec, len(targets))
            if not tensors and "weight" in dict(owned.named_parameters()):
                tensors = [self._operand(spec.inputs[1])]  # a bare parameter that the operator took over
                turned = spec.op == "MatMul"
            else:
                turned = spec.turned
            if turned:
                tensors[0] = tensors[0].mT
            if len(tensors) < len(targets) and node.op in ("Gemm", "Conv", "ConvTranspose"):
                tensors.append(self._bias(int(number), targets[-1].numel()))
            yield from zip(targets, tensors, strict=True)
            if isinstance(owned, nn.modules.batchnorm._BatchNorm):
                if len(spec.state) != 2:
                    raise SourceError(
                        f"{self.name}: a batch normalisation without running statistics is one of the batch at hand"
                    )
                assert owned.running_mean is not None
                assert owned.running_var is not None
                yield owned.running_mean, self.value(spec.state[0])
                yield owned.running_var, self.value(spec.state[1])

    def owned(self, spec: Spec, count: int) -> list[Tensor]:
        """The tensors that an operator owns, as its PyTorch module has them: ``count`` parameters."""
        return [self.value(value) for value in spec.slots[:count]]

    def _operand(self, number: int) -> Tensor:
        """What a spec yields that only turns and reshapes a parameter."""
        spec = self.specs[number]
        if spec.op == "Parameter":
            return self.value(spec.slots[0])
        if spec.op == "Transpose":
            return self._operand(spec.inputs[0]).permute(spec.attrs["perm"])
        if spec.op in _RESHAPES:
            return self._operand(spec.inputs[0]).reshape(spec.shape)
        raise SourceError(
            f"{self.name}: no tensor of the module is the weight of a {spec.op} in region {spec.region!r}"
        )

    def _bias(self, number: int, size: int) -> Tensor:
        """The vector whose addition an operator took over."""
        for reader in self._readers.get(number, []):
            if reader.op == "Add":
                for other in reader.inputs:
                    if other != number and np.prod(self.specs[other].shape) == size:
                        return self._operand(other)
        raise SourceError(f"{self.name}: no tensor of the module is the bias in region {self.specs[number].region!r}")

    # --- elements -----------------------------------------------------------------------------------------------------

    def value(self, value: Value) -> Tensor:
        """The elements of a constant or parameter, or of what the program computes from them."""
        if value.leaf is not None and value.place is not None:
            offset, sizes, strides = value.place
            base = real(self._real(value.leaf.origin, value.leaf.name).detach())
            view = base.as_strided(sizes, strides, base.storage_offset() + offset)
            return torch.view_as_complex(view) if value.complex else view
        if value.origin is not None:
            return self._real(value.origin, "a buffer")
        if isinstance(value.data, Tensor):
            return value.data
        if value.fill is not None:
            return torch.full(value.shape, value.fill, dtype=getattr(torch, value.dtype), device=self.device)
        if value.call is None:
            raise SourceError(f"{self.name}: the elements of a constant of shape {list(value.shape)} are not known")
        found = self._run(value.call)
        return found if isinstance(found, Tensor) else found[value.index]

    def _real(self, tensor: Tensor | None, what: str) -> Tensor:
        if tensor is None or tensor.is_meta:
            raise SourceError(f"{self.name}: {what} has no elements (it is on the meta device)")
        return tensor

    def _run(self, call: Call) -> Any:
        if id(call) not in self._results:
            function = call.func
            if function is None:
                space, _, name = call.name.partition("::")
                function = getattr(getattr(torch.ops, space), name)
            args = [self._argument(argument) for argument in call.args]
            kwargs = {key: self._argument(argument) for key, argument in call.kwargs.items()}
            self._results[id(call)] = function(*args, **kwargs)
        return self._results[id(call)]

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, Value):
            return self.value(argument)
        if isinstance(argument, (list, tuple)):
            return [self._argument(item) for item in argument]
        return self.device if isinstance(argument, torch.device) else argument
