"""Quick results are torch's own, and a plain network is converted without torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch.quick_shapes import quick_result  # noqa: E402

ops = torch.ops.aten


def meta(*shape, **options):
    return torch.empty(shape, device="meta", **options)


CASES = [
    (ops.conv1d.default, (meta(1, 3, 9), meta(4, 3, 3), None, [2], [1])),
    (ops.conv2d.default, (meta(2, 6, 9, 8), meta(4, 3, 3, 2), meta(4), [2, 1], [1, 0], [1, 2], 2)),
    (ops.conv2d.default, (meta(1, 8, 7, 7), meta(8, 1, 3, 3), None, [1, 1], [1, 1], [1, 1], 8)),
    (ops.conv3d.default, (meta(1, 2, 5, 5, 5), meta(3, 2, 2, 2, 2))),
    (ops.batch_norm.default, (meta(1, 4, 5, 5), meta(4), meta(4), meta(4), meta(4), False, 0.1, 1e-5, True)),
    (ops.layer_norm.default, (meta(1, 5, 8), [8], meta(8), meta(8))),
    (ops.linear.default, (meta(1, 5, 8), meta(3, 8), meta(3))),
    (ops.adaptive_avg_pool2d.default, (meta(1, 4, 9, 9), [1, 1])),
    (ops.relu.default, (meta(1, 4, 9, 9),)),
    (ops.add.Tensor, (meta(1, 4, 9), meta(1, 4, 9))),
    (ops.unfold_backward.default, (meta(1, 4, 3).mT, [1, 8], 1, 4, 2)),
]


@pytest.mark.parametrize(("func", "args"), CASES, ids=lambda x: str(x) if not isinstance(x, tuple) else "")
def test_quick_results_are_torchs(func, args):
    quick = quick_result(func, args, {})
    with torch.inference_mode():
        real = func(*args)
    assert quick is not None
    assert (quick.shape, quick.stride(), quick.dtype, quick.device) == (
        real.shape,
        real.stride(),
        real.dtype,
        real.device,
    )


@pytest.mark.parametrize(
    ("func", "args"),
    [
        (ops.conv2d.default, (meta(1, 3, 9, 9), meta(4, 5, 3, 3))),  # channels
        (ops.conv2d.default, (meta(1, 3, 2, 2), meta(4, 3, 3, 3))),  # a window larger than the image
        (ops.conv2d.default, (meta(1, 3, 9, 9, dtype=torch.float16), meta(4, 3, 3, 3))),  # types
        (ops.conv2d.default, (meta(1, 9, 9, 3).permute(0, 3, 1, 2), meta(4, 3, 3, 3))),  # not in one piece
        (ops.linear.default, (meta(1, 5, 8), meta(3, 7))),
        (ops.add.Tensor, (meta(1, 4, 9), meta(4, 9))),
        (ops.batch_norm.default, (meta(1, 4, 5, 5), None, None, None, None, True, 0.1, 1e-5, True)),
        (ops.softmax.int, (meta(1, 4), 1)),
    ],
)
def test_all_else_is_left_to_torch(func, args):
    assert quick_result(func, args, {}) is None


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True)


def test_a_plain_network_needs_no_compiler():
    code = (
        "import sys, torch\n"
        "from torch import nn\n"
        "from cg_frontends.pytorch import from_module\n"
        "net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))\n"
        "from_module(net, torch.empty(1, 3, 8, 8, device='meta'))\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])\n"
    )
    assert run(code).stdout.strip() == "[]"


@pytest.mark.parametrize("source", ["nofile.py:net", "nomodule_of_this_name.part:net"])
def test_what_is_not_there_is_refused_before_torch(source):
    code = (
        "import sys\n"
        "from cg_frontends.pytorch_sources import PyTorchFrontend\n"
        "from cg_ir import SourceError\n"
        "try:\n    PyTorchFrontend().convert(sys.argv[1])\n"
        "except SourceError as error:\n    print(error)\n"
        "print('torch' in sys.modules)\n"
    )
    said, imported = run(code, source).stdout.splitlines()
    assert "no" in said
    assert imported == "False"
