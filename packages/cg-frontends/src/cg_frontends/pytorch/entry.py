"""``from_module``: a module is converted, what the graph cannot say is told, and the graph is verified where that is asked for."""

from __future__ import annotations

from typing import Any

from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.pytorch.convert import convert, examples_of, name_of
from cg_frontends.pytorch.replay import replay
from cg_ir import Graph, SourceError
from cg_ir.user_warnings import warn_user


def from_module(
    module: Any,
    *example_inputs: Any,
    name: str | None = None,
    strict: bool = False,
    verify: bool = False,
    **kwargs: Any,
) -> Graph:
    """The computation graph of a module in evaluation mode, at batch size 1.

    The module runs once on tensors without elements; nothing is computed, no weights are needed, and the module is left as it
    was. ``torch.fx.GraphModule`` and ``torch.export.ExportedProgram`` are run in the same way and give the same graph. Where the
    program reads elements of tensors, it is first run again with real buffers, then through ``torch.export``.

    Args:
        module: an ``nn.Module``, on any device, or an ``ExportedProgram``.
        example_inputs: what its ``forward`` takes, tensors on any device (``device="meta"`` will do) or nested in tuples, lists and
            dicts; with none, those of the ``ExportedProgram``. The batch is cut to 1: the leading axis, or the second of sequences that
            come first (``batch_first=False``), whichever no operator mixes. Inputs without such an axis are taken as they are.
        name: the graph's name; the class's name if absent.
        strict: an operator outside the vocabulary is an error instead of a ``Custom`` node and a warning.
        verify: run the module and the network of its graph with the same weights on a random input (or the elements of the examples),
            and fail where they differ.
        kwargs: keyword arguments of ``forward``.

    Returns:
        A graph whose ``params`` plus ``extras["unused_parameters"]`` (of branches that do not run, and of parametrisations beyond the
        weights that they compute) is the number of parameters of the module.

    Raises:
        SourceError: the forward pass fails; the message names the line of the user's code. With ``verify``: outputs differ; the message
            names the first operator that does.
    """
    name = name or name_of(module)
    conversion = convert(module, example_inputs, kwargs, name)
    unknown = conversion.lowering.unknown
    if unknown:
        listed = ", ".join(f"{key} ({count}x)" for key, count in sorted(unknown.items()))
        if strict:
            raise SourceError(f"{name}: operators outside the vocabulary: {listed}")
        warn_user(f"{name}: operators outside the vocabulary became Custom: {listed}", UnknownOperatorWarning)
    if verify:
        if not example_inputs and not kwargs:
            example_inputs, kwargs = examples_of(module)
        replay(module, conversion, example_inputs, kwargs, name)
    return conversion.graph
