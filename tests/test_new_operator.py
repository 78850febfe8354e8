"""A newcomer's operator: the record that CONTRIBUTING.md shows, put into a copy of the catalogue, is all that it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

ROOT = Path(__file__).resolve().parents[1]

USE = """
import numpy as np, onnxruntime, torch
import cg_ir
from cg_frontends.pytorch import from_module
from operator_samples import samples

(sample,) = samples("Erfc")
graph = sample.graph()
assert cg_ir.from_json(graph.to_json()).hash == graph.hash
assert (graph.nodes[1].shape, graph.params, graph.macs) == (sample.inputs[0], 0, 0)

x = torch.randn(3, *sample.inputs[0][1:])
module = cg_ir.to_module(graph)
assert torch.equal(module(x), torch.erfc(x))
space = {"__name__": "generated"}
exec(cg_ir.to_source(graph).text, space)
assert torch.equal(space["build"]()(x), torch.erfc(x))

session = onnxruntime.InferenceSession(cg_ir.to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"])
(found,) = session.run(None, {"input_0": x[:1].numpy()})
np.testing.assert_allclose(found, torch.erfc(x[:1]).numpy(), atol=1e-6)
assert from_module(module, x[:1]).hash == graph.hash
print(cg_ir.__file__)
"""


def shown() -> str:
    """The record in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- proved by tests/test_new_operator.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_one_record_is_all_that_an_operator_takes(tmp_path: Path) -> None:
    copy = tmp_path / "cg_ir"
    shutil.copytree(ROOT / "packages" / "cg-ir" / "src" / "cg_ir", copy, ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = copy / "operators" / "elementwise.py"
    text = catalogue.read_text(encoding="utf-8")
    (place,) = re.findall(r'^    _unary\("Erf".*\n', text, re.MULTILINE)
    catalogue.write_text(text.replace(place, f"{place}{shown().rstrip()},\n"), encoding="utf-8")
    samples = ROOT / "packages" / "cg-ir" / "tests" / "material"
    path = os.pathsep.join([str(tmp_path), str(samples), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", USE], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == copy
