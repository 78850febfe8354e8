"""A map of networks: their vectors in two dimensions, by principal components or UMAP, as a picture."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_ir.drawing.svg import escape
from cg_ir.errors import CgError, MissingExtra
from cg_ir.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class EmbeddingMap:
    """Places of networks in a plane. In a notebook it shows itself as a picture.

    Attributes:
        positions: (n, 2).
        names: (n) what the points are called.
        values: (n,) what colours the points, or None.
        label: what the values are.
        method: ``pca`` or ``umap``.
        explained: shares of the variance that the two components hold (``pca``), or None.
    """

    positions: Floats
    names: tuple[str, ...]
    values: Floats | None
    label: str
    method: str
    explained: tuple[float, float] | None

    def figure(self) -> Figure:
        """The map as a matplotlib figure, whose scatter is called ``networks``; hollow points have no value.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        try:
            from matplotlib import colormaps
            from matplotlib.figure import Figure
        except ImportError:
            raise MissingExtra("cg-embed", "maps", "drawing a map") from None
        count = len(self.positions)
        colours = np.zeros(count) if self.values is None else np.where(np.isfinite(self.values), self.values, np.nan)
        size = 30.0 if count < 300 else 14.0 if count < 2000 else 6.0
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.add_subplot(xticks=[], yticks=[])
        x, y = self.positions.T
        scale = colormaps["viridis"].with_extremes(bad=(0, 0, 0, 0))
        points = axes.scatter(x, y, size, colours, cmap=scale, plotnonfinite=True, linewidths=0.4, edgecolors="#888888")
        points.set_gid("networks")
        if self.values is not None:
            figure.colorbar(points).set_label(self.label, parse_math=False)
        shares = f": {self.explained[0]:.0%} and {self.explained[1]:.0%} of the variance" if self.explained else ""
        axes.set_xlabel(self.method.upper() + shares)
        return figure

    def to_svg(self) -> str:
        """The map as an SVG picture; hovering names a point.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        figure = self.figure()
        from matplotlib import rc_context

        written = io.StringIO()
        with rc_context({"svg.hashsalt": "cg", "svg.fonttype": "none"}):
            figure.savefig(written, format="svg", metadata={"Date": None, "Title": repr(self)[1:-1]})
        values = [""] * len(self.names) if self.values is None else [f": {self.label} {v:.6g}" for v in self.values]
        titles = (escape(name + value) for name, value in zip(self.names, values, strict=True))
        before, group, points = written.getvalue().partition('<g id="networks">')
        use = re.compile(r"(<use [^>]*)/>")
        return (
            before[before.index("<svg") :]
            + group
            + use.sub(lambda m: f"{m[1]}><title>{next(titles)}</title></use>", points, len(values))
        )

    def __repr__(self) -> str:
        return f"<Map of {len(self.positions)} networks by {self.method.upper()}>"

    def _repr_html_(self) -> str:
        try:
            return self.to_svg()
        except MissingExtra:
            return escape(repr(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, ``.svg``; the file appears whole or not at all. (``figure().savefig`` writes other formats.)

        Raises:
            CgError: another ending, or the file cannot be written.
            MissingExtra: matplotlib is not installed.
        """
        if not os.fspath(path).endswith(".svg"):
            raise CgError(f"{os.fspath(path)}: the name should end in .svg")
        write_text(path, self.to_svg() + "\n")


def embedding_map(
    vectors: ArrayLike,
    names: Sequence[str] | None = None,
    values: ArrayLike | None = None,
    *,
    label: str = "value",
    method: str = "pca",
    seed: int = 0,
) -> EmbeddingMap:
    """Lay out vectors in a plane.

    Columns are standardised first; constant ones do not count.

    Args:
        vectors: (n, d), such as ``Descriptors().encode(graphs)``.
        names: (n) of the points.
        values: (n,) that colour the points; NaN leaves one hollow.
        label: what the values are.
        method: ``pca``, or ``umap`` (McInnes et al., 2018), which needs the package umap-learn; its first call compiles for a minute.
        seed: of UMAP.

    Raises:
        CgError: fewer than two vectors, numbers that are not finite, lengths that differ, an unknown method.
        MissingExtra: umap-learn is not installed.
    """
    x = np.asarray(vectors, dtype=float)
    if x.ndim != 2 or len(x) < 2:
        raise CgError(f"a map needs two vectors or more as an array of (n, d), not one of {x.shape}")
    if not np.isfinite(x).all():
        raise CgError("a map needs finite vectors")
    called = tuple(str(i) for i in range(len(x))) if names is None else tuple(map(str, names))
    colours = None if values is None else np.asarray(values, dtype=float)
    for what, length in (("names", len(called)), ("values", len(x) if colours is None else len(colours))):
        if length != len(x):
            raise CgError(f"there should be as many {what} as vectors, {len(x)}, not {length}")
    if method not in ("pca", "umap"):
        raise CgError(f"method should be pca or umap, not {method!r}")
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    if method == "umap":
        return EmbeddingMap(_umap(x, seed), called, colours, label, "umap", None)
    positions, explained = _pca(x)
    return EmbeddingMap(positions, called, colours, label, "pca", explained)


def _pca(x: Floats) -> tuple[Floats, tuple[float, float]]:
    """Scores on the first two principal components, and their shares of the variance; signs are fixed."""
    if x.shape[1] == 0:
        return np.zeros((len(x), 2)), (0.0, 0.0)
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    positions = np.zeros((len(x), 2))
    count = min(2, len(sizes))
    signs = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(axis=1)])
    positions[:, :count] = left[:, :count] * sizes[:count] * signs
    total = float((sizes**2).sum()) or 1.0
    shares = [*(sizes[:2] ** 2 / total).tolist(), 0.0]
    return positions, (shares[0], shares[1])


def _umap(x: Floats, seed: int) -> Floats:
    try:
        import umap
    except ImportError:
        raise MissingExtra("umap-learn", "", "a map by UMAP") from None
    reducer = umap.UMAP(n_components=2, n_neighbors=min(15, len(x) - 1), random_state=seed, n_jobs=1)
    return np.asarray(reducer.fit_transform(x), dtype=float)
