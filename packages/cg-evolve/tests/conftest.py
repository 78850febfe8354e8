"""A small space, a scorer and evaluators that misbehave, installed as a plugin for these tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cg_ir import registry

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def toy_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make the module `toy_plugin` an installed plugin, here and in the processes that tests start; its folder on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "toy_plugin.py").write_bytes((HERE / "toy_plugin.py").read_bytes())
    metadata = folder / "toy_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cg]\ntoy = toy_plugin\n")
    sys.path.insert(0, str(folder))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    import toy_plugin as module

    known = registry()
    added = module not in known.manager.get_plugins()
    if added:
        known.register(module, "toy-plugin")
    yield str(folder)
    if added:
        known.unregister(module)
    sys.path.remove(str(folder))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
