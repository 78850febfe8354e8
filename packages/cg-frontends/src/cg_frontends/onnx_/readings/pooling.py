"""Pooling and resampling."""

from __future__ import annotations

from typing import Any

from cg_frontends.onnx_.importer import Importer, Operation, reads
from cg_frontends.onnx_.readings.windows import window_attrs


@reads("MaxPool", "AveragePool", "LpPool")
def pool(im: Importer, o: Operation) -> Any:
    x = o.input(0)
    attrs = window_attrs(o.attrs, im.shape(x), [int(k) for k in o.attrs["kernel_shape"]])
    attrs["ceil_mode"] = bool(o.attrs.get("ceil_mode", 0))
    if o.op == "AveragePool":
        attrs["count_include_pad"] = bool(o.attrs.get("count_include_pad", 0))
    if o.op == "LpPool":
        attrs["p"] = int(o.attrs.get("p", 2))
    if o.op != "MaxPool" and any(d != 1 for d in attrs.pop("dilations")):
        return NotImplemented
    node = im.add(o.op, x, **attrs)
    shape = im.shape(node)
    return [node] if o.outputs == 1 else [node, im.add("Select", node, shape=shape, index=1)]


@reads("GlobalAveragePool", "GlobalMaxPool")
def global_pool(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0))


@reads("Resize", "Upsample")
def resize(im: Importer, o: Operation) -> Any:
    shape = im.shape(o.input(0))
    scales = o.array(1 if o.op == "Upsample" else 2)
    sizes = None if o.op == "Upsample" else o.array(3)
    if "axes" in o.attrs or (sizes is None and (scales is None or scales.size == 0)):
        return NotImplemented
    if sizes is not None and sizes.size:
        out = tuple(int(s) for s in sizes)
    else:
        assert scales is not None
        out = tuple(int(size * float(scale)) for size, scale in zip(shape, scales, strict=True))
    mode = o.attrs.get("mode", "nearest")
    coordinates = o.attrs.get("coordinate_transformation_mode", "half_pixel")
    attrs: dict[str, Any] = {"mode": mode, "align_corners": coordinates == "align_corners" and mode != "nearest"}
    if mode == "nearest" and coordinates == "half_pixel" and o.op == "Resize":
        attrs["mode"] = "nearest-exact"
    attrs["antialias"] = bool(o.attrs.get("antialias", 0))
    return im.add("Resize", o.input(0), shape=out, **attrs)


@reads("GridSample")
def grid_sample(im: Importer, o: Operation) -> Any:
    mode = o.attrs.get("mode", "linear")
    return im.add(
        "GridSample",
        o.input(0),
        o.input(1),
        shape=(*im.shape(o.input(0))[:2], *im.shape(o.input(1))[1:-1]),
        mode={"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode),
        padding_mode=o.attrs.get("padding_mode", "zeros"),
        align_corners=bool(o.attrs.get("align_corners", 0)),
    )


@reads("DepthToSpace", "SpaceToDepth")
def depth_to_space(im: Importer, o: Operation) -> Any:
    return im.add(o.op, o.input(0), blocksize=int(o.attrs["blocksize"]), mode=o.attrs.get("mode", "DCR"))
