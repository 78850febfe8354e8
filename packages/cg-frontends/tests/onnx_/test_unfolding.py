"""ONNX files with batch normalisations folded into convolutions."""

from __future__ import annotations

import warnings

import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cg_frontends.onnx_ import OnnxConversionWarning, from_onnx  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import SourceError, graph_of  # noqa: E402


def unit(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = unit(3, 8), unit(8, 8), unit(8, 16)
        self.gate, self.head = nn.Conv2d(16, 16, 1), nn.Linear(16, 10)

    def forward(self, x):
        y = self.stem(x)
        y = self.b(y + self.a(y))
        pooled = y.mean((2, 3), keepdim=True)
        return self.head((pooled * self.gate(pooled).sigmoid()).flatten(1))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("folded") / "net.onnx"
    network = Net().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, 3, 16, 16),), str(path), dynamo=False)
    return str(path)


def test_a_folded_file_says_so_and_unfolds_to_the_network_that_was_trained(file):
    trained = from_module(Net(), torch.zeros(1, 3, 16, 16))
    with pytest.warns(OnnxConversionWarning, match=r"3 convolutions have a bias.*\?unfold=true"):
        folded = from_onnx(file)
    assert trained.params - folded.params == 8 + 8 + 16
    assert from_onnx(file, unfold=True).hash == trained.hash
    assert graph_of(f"{file}?unfold=true").hash == trained.hash


class Dense(nn.Module):
    """Normalisations before convolutions stay where those behind are folded, as in DenseNet."""

    def __init__(self):
        super().__init__()
        self.stem = unit(3, 8)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(8 * i), nn.ReLU(), *unit(8 * i, 16), nn.Conv2d(16, 8, 1, bias=False))
            for i in (1, 2, 3)
        )

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x.mean((2, 3))


def test_normalisations_that_could_not_be_folded_do_not_hide_those_that_were(tmp_path):
    path, network = str(tmp_path / "dense.onnx"), Dense().eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, 3, 16, 16),), path, dynamo=False)
    with pytest.warns(OnnxConversionWarning, match="4 convolutions have a bias"):
        assert "BatchNormalization" in {node.op for node in from_onnx(path).nodes}
    assert from_onnx(path, unfold=True).hash == from_module(network, torch.zeros(1, 3, 16, 16)).hash


def test_what_is_not_folded_is_refused(tmp_path):
    path = str(tmp_path / "plain.onnx")
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(layers, (torch.zeros(1, 3, 16, 16),), path, dynamo=False)
    with pytest.raises(SourceError, match="nothing to unfold"):
        from_onnx(path, unfold=True)
    for arguments in ("depth=3", "unfold=3"):
        with pytest.raises(SourceError, match=r"no more than \?unfold=true"):
            graph_of(f"{path}?{arguments}")
