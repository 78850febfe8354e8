"""Records the operators of one forward pass, above decomposition.

Below autograd the dispatcher asks a ``TorchDispatchMode`` before it takes composite operators apart, so in inference mode ``linear``,
``scaled_dot_product_attention``, ``batch_norm`` or ``lstm`` arrive whole. The recorder turns the program into values that never
change: in-place operators become their plain twins, and a write through a view becomes a scatter into what it views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT, Call, Leaf, Tape, Value
from cg_frontends.pytorch.blame import DataDependent, tell_operator
from cg_frontends.pytorch.kinds import CHECKS, DEVICE_MOVES, FILLS, ONE_DEVICE, READS, RECURRENT, SHAPE_ONLY, UNSET
from cg_frontends.pytorch.shapes import ShapeMemory, recurrent_outputs
from cg_frontends.pytorch.views import scatter


class _Info:
    """What a schema says about one overload."""

    __slots__ = ("aliases", "decompose", "indexes", "name", "recurrent", "shape_only", "special", "unknown", "writes")

    def __init__(self, func: Any, whole: Callable[[str], bool]) -> None:
        schema = func._schema
        name = schema.name
        arguments = schema.arguments
        self.writes = tuple(
            (position, argument.name, argument.kwarg_only)
            for position, argument in enumerate(arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        )
        base = name.rsplit("::", 1)
        if self.writes and base[1].endswith("_") and not base[1].startswith("__"):
            name = f"{base[0]}::{base[1][:-1]}"
        elif base[1].startswith("__i") and base[1].endswith("__"):
            name = f"{base[0]}::__{base[1][3:]}"
        self.name = name
        self.aliases = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
        self.special = name in READS or name in CHECKS or name in DEVICE_MOVES
        self.indexes = name in ("aten::index", "aten::index_put")
        self.shape_only = name in SHAPE_ONLY
        self.recurrent = name in RECURRENT and func._overloadname == "input"
        self.decompose = (
            not whole(name)
            and not self.special
            and not self.shape_only
            and torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
        )
        plain = not (self.writes or self.aliases or self.special or self.shape_only)
        self.unknown = plain and not self.decompose and not whole(name)


@lru_cache(256)
def _others(func: Any) -> Callable[..., Any] | None:
    """How torch writes an operator with others; None where it does not say."""
    from torch._decomp import decomposition_table

    return decomposition_table.get(func)


@dataclass(eq=False, slots=True)
class _Storage:
    """Counts the writes to memory that several tensors view."""

    version: int = 0


@dataclass(eq=False, slots=True)
class _Track:
    """What is known of one tensor object: its value, and what it views."""

    tensor: Tensor  # a strong reference, so that its id stays its own
    value: Value
    storage: _Storage | None = None
    version: int = 0
    parent: _Track | None = None
    view: tuple[Call, int] | None = None


class Recorder(TorchDispatchMode):
    """Records into ``tape`` what happens to the tensors given to :meth:`input` and :meth:`parameter`.

    Args:
        whole: tells by name (``aten::linear``) which composite operators are recorded whole; the others are taken apart.

    Attributes:
        region: dotted path of the module that runs now.
        origins: the module's own tensor by the id of the one that the program sees in its place.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to keep the compiler out of this class's methods, torch would import it, which takes longer than all the rest."""
        return False

    def __init__(self, whole: Callable[[str], bool]) -> None:
        super().__init__()
        self.origins: dict[int, Tensor] = {}
        self.tape = Tape()
        self.lists = False  # whether the program has indexed with elements that nobody knows: those of lists
        self.region = ""
        self._whole = whole
        self._infos: dict[Any, _Info] = {}
        self._tracks: dict[int, _Track] = {}
        self._shapes = ShapeMemory()

    # --- sources and results ------------------------------------------------------------------------------------------

    def input(self, tensor: Tensor) -> None:
        """Declare an input of the network."""
        value = Value(TRACED, tuple(tensor.shape), _dtype(tensor), index=len(self.tape.inputs))
        self._tracks[id(tensor)] = _Track(tensor, value)
        self.tape.inputs.append(value)

    def parameter(self, tensor: Tensor, name: str) -> None:
        """Declare a parameter of the module."""
        leaf = Leaf(name, tensor.numel() * (2 if tensor.is_complex() else 1), self.origins.get(id(tensor)))
        self.tape.leaves.append(leaf)
        shape = tuple(tensor.shape)
        value = Value(WEIGHT, shape, _dtype(tensor), leaf=leaf, place=_place(tensor))
        self._tracks[id(tensor)] = _Track(tensor, value)

    def output(self, tensor: Tensor) -> None:
        """Declare an output of the network."""
        self.tape.outputs.append(self._value(tensor))

    # --- the mode -----------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        try:
            return self._dispatch(func, args, kwargs or {})
        except RuntimeError as error:
            shapes = " and ".join(str(list(tensor.shape)) for tensor in _tensors(args, kwargs or {})[0])
            tell_operator(error, f"{func._schema.name.rpartition('::')[2]} of {shapes}" if shapes else "")
            raise

    def _dispatch(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        info = self._infos.get(func)
        if info is None:
            info = self._infos[func] = _Info(func, self._whole)
        if info.indexes:
            self.lists |= any(isinstance(i, Tensor) and i.is_meta and self._from_outside(i) for i in args[1])
        if info.decompose:
            if info.name in ONE_DEVICE:
                args, kwargs = self._on_meta(args, kwargs)
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        if info.unknown and _tensors(args, kwargs)[1]:
            out = self._by_others(func, args, kwargs)
            if out is not NotImplemented:
                return out
        if info.special:
            if info.name in CHECKS:
                return None
            if info.name in DEVICE_MOVES:
                args, kwargs = _stay(func, args, kwargs)
            elif self._reads_traced(args):
                raise DataDependent(info.name)

        tensors, meta, cpu = _tensors(args, kwargs)
        tracks = self._tracks
        kind = CONSTANT
        if not info.shape_only or info.name == "aten::fill":
            for tensor in tensors[info.shape_only :]:  # what is filled does not matter, a tensor to fill it with does
                track = tracks.get(id(tensor))
                if track is not None and track.value.kind > kind:
                    kind = track.value.kind
        needed = kind != CONSTANT or info.writes or info.aliases or info.name in FILLS
        call = None
        constant = kind == CONSTANT and not info.writes
        if constant or (needed and tensors):
            call = Call(info.name, *self._lift(args, kwargs, info), self.region)
            call.func = func if constant else None
        if meta and info.recurrent and args[0].is_meta:
            out = recurrent_outputs(args)
        elif meta and cpu:
            meta_args, meta_kwargs = _to_meta(args, kwargs)
            out = func(*meta_args, **meta_kwargs)
        elif meta and not (info.writes or info.aliases or info.special):
            out = self._shapes.run(func, args, kwargs, tensors)
        else:
            out = func(*args, **kwargs)
        if info.writes:
            return self._wrote(info, call, kind, args, kwargs, out, (meta and cpu))
        if isinstance(out, Tensor):
            if info.name in FILLS or (info.name in UNSET and out.is_meta):
                value = Value(CONSTANT, tuple(out.shape), _dtype(out), fill=_fill(info.name, args, kwargs))
                tracks[id(out)] = _Track(out, value)
            elif call is not None and (out.is_meta or info.aliases or kind != CONSTANT):
                self._made(info, call, kind, tensors, (out,))
        elif call is not None and isinstance(out, (tuple, list)):
            self._made(info, call, kind, tensors, out)
        return out

    def _by_others(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator as torch writes it with others, where each of those is known."""
        others, before = _others(func), len(self.tape.calls)
        if others is None:
            return NotImplemented
        try:
            with self:
                out = others(*args, **kwargs)
        except Exception:  # the rule wants elements, say; the operator itself may do without
            out = NotImplemented
        if out is NotImplemented or not all(self._whole(call.name) for call in self.tape.calls[before:]):
            del self.tape.calls[before:]
            return NotImplemented
        return out

    def _on_meta(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments with what has elements as meta tensors of the same values, where one is on meta."""
        tensors, meta, cpu = _tensors(args, kwargs)
        if not (meta and cpu):
            return args, kwargs
        moved = _to_meta(args, kwargs)
        for before, after in zip(tensors, _tensors(*moved)[0], strict=True):
            if after is not before:
                self._tracks[id(after)] = _Track(after, self._track(before).value)
        return moved

    # --- recording ----------------------------------------------------------------------------------------------------

    def _made(self, info: _Info, call: Call, kind: int, tensors: list[Tensor], outs: Sequence[Any]) -> None:
        """Give values to the outputs of a plain operator."""
        tracks = self._tracks
        if len(outs) == 1 and any(outs[0] is tensor for tensor in tensors):
            return  # an identity: dropout in eval, contiguous, a conversion to the same type
        viewed: _Track | None = None
        if info.aliases and tensors:
            viewed = tracks.get(id(tensors[0])) or self._track(tensors[0])
            memory = tensors[0].untyped_storage()._cdata
        values: list[Value | None] = []
        for index, out in enumerate(outs):
            if not isinstance(out, Tensor):
                values.append(None)
                continue
            value = Value(kind, tuple(out.shape), _dtype(out), call, index)
            if kind == CONSTANT and not out.is_meta:
                value.data = out
            track = _Track(out, value)
            if viewed is not None and out.untyped_storage()._cdata == memory:
                if viewed.storage is None:
                    viewed.storage = _Storage()
                track.storage, track.version = viewed.storage, viewed.storage.version
                track.parent, track.view = viewed, (call, index)
                if kind == WEIGHT and viewed.value.place is not None:
                    value.leaf = viewed.value.leaf
                    value.place = _place(out)
                elif kind == CONSTANT and value.dtype == viewed.value.dtype:
                    value.fill = viewed.value.fill
            tracks[id(out)] = track
            values.append(value)
        call.outputs = tuple(values)
        if kind != CONSTANT:
            self.tape.calls.append(call)

    def _wrote(
        self,
        info: _Info,
        call: Call | None,
        kind: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        moved: Any,
    ) -> Any:
        """Give a new value to each tensor that an operator wrote to."""
        targets = [
            kwargs.get(name) if only or position >= len(args) else args[position]
            for position, name, only in info.writes
        ]
        flat = [t for target in targets for t in (target if isinstance(target, (list, tuple)) else [target])]
        written = [t for t in flat if isinstance(t, Tensor)]
        if call is None:
            return out
        values = []
        for index, tensor in enumerate(written):
            value = Value(kind, tuple(tensor.shape), _dtype(tensor), call, index)
            if info.name in FILLS and kind == CONSTANT:
                fill = _fill(info.name, args, kwargs)
                value = Value(CONSTANT, value.shape, value.dtype, None if fill is not None else call, fill=fill)
            values.append(value)
        call.outputs = tuple(values)
        if kind != CONSTANT:
            self.tape.calls.append(call)
        for tensor, value in zip(written, values, strict=True):
            self._write(self._track(tensor), value)
        if moved and len(written) == 1:
            return written[0]
        return out

    def _write(self, track: _Track, value: Value) -> None:
        chain = [track]
        while chain[-1].parent is not None:
            chain.append(chain[-1].parent)
        before = [self._current(link) for link in chain]
        if track.storage is None:
            track.storage = _Storage()
            chain[-1].storage = chain[-1].storage or track.storage
        track.storage.version += 1
        version = track.storage.version
        track.value, track.version = value, version
        for link, parent, old in zip(chain, chain[1:], before[1:], strict=False):
            assert link.view is not None
            parent.value = scatter(self, old, link.view[0], link.view[1], link.value)
            parent.version = version

    def append(self, name: str, args: tuple[Any, ...], shape: tuple[int, ...], dtype: str, **kwargs: Any) -> Value:
        """Record a call that the program did not make itself, and return its value."""
        call = Call(name, args, kwargs, self.region)
        kind = max((a.kind for a in args if isinstance(a, Value)), default=CONSTANT)
        value = Value(kind, shape, dtype, call)
        call.outputs = (value,)
        if kind != CONSTANT:
            self.tape.calls.append(call)
        return value

    # --- values of tensors --------------------------------------------------------------------------------------------

    def _track(self, tensor: Tensor) -> _Track:
        track = self._tracks.get(id(tensor))
        if track is None:
            fill = None
            if tensor.device.type == "cpu" and tensor.numel() == 1 and not tensor.is_complex():
                fill = float(torch.ops.aten._local_scalar_dense(tensor))
            track = _Track(tensor, Value(CONSTANT, tuple(tensor.shape), _dtype(tensor), fill=fill))
            track.value.data = None if tensor.is_meta else tensor
            track.value.origin = self.origins.get(id(tensor))
            self._tracks[id(tensor)] = track
        return track

    def _from_outside(self, tensor: Tensor) -> bool:
        """Whether neither an operator nor the module made a tensor."""
        return id(tensor) not in self._tracks and id(tensor) not in self.origins

    def _value(self, tensor: Tensor) -> Value:
        return self._current(self._track(tensor))

    def _current(self, track: _Track) -> Value:
        """The value of a tensor now: computed anew if the memory that it views was written to since."""
        storage = track.storage
        if storage is None or track.version == storage.version or track.parent is None or track.view is None:
            return track.value
        parent = self._current(track.parent)
        call, index = track.view
        lifted = tuple(parent if isinstance(a, Value) and i == 0 else a for i, a in enumerate(call.args))
        again = Call(call.name, lifted, call.kwargs, self.region)
        # a call's lowering reads the shapes of all its outputs
        again.outputs = tuple(v and Value(parent.kind, v.shape, v.dtype, again, i) for i, v in enumerate(call.outputs))
        value = again.outputs[index]
        assert value is not None
        if parent.kind != CONSTANT:
            self.tape.calls.append(again)
        track.value, track.version = value, storage.version
        return value

    def _lift(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], info: _Info
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def one(a: Any) -> Any:
            if isinstance(a, Tensor):
                return self._value(a)
            if isinstance(a, (list, tuple)) and any(isinstance(x, Tensor) for x in a):
                return [self._value(x) if isinstance(x, Tensor) else x for x in a]
            return a

        outs = {name for _, name, only in info.writes if only}
        lifted = {k: one(v) for k, v in kwargs.items() if k not in outs} if kwargs else {}
        return tuple(map(one, args)), lifted

    def _reads_traced(self, args: tuple[Any, ...]) -> bool:
        for a in args:
            if isinstance(a, Tensor):
                track = self._tracks.get(id(a))
                if a.is_meta or (track is not None and track.value.kind != CONSTANT):
                    return True
        return False


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Offset, sizes and strides of a view of a parameter; complex numbers counted as pairs."""
    offset, sizes, strides = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
    if tensor.is_complex():
        return 2 * offset, (*sizes, 2), (*(2 * stride for stride in strides), 1)
    return offset, sizes, strides


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype)[6:]


def _tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], bool, bool]:
    """The tensors among the arguments, whether one is on meta, and whether one with elements is on another device."""
    found: list[Tensor] = []
    meta = cpu = False
    for a in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(a, Tensor):
            found.append(a)
        elif isinstance(a, (list, tuple)):
            found.extend(x for x in a if isinstance(x, Tensor))
    for t in found:
        meta, cpu = meta or t.is_meta, cpu or not t.is_meta
    return found, meta, cpu


def _to_meta(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def one(a: Any) -> Any:
        if isinstance(a, Tensor):
            there = a.is_meta or a.ndim == 0
            return a if there else torch.empty_strided(a.size(), a.stride(), dtype=a.dtype, device="meta")
        if isinstance(a, (list, tuple)):
            return type(a)(one(x) for x in a)
        return a

    return tuple(map(one, args)), {k: one(v) for k, v in kwargs.items()}


def _stay(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a conversion that leave a meta tensor on meta."""
    if not (args and isinstance(args[0], Tensor) and args[0].is_meta):
        return args, kwargs
    changed = list(args)
    for position, argument in enumerate(func._schema.arguments):
        if argument.name == "device" and position < len(args) and args[position] is not None:
            changed[position] = torch.device("meta")
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("meta")}
    return tuple(changed), kwargs


def _fill(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    source = FILLS.get(name, 0.0)
    if isinstance(source, float):
        return source
    position = int(source)
    number = args[position] if position < len(args) else kwargs.get("fill_value", kwargs.get("value"))
    if isinstance(number, Tensor) and number.device.type == "cpu" and not number.is_complex():
        number = float(torch.ops.aten._local_scalar_dense(number))
    return float(number) if isinstance(number, (int, float)) else None
