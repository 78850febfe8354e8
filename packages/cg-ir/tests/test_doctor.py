"""What ``cg doctor`` finds: packages, extras, plugins, data, devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cg_ir import doctor
from cg_ir.cli import cg
from cg_ir.doctor import Finding, examine
from cg_ir.plugin_registry import registry
from cg_ir.plugins import hookimpl


def test_doctor_reports_versions_and_leaves_torch_alone(tmp_path):
    code = (
        "import sys; from cg_ir.cli import main; status = main(['doctor', '--json']);"
        "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(status)"
    )
    environment = {**os.environ, "CG_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    found = {finding["name"]: finding for finding in document["findings"]}
    assert document["ok"] is True
    assert found["cg-ir"]["text"] == metadata.version("cg-ir")
    assert found["CG_DATA"]["status"] == "missing"
    assert str(tmp_path) in found["CG_DATA"]["text"]


def test_doctor_tells_missing_extras_with_the_command_that_installs_them(monkeypatch):
    real = metadata.version

    def version(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {finding.name: finding for finding in examine()}
    assert found["cg-ir[torch]"].status == "missing"
    assert found["cg-ir[torch]"].hint == "pip install 'cg-ir[torch]'"


def found(topic: str, name: str, **options: Any) -> Finding:
    (finding,) = [f for f in examine(**options) if (f.topic, f.name) == (topic, name)]
    return finding


@pytest.fixture
def distribution(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the package ``cg-ir`` require other things: lines of its metadata, and the versions that are installed."""

    def requires(*lines: str, **installed: str) -> None:
        def version(name: str) -> str:
            if name not in {"cg-ir": "", **installed}:
                raise metadata.PackageNotFoundError(name)
            return {"cg-ir": "1.2", **installed}[name]

        monkeypatch.setattr(doctor, "PACKAGES", ("cg-ir", "cg-none"))
        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(metadata, "requires", lambda name: list(lines) or None)

    return requires


def test_a_package_without_what_it_requires_is_broken(distribution: Any) -> None:
    distribution("numpy>=1.24", "pluggy<2,>=1.3", "PyYAML", numpy="2.0", pluggy="1.5")
    assert found("packages", "cg-ir") == Finding(
        "packages", "cg-ir", "broken", "1.2, without PyYAML", "pip install --upgrade cg-ir"
    )
    assert found("packages", "cg-none").hint == "pip install cg-none"
    assert found("packages", "cg-none").status == "missing"


def test_a_requirement_for_another_platform_is_no_defect(distribution: Any) -> None:
    distribution('colorama; platform_system == "Windows"', "numpy", numpy="2.0")
    assert found("packages", "cg-ir") == Finding("packages", "cg-ir", "ok", "1.2")


def test_extras_are_listed_with_what_is_there_and_what_is_not(distribution: Any) -> None:
    lines = ("torch>=2.1; extra == 'torch'", 'onnx[reference]>=1.14 ; extra == "onnx"', "onnxruntime; extra == 'onnx'")
    distribution(*lines, torch="2.4", onnx="1.17")
    assert found("packages", "cg-ir").status == "ok"
    assert found("extras", "cg-ir[torch]") == Finding("extras", "cg-ir[torch]", "ok", "torch 2.4")
    assert found("extras", "cg-ir[onnx]") == Finding(
        "extras", "cg-ir[onnx]", "missing", "without onnxruntime", "pip install 'cg-ir[onnx]'"
    )


def test_a_package_that_requires_nothing_is_whole(distribution: Any) -> None:
    distribution()
    assert found("packages", "cg-ir") == Finding("packages", "cg-ir", "ok", "1.2")


@pytest.mark.parametrize(
    ("files", "status", "text"),
    [
        (["b.csv", "a.parquet", "c.csv.gz", "notes.txt"], "ok", "{}: a.parquet, b.csv, c.csv.gz"),
        (["notes.txt"], "missing", "{}: no table of labels"),
    ],
)
def test_tables_of_labels_are_found(
    files: list[str], status: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setenv("CG_DATA", str(tmp_path))
    assert (found("data", "CG_DATA").status, found("data", "CG_DATA").text) == (status, text.format(tmp_path))


def test_a_folder_of_data_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CG_DATA", raising=False)
    assert (found("data", "CG_DATA").status, found("data", "CG_DATA").text) == ("missing", "not set")
    monkeypatch.setenv("CG_DATA", str(tmp_path / "gone"))
    assert (found("data", "CG_DATA").status, found("data", "CG_DATA").text) == (
        "broken",
        f"{tmp_path / 'gone'} is no folder",
    )
    assert found("data", "CG_DATA").hint.startswith("export CG_DATA=FOLDER")


def test_plugins_are_counted_by_kind() -> None:
    class Plugin:
        @hookimpl
        def cg_spaces(self) -> list[Any]:
            return [SimpleNamespace(name="doctor-a"), SimpleNamespace(name="doctor-b")]

        @hookimpl
        def cg_evaluators(self) -> list[Any]:
            return [SimpleNamespace(name="doctor-c")]

    plugin = Plugin()
    registry().register(plugin, "mine")
    try:
        assert found("plugins", "mine") == Finding("plugins", "mine", "ok", "2 spaces, 1 evaluator")
    finally:
        registry().unregister(plugin)


def test_the_terminal_says_whether_colours_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert found("terminal", "output").text.startswith("no colours (NO_COLOR), ")
    assert found("terminal", "cores").text == f"{os.cpu_count()}, OMP_NUM_THREADS 7"
    monkeypatch.delenv("NO_COLOR")
    assert found("terminal", "output").text.startswith(("colours, ", "piped, "))


def test_devices_are_looked_for_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    assert found("device", "torch").hint == "cg doctor --device looks for accelerators"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"GPU {i}")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    names = [(f.name, f.text) for f in examine(device=True) if f.topic == "device"]
    assert names[1:] == [("cuda:0", "GPU 0"), ("cuda:1", "GPU 1"), ("mps", "Apple GPU")]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert found("device", "accelerator", device=True).text == "none: everything runs on the CPU"


def test_a_torch_that_cannot_be_imported_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "2.4" if name == "torch" else None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert found("device", "torch", device=True).status == "broken"
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    assert found("device", "torch").hint == "pip install 'cg-frontends[torch]'"


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("missing", 0), ("broken", 1)])
def test_only_what_is_broken_is_an_error(status: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [
        Finding("one", "first", "ok", "fine"),
        Finding("two", "second", status, "as it\x1b[2J is", "do this"),
        Finding("one", "third", "ok", "fine"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda device: findings)
    done = CliRunner().invoke(cg, ["doctor"])
    assert done.exit_code == code
    words = done.output.split()
    assert [w for w in words if w in ("one", "two", "first", "second", "third")] == [
        "one",
        "first",
        "third",
        "two",
        "second",
    ]
    assert "\x1b[2J" not in done.output
    assert "do this" in done.output
    document = json.loads(CliRunner().invoke(cg, ["doctor", "--json"]).output)
    assert document["ok"] == (code == 0)
    assert document["findings"][1] == {
        "topic": "two", "name": "second", "status": status, "text": "as it\x1b[2J is", "hint": "do this",
    }  # fmt: skip
