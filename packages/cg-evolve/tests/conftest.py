"""The module `toy_plugin` beside this file as an installed plugin: a small space, a scorer, evaluators that misbehave."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cg_ir import registry

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `import toy_plugin` in the tests


@pytest.fixture(scope="module", autouse=True)
def toy_plugin_installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the plugin, here and in the processes that tests start, for these tests only."""
    folder = tmp_path_factory.mktemp("plugin")
    metadata = folder / "toy_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cg]\ntoy = toy_plugin\n")
    import toy_plugin

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        paths = filter(None, [str(folder), str(HERE), os.environ.get("PYTHONPATH")])
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        known = registry()
        added = "toy" not in known.entries("space")
        if added:
            known.register(toy_plugin, "toy-plugin")
        yield
        if added:
            known.unregister(toy_plugin)


@pytest.fixture
def toy_pool() -> list[str]:
    """Architectures of the toy space, few enough to be scored at once."""
    from toy_plugin import ToySpace

    space, rng = ToySpace(), np.random.default_rng(4)
    return sorted({space.sample(rng) for _ in range(60)})


OWN = '''
from typing import Literal

from torch import nn


def make(depth: Literal[1, 2, 3], width: range(4, 13, 4), act: Literal["relu", "silu"] = "relu", bias=False):
    if depth == 3 and width == 12:
        raise ValueError("too large")
    layers = [nn.Conv2d(1, width, 3, padding=1, bias=bias)]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), {"relu": nn.ReLU, "silu": nn.SiLU}[act](), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def train(model, seed, scale=1.0):
    """The more parameters, the better."""
    return {"fit": scale * sum(p.numel() for p in model.parameters()), "dropouts": sum(isinstance(m, nn.Dropout) for m in model.modules())}
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a user's own networks and training in ``own.py``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path
