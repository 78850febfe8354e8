"""A conversion verifies itself: module and graph run with the same weights, and the first operator that differs is named."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402

from cg_frontends.lowering.lowering import LOWERINGS  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.cli import cg  # noqa: E402


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_networks_agree(device):
    with torch.device(device):
        module = Net()
    module.train()
    graph = from_module(module, torch.empty(4, 3, 16, 16, device=device), verify=True)
    assert graph.nodes[0].shape == (1, 3, 16, 16)
    assert module.training
    assert next(module.parameters()).device.type == device


def test_the_first_operator_that_differs_is_named(monkeypatch):
    right = LOWERINGS["aten::relu"]
    monkeypatch.setitem(LOWERINGS, "aten::relu", lambda low, out, x: low.add("Abs", x, shape=out[0].shape))
    with pytest.raises(SourceError, match=r"does not compute .* first at node 3, Abs for relu in 'stem\.2'"):
        from_module(Net(), torch.randn(1, 3, 16, 16), verify=True)
    monkeypatch.setitem(LOWERINGS, "aten::relu", right)
    from_module(Net(), torch.randn(1, 3, 16, 16), verify=True)


def test_what_cannot_be_run_is_told():
    class Roots(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvalsh(x)

    with pytest.warns(UserWarning, match="eigvalsh|eigh"), pytest.raises(SourceError, match="cannot be verified, for"):
        from_module(Roots(), torch.eye(3)[None], verify=True)


def test_the_command(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\nnet = lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())\n"
    )
    result = CliRunner().invoke(
        cg, ["convert", f"{tmp_path}/net.py:net", "--verify", "-o", str(tmp_path / "g.cg.json")]
    )
    assert result.exit_code == 0, result.output
