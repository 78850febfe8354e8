"""Kinds of ATen operators that the recorder tells apart, by name."""

from __future__ import annotations

from typing import Any


def _aten(names: str) -> set[str]:
    return {f"aten::{name}" for name in names.split()}


#: Operators that read elements into Python.
READS = _aten("_local_scalar_dense item is_nonzero equal nonzero allclose")
#: Operators that only check; they have no place in a graph.
CHECKS = _aten("_assert_tensor_metadata _assert_async _assert_scalar _functional_assert_async") | _aten(
    "sym_constrain_range sym_constrain_range_for_size"
)
#: Composite operators that want all their tensors on one device before they are taken apart.
ONE_DEVICE = _aten("stft istft")
#: New tensors whose elements are one number; the number is the argument at this position, or the number itself.
FILLS: dict[str, Any] = {
    **dict.fromkeys(_aten("zeros zeros_like new_zeros zero"), 0.0),
    **dict.fromkeys(_aten("ones ones_like new_ones"), 1.0),
    **dict.fromkeys(_aten("scalar_tensor"), "0"),
    **dict.fromkeys(_aten("full full_like fill"), "1"),
    **dict.fromkeys(_aten("new_full"), "2"),
}
#: New tensors whose elements the program has yet to write; until then they may as well be zeros.
UNSET = _aten("empty empty_like empty_permuted new_empty new_empty_strided")
#: Operators that use shapes alone: their result is a constant whatever they are given.
SHAPE_ONLY = {*FILLS, *UNSET, *_aten("rand_like randn_like bernoulli rand randn arange randint_like")}
#: Recurrent layers over a sequence; their shapes need no run through it.
RECURRENT = _aten("lstm gru rnn_tanh rnn_relu")
DEVICE_MOVES = _aten("to _to_copy")
