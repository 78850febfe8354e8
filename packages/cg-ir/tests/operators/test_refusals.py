"""Uses of operators that cannot be: each is refused where it is added, by what its shape rule says."""

from __future__ import annotations

from typing import Any

import pytest

from cg_ir import GraphBuilder, GraphError

IMAGE = (1, 6, 8, 8)
REFUSED: list[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any], str]] = [
    ("Conv", (IMAGE,), {"channels": 4, "kernel_shape": (3, 3), "group": 4}, "6 input channels do not divide into group 4"),
    ("Conv", (IMAGE,), {"channels": 4, "kernel_shape": (3, 3), "group": 3}, "4 output channels do not divide into group 3"),
    ("Conv", (IMAGE,), {"channels": 4, "kernel_shape": (9, 1)}, "a window of 9 does not fit an axis of 8 padded by 0+0"),
    ("Conv", (IMAGE,), {"channels": 4, "kernel_shape": (3, 3, 3, 3)}, "attribute 'kernel_shape' should have 1 to 3 numbers, not 4"),
    ("ConvTranspose", (IMAGE,), {"channels": 4, "kernel_shape": (2, 2), "group": 4}, "channels do not divide into group 4"),
    ("ConvTranspose", (IMAGE,), {"channels": 5, "kernel_shape": (2, 2), "group": 2}, "channels do not divide into group 2"),
    ("ConvTranspose", (IMAGE,), {"channels": 4, "kernel_shape": (2, 2), "pads": (9, 9, 9, 9)}, "the output of the transposed convolution is empty"),
    ("MaxPool", ((8, 8),), {"kernel_shape": (3, 3)}, "an input of shape [8, 8] has no 2 spatial axes"),
    ("GlobalMaxPool", ((8, 8),), {}, "an input of shape [8, 8] has no spatial axes"),
    ("AdaptiveMaxPool", ((8, 8),), {"output_size": (1, 1)}, "an input of shape [8, 8] has no 2 spatial axes"),
    ("GroupNormalization", (IMAGE,), {"num_groups": 4}, "6 channels do not divide into 4 groups"),
    ("LayerNormalization", (IMAGE,), {"axis": 4}, "axis 4 is outside the 4 axes of the input (axes count from 0)"),
    ("Gemm", ((),), {"channels": 3}, "the input of Gemm has no axis"),
    ("MatMul", ((), (3,)), {}, "MatMul takes no scalars"),
    ("MatMul", ((2, 3), (4, 2)), {}, "inner axes of [2, 3] and [4, 2] differ"),
    ("ExpertGemm", ((1, 5, 8), (1, 4)), {"num_experts": 3, "channels": 2}, "there should be one expert for each row of [1, 5, 8], not [1, 4]"),
    ("Einsum", ((2, 3),), {"equation": "ab"}, "equation 'ab' should be explicit and have 1 terms"),
    ("Einsum", ((2, 3),), {"equation": "ab,bc->ac"}, "equation 'ab,bc->ac' should be explicit and have 1 terms"),
    ("Einsum", ((2, 3),), {"equation": "abc->a"}, "term 'abc' does not name the axes of shape [2, 3]"),
    ("Einsum", ((2, 3), (4, 3)), {"equation": "ab,ab->a"}, "axis 'a' of 'ab,ab->a' has two sizes"),
    ("Einsum", ((2, 3),), {"equation": "ab->c"}, "the output of 'ab->c' names an unknown axis"),
    ("Attention", ((1, 5, 8), (1, 5, 6), (1, 5, 8)), {}, "query [1, 5, 8], key [1, 5, 6] and value [1, 5, 8] do not fit"),
    ("Attention", ((1, 5, 8), (1, 4, 8), (1, 5, 8)), {}, "query [1, 5, 8], key [1, 4, 8] and value [1, 5, 8] do not fit"),
    ("TopK", ((1, 4),), {"axis": 1, "k": 5}, "k 5 is more than the 4 of axis 1"),
    ("ReduceSum", ((1, 4),), {"axes": (1, 1)}, "axes [1, 1] name one twice"),
    ("ReduceSum", ((1, 4),), {"axes": (2,)}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
    ("Transpose", ((1, 4),), {"perm": (0, 0)}, "perm [0, 0] is no permutation of the 2 axes"),
    ("Reshape", ((1, 4),), {}, "this operator needs a stated shape"),
    ("Expand", ((1, 4),), {}, "this operator needs a stated shape"),
    ("Expand", ((1, 4),), {"shape": (2, 3)}, "inputs of shapes [[1, 4], [2, 3]] do not broadcast"),
    ("Expand", ((2, 4),), {"shape": (1, 4)}, "shape [2, 4] does not broadcast to [1, 4]"),
    ("SpaceToDepth", (IMAGE,), {"blocksize": 3}, "8 x 8 does not divide by blocksize 3"),
    ("DepthToSpace", (IMAGE,), {"blocksize": 2}, "6 channels do not divide by blocksize 2 squared"),
    ("LSTM", ((4,),), {"hidden_size": 3}, "a sequence should have 2 or 3 axes, not shape [4]"),
    ("LSTM", ((4, 1, 5),), {"hidden_size": 3, "proj_size": 3}, "proj_size should be less than hidden_size 3, not 3"),
    ("Add", ((2, 3), (2, 4)), {}, "inputs of shapes [[2, 3], [2, 4]] do not broadcast"),
    ("Concat", ((2, 3), (3, 4)), {"axis": 1}, "inputs of shapes [[2, 3], [3, 4]] do not join along axis 1"),
    ("LeakyRelu", ((1, 4),), {"alpha": True}, "attribute 'alpha' should be a finite number, not True"),
    ("LeakyRelu", ((1, 4),), {"alpha": float("inf")}, "attribute 'alpha' should be a finite number, not inf"),
    ("Clip", ((1, 4),), {"min": "0"}, "attribute 'min' should be a finite number, not '0'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_use_that_cannot_be_is_refused(
    op: str, shapes: tuple[tuple[int, ...], ...], attrs: dict[str, Any], message: str
) -> None:
    b = GraphBuilder()
    ins = [b.input(shape) for shape in shapes]
    with pytest.raises(GraphError) as error:
        b.add(op, *ins, **attrs)
    assert str(error.value) == f"node {len(ins)} ({op}): {message}"
