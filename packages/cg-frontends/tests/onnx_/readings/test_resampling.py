"""Resize of ONNX: where the reading takes it for an interpolation of the format, ONNX Runtime computes the same; else it is told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx.reference import ReferenceEvaluator
from onnx_models import agree, computed, expected, numbers, one, operators, told

from cg_frontends.onnx_ import from_onnx
from cg_ir import SourceError

X = numbers(1, 2, 6, 5)
COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def resize(sizes=None, scales=None, opset=19, **attrs):
    weights = {"s": np.array(sizes, np.int64)} if sizes is not None else {"s": np.array(scales, np.float32)}
    names = ["x0", "", "", "s"] if sizes is not None else ["x0", "", "s"]
    return one("Resize", [X], weights, names=names, opset=opset, **attrs)


def same_or_told(model, run=expected):
    """Whether the model became a Resize that computes what ONNX Runtime does; else it is a Custom, and a warning says so."""
    (wanted,) = run(model, [X])
    for size in wanted.shape:  # stated, so that no helper has to infer it
        model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = size
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        graph = from_onnx(model)
    assert operators(graph)[-1] == ("Custom" if told else "Resize")
    if not told:
        agree(model, X, wanted=[wanted])
    return not told


@pytest.mark.parametrize(
    "attrs",
    [
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"mode": "nearest"},
        {"mode": "linear"},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"mode": "cubic", "cubic_coeff_a": -0.75},
        {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
    ],
)
def test_scales_are_no_parameters(attrs):
    model = one("Resize", [X], {"roi": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}, **attrs)
    graph = agree(model, X)
    assert (operators(graph), graph.params) == (["Resize"], 0)
    assert graph.nodes[1].attrs["mode"].startswith(attrs["mode"])


@pytest.mark.parametrize(
    "attrs",
    [
        {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
        {"mode": "cubic", "cubic_coeff_a": -0.5},
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"},
    ],
)
def test_what_no_interpolation_of_the_format_computes_is_told(attrs):
    weights = {"roi": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
    assert told(one("Resize", [X], weights, **attrs), "Resize").params == 0


OUTPUTS = [{"sizes": (1, 2, 12, 10)}, {"scales": (1, 1, 0.5, 1.3)}, {"scales": (1, 1, 1.7, 0.6)}]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_every_rounding_of_every_rule(output, coordinates):
    known = [
        same_or_told(resize(**output, mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=r))
        for r in ROUNDINGS
    ]
    if output.get("sizes") == (1, 2, 12, 10) and coordinates == "asymmetric":
        assert known == [True, False, True, False]  # PyTorch's nearest, and what comes to the same


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize(
    "attrs",
    [
        {"mode": "linear"},
        {"mode": "cubic"},
        {"mode": "cubic", "cubic_coeff_a": -0.5},
        {"mode": "cubic", "exclude_outside": 1},
    ],
)
def test_every_filter_of_every_rule(output, coordinates, attrs):
    known = same_or_told(resize(**output, coordinate_transformation_mode=coordinates, **attrs))
    if "scales" not in output and coordinates in ("half_pixel", "align_corners") and len(attrs) == 1:
        assert known
    if coordinates == "half_pixel" and len(attrs) == 2 and "cubic_coeff_a" in attrs:
        assert not known


@pytest.mark.parametrize("opset", [11, 13, 18, 22])
@pytest.mark.parametrize("mode", [None, "nearest", "linear", "cubic"])
def test_defaults_of_every_opset(opset, mode):
    attrs = {} if mode is None else {"mode": mode}
    roi = {"roi": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
    model = one("Resize", [X], roi, opset=opset, **attrs)
    assert same_or_told(model)


@pytest.mark.parametrize(("size", "scale"), [(10, 0.7), (5, 0.6), (7, 1.43), (3, 2.34), (20, 0.35), (10, 0.1)])
def test_sizes_are_rounded_as_floats_of_32_bits(size, scale):
    x = numbers(1, 1, size)
    model = one(
        "Resize", [x], {"s": np.array([1, 1, scale], np.float32)}, names=["x0", "", "s"], opset=19, mode="linear"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert from_onnx(model).nodes[-1].shape == expected(model, [x])[0].shape


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [(9, 4), (12, 20), (4, 10)])
def test_sizes_that_keep_the_ratio(policy, sizes):
    """By onnx's reference, for ONNX Runtime leaves the image as it is."""

    def reference(model, inputs):
        return ReferenceEvaluator(model).run(None, {"x0": inputs[0]})

    same_or_told(resize(sizes=sizes, axes=[2, 3], mode="linear", keep_aspect_ratio_policy=policy), reference)
    same_or_told(resize(sizes=sizes[::-1], axes=[3, 2], mode="linear", keep_aspect_ratio_policy=policy), reference)


@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 1, 0.5, 0.4)])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialiasing_matters_where_it_shrinks(scales, mode):
    assert same_or_told(resize(scales=scales, mode=mode, antialias=1)) == (min(scales) == 1)


def test_crops_are_told():
    weights = {"roi": np.array([0, 0, 0, 0, 1, 1, 0.5, 0.5], np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
    told(one("Resize", [X], weights, coordinate_transformation_mode="tf_crop_and_resize"), "Resize")


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"coordinate_transformation_mode": "half"}, "coordinate_transformation_mode 'half' is unknown"),
        ({"nearest_mode": "up"}, "nearest_mode 'up' is unknown"),
        ({"mode": "quadratic"}, "interpolation 'quadratic' is unknown"),
    ],
)
def test_unknown_words_are_refused(attrs, message):
    with pytest.raises(SourceError, match=message):
        from_onnx(resize(sizes=(1, 2, 12, 10), **attrs))


def test_sizes_that_are_computed_or_none_are_refused():
    with pytest.raises(SourceError, match="sizes or scales depend on data"):
        from_onnx(one("Resize", [X, np.array([1, 1, 2, 2], np.float32)], names=["x0", "", "x1"]))
    with pytest.raises(SourceError, match="is empty"):
        from_onnx(resize(scales=(1, 1, 0.1, 1)))
    assert computed(resize(sizes=(1, 2, 6, 5)), [X])[0].shape == X.shape
