"""Pictures: the drawing in pixels, or one line that says why there is none."""

from __future__ import annotations

import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from cg_ir import CgError, Graph, GraphBuilder, GraphError, MissingExtra
from cg_ir.drawing import png, to_png, to_svg
from cg_ir.drawing.png import save_png
from cg_ir.output_formats import write


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures can be made without fonts: what a drawing is asked for is its size."""
    probe = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="{}9" height="9"/></svg>'
    monkeypatch.setattr(png, "_PROBE", probe)


@pytest.fixture
def graph() -> Graph:
    pytest.importorskip("resvg_py", reason="the extra 'png' of cg-ir is not installed")
    b = GraphBuilder("picture")
    b.output(b.add("Relu", b.input((1, 4))))
    return b.build()


def size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def drawn(graph: Graph) -> tuple[float, float]:
    root = ElementTree.fromstring(to_svg(graph))
    return float(root.get("width", "")), float(root.get("height", ""))


def test_a_picture_is_the_drawing(tmp_path, networks):
    pytest.importorskip("resvg_py", reason="the extra 'png' of cg-ir is not installed")
    graph = networks.cells()
    root = ElementTree.fromstring(to_svg(graph, depth=0))
    light, dark = to_png(graph, depth=0), to_png(graph, depth=0, theme="dark")
    assert light.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", light[16:24]) == pytest.approx(
        [2 * float(root.get(k)) for k in ("width", "height")], abs=1
    )
    assert light != dark
    write(graph, tmp_path / "g.png", "draw", depth=0, theme="dark")
    assert (tmp_path / "g.png").read_bytes() == dark
    with pytest.raises(CgError, match="scale should be positive"):
        to_png(graph, scale=0)


def test_without_its_library_a_picture_names_what_to_install(monkeypatch, networks):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cg-ir\[png\]'"):
        to_png(networks.cells())


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_pixels_are_the_drawing_times_the_scale(graph: Graph, scale: float) -> None:
    assert size(to_png(graph, scale=scale)) == pytest.approx([scale * length for length in drawn(graph)], abs=1)


def test_a_picture_never_has_more_pixels_than_a_limit(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_PIXELS", 10_000)
    width, height = size(to_png(graph, scale=50.0))
    assert width * height == pytest.approx(10_000, rel=0.05)
    assert width / height == pytest.approx(drawn(graph)[0] / drawn(graph)[1], rel=0.05)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_is_positive(graph: Graph, scale: float) -> None:
    with pytest.raises(CgError, match=f"^scale should be positive, not {scale}$"):
        to_png(graph, scale=scale)


def test_a_system_without_fonts_is_told(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    import resvg_py

    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: b"")
    with pytest.raises(
        CgError, match=r"^this system has no font to write a picture with; install one, such as DejaVu$"
    ):
        to_png(graph)


def test_a_picture_appears_whole_or_not_at_all(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_png(graph, tmp_path / "g.png")
    assert size((tmp_path / "g.png").read_bytes()) == size(to_png(graph))
    with pytest.raises(GraphError, match=r"^\S+gone.g\.png: cannot write: No such file or directory$"):
        save_png(graph, tmp_path / "gone" / "g.png")

    def full(self: Any, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GraphError, match=r"cannot write: No space left on device$"):
        save_png(graph, tmp_path / "other.png")
    assert [path.name for path in tmp_path.iterdir()] == ["g.png"]
