"""Writes through views: what the viewed tensor becomes when a view of it was written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cg_frontends.lowering.tape import Call, Value

if TYPE_CHECKING:
    from cg_frontends.pytorch.recorder import Recorder

_SAME_ELEMENTS = {
    "view", "reshape", "_unsafe_view", "_reshape_alias", "view_as", "flatten", "unflatten", "squeeze", "unsqueeze",
}  # fmt: skip
_SAME_TENSOR = {"detach", "alias", "contiguous", "lift_fresh", "to", "dropout", "type_as"}


def scatter(recorder: Recorder, old: Value, view: Call, index: int, new: Value) -> Value:
    """The value of what ``view`` (its output ``index``) viewed, once the view holds ``new``.

    Args:
        old: the value of the viewed tensor before the write.
    """
    name = view.name.rsplit("::", 1)[1]
    args = view.args[1:]
    if name in _SAME_TENSOR and new.shape == old.shape:
        return new
    if name in _SAME_ELEMENTS:
        return recorder.append("aten::reshape", (new, list(old.shape)), old.shape, old.dtype)
    if name in ("transpose", "swapaxes", "swapdims"):
        return recorder.append("aten::transpose", (new, *args), old.shape, old.dtype)
    if name in ("t", "numpy_T", "mT", "mH"):
        return recorder.append("aten::transpose", (new, -1, -2), old.shape, old.dtype)
    if name == "permute":
        rank = len(old.shape)
        inverse = [0] * rank
        for position, axis in enumerate(args[0]):
            inverse[axis % rank] = position
        return recorder.append("aten::permute", (new, inverse), old.shape, old.dtype)
    if name == "select":
        return recorder.append("aten::select_scatter", (old, new, *args), old.shape, old.dtype)
    if name == "slice":
        return recorder.append("aten::slice_scatter", (old, new, *args), old.shape, old.dtype)
    if name in ("split", "split_with_sizes", "chunk", "narrow", "unbind"):
        axis, start = _part(view, index, len(old.shape), name)
        if name == "unbind":
            return recorder.append("aten::select_scatter", (old, new, axis, index), old.shape, old.dtype)
        stop = start + new.shape[axis]
        return recorder.append("aten::slice_scatter", (old, new, axis, start, stop, 1), old.shape, old.dtype)
    return recorder.append(f"{view.name}_scatter", (old, new, *args), old.shape, old.dtype)


def _part(view: Call, index: int, rank: int, name: str) -> tuple[int, int]:
    """The axis along which a view takes a part, and where the part begins."""
    args: list[Any] = list(view.args[1:])
    if name == "narrow":
        return args[0] % rank, args[1]
    position = 0 if name == "unbind" else 1
    axis = (args[position] if len(args) > position else view.kwargs.get("dim", 0)) % rank
    sizes = [value.shape[axis] if value is not None else 0 for value in view.outputs] if name != "unbind" else []
    return axis, sum(sizes[:index])
