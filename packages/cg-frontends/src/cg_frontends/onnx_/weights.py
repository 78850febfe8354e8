"""``copy_weights``: what an ONNX file holds into the network that ``to_module`` made of its graph (extras ``onnx`` and ``torch``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from cg_frontends.lowering.lowering import Spec
from cg_frontends.lowering.tape import Value
from cg_frontends.onnx_.convert import convert
from cg_frontends.onnx_.importer import DEFERRED
from cg_frontends.pytorch.copying import WeightSource, check_same, fill
from cg_ir import SourceError

#: Where torch's gates stand among those of ONNX: LSTM i o f c, GRU z r h.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def copy_weights(source: Any, network: Any, *, inputs: Sequence[str] = ()) -> None:
    """Give a network the parameters, running statistics and constants of the ONNX model that it came from.

    Args:
        source: path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        network: what ``cg_ir.to_module`` made of ``from_onnx(source, inputs=inputs)``; it is written to.
        inputs: as for :func:`from_onnx`.

    Raises:
        SourceError: the network is not of this model's graph, or elements lie in external files, which are not read.
    """
    lowering, graph, _, what = convert(source, inputs, None)
    check_same(graph, network.graph, what)
    fill(network, lowering, _OnnxSource(lowering, what))


class _OnnxSource(WeightSource):
    """Tensors of an ONNX model."""

    def value(self, value: Value) -> Tensor:
        if isinstance(value.data, np.ndarray):
            return _tensor(value.data)
        if value.leaf is not None and value.leaf.origin is not None:
            return self._real(value.leaf.origin, value.leaf.name).reshape(value.shape)
        if value.call is not None and value.call.name == DEFERRED:
            return self._deferred(value)
        return super().value(value)

    def _real(self, tensor: Any, what: str) -> Tensor:
        if not isinstance(tensor, onnx.TensorProto) or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise SourceError(f"{self.name}: the elements of {what} lie in another file, which is not read")
        return _tensor(numpy_helper.to_array(tensor))

    def _deferred(self, value: Value) -> Tensor:
        call = value.call
        assert call is not None
        if id(call) not in self._results:
            read, inputs = call.args
            found = call.func(read, [self.value(v).numpy() for v in inputs])
            if found is None:
                raise SourceError(f"{self.name}: how a weight of shape {list(value.shape)} is computed is not known")
            self._results[id(call)] = _tensor(found)
        tensor: Tensor = self._results[id(call)]
        return tensor

    def owned(self, spec: Spec, count: int) -> list[Tensor]:
        tensors = [self.value(value) for value in spec.slots]
        return _recurrent(spec.op, tensors) if spec.op in _GATES else tensors[:count]


def _recurrent(op: str, tensors: list[Tensor]) -> list[Tensor]:
    """ONNX's weights (directions, gates h, x), (directions, gates h, h) and (directions, 2 gates h) in torch's order."""
    order = _GATES[op]
    found = []
    for direction in range(tensors[0].shape[0]):
        parts = [tensors[0][direction], tensors[1][direction]]
        parts += list(tensors[2][direction].chunk(2)) if len(tensors) > 2 else []
        found += [torch.cat([part.chunk(len(order))[gate] for gate in order]) for part in parts]
    return found


def _tensor(array: Any) -> Tensor:
    array = np.array(array)
    if array.dtype.kind == "V" or str(array.dtype) in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"):
        array = array.astype(np.float32)
    if array.dtype in (np.uint16, np.uint32, np.uint64):
        array = array.astype(np.int64)
    return torch.from_numpy(array)
