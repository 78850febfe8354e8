"""Pooling with every argument that PyTorch documents."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, computes, normal  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

X = normal(2, 3, 9, 8)

AVERAGES = {
    "stride of the kernel": {"kernel_size": 3},
    "stride": {"kernel_size": (3, 2), "stride": (1, 2)},
    "padding": {"kernel_size": 3, "stride": 2, "padding": (1, 0)},
    "pads not counted": {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    "ceil": {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    "ceil and pads": {"kernel_size": (4, 3), "stride": 3, "padding": 1, "ceil_mode": True},
    "ceil and pads not counted": {
        "kernel_size": (4, 3),
        "stride": 3,
        "padding": 1,
        "ceil_mode": True,
        "count_include_pad": False,
    },
    "divisor": {"kernel_size": 3, "stride": 2, "padding": 1, "divisor_override": 4},
    "divisor and pads not counted": {"kernel_size": 3, "padding": 1, "count_include_pad": False, "divisor_override": 1},
    "ceil without effect and divisor": {"kernel_size": (3, 2), "ceil_mode": True, "divisor_override": 2},
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averages(name):
    graph = computes(lambda x: F.avg_pool2d(x, **AVERAGES[name]), X)
    assert graph.params == graph.macs == 0


@pytest.mark.parametrize(
    "attrs",
    [
        {}, {"stride": 2}, {"stride": (2, 1), "padding": (1, 0)}, {"dilation": 2}, {"dilation": (1, 3), "stride": 2, "padding": 1},
        {"ceil_mode": True, "stride": 2}, {"ceil_mode": True, "stride": 3, "padding": 1, "dilation": (2, 1)},
    ],
)  # fmt: skip
@pytest.mark.parametrize("positions", [False, True])
def test_greatest(attrs, positions):
    computes(lambda x: F.max_pool2d(x, 3, return_indices=positions, **attrs), X)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_any_number_of_axes(dims, size):
    def forward(x):
        least = getattr(F, f"max_pool{dims}d")(x, 2, 1, 1)
        pooled = getattr(F, f"avg_pool{dims}d")(least, 2, padding=1)
        return getattr(F, f"adaptive_avg_pool{dims}d")(pooled, size), getattr(F, f"adaptive_max_pool{dims}d")(
            least, size
        )

    computes(forward, normal(2, 3, *range(6, 6 + dims)))


def test_adaptive_sizes_that_stay_and_indices():
    computes(lambda x: F.adaptive_avg_pool2d(x, (None, 3)) + F.adaptive_avg_pool2d(x, (9, 3)), X)
    computes(lambda x: F.adaptive_max_pool2d(x, (4, 3), return_indices=True), X)
    computes(lambda x: F.lp_pool2d(x.abs(), 3, 2, 2, True), X)


@pytest.mark.parametrize("attrs", [{"kernel_size": 4, "stride": 3}, {"kernel_size": 3, "stride": 3, "padding": 1}])
def test_a_divisor_where_the_last_window_is_cut_is_told(attrs):
    with pytest.warns(UserWarning, match=r"became Custom: aten::avg_pool2d \(1x\)"):
        from_module(Program(lambda x: F.avg_pool2d(x, ceil_mode=True, divisor_override=5, **attrs)), X)
