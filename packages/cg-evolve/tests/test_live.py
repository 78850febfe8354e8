"""A page that follows a run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from cg_evolve.commands import report
from cg_evolve.live import follow, goes_on
from cg_evolve.runs import Config, Run

ARGUMENTS = ["search", "toy", "--budget", "12", "--algorithm", "random", "--evaluator", "toy?pause=0.05", "-o"]


def evaluations(page: str) -> int:
    data = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page)
    assert data is not None
    return sum(status == "done" for status in json.loads(data[1])["columns"]["status"])


def test_the_page_follows_a_run_until_it_ends(tmp_path: Path) -> None:
    from cg_evolve.report import report_page

    folder = tmp_path / "run"
    pages: list[tuple[float | None, str]] = []
    running = subprocess.Popen([sys.executable, "-m", "cg_ir.cli", *ARGUMENTS, str(folder)], stdout=subprocess.DEVNULL)
    try:
        while not goes_on(folder) or not (folder / "history.sqlite").exists() or not (folder / "config.json").exists():
            assert running.poll() is None
        follow([folder], lambda refresh: pages.append((refresh, report_page(folder, refresh))), every=0.1)
    finally:
        running.wait(timeout=60)
    counts = [evaluations(page) for _, page in pages]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == 12
    assert [refresh for refresh, _ in pages] == [0.1] * (len(pages) - 1) + [None]
    assert 'http-equiv="refresh" content="1"' in pages[0][1]
    assert 'http-equiv="refresh"' not in pages[-1][1]


def test_a_finished_run_is_written_once(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", Config("toy", "toy", 3, algorithm="random")) as run:
        run.execute()
        assert goes_on(tmp_path / "run")
    assert not goes_on(tmp_path / "run")
    page = tmp_path / "r.html"
    CliRunner().invoke(report, [str(tmp_path / "run"), "--live", "-o", str(page)], catch_exceptions=False)
    assert 'http-equiv="refresh"' not in page.read_text()
