"""The tensors of a graph's operators, from a module or at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS

#: For each node that has some, its tensors by PyTorch's names; a bare parameter is called ``value``.
Weights = dict[int, "dict[str, NDArray[Any]]"]


def module_weights(graph: Graph, module: Any) -> Weights:
    """The tensors of a module that ``to_module`` made."""
    result: Weights = {}
    for node in graph.nodes:
        owned = module.owned(node.index)
        if owned is None or (node.op == "Constant" and node.attrs["value"]):
            continue
        if node.op in ("Parameter", "Constant"):
            result[node.index] = {"value": _array(owned)}
        else:
            tensors = {**dict(owned.named_parameters()), **dict(owned.named_buffers())}
            result[node.index] = {name: _array(t) for name, t in tensors.items()}
    return result


def _array(tensor: Any) -> NDArray[Any]:
    """A tensor as numpy has it; element types that numpy lacks as float32."""
    lacking = str(tensor.dtype).removeprefix("torch.").startswith(("bfloat", "float8"))
    array: NDArray[Any] = (tensor.detach().float() if lacking else tensor.detach()).cpu().numpy()
    return array


def random_weights(graph: Graph) -> Weights:
    """Weights from a fixed generator; nodes that share weights get the same."""
    rng = np.random.default_rng(0)
    shared: dict[str, dict[str, NDArray[Any]]] = {}
    result: Weights = {}
    for node in graph.nodes:
        sig = node.signature
        shapes = OPERATORS[node.op].tensors(sig.input_shapes, sig.attrs, node.shape)
        if not shapes:
            continue
        key = node.weights
        if key is None or key not in shared:
            tensors = {name: _tensor(name, shape, rng) for name, shape in shapes.items()}
            if key is not None:
                shared[key] = tensors
        result[node.index] = tensors if key is None else shared[key]
    return result


def _tensor(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    if name in ("running_var", "scale"):
        return np.ones(shape, dtype=np.float32)
    if name.startswith(("bias", "running_mean")):
        return np.zeros(shape, dtype=np.float32)
    fan_in = int(np.prod(shape[1:])) or 1
    deviation = 0.02 if name == "value" else (1.0 / fan_in) ** 0.5
    return (rng.standard_normal(shape, dtype=np.float32) * deviation).astype(np.float32)
