"""Pickles are read as data: what Python writes is read, and bombs end at a limit."""

from __future__ import annotations

import collections
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_frontends.benchmarks.pickled_values import PickleError
from cg_frontends.benchmarks.pickles import PickleReader

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Point:
    """An instance that is rebuilt as a record."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def read(data: bytes, **options: Any) -> Any:
    return PickleReader(io.BytesIO(data), **options).load()


PLAIN = [
    None, True, False, 0, 1, 255, 256, 65535, -1, 2**31 - 1, -(2**31), 2**31, 2**60, -(2**70), 10**200,
    0.0, -0.0, 1.5, float("inf"), -1e-300, "", "text", "näher", "\ud800", "x" * 255, "y" * 256, "z" * 70000, b"", b"bytes",
    b"b" * 256, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2, []]], list(range(3000)), {}, {"a": {"b": [1.0]}},
    dict.fromkeys(range(2500), 0.5), {f"x-valid@{i}": i / 7 for i in range(300)}, {i: i / 3 for i in range(300)}, {("a", 1): 2, (): 3, (("b",),): 4},
    set(), {1, "a"}, set(range(2000)), frozenset({1, 2}), bytearray(b"some"), 1 + 2j,
    collections.OrderedDict([("b", 1), ("a", 2)]), collections.defaultdict(list, {"a": [1]}), [[1.0, "a"]] * 3, {"": 1.0, "b": 2.0},
]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values(protocol: int) -> None:
    for value in [*PLAIN, PLAIN]:
        found = read(pickle.dumps(value, protocol))
        assert repr(found) == repr(_as_read(value))


def _as_read(value: Any) -> Any:
    """A value as the reader gives it: one kind of dictionary, one of bytes."""
    if isinstance(value, dict):
        return {key: _as_read(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_read(part) for part in value]
    return bytes(value) if isinstance(value, bytearray) else value


def test_shared_values_stay_shared() -> None:
    shared = [1]
    value: list[Any] = [shared, {"a": shared}]
    value.append(value)
    for protocol in PROTOCOLS:
        found = read(pickle.dumps(value, protocol))
        assert found[0] is found[1]["a"]
        assert found[2] is found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_records(protocol: int) -> None:
    point = Point(x=1.0, y=2.0)
    values = [point, point, Point(x=3.0, y=4.0), Point(x=1, name="n"), Point(), Point(x=Point(y=0.5))]
    names = [(Point.__module__, "Point")]
    found = read(pickle.dumps(values, protocol), records=names)
    assert [dict(part) for part in found[:5]] == [vars(part) for part in values[:5]]
    assert found[0] is found[1]
    assert found[5]["x"] == {"y": 0.5}
    with pytest.raises(PickleError, match=r"an object of .*Point; only plain and numpy values"):
        read(pickle.dumps(values, protocol))


class Second(Point):
    """Another class of instances."""


def test_instances_of_floats_that_follow_one_another() -> None:
    """What is read at one go is what is read step by step."""
    names = [(Point.__module__, name) for name in ("Point", "Second")]

    def plain(value: Any) -> Any:
        attributes = vars(value) if isinstance(value, Point) else value if isinstance(value, dict) else None
        return value if attributes is None else {name: plain(part) for name, part in attributes.items()}

    values = []
    for i in range(40):
        inner = {f"d{k}": (Point if k % 3 else Second)(value=i / 7 + k, spread=k / 3) for k in range(i % 9)}
        inner |= {"same": inner["d0"]} if inner else {}
        values.append(Point(key=(i, 1), base=0.5, **inner, last=Second(value=1.0, other="text"), empty=Second()))
    for protocol in PROTOCOLS:
        found = read(pickle.dumps(values, protocol), records=names)
        assert [plain(part) for part in found] == [plain(part) for part in values]
        assert found[5]["same"] is found[5]["d0"]


@pytest.mark.parametrize("size", [0, 1, 10, 599, 600, 601, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16])
def test_pieces_of_the_file_join(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_frontends.benchmarks.pickle_machine._CHUNK", 2**16)  # 2**20 takes 16 times as many values
    curves = [{i: i / 7 for i in range(count)} for count in (200, 12, 200, 0, 1, 2) * 20]
    names = [{f"x-valid@{i}": i / 7 for i in range(count)} for count in (200, 12, 200, 0, 1, 2) * 7]
    value = ["a" * size, curves, names, {f"{i}": float(i) for i in range(5000)}, b"b" * size, list(range(5000)), "end"]
    for protocol in (2, 4):
        data = pickle.dumps(value, protocol)
        assert read(data) == value

        class Slow(io.BytesIO):
            def read(self, n: int | None = -1) -> bytes:
                return super().read(min(n or 0, 1000))

        reader = PickleReader(Slow(data + pickle.dumps("next")))
        assert [reader.load(), reader.load()] == [value, "next"]


def test_what_is_cut_off_is_refused() -> None:
    data = pickle.dumps({"a": [1.0, np.arange(5.0), "x" * 300], "b": {f"k{i}": 0.5 for i in range(40)}}, 4)
    for end in range(len(data)):
        with pytest.raises((PickleError, UnicodeDecodeError)):
            read(data[:end])


# --- bombs ------------------------------------------------------------------------------------------------------------

NESTED = b"\x80\x02)" + b"q\x00h\x00h\x00\x86" * 60
BOMBS = {
    "memo": b"\x80\x02K\x01r" + (2**29).to_bytes(4, "little") + b".",
    "bytearray": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
    "text": b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b".",
    "integer": b"\x80\x02\x8b" + (2**30).to_bytes(4, "little") + b"\x01" * 1000 + b".",
    "key": NESTED + b"}h\x00K\x01s.",
    "member": NESTED + b"\x85\x8f(h\x00\x90.",
    "marks": b"\x80\x02" + b"(" * 10**6 + b".",
    "cut": b"\x80\x02" + b"]" * 10**6,
    "digits": b"I" + b"9" * 10**6 + b"\n.",
}


CHILD = """
import json, resource, sys
from cg_frontends.benchmarks.pickles import load_plain
from cg_ir import SourceError
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
first = resource.getrusage(resource.RUSAGE_SELF)
for path in sys.argv[1:]:
    before, message = resource.getrusage(resource.RUSAGE_SELF), ""
    try:
        load_plain(open(path, "rb"), "file")
    except SourceError as error:
        message = str(error)
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([message, after.ru_maxrss - first.ru_maxrss, after.ru_utime - before.ru_utime]), flush=True)
"""


def test_bombs_end_at_a_limit(tmp_path: Path) -> None:
    """One after the other in a process of their own; the memory is the most that there was."""
    pytest.importorskip("resource")
    for name, data in BOMBS.items():
        (tmp_path / name).write_bytes(data)
    child = subprocess.run([sys.executable, "-c", CHILD, *BOMBS], cwd=tmp_path, capture_output=True, text=True)
    ends = dict(zip(BOMBS, map(json.loads, child.stdout.splitlines()), strict=False))
    assert (list(ends), child.returncode) == (list(BOMBS), 0), child.stderr
    for name, (message, kibibytes, seconds) in ends.items():
        assert message.startswith("file: cannot be read: "), name
        assert len(message) < 300, name
        assert kibibytes < 200 * 2**10, name
        assert seconds < 5, name


def test_memory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values made of next to nothing: a file that would be small when compressed."""
    monkeypatch.setattr(
        "cg_frontends.benchmarks.pickle_machine._CHUNK", 2**17
    )  # pieces after which memory is looked at
    for code in (
        b"}",
        b"]",
        b"\x8f",
        b"K\x01",
        b")\x85",
        b"(K\x01K\x01K\x01t",
        b"\x8c\x01a\x94",
        b"C\xff" + b"x" * 255,
        b"G" + b"x" * 8,
    ):
        data = b"\x80\x04" + code * (15 * 2**17 // len(code)) + b"."
        with pytest.raises(PickleError, match=r"take more than 1,048,576 bytes"):
            read(data, limit=2**20)
