"""Interpolation and sampling: sizes, scales, corners, what lies outside."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, computes, normal, random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

IMAGES = {1: normal(2, 3, 7), 2: normal(2, 3, 6, 9), 3: normal(2, 3, 4, 5, 6)}
SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("dims", IMAGES)
@pytest.mark.parametrize(
    "how", [{"size": 5}, {"scale_factor": 2}, {"scale_factor": 1.5, "recompute_scale_factor": True}]
)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "smooth", "corners"])
def test_interpolation(dims, how, mode):
    corners = {"smooth": False, "corners": True}.get(mode)
    name = mode if corners is None else SMOOTH[dims]
    graph = computes(lambda x: F.interpolate(x, mode=name, align_corners=corners, **how), IMAGES[dims])
    assert [n.op for n in graph.nodes] == ["Input", "Resize", "Output"]


@pytest.mark.parametrize(
    ("mode", "antialias", "corners"),
    [("bilinear", True, False), ("bilinear", True, True), ("bicubic", False, True), ("bicubic", True, False)],
)
def test_filters(mode, antialias, corners):
    computes(
        lambda x: F.interpolate(x, (4, 12), mode=mode, align_corners=corners, antialias=antialias), IMAGES[2][:, :1]
    )


def test_a_scale_for_each_axis():
    computes(lambda x: F.interpolate(x, scale_factor=(0.5, 3), mode="bilinear"), IMAGES[2])
    computes(
        lambda x: F.interpolate(x, scale_factor=(1.3, 1.4), mode="bilinear", align_corners=True), IMAGES[2]
    )  # sizes alone matter


@pytest.mark.parametrize(
    ("size", "scale"),
    [(7, 0.5), (9, 0.5), (5, 0.25), (4, 1.7), (7, 1.3), (11, 0.6), (16, 0.3), (10, 2.35), (3, 0.8)],
)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
def test_scales_that_are_not_the_ratio_of_the_sizes(size, scale, mode):
    """PyTorch takes elements where the scale says, the operator where the sizes say: the same, or it is told."""
    x = normal(2, 3, size)
    stated = Program(lambda x: F.interpolate(x, scale_factor=scale, mode=mode))
    by_sizes = F.interpolate(x, size=int(size * scale), mode=mode)
    if torch.allclose(stated(x), by_sizes):
        computes(stated.function, x)
    else:
        with pytest.warns(UserWarning, match="became Custom: aten::_?upsample_"):
            graph = from_module(stated, x)
        assert graph.nodes[-1].shape == (1, *by_sizes.shape[1:])


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("mode", "corners"), [("bilinear", False), ("bilinear", True), ("nearest", False)])
def test_sampling_at_places(mode, padding, corners):
    places = 3 * random(2, 4, 5, 2) - 1.5
    computes(lambda x, g: F.grid_sample(x, g, mode, padding, corners), IMAGES[2], places)


def test_sampling_by_cubes_and_in_volumes():
    computes(
        lambda x, g: F.grid_sample(x, g, "bicubic", align_corners=True),
        IMAGES[2][..., :3, :4],
        2 * random(2, 2, 2, 2) - 1,
    )
    computes(lambda x, g: F.grid_sample(x, g, align_corners=False), IMAGES[3], 2 * random(2, 2, 3, 4, 3) - 1)


def test_places_of_an_affine_map():
    computes(
        lambda x, t: F.grid_sample(x, F.affine_grid(t, (2, 4, 3, 5), align_corners=False), align_corners=False),
        random(2, 4, 6, 8), random(2, 2, 3),
    )  # fmt: skip
