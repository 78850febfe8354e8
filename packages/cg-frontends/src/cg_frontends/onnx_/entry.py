"""``from_onnx``: a file or model is converted, what the graph cannot say is told, and the graph is verified where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.onnx_.convert import convert
from cg_ir import Graph, SourceError
from cg_ir.unfolding import folded_convolutions
from cg_ir.unfolding import unfold as restored
from cg_ir.user_warnings import warn_user


class OnnxConversionWarning(UserWarning):
    """What the graph leaves out of what the file says."""


def from_onnx(
    source: Any,
    *,
    inputs: Sequence[str] = (),
    name: str | None = None,
    strict: bool = False,
    verify: bool = False,
    unfold: bool = False,
) -> Graph:
    """The computation graph of an ONNX model.

    The batch is the axis that the file leaves open or gives a name: the leading one, and wherever its name stands again; it is 1.
    Sizes that the file fixes stay, so a file exported for four images gives the costs of four.

    Parameters are float initializers, except those that operators read as arguments (scales, bounds, running statistics), and whatever
    stands where an operator has its weights, quantised integers too. Elements in external files are not read. What follows from
    constants and shapes is computed. An operator outside the vocabulary is replaced by the function that defines it in the standard.

    Args:
        source: path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        inputs: shapes without the batch (``3x224x224``) for inputs whose sizes the model leaves open; with as many sizes as the
            input has axes, the shape as a whole.
        name: the graph's name; the model graph's own if absent.
        strict: an operator outside the vocabulary is an error instead of a ``Custom`` node and a warning.
        verify: run the file and the network of its graph on a random input, and fail where they differ; with ONNX Runtime if it is
            installed, else with onnx's reference evaluator. Needs torch.
        unfold: put a batch normalisation in the place of each convolution's bias, see :func:`cg_ir.unfolding.unfold`: the network as it
            was trained, where the exporter folded them. A warning says where that may be so.

    Raises:
        SourceError: the file cannot be read, is no valid model, leaves sizes open, or holds control flow that depends on data.
    """
    low, graph, notes, what = convert(source, inputs, name)
    if low.unknown:
        listed = ", ".join(f"{key} ({count}x)" for key, count in sorted(low.unknown.items()))
        if strict:
            raise SourceError(f"{what}: operators outside the vocabulary: {listed}")
        warn_user(f"{what}: operators outside the vocabulary became Custom: {listed}", UnknownOperatorWarning)
    folded = folded_convolutions(graph)
    if folded and not unfold:
        notes.append(
            f"{len(folded)} convolutions have a bias and nothing normalises what they give; where the export folded batch normalisations into them, "
            "unfold=True (FILE.onnx?unfold=true) gives the network as it was trained, which costs and ranks otherwise"
        )
    for note in notes:
        warn_user(f"{what}: {note}", OnnxConversionWarning)
    if verify:
        from cg_frontends.onnx_.replay import replay

        replay(source, graph, inputs, what)
    if unfold and not folded:
        raise SourceError(
            f"{what}: there is nothing to unfold: something else normalises, a convolution has no bias, or they are fewer than three"
        )
    return restored(graph) if unfold else graph
