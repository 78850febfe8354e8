"""A graph as a PNG picture: the SVG drawing, rendered by resvg (extra ``png``)."""

from __future__ import annotations

import math
import os
import re

from cg_ir.drawing.style import literal
from cg_ir.drawing.svg import to_svg
from cg_ir.errors import CgError, GraphError, MissingExtra
from cg_ir.files import atomic_path
from cg_ir.graph import Graph

#: Pixels of the whole picture at most; larger drawings are scaled down to it.
_PIXELS = 60_000_000
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="16">{}</text></svg>'
_SIZE = re.compile(r'<svg [^>]*width="([\d.]+)" height="([\d.]+)"')


def to_png(
    graph: Graph,
    *,
    depth: int | None = None,
    title: str | None = None,
    theme: str = "light",
    simplify: bool = False,
    scale: float = 2.0,
) -> bytes:
    """Render the drawing of :func:`cg_ir.drawing.to_svg`.

    Args:
        graph: what to draw.
        depth, title, simplify: as for ``to_svg``.
        theme: ``light`` or ``dark``; ``auto`` is ``light``, for a picture cannot follow its viewer.
        scale: pixels a unit of the drawing; fewer where the picture would have more than 60 million.

    Returns:
        The bytes of a PNG file.

    Raises:
        MissingExtra: resvg-py is not installed.
        CgError: an unknown theme, a negative depth, a scale that is not positive, a system without fonts.
    """
    if not 0 < scale < math.inf:
        raise CgError(f"scale should be positive, not {scale}")
    try:
        import resvg_py
    except ImportError:
        raise MissingExtra("cg-ir", "png", "writing .png") from None
    text = to_svg(graph, depth=depth, title=title, theme=theme, simplify=simplify)
    size = _SIZE.search(text)
    assert size is not None
    area = float(size[1]) * float(size[2])
    render = resvg_py.svg_to_bytes
    if render(svg_string=_PROBE.format("M")) == render(svg_string=_PROBE.format("")):
        raise CgError("this system has no font to write a picture with; install one, such as DejaVu")
    return bytes(render(svg_string=literal(text, theme == "dark"), zoom=min(scale, math.sqrt(_PIXELS / area))))


def save_png(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    depth: int | None = None,
    theme: str = "light",
    simplify: bool = False,
) -> None:
    """Write :func:`to_png`'s picture to a file; it appears whole or not at all."""
    picture = to_png(graph, depth=depth, theme=theme, simplify=simplify)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(picture)
    except OSError as error:
        raise GraphError(f"cannot write: {error.strerror or error}", os.fspath(path)) from None
