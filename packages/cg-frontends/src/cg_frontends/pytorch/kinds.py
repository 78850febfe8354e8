"""Kinds of ATen operators that the recorder tells apart, by name."""

from __future__ import annotations

from typing import Any

__all__ = ["CHECKS", "DEVICE_MOVES", "FILLS", "ONE_DEVICE", "READS", "RECURRENT", "SHAPE_ONLY", "UNSET"]

#: Operators that read elements into Python.
READS = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::allclose",
}
#: Operators that only check; they have no place in a graph.
CHECKS = {
    "aten::_assert_tensor_metadata",
    "aten::_assert_async",
    "aten::_assert_scalar",
    "aten::sym_constrain_range",
    "aten::sym_constrain_range_for_size",
    "aten::_functional_assert_async",
}
#: Composite operators that want all their tensors on one device before they are taken apart.
ONE_DEVICE = {"aten::stft", "aten::istft"}
#: New tensors whose elements are one number; the number is the argument at this position, or the number itself.
FILLS: dict[str, Any] = {
    "aten::zeros": 0.0,
    "aten::ones": 1.0,
    "aten::zeros_like": 0.0,
    "aten::ones_like": 1.0,
    "aten::new_zeros": 0.0,
    "aten::new_ones": 1.0,
    "aten::full": "1",
    "aten::full_like": "1",
    "aten::new_full": "2",
    "aten::scalar_tensor": "0",
    "aten::zero": 0.0,
    "aten::fill": "1",
}
#: New tensors whose elements the program has yet to write; until then they may as well be zeros.
UNSET = {"aten::empty", "aten::empty_like", "aten::empty_permuted", "aten::new_empty", "aten::new_empty_strided"}
#: Operators that use shapes alone: their result is a constant whatever they are given.
SHAPE_ONLY = {
    *FILLS,
    *UNSET,
    "aten::rand_like",
    "aten::randn_like",
    "aten::bernoulli",
    "aten::rand",
    "aten::randn",
    "aten::arange",
    "aten::randint_like",
}
#: Recurrent layers over a sequence; their shapes need no run through it.
RECURRENT = {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"}
DEVICE_MOVES = {"aten::to", "aten::_to_copy"}
