"""Pickles are read as data: what the real libraries write is read, nothing is called, and bombs end at a limit."""

from __future__ import annotations

import bz2
import collections
import ctypes
import io
import itertools
import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_frontends.benchmarks.pickled_values import HashLimits, PickleError
from cg_frontends.benchmarks.pickles import PickleReader
from cg_ir import SourceError, get_benchmark

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Point:
    """An instance that is rebuilt as a record."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class Other:
    """An instance of no class that the reader knows."""


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


SCALARS = [np.float64(1.5), np.float32(-2.5), np.float16(0.25), np.int64(-(2**62)), np.uint8(255), np.bool_(True), np.str_("name"), np.bytes_(b"ab"),
           np.complex128(1 - 1j), np.array(1.5, ">f8")[()]]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars(protocol: int) -> None:
    for value in SCALARS:
        found = read(pickle.dumps([value, value], protocol))
        assert found == [value.item()] * 2
        assert type(found[0]) is type(value.item())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_arrays(protocol: int) -> None:
    grid = np.arange(24.0).reshape(2, 3, 4)
    for array in (
        grid, np.asfortranarray(grid), grid[:, ::2], grid.astype(">i2"), grid.astype("?"), grid.astype("U5"), grid.astype("S3"), np.array(3), grid[:0],
        grid.astype("c8"),
    ):  # fmt: skip
        found = read(pickle.dumps({"a": array, "b": array}, protocol))
        np.testing.assert_array_equal(found["a"], array)
        assert found["a"].dtype == array.dtype
        assert found["b"] is found["a"]
    objects = np.array(["a", None, [1.0]], dtype=object)
    assert read(pickle.dumps([objects, objects], protocol)) == [["a", None, [1.0]]] * 2


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


# --- nothing is called ------------------------------------------------------------------------------------------------

WATCHED = """
import sys
from cg_frontends.benchmarks import analog, condensing, nats, nb201_archive, pickles
from cg_ir import get_space
space, path = sys.argv[1:3]
import bz2, zipfile, encodings.latin_1, encodings.raw_unicode_escape, reprlib, tempfile, numpy.lib.format
get_space(space), bz2.BZ2File(sys.argv[3]).read()
seen = []
def hook(event, args):
    if active and event.split(".")[0] in ("import", "ctypes", "exec", "compile", "open", "os", "subprocess", "socket", "pickle", "code", "marshal", "shutil"):
        seen.append((event, str(args[0])[:300]))
sys.addaudithook(hook)
active = True
try:
    place = nats.Path(path)
    if path.endswith(".anb"):
        outcome = len(analog.read_analog(place))
    elif path.endswith(".pth"):
        outcome = len(nb201_archive.read_nb201_archive(place))
    else:
        outcome = len(nats.read_nats(place, space))
except Exception as error:
    outcome = str(error)
active = False
print(outcome)
for event in seen:
    print(*event)
"""


def watched(space: str, path: Path, tmp_path: Path) -> tuple[str, list[str]]:
    """What reading a file in another process comes to, and the audited events but opening what was to be read."""
    other = tmp_path / "warm.pbz2"
    other.write_bytes(bz2.compress(b"warm"))
    process = subprocess.run(
        [sys.executable, "-c", WATCHED, space, str(path), str(other)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    outcome, *events = process.stdout.splitlines()
    return outcome, [
        event for event in events if not event.startswith((f"open {path}", f"os.listdir {path}", f"os.scandir {path}"))
    ]


def test_an_audit_hook_sees_no_import_and_no_call(tmp_path: Path) -> None:
    here = Path(__file__).with_name("test_readers.py")
    writers: dict[str, Any] = runpy.run_path(str(here))
    for space, write, rows in (
        ("nb201", "write_analog", 2),
        ("nb201", "write_pth", 3),
        ("nb201", "write_tss", 3),
        ("natssize", "write_sss", 2),
    ):
        path = writers[write](tmp_path)
        assert watched(space, path, tmp_path) == (str(rows), [])


def forged_dtype(code: bytes) -> bytes:
    """A scalar whose dtype has an object field and says that it has none: it would dereference a pointer of the file's choice."""
    dtype = b"cnumpy\ndtype\n\x8c\x02%s\x89\x88\x87R"
    fields = b"}\x8c\x01f" + dtype % b"O8" + b"K\x00\x86s"
    state = b"(K\x03\x8c\x01|N\x8c\x01f\x85" + fields + b"K\x08K\x01K\x00tb"
    return b"\x80\x04cnumpy.core.multiarray\nscalar\n" + dtype % b"V8" + state + b"C\x08" + code + b"\x86R."


class Runs:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


ATTACKS = [
    forged_dtype(b"A" * 8),
    b"cos\nsystem\n(S'touch harmed'\ntR.",
    b"(S'touch harmed'\nios\nsystem\n.",
    pickle.dumps(Runs(os.system, "touch harmed")),
    pickle.dumps({"meta_archs": Runs(eval, "open('harmed', 'w')")}),
    pickle.dumps(Runs(getattr, [], "append")),
    pickle.dumps(Runs(np.ndarray, (10**12,))),
    pickle.dumps(Runs(bytearray, 4_000_000_000)),
    pickle.dumps(Runs(np.dtype, [("a", "O")])),
    pickle.dumps(Runs(ctypes.string_at, 0)),
    pickle.dumps(Other()),
    b"\x80\x02cbuiltins\nlist\n)R.",
    b"\x80\x02cbuiltins\nint\nX\x01\x00\x00\x001\x85R.",
    b"\x80\x02cbuiltins\nset\n)\x81}X\x01\x00\x00\x00aK\x01sb.",
    b"\x80\x02\x82\x01.",
    b"\x80\x05\x97.",
]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
@pytest.mark.parametrize("name", ["data.anb", "x.pickle.pbz2", "x.pth"])
def test_attacks_are_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(bz2.compress(ATTACKS[number]) if name.endswith("pbz2") else ATTACKS[number])
    reader = get_benchmark("analog-nasbench" if name == "data.anb" else "nb201")
    with pytest.raises(SourceError) as caught:
        reader.open(str(path))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


def test_the_pointer_attack_is_seen_to_do_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(forged_dtype(b"A" * 8))
    outcome, events = watched("nb201", path, tmp_path)
    assert "'V8'" in outcome
    assert events == []


def test_states_do_not_reach_what_later_files_use() -> None:
    changed = b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb."
    read(changed)
    assert read(pickle.dumps(np.float64(1.5))) == 1.5
    for target in (b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n"):
        with pytest.raises(PickleError, match="with a state"):
            read(b"\x80\x02" + target + b"}X\x01\x00\x00\x00aK\x01sb.")


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
import io, pathlib, resource, sys
from cg_frontends.benchmarks.pickles import load_plain
from cg_ir import SourceError
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
before = resource.getrusage(resource.RUSAGE_SELF)
try:
    load_plain(open(sys.argv[1], "rb"), "file")
except SourceError as error:
    print(error)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_maxrss - before.ru_maxrss)
print(after.ru_utime - before.ru_utime)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_at_a_limit(name: str, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name])
    child = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    message, kibibytes, seconds = child.stdout.splitlines()
    assert message.startswith("file: cannot be read: ")
    assert len(message) < 300
    assert int(kibibytes) < 200 * 2**10
    assert float(seconds) < 5


def test_memory_has_a_limit() -> None:
    """Values made of next to nothing: a file that would be small when compressed."""
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
        data = b"\x80\x04" + code * (15 * 2**20 // len(code)) + b"."
        with pytest.raises(PickleError, match=r"take more than 8,388,608 bytes"):
            read(data, limit=2**23)


def test_keys_that_collide_are_refused() -> None:
    modulus = HashLimits.MODULUS
    with pytest.raises(PickleError, match="more than 60 bits"):
        read(pickle.dumps({k * modulus: 1 for k in range(100)}))
    pairs = itertools.islice(itertools.product((-1, -2), repeat=12), 3000)
    with pytest.raises(PickleError, match="chosen to have one hash"):
        read(pickle.dumps(dict.fromkeys(pairs, 1)))
    assert len(read(pickle.dumps({(a, b): 0 for a in range(300) for b in range(300)}))) == 90_000


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
