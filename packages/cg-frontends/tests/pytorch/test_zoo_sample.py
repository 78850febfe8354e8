"""A fixed sample of the zoo; where the model libraries are installed (the whole zoo: ``nox -s zoo``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLE = {
    "torchvision": [
        "resnet18",
        "mobilenet_v3_small",
        "shufflenet_v2_x0_5",
        "googlenet",
        "squeezenet1_0",
        "vit_b_16",
        "swin_t",
    ],
    "timm": [
        "mobilenetv4_conv_small",
        "nfnet_f0",
        "resnest14d",
        "convnext_atto",
        "tf_efficientnet_cc_b0_4e",
        "levit_128s",
        "cait_xxs24_224",
    ],
    "transformers": ["Bert", "GPT2", "Llama", "T5", "ViT", "Wav2Vec2"],
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the zoo's script is in the repository only"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("zoo", BENCHMARKS / "zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.define_torchvision_operators()
    return module


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in SAMPLE.items() for name in names])
def test_sample(zoo, family, name, monkeypatch):
    if importlib.util.find_spec(family) is None:
        pytest.skip(f"{family} is not installed")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    build = dict(zoo.FAMILIES[family]())[name]
    row = zoo.measure(name, build, timed=False, counted=True)
    assert row.get("converted"), row["error"]
    assert row["equal"]
    assert not row["custom"]
    assert row["round_trip"], row
    if "counted" in row:
        assert abs(row["macs"] - row["counted"]) <= 1e-3 * row["counted"]


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("torchvision", "googlenet"),
        ("torchvision", "mobilenet_v3_small"),
        ("torchvision", "shufflenet_v2_x0_5"),
        ("torchvision", "swin_t"),
        ("timm", "mobilenetv4_conv_small"),
        ("timm", "resnest14d"),
        ("timm", "tf_efficientnet_cc_b0_4e"),
        ("timm", "levit_128s"),
    ],
)
def test_outputs_agree(zoo, family, name, monkeypatch):
    if importlib.util.find_spec(family) is None:
        pytest.skip(f"{family} is not installed")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    row = zoo.agreement(name, dict(zoo.FAMILIES[family]())[name])
    assert row["magnitude"] > 1e-3
    assert row["difference"] <= 1e-4 * max(1.0, row["magnitude"])
