"""Hostile inputs out of valid ones: bytes, JSON values, tables, texts and pickles, changed at random but repeatably."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["bytes_of", "compressed", "json_of", "lines_of", "pickles", "table_of", "text_of"]

Mutator = Callable[[random.Random, Sequence[bytes]], bytes]

_NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**53,
    2**61 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
)
_TEXTS = (
    "", " ", "a", "\0", "\n", "\r\n", "[/x]", "[bold]", "\x1b[2J", "\u202e", "é", "\U0001f600", "NaN", "nan", "inf", "-inf", "1e999", "1e-999", "1" * 5000,
    "9" * 400, "../../etc/passwd", "os:abort", "net.py:make", "graph?file=net.py:make", "nb201:x", "=", "?", "&", "%00", "None", "true", "null", "{}", "[]",
    '"', "'", ",", ";", "\t", "x" * 300, "(" * 500, "[" * 500, "{" * 500, "-", "+", "*", "|", "0x10", "1_000", "１", "__class__", "constructor",
)  # fmt: skip
_FLOATS = (0.0, -0.0, 1e308, -1e308, 5e-324, 1e16, 0.1, float("1e400"), float("nan"))


def bytes_of(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Some bytes of a valid input changed, left out, doubled, or joined with another's."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 30))):
        size = len(data)
        place = rng.randrange(size + 1)
        kind = rng.randrange(9)
        if kind == 0 and size:
            data[place % size] ^= 1 << rng.randrange(8)
        elif kind == 1 and size:
            data[place % size] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del data[place : place + rng.choice((1, 2, 4, 8, 64, size))]
        elif kind == 3:
            data[place:place] = rng.randbytes(rng.choice((1, 2, 4, 9, 100)))
        elif kind == 4:
            end = place + rng.choice((1, 4, 16, 300))
            data[place:place] = data[place:end] * rng.choice((1, 2, 50))
        elif kind == 5:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_NUMBERS) % 256**width
            data[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 6:
            other = rng.choice(corpus)
            begin = rng.randrange(len(other) + 1)
            data[place : place + rng.choice((0, 10, 1000))] = other[begin : begin + rng.choice((1, 10, 200, 5000))]
        elif kind == 7:
            data[place:place] = rng.choice(_TEXTS).encode("utf-8", "replace")
        else:
            data = data[:place]
    return bytes(data[: 2**20])


def text_of(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A text with parts of it changed, doubled or replaced by what is seldom meant well."""
    text = rng.choice(corpus).decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 4))):
        begin = rng.randrange(len(text) + 1)
        end = begin + rng.choice((0, 1, 1, 2, 5, 30))
        piece = rng.choice(
            (rng.choice(_TEXTS), str(rng.choice(_NUMBERS)), text[begin:end] * rng.choice((2, 3, 400)), "")
        )
        text = text[:begin] + piece + text[end:]
    return text[:200_000].encode("utf-8", "replace")


def _value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return rng.choice(_NUMBERS)
    if kind == 1:
        return rng.choice(_TEXTS)
    if kind == 2:
        return rng.choice(_FLOATS)
    if kind == 3:
        return rng.choice((None, True, False))
    if kind == 4:
        nested: Any = rng.choice((0, [], {}))
        for _ in range(rng.choice((1, 5, 50, 400))):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        return nested
    if kind == 5:
        return [rng.choice(_NUMBERS)] * rng.choice((1, 2, 33, 5000))
    if kind == 6:
        return {rng.choice(_TEXTS): _value(rng, depth + 1) for _ in range(rng.randrange(4))}
    return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]


def json_of(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A JSON document with some of its values replaced, left out, moved or doubled; the bytes themselves now and then."""
    if rng.random() < 0.15:
        return bytes_of(rng, corpus)
    try:
        document = json.loads(rng.choice(corpus))
    except (ValueError, RecursionError):
        return bytes_of(rng, corpus)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        document = _changed(rng, document)
    try:
        return json.dumps(document).encode()
    except (ValueError, RecursionError):
        return b"[]"


def lines_of(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """JSON Lines with one line changed as `json_of` does, lines doubled or left out."""
    lines = rng.choice(corpus).split(b"\n")
    place = rng.randrange(len(lines))
    kind = rng.randrange(8)
    if kind == 0:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif kind == 1:
        del lines[place]
    else:
        lines[place] = json_of(rng, [lines[place]])
    return b"\n".join(lines)


def _changed(rng: random.Random, value: Any) -> Any:
    """The value with one place in it changed."""
    path: list[tuple[Any, Any]] = []
    part = value
    while isinstance(part, (dict, list)) and part and rng.random() < 0.85:
        key = rng.choice(list(part)) if isinstance(part, dict) else rng.randrange(len(part))
        path.append((part, key))
        part = part[key]
    if not path:
        return _value(rng)
    holder, key = path[-1]
    kind = rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])) if rng.random() < 0.7 else _value(rng))
    elif kind == 1:
        holder[rng.choice(_TEXTS)] = holder[key]
    elif kind == 2 and type(part) is int:
        holder[key] = part + rng.choice((-1, 1, 2, 1000))
    elif kind == 3 and isinstance(part, str):
        holder[key] = text_of(rng, [part.encode("utf-8", "replace")]).decode("utf-8", "replace")[:2000]
    elif kind == 4 and isinstance(holder, list) and len(holder) > 1:
        other = rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    else:
        holder[key] = _value(rng)
    return value


def table_of(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A CSV with cells, columns and rows replaced, doubled or left out; the text itself now and then."""
    if rng.random() < 0.3:
        return (bytes_of if rng.random() < 0.5 else text_of)(rng, corpus)
    rows = [line.split(",") for line in rng.choice(corpus).decode("utf-8", "replace").split("\n")]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.choice(rows)
        kind = rng.randrange(5)
        if kind == 0:
            row[rng.randrange(len(row))] = rng.choice((rng.choice(_TEXTS), str(rng.choice(_NUMBERS))))
        elif kind == 1:
            row.append(rng.choice(_TEXTS))
        elif kind == 2 and len(row) > 1:
            del row[rng.randrange(len(row))]
        elif kind == 3:
            rows[rng.randrange(len(rows))] = rng.choice(rows) * rng.choice((1, 2, 100))
        else:
            rows.insert(rng.randrange(len(rows)), rng.choice(rows))
    return "\n".join(map(",".join, rows)).encode("utf-8", "replace")


def compressed(inner: Mutator, way: str) -> Mutator:
    """What `inner` makes of the decompressed inputs, compressed again; the compressed bytes themselves now and then."""
    pack, unpack = (gzip.compress, gzip.decompress) if way == "gz" else (bz2.compress, bz2.decompress)

    def mutate(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
        if rng.random() < 0.1:
            return bytes_of(rng, corpus)
        try:
            plain = [unpack(rng.choice(corpus))]
        except Exception:
            plain = [b""]
        return pack(inner(rng, plain), 1)

    return mutate


# --- pickles ----------------------------------------------------------------------------------------------------------

_NAMES = (
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "bytearray"),
    ("builtins", "bytes"), ("builtins", "complex"), ("builtins", "list"), ("builtins", "getattr"), ("builtins", "eval"), ("os", "system"),
    ("_codecs", "encode"), ("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"), ("copyreg", "_reconstructor"), ("builtins", "object"), ("torch._utils", "_rebuild_tensor_v2"),
    ("analognasbench.data", "Architecture"), ("analognasbench.data", "DriftMeasurement"),
)  # fmt: skip
_PLAIN_OPCODES = b"N\x88\x89)]}\x8f(((0122.tabduesR\x81\x85\x86\x87\x90\x91\x93\x94\x94QlPp"
_ATOMS = (
    "f8",
    "<f8",
    "O8",
    "U4",
    "V8",
    "S3",
    "i8",
    "C",
    "latin1",
    "1",
    "arch",
    "meta_archs",
    "arch2infos",
    "all_results",
    "dataset_seed",
    "full",
    "epochs",
)


def _opcode(rng: random.Random) -> bytes:
    kind = rng.randrange(14)
    if kind < 5:
        return bytes([rng.choice(_PLAIN_OPCODES)])
    if kind == 5:
        text = rng.choice((*_ATOMS, *_TEXTS)).encode("utf-8", "replace")[:200]
        return (
            b"\x8c" + bytes([len(text)]) + text if rng.random() < 0.5 else b"X" + len(text).to_bytes(4, "little") + text
        )
    if kind == 6:
        module, name = rng.choice(_NAMES)
        return b"c" + module.encode() + b"\n" + name.encode() + b"\n"
    if kind == 7:
        return rng.choice(
            (b"K" + rng.randbytes(1), b"M" + rng.randbytes(2), b"J" + rng.randbytes(4), b"K\x00", b"K\x01")
        )
    if kind == 8:
        return b"G" + rng.randbytes(8)
    if kind == 9:
        return rng.choice((b"h", b"q", b"j\x00\x00\x00"[:4])) + bytes([rng.randrange(6)])
    if kind == 10:
        width = rng.choice(
            (
                (b"C", 1),
                (b"B", 4),
                (b"\x8e", 8),
                (b"\x96", 8),
                (b"\x8a", 1),
                (b"\x8b", 4),
                (b"T", 4),
                (b"U", 1),
                (b"r", 4),
            )
        )
        size = rng.choice((0, 1, 2, 8, 16, 200, 2**31, 2**62)) % 256 ** width[1]
        return width[0] + size.to_bytes(width[1], "little") + rng.randbytes(min(size, 300))
    if kind == 11:
        return rng.choice(
            (
                b"I01\n",
                b"I" + str(rng.choice(_NUMBERS)).encode() + b"\n",
                b"F1e5\n",
                b"Vx\\u12\n",
                b"S'a'\n",
                b"g0\n",
                b"p1\n",
                b"L5L\n",
            )
        )
    if kind == 12:
        return b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return b"cnumpy\ndtype\n\x8c\x02f8\x89\x88\x87R"


def pickles(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A pickle made of opcodes at random, or a valid one with opcodes or bytes changed."""
    if rng.random() < 0.4:
        return bytes_of(rng, corpus)
    if rng.random() < 0.3:
        data = rng.choice(corpus)
        place = rng.randrange(len(data) + 1)
        return data[:place] + b"".join(_opcode(rng) for _ in range(rng.randrange(1, 8))) + data[place:]
    return b"\x80\x04" + b"".join(_opcode(rng) for _ in range(rng.randrange(1, 60))) + b"."
