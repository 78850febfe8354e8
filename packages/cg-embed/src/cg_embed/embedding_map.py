"""A map of networks: their vectors in two dimensions, by principal components or UMAP, as a picture."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_ir.errors import CgError, MissingExtra
from cg_ir.files import write_text

__all__ = ["EmbeddingMap", "embedding_map"]

Floats = NDArray[np.float64]

#: Colours from low to high, evenly spaced (viridis: equal steps look equal, also without colour vision).
_SCALE = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=float)
_STYLE = (
    ".cg-map{max-width:100%;height:auto;font:12px system-ui,sans-serif}.cg-map text{fill:currentColor}"
    ".cg-map circle{stroke:#8886;stroke-width:.6}.cg-map circle:hover{stroke:currentColor;stroke-width:2}"
    ".cg-map .frame{fill:none;stroke:#8888}"
)
_WIDTH, _HEIGHT, _MARGIN, _FOOT = 640.0, 440.0, 34.0, 54.0


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

    def to_svg(self) -> str:
        """The map as an SVG picture; hovering names a point."""
        low, high = self.positions.min(axis=0), self.positions.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        places = (self.positions - low) / span * (_WIDTH - 2 * _MARGIN, _FOOT + _MARGIN - _HEIGHT)
        places += (_MARGIN, _HEIGHT - _FOOT)
        radius = 5.0 if len(places) < 300 else 3.4 if len(places) < 2000 else 2.2
        points = []
        for i, ((x, y), name) in enumerate(zip(places.tolist(), self.names, strict=True)):
            said = name if self.values is None else f"{name}: {self.label} {self.values[i]:.6g}"
            points.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{self._colour(i)}">'
                f"<title>{html.escape(said)}</title></circle>"
            )
        about = html.escape(f"Map of {len(places)} networks by {self.method.upper()}")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="cg-map" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" '
            f'width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" role="img" aria-label="{about}"><style>{_STYLE}</style>'
            f'<rect class="frame" x="14" y="14" width="{_WIDTH - 28:.0f}" height="{_HEIGHT - 48:.0f}" rx="6"/>'
            f"{''.join(points)}{self._axes()}{self._legend()}</svg>"
        )

    def __repr__(self) -> str:
        return f"<Map of {len(self.positions)} networks by {self.method.upper()}>"

    def _repr_html_(self) -> str:
        return self.to_svg()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, ``.svg``; the file appears whole or not at all.

        Raises:
            CgError: another ending, or the file cannot be written.
        """
        if not os.fspath(path).endswith(".svg"):
            raise CgError(f"{os.fspath(path)}: the name should end in .svg")
        write_text(path, self.to_svg() + "\n")

    def _colour(self, index: int) -> str:
        if self.values is None:
            return "#3b76c4"
        value = self.values[index]
        if not np.isfinite(value):
            return "none"
        finite = self.values[np.isfinite(self.values)]
        span = float(finite.max() - finite.min()) or 1.0
        return _colour_of((value - float(finite.min())) / span)

    def _axes(self) -> str:
        if self.explained is None:
            text = self.method.upper()
        else:
            text = f"PCA: {self.explained[0]:.0%} and {self.explained[1]:.0%} of the variance"
        return f'<text x="16" y="{_HEIGHT - 12:.0f}">{text}</text>'

    def _legend(self) -> str:
        if self.values is None:
            return ""
        finite = self.values[np.isfinite(self.values)]
        steps = "".join(
            f'<rect x="{_WIDTH - 190 + 4 * i}" y="{_HEIGHT - 22:.0f}" width="4.5" height="12" fill="{_colour_of(i / 19)}"/>'
            for i in range(20)
        )
        y = _HEIGHT - 12
        low, high = (f"{finite.min():.4g}", f"{finite.max():.4g}") if len(finite) else ("", "")
        return (
            f'<text x="{_WIDTH - 196:.0f}" y="{y:.0f}" text-anchor="end">{html.escape(self.label)} {low}</text>'
            f'{steps}<text x="{_WIDTH - 104:.0f}" y="{y:.0f}">{high}</text>'
        )


def _colour_of(share: float) -> str:
    place = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    left = min(int(place), len(_SCALE) - 2)
    mixed = _SCALE[left] + (place - left) * (_SCALE[left + 1] - _SCALE[left])
    return "#" + "".join(f"{round(channel):02x}" for channel in mixed)


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
