"""The tensors of a graph's operators, from a module or at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.graph import Graph, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Weights", "module_weights", "random_weights"]

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
        shapes = _shapes(node)
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


def _shapes(node: Node) -> dict[str, tuple[int, ...]]:
    """The tensors that a node owns."""
    a, out = node.attrs, node.shape
    first = node.signature.input_shapes[0] if node.signature.input_shapes else ()
    bias = {"bias": out[1:2]} if a.get("bias") else {}
    if node.op == "Parameter":
        return {"value": out}
    if node.op == "Conv":
        own = {} if len(node.inputs) > 1 else {"weight": (out[1], first[1] // a["group"], *a["kernel_shape"])}
        return {**own, **bias}
    if node.op == "ConvTranspose":
        own = {} if len(node.inputs) > 1 else {"weight": (first[1], out[1] // a["group"], *a["kernel_shape"])}
        return {**own, **bias}
    if node.op == "Gemm":
        return {"weight": (out[-1], first[-1]), **({"bias": out[-1:]} if a["bias"] else {})}
    if node.op == "ExpertGemm":
        return {"weight": (a["num_experts"], out[-1], first[-1])}
    if node.op == "Embedding":
        return {"weight": (a["num_embeddings"], out[-1])}
    if node.op == "PRelu":
        return {"weight": (a["num_parameters"],)}
    if node.op == "BatchNormalization":
        statistics = {"running_mean": first[1:2], "running_var": first[1:2]}
        return {**({"scale": first[1:2], "bias": first[1:2]} if a["affine"] else {}), **statistics}
    if node.op in ("InstanceNormalization", "GroupNormalization"):
        return {"scale": first[1:2], "bias": first[1:2]} if a["affine"] else {}
    if node.op in ("LayerNormalization", "RMSNormalization"):
        shape = first[a["axis"] :]
        if not a["affine"]:
            return {}
        return {"scale": shape, **({"bias": shape} if a.get("bias") else {})}
    if node.op in ("LSTM", "GRU", "RNN"):
        return _recurrent_shapes(node)
    return {}


def _recurrent_shapes(node: Node) -> dict[str, tuple[int, ...]]:
    a = node.attrs
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op]
    hidden, project = a["hidden_size"], a.get("proj_size", 0)
    state = project or hidden
    directions = ("", "_reverse") if a["bidirectional"] else ("",)
    result: dict[str, tuple[int, ...]] = {}
    width = node.signature.input_shapes[0][-1]
    for layer in range(a["num_layers"]):
        for direction in directions:
            end = f"_l{layer}{direction}"
            result[f"weight_ih{end}"] = (gates * hidden, width)
            result[f"weight_hh{end}"] = (gates * hidden, state)
            if a["bias"]:
                result[f"bias_ih{end}"] = result[f"bias_hh{end}"] = (gates * hidden,)
            if project:
                result[f"weight_hr{end}"] = (project, hidden)
        width = state * len(directions)
    return result
