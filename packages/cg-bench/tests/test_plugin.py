"""The entry point: what it registers, and that it imports nothing for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cg_bench
from cg_bench import plugin
from cg_ir import registry
from cg_ir.cli import main


def test_the_command_line_imports_no_numbers_before_a_comparison_runs() -> None:
    code = (
        "import sys\nfrom cg_ir.cli import main\n"
        "try:\n    main(['bench', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'scipy', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("ablation", "embedding", "latency", "proxies", "search", "sources", "transfer"):
        assert f"\n  {command} " in done.stdout


def test_hooks_and_names_of_the_package_lead_somewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert [command.name for command in plugin.cg_commands()] == ["bench"]
    entries = registry()
    for kind, made in (
        ("bench target", plugin.cg_bench_targets()),
        ("bench method", plugin.cg_bench_methods()),
        ("bench metric", plugin.cg_bench_metrics()),
    ):
        assert {thing.name for thing in made} <= set(entries.entries(kind))
    assert all(getattr(cg_bench, name) is not None for name in cg_bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Everything'"):
        cg_bench.Everything  # noqa: B018
    assert main(["plugins"]) == 0
    assert "bench" in capsys.readouterr().out
