"""Whether a graph computes what the ONNX file does that it came from (extras ``onnx`` and ``torch``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cg_frontends.onnx_.weights import copy_weights
from cg_frontends.pytorch.replay import TOLERANCE, difference
from cg_ir import Graph, SourceError, to_module


def replay(source: Any, graph: Graph, inputs: Sequence[str], what: str) -> None:
    """Run the file and the network of its graph on one random input, and compare.

    Raises:
        SourceError: the outputs differ, or there is something that cannot be run.
    """
    custom = sorted({str(n.attrs["name"]) for n in graph.nodes if n.op == "Custom"})
    if custom:
        raise SourceError(f"{what}: cannot be verified, for {', '.join(custom)} has no meaning that could be run")
    network = to_module(graph).eval()
    copy_weights(source, network, inputs=inputs)
    rng = np.random.default_rng(0)
    given = []
    for node in graph.nodes:
        if node.op == "Input":
            dtype = np.dtype(str(node.attrs["dtype"]))
            array = rng.standard_normal(node.shape) if dtype.kind == "f" else rng.integers(0, 2, node.shape)
            given.append(array.astype(dtype))
    model = source if isinstance(source, onnx.ModelProto) else onnx.load(source)
    wanted = _run(model, given, what)
    with torch.no_grad():
        found = network(*map(torch.from_numpy, given))
    found = found if isinstance(found, tuple) else (found,)
    for index, (a, b) in enumerate(zip(found, wanted, strict=True)):
        distance = difference(a, torch.from_numpy(np.array(b)))
        if distance > TOLERANCE:
            name = model.graph.output[index].name
            raise SourceError(
                f"{what}: the graph does not compute what the file does: output '{name}' differs by {distance:.2g}"
            )


def _run(model: onnx.ModelProto, given: Sequence[NDArray[Any]], what: str) -> list[Any]:
    """The outputs of the file itself."""
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in weights]
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return list(session.run(None, dict(zip(names, given, strict=True))))
    except ImportError:
        pass
    except Exception as error:  # ONNX Runtime has its own family of exceptions
        raise SourceError(
            f"{what}: cannot be verified, ONNX Runtime does not run it ({' '.join(str(error).split())[:160]})"
        ) from None
    from onnx.reference import ReferenceEvaluator

    try:
        return list(ReferenceEvaluator(model).run(None, dict(zip(names, given, strict=True))))
    except Exception as error:
        raise SourceError(
            f"{what}: cannot be verified, onnx does not run it ({' '.join(str(error).split())[:160]})"
        ) from None
