"""Runs the code that a SOURCE names, finds its inputs, and converts what it returns."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cg_frontends.pytorch.blame import blame
from cg_frontends.pytorch.convert import name_of
from cg_frontends.pytorch.decoding import Decoding
from cg_frontends.pytorch.entry import from_module
from cg_ir import CgError, Graph, SourceError
from cg_ir.calls import unknown_argument
from cg_ir.trust import require_python

_T = TypeVar("_T")
_INPUT = re.compile(r"(?P<shape>\d+([x,]\d+)*|scalar)(:(?P<dtype>\w+))?")
_KNOWN = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64"
_DTYPES = {name: getattr(torch, name) for name in _KNOWN.split()}


def convert(
    source: Any,
    *,
    inputs: Sequence[str] | str = (),
    arguments: Any = None,
    strict: bool = False,
    verify: bool = False,
    tokens: int | None = None,
    past: int | None = None,
    name: str | None = None,
) -> Graph:
    """The graph of a module object, of a function that makes one, or of a source string; see ``PyTorchFrontend.convert``."""
    shapes = read_inputs((inputs,) if isinstance(inputs, str) else inputs)
    positional, named = _arguments(arguments)
    decoding = None if tokens is None and past is None else (1 if tokens is None else tokens, past or 0)
    if decoding and shapes:
        raise SourceError("tokens and past state the inputs of a language model; give no --input beside them")
    if not (isinstance(source, str) or inspect.isroutine(source)):
        source, given = _with_inputs(source, shapes, decoding, type(source).__name__)
        return from_module(source, *given, name=name or name_of(source), strict=strict, verify=verify)
    what = source if isinstance(source, str) else source.__name__
    with _running(source) as found:
        module = _build(what, found, positional, named)
        module, given = _with_inputs(module, shapes, decoding, what)
        return from_module(module, *given, name=name or what, strict=strict, verify=verify)


def count(source: str, arguments: Any = None) -> int:
    """How many modules a source yields; see ``PyTorchFrontend.count``."""
    positional, named = _arguments(arguments)
    with _running(source) as found:
        total = _without_elements(source, found, lambda: sum(1 for _ in _modules(source, found(*positional, **named))))
    if not total:
        raise SourceError(f"{source} yields no network")
    return total


@contextlib.contextmanager
def _running(source: Any) -> Iterator[Any]:
    """The object that a source names, or is; within it its code may run."""
    place, _, attribute = source.partition("#")[0].rpartition(":") if isinstance(source, str) else ("", "", "")
    folder = os.path.dirname(os.path.abspath(place)) if place.endswith(".py") else os.getcwd()
    # what user code prints must not mix with our results on standard output
    with _importable(folder), contextlib.redirect_stdout(sys.stderr):
        yield _load(source, place, attribute) if isinstance(source, str) else source


def _modules(source: str, made: Any) -> Iterator[nn.Module]:
    """What a generator yields, where it yields modules."""
    for i, module in enumerate(made):
        if not isinstance(module, nn.Module):
            raise SourceError(f"{source} yields {type(module).__name__} as number {i}, not an nn.Module")
        yield module


def _with_inputs(
    module: Any, shapes: tuple[Tensor, ...], decoding: tuple[int, int] | None, what: str
) -> tuple[Any, tuple[Tensor, ...]]:
    """The module and what it is called with; a language model that decodes gets its cache."""
    if decoding is None:
        return module, shapes or default_inputs(module, what)
    step = Decoding(module, *decoding)
    return step, step.example_inputs()


def read_inputs(inputs: Sequence[str]) -> tuple[Tensor, ...]:
    """Meta tensors of batch size 1 for shapes such as ``3x224x224`` or ``128:int64``.

    Raises:
        SourceError: a shape or type that is none.
    """
    tensors = []
    for text in inputs:
        match = _INPUT.fullmatch(text.strip())
        if match is None:
            raise SourceError(
                f"input '{text}' should be sizes without the batch and perhaps a type, such as 3x224x224 or 128:int64"
            )
        dtype = match["dtype"] or "float32"
        if dtype not in _DTYPES:
            raise SourceError(f"input '{text}': '{dtype}' is no element type; known are {', '.join(_DTYPES)}")
        sizes = [] if match["shape"] == "scalar" else [int(size) for size in re.split("[x,]", match["shape"])]
        if not all(0 < size < 2**31 for size in sizes):
            raise SourceError(f"input '{text}': sizes should lie between 1 and 2^31 - 1")
        tensors.append(torch.empty((1, *sizes), dtype=_DTYPES[dtype], device="meta"))
    return tuple(tensors)


def default_inputs(module: Any, what: str) -> tuple[Tensor, ...]:
    """Inputs that the model states itself, or that its first layer implies.

    Asked in this order: ``example_inputs`` of an exported program, ``pretrained_cfg`` (timm), ``example_input_array`` (Lightning),
    a first convolution over images of 3 channels (224 x 224), ``config.vocab_size`` (128 tokens), a first linear layer.
    """
    if not isinstance(module, nn.Module):
        return ()
    config = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    if isinstance(config, dict) and config.get("input_size"):
        return (torch.empty((1, *config["input_size"]), device="meta"),)
    example = getattr(module, "example_input_array", None)
    if isinstance(example, Tensor):
        return (example,)
    tokens = getattr(getattr(module, "config", None), "vocab_size", None)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3:
            return (torch.empty((1, 3, 224, 224), device="meta"),)
        if isinstance(tokens, int) and isinstance(layer, nn.Embedding):
            return (torch.empty((1, 128), dtype=torch.int64, device="meta"),)
        if isinstance(layer, nn.Linear):
            return (torch.empty((1, layer.in_features), device="meta"),)
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding, nn.RNNBase)):
            break
    raise SourceError(
        f"{what}: which input does it take? say it with --input, for example --input 3x224x224 or --input 128:int64"
    )


def _arguments(arguments: Any) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError as error:
            raise SourceError(f"args should be a JSON list or object, not {arguments!r:.60} ({error})") from None
    if arguments is None:
        return [], {}
    if isinstance(arguments, dict):
        return [], arguments
    if isinstance(arguments, (list, tuple)):
        return list(arguments), {}
    raise SourceError(f"args should be a JSON list or object, not {arguments!r:.60}")


@contextlib.contextmanager
def _importable(folder: str) -> Iterator[None]:
    """As when Python runs a script of that folder: its siblings can be imported."""
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)


def _load(source: str, place: str, attribute: str) -> Any:
    """The object that a source names."""
    require_python(source, place)
    try:
        if place.endswith(".py"):
            if not os.path.isfile(place):
                raise SourceError(f"{place}: there is no such file")
            found: Any = _run_file(place)
        else:
            found = importlib.import_module(place)
    except CgError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")) and not place.endswith(".py"):
            raise SourceError(f"{source}: no module is called '{error.name}'; is its package installed?") from None
        raise SourceError(_failure(source, error)) from error
    except (Exception, SystemExit) as error:
        raise SourceError(_failure(source, error)) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            import difflib

            near = difflib.get_close_matches(part, [n for n in dir(found) if not n.startswith("_")], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise SourceError(f"{source}: {place} has no '{part}'{hint}")
        found = getattr(found, part)
    return found


def _run_file(path: str) -> Any:
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    name = f"_cg_source_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and the like look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _build(source: str, found: Any, positional: list[Any], named: dict[str, Any]) -> Any:
    """The module that a callable makes."""
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise SourceError(f"{source} is {type(found).__name__}, not a callable that returns an nn.Module")
    unknown = unknown_argument(found, named)
    if unknown:
        raise SourceError(f"{source}: among its arguments {unknown}")

    def make() -> Any:
        made = found(*positional, **named)
        return _chosen(source, made) if inspect.isgenerator(made) else made

    module = _without_elements(source, found, make)
    if not isinstance(module, nn.Module) and type(module).__name__ != "ExportedProgram":
        raise SourceError(f"{source} returned {type(module).__name__}, not an nn.Module")
    if "#" in source and not inspect.isgeneratorfunction(found):
        raise SourceError(f"{source}: the callable yields nothing, it returns one network; leave out the number")
    return module


def _without_elements(source: str, code: Any, make: Callable[[], _T]) -> _T:
    """What user code makes: modules without elements where their constructors can do without.

    Raises:
        SourceError: it fails.
    """
    state = torch.get_rng_state()
    try:
        with torch.device("meta"):
            return make()
    except (Exception, SystemExit):
        torch.set_rng_state(state)
        try:
            return make()  # a constructor that needs elements
        except CgError:
            raise
        except (Exception, SystemExit) as error:
            raise SourceError(_failure(source, error, code)) from error


def _chosen(source: str, made: Any) -> nn.Module:
    """The module of a generator that the number behind ``#`` names."""
    base, _, number = source.partition("#")
    if not number:
        raise SourceError(f"{source} yields several networks; {source}#0 is the first")
    module = next(itertools.islice(_modules(base, made), int(number), None), None)
    if module is None:
        raise SourceError(f"{source}: it yields fewer networks")
    return module


def _failure(source: str, error: BaseException, code: Any = None) -> str:
    if isinstance(error, SyntaxError):
        return f"{source}: {error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    place = blame(error, code)
    reason = " ".join(str(error).split())[:300]
    return f"{source}: {place + ': ' if place else ''}{type(error).__name__}{': ' if reason else ''}{reason}"
