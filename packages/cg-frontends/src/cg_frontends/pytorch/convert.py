"""Any ``nn.Module`` becomes a graph by one forward pass on meta tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cg_frontends import __version__
from cg_frontends.lowering.assembly import assemble
from cg_frontends.lowering.lowering import COMPLEX_LOWERINGS, LOWERINGS, Lowering
from cg_frontends.lowering.tape import TRACED, Tape
from cg_frontends.pytorch import lowerings  # noqa: F401 - registers the lowerings
from cg_frontends.pytorch.batch import batch_axes, scales
from cg_frontends.pytorch.blame import definition, describe, reads_elements
from cg_frontends.pytorch.devices import ListIndices, known_devices
from cg_frontends.pytorch.exported import module_of, program_of_script, runner_of
from cg_frontends.pytorch.modules import lend
from cg_frontends.pytorch.recorder import Recorder
from cg_frontends.pytorch.structure import map_tensors, tensors_of
from cg_ir import CgError, Graph, GraphError, SourceError

PRODUCER = {"name": "cg-frontends", "version": __version__}


def name_of(module: Any) -> str:
    """What a module is called: its class's name, if it says no other."""
    return str(getattr(module, "_get_name", lambda: type(module).__name__)())


def examples_of(module: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The example inputs that an exported program carries."""
    examples = getattr(module, "example_inputs", None)
    if isinstance(examples, tuple) and len(examples) == 2:
        return tuple(examples[0]), dict(examples[1])
    return (), {}


@dataclass(frozen=True)
class Conversion:
    """A graph, and the lowering that it was made from."""

    graph: Graph
    lowering: Lowering


def convert(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Conversion:
    """The graph at batch size 1 where the program can be run at it, otherwise at the size given."""
    if not args and not kwargs:
        args, kwargs = examples_of(module)
    if isinstance(module, torch.jit.ScriptModule):
        module = program_of_script(module, args, kwargs)
    shapes = [tuple(t.shape) for t in tensors_of((args, kwargs))]
    try:
        given = _convert(module, args, kwargs, name)
    except SourceError as error:
        # a program that runs one example only
        if not _leading(shapes):
            raise
        try:
            first_args, first_kwargs = map_tensors((args, kwargs), lambda t: t[:1])
            return _convert(module, first_args, first_kwargs, name)
        except SourceError:
            raise error from None
    if all(shape[:1] in ((), (1,)) for shape in shapes):
        return given
    axes = batch_axes(given.graph, shapes)
    leading = axes is None and _leading(shapes)
    if axes is None and not leading:
        return given
    order = iter(axes or (0,) * len(shapes))
    try:
        one_args, one_kwargs = map_tensors((args, kwargs), lambda t: _one(t, next(order)))
        one = _convert(module, one_args, one_kwargs, name)
    except SourceError:
        return given
    return one if not leading or scales(one.graph, given.graph, shapes[0][0]) else given


def _leading(shapes: list[tuple[int, ...]]) -> bool:
    """Whether all tensors share a leading size, and not 1."""
    sizes = {shape[:1] for shape in shapes}
    return len(sizes) == 1 and sizes.isdisjoint(((), (1,)))


def _one(tensor: Tensor, axis: int | None) -> Tensor:
    """The first example."""
    return tensor if axis is None else tensor.narrow(axis, 0, 1)


def _convert(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Conversion:
    """The graph for the inputs as they are."""
    tape = _record(module, args, kwargs)
    if not any(value.kind == TRACED for value in tape.outputs):
        place = definition(getattr(type(module), "forward", None))
        raise SourceError(f"{name}: {place and f'forward at {place}: '}no output of forward depends on its inputs")
    lowering = Lowering(tape)
    try:
        lowering.run()
        return Conversion(assemble(lowering, name, PRODUCER), lowering)
    except GraphError as error:
        raise SourceError(f"{name}: {error}") from error


def _record(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tape:
    """The quick way first, then without the mark of an export, then with real buffers, then through ``torch.export``."""
    failure: BaseException | None = None
    for real_buffers, exporting in ((False, True), (False, False), (True, True)):
        try:
            with as_exporting(exporting):
                return _run(module, args, kwargs, real_buffers=real_buffers)
        except CgError:
            raise
        except (Exception, SystemExit) as error:
            failure = failure or error
    assert failure is not None
    if isinstance(module, nn.Module) and (reads_elements(failure) or isinstance(failure, NotImplementedError)):
        try:
            return _run(module_of(module, args, kwargs), args, kwargs, real_buffers=True)
        except Exception:
            pass
    raise SourceError(describe(failure, module)) from failure


@contextlib.contextmanager
def as_exporting(exporting: bool) -> Iterator[None]:
    """Answer ``torch.compiler.is_exporting()`` as under ``torch.export``, on which many libraries leave checks of elements out.

    torch has no public switch for it; where the flags are called otherwise, the program simply runs as usual.
    """
    flags = [name for name in ("_is_compiling_flag", "_is_exporting_flag") if hasattr(torch.compiler, name)]
    before = {name: getattr(torch.compiler, name) for name in flags}
    try:
        for name in flags:
            setattr(torch.compiler, name, exporting)
        yield
    finally:
        for name, value in before.items():
            setattr(torch.compiler, name, value)


def _run(
    module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, real_buffers: bool, lists: bool = False
) -> Tape:
    """The tape of a forward pass; a program that indexes with lists is run again, under a mode that keeps their elements."""
    run, owner = runner_of(module)
    recorder = Recorder(lambda name: name in LOWERINGS or name in COMPLEX_LOWERINGS)

    def enter(path: str) -> None:
        recorder.region = path

    with lend(owner, enter, real_buffers) as lent, torch.inference_mode(), known_devices():
        recorder.origins = lent.origins
        for parameter_name, parameter in lent.parameters:
            recorder.parameter(parameter, parameter_name)
        args, kwargs = map_tensors((args, kwargs), _meta)
        for tensor in tensors_of((args, kwargs)):
            recorder.input(tensor)
        try:
            with recorder, ListIndices() if lists else contextlib.nullcontext():
                result = run(enter, args, kwargs)
        except Exception:
            if lists or not recorder.lists:
                raise
        else:
            for tensor in tensors_of(result):
                recorder.output(tensor)
    if recorder.lists and not lists:
        return _run(module, args, kwargs, real_buffers=real_buffers, lists=True)
    return recorder.tape


def _meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
