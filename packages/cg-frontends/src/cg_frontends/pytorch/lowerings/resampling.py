"""Interpolation and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import LOWERINGS, Lowering, lowers
from cg_frontends.lowering.tape import Value

Outputs = Sequence[Any]

_MODES = {
    "upsample_nearest1d": "nearest", "upsample_nearest2d": "nearest", "upsample_nearest3d": "nearest",
    "_upsample_nearest_exact1d": "nearest-exact", "_upsample_nearest_exact2d": "nearest-exact",
    "_upsample_nearest_exact3d": "nearest-exact",
    "upsample_linear1d": "linear", "upsample_bilinear2d": "linear", "upsample_trilinear3d": "linear", "upsample_bicubic2d": "cubic",
    "_upsample_bilinear2d_aa": "linear", "_upsample_bicubic2d_aa": "cubic",
}  # fmt: skip


def _resize(name: str, mode: str) -> Any:
    corners = not mode.startswith("nearest")

    def lower(low: Lowering, out: Outputs, x: Value, size: Any, *options: Any, **named: Any) -> Any:
        attrs: dict[str, Any] = {"mode": mode}
        if corners:
            attrs["align_corners"] = bool(options[0] if options else named.get("align_corners", False))
        if name.endswith("_aa"):
            attrs["antialias"] = True
        scales = [s for o in options[corners:] for s in (o if isinstance(o, (list, tuple)) else [o])]
        spatial = zip(x.shape[2:], out[0].shape[2:], scales, strict=False)
        if not attrs.get("align_corners") and not all(s is None or _by_sizes(mode, n, m, s) for n, m, s in spatial):
            return NotImplemented
        return low.add("Resize", x, shape=out[0].shape, **attrs)

    return lower


def _by_sizes(mode: str, size: int, out: int, scale: float) -> bool:
    """Whether places that follow a stated scale, as torch has them where it is not recomputed, are those of the ratio of the sizes."""
    if abs(size * scale - out) < 1e-6 * out or not mode.startswith("nearest"):
        return abs(size * scale - out) < 1e-6 * out
    half = 0.5 if mode == "nearest-exact" else 0.0
    return all(min(int((i + half) / scale), size - 1) == int((i + half) * size / out) for i in range(out))


LOWERINGS.update({f"aten::{name}": _resize(name, mode) for name, mode in _MODES.items()})


@lowers("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    low: Lowering, out: Outputs, x: Value, grid: Value, interpolation: int, padding: int, align_corners: bool
) -> int:
    mode, outside = ("linear", "nearest", "cubic")[interpolation], ("zeros", "border", "reflection")[padding]
    attrs: dict[str, Any] = {"mode": mode, "padding_mode": outside, "align_corners": bool(align_corners)}
    return low.add("GridSample", x, grid, shape=out[0].shape, **attrs)
