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

    def lower(low: Lowering, out: Outputs, x: Value, size: Any, *options: Any, **named: Any) -> int:
        attrs: dict[str, Any] = {"mode": mode}
        if corners:
            attrs["align_corners"] = bool(options[0] if options else named.get("align_corners", False))
        if name.endswith("_aa"):
            attrs["antialias"] = True
        return low.add("Resize", x, shape=out[0].shape, **attrs)

    return lower


LOWERINGS.update({f"aten::{name}": _resize(name, mode) for name, mode in _MODES.items()})


@lowers("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    low: Lowering, out: Outputs, x: Value, grid: Value, interpolation: int, padding: int, align_corners: bool
) -> int:
    return low.add(
        "GridSample",
        x,
        grid,
        shape=out[0].shape,
        mode=("linear", "nearest", "cubic")[interpolation],
        padding_mode=("zeros", "border", "reflection")[padding],
        align_corners=bool(align_corners),
    )
