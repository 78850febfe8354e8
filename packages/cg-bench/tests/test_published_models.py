"""The page on torchvision's models, from a few of them; where torchvision is installed (``nox -s zoo-sample``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pandas")

PACKAGES = Path(__file__).parents[2]
FOLDERS = [PACKAGES / name / "benchmarks" for name in ("cg-frontends", "cg-bench")]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"),
    pytest.mark.skipif(not all(folder.is_dir() for folder in FOLDERS), reason="the script is in the repository only"),
    pytest.mark.filterwarnings("ignore"),
]


def test_real_models_are_ranked(monkeypatch):
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(str(folder))
    import zoo

    zoo.define_torchvision_operators()
    import published_models

    names = ("vgg11", "vgg13", "vgg16", "vgg19", "alexnet", "resnet18", "efficientnet_b2", "vit_b_16", "swin_t")
    monkeypatch.setattr(published_models, "COUNTS", (4,))
    monkeypatch.setattr(published_models, "DRAWS", 2)
    monkeypatch.setattr(published_models, "RESAMPLES", 20)
    models = published_models.classifiers(names)
    assert sorted(models["model"]) == sorted(names)
    assert sorted(models.loc[models["attention"], "model"]) == ["swin_t", "vit_b_16"]
    by_name = models.set_index("model")
    assert by_name.loc["resnet18", "accuracy"] == pytest.approx(69.758)
    assert by_name.loc["efficientnet_b2", "graph"].nodes[0].shape == (1, 3, 288, 288)
    found = published_models.measure(models)
    assert found["score"].is_monotonic_decreasing
    assert set(found.loc[found["among its recipe"].notna(), "model"]) == {"vgg11", "vgg13", "vgg16", "vgg19", "alexnet"}
    page = published_models.markdown(found, published_models.few_labels(models))
    assert "alexnet, vgg11, vgg13, vgg16, vgg19" in page
