"""Shapes that onnx's own rules infer, for operators outside the vocabulary, in a process of its own with limits.

The rules are native code, which a file made for it can keep busy for ever or make eat memory. So they never run inside the program
that reads the file: a helper gets the model without its weights, some seconds and some memory, and answers with shapes or not at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import onnx

_SECONDS = 20
_BYTES = 2 * 2**30
_KEPT = 4096  # bytes of an initializer; larger ones are weights, on whose elements no shape depends

_HELPER = f"""
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({_BYTES}, {_BYTES}))
    resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS}))
except (ImportError, ValueError, OSError):
    pass
import onnx
model = onnx.ModelProto()
model.ParseFromString(sys.stdin.buffer.read())
model = onnx.shape_inference.infer_shapes(model, data_prop=True)
known = {{}}
for value in (*model.graph.value_info, *model.graph.output):
    tensor = value.type.tensor_type
    sizes = [d.dim_value for d in tensor.shape.dim]
    if tensor.HasField("shape") and all(s > 0 for s in sizes):
        known[value.name] = sizes
json.dump(known, sys.stdout)
"""


def inferred_shapes(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[tuple[int, ...], str]]
) -> dict[str, tuple[int, ...]]:
    """Shapes by name; none where the rules fail or take too long.

    Args:
        shapes: shapes and element types of the inputs by name.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.name in shapes:
            del value.type.tensor_type.shape.dim[:]
            for size in shapes[value.name][0]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    for tensor in copy.graph.initializer:
        if tensor.ByteSize() > _KEPT:
            about = (tensor.name, tensor.data_type, list(tensor.dims))
            tensor.Clear()
            tensor.name, tensor.data_type = about[:2]
            tensor.dims.extend(about[2])
    if not sys.executable:
        return {}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _HELPER],
            input=copy.SerializeToString(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        return {str(name): tuple(int(s) for s in sizes) for name, sizes in json.loads(done.stdout).items()}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
