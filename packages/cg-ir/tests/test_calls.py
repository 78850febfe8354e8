"""SOURCEs with arguments, grids and folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cg_ir.calls import arguments_of, expand, is_call, parameters_of, unknown_argument, value_of, with_arguments, yields
from cg_ir.errors import SourceError

VALUES = st.one_of(
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers()),
    st.text(alphabet='ab,[]" {}', max_size=8),
)


@given(st.dictionaries(st.sampled_from(["depth", "width", "kind"]), VALUES))
def test_arguments_survive_their_text(arguments):
    import json

    texts = {name: json.dumps(value) for name, value in arguments.items()}
    source = with_arguments("net.py:make", texts)
    base, found = arguments_of(source)
    assert base == "net.py:make"
    assert {name: value_of(text) for name, text in found.items()} == arguments
    assert expand(source) == [source]


def test_values_are_json_python_constants_or_text():
    assert [value_of(text) for text in ("3", "0.5", "true", "None", "relu", "[1,2]", '"3"')] == [
        3, 0.5, True, None, "relu", [1, 2], "3",
    ]  # fmt: skip


def test_a_grid_is_every_combination_in_order():
    assert expand("a.b:make?x=1,2&y=[1,2],[3]") == [
        "a.b:make?x=1&y=[1,2]", "a.b:make?x=1&y=[3]", "a.b:make?x=2&y=[1,2]", "a.b:make?x=2&y=[3]",
    ]  # fmt: skip
    with pytest.raises(SourceError, match="more than 100,000"):
        expand("a:make?" + "&".join(f"x{i}=1,2,3,4,5,6,7,8,9,10" for i in range(6)))


def test_what_is_no_call_is_left_alone():
    for source in ("net.cg.json", "mobilenetv3?resolution=224:ks=3", "nb201:|a~0|", "x.onnx"):
        assert expand(source) == [source]
    assert is_call("net.py:make")
    assert is_call("pkg.mod:Class.build?x=1")
    assert not is_call("mobilenetv3?resolution=224:x")


def test_a_folder_is_its_networks_by_name(tmp_path: Path):
    for name in ("b.cg.json", "a.onnx", "sub/c.cg.json.gz", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [Path(source).name for source in expand(str(tmp_path))] == ["a.onnx", "b.cg.json", "c.cg.json.gz"]


def test_parameters_are_read_without_running(tmp_path: Path):
    file = tmp_path / "net.py"
    file.write_text(
        "raise SystemExit\n\ndef make(depth, *, width=3): ...\n\nclass Net:\n    def __init__(self, kernel): ...\n"
    )
    assert parameters_of(f"{file}:make") == ["depth", "width"]
    assert parameters_of(f"{file}:Net") == ["kernel"]
    assert parameters_of(f"{file}:other") == []
    assert parameters_of("json.decoder:JSONDecoder")[:1] == ["object_hook"]


@pytest.mark.parametrize(
    ("given", "fixed", "message"),
    [
        ({"width": 1, "layers": 2}, (), ""),
        ({"wdth": 1}, (), "there is no 'wdth', did you mean 'width'?"),
        ({"width": 1, "x": 2}, (), "there is no 'x', there are: width, layers"),
        ({"layers": 1}, ("layers",), "there is no 'layers', there are: width"),
    ],
)
def test_an_argument_that_there_is_not_is_named(given, fixed, message):
    def make(width, *, layers=1):
        raise AssertionError("it should not be called")

    assert unknown_argument(make, given, fixed) == message


def test_a_callable_that_takes_anything_has_no_unknown_argument():
    assert unknown_argument(lambda **options: None, {"x": 1}) == ""


def test_the_bare_command_shows_its_help(capsys: pytest.CaptureFixture[str]):
    from cg_ir.cli import main

    with pytest.raises(SystemExit) as stop:
        main([])
    shown = capsys.readouterr()
    assert stop.value.code in (0, None)
    assert "Commands:" in shown.out
    assert "\n  convert " in shown.out
    assert not shown.err


def test_what_yields_is_read_without_running_it(tmp_path: Path) -> None:
    code = tmp_path / "net.py"
    code.write_text(
        "raise SystemExit\n\ndef several(n):\n    yield from range(n)\n\ndef one():\n    def inside():\n        yield 1\n    return list(inside())\n"
    )
    assert yields(f"{code}:several")
    assert yields(f"{code}:several?n=3")
    assert not any(yields(f"{code}{rest}") for rest in (":several#0", ":one", ":absent", ""))
    assert parameters_of(f"{code}:several#0") == ["n"]
    assert arguments_of(f"{code}:several#0?n=3") == (f"{code}:several#0", {"n": "3"})
