"""Where evaluations take place: what the command line says, and Dask clusters whose workers come and go."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from cg_evolve.errors import SearchError
from cg_evolve.executors import DaskBackend
from cg_evolve.placement import Placement, parse_resources


def test_resources() -> None:
    assert parse_resources("GPU=1, SLOTS=0.5") == {"GPU": 1.0, "SLOTS": 0.5}
    for bad in ("GPU", "GPU=", "=1", "GPU=0", "GPU=nan", "GPU=inf", "GPU=many"):
        with pytest.raises(SearchError, match="resources look like GPU=1"):
            parse_resources(bad)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(SearchError, match="goes with --dask"):
        Placement.of("0", None, "GPU=1", None, None)
    for timeout in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SearchError, match=f"^a timeout should be positive, not {timeout:g}$"):
            Placement.of("0", None, None, timeout, None)
    pytest.importorskip("distributed")
    with pytest.raises(SearchError, match="--memory limits worker processes of this machine"):
        Placement.of("0", "local", None, None, "4G")


def test_workers_that_come_later_are_used(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "dashboard_address": None, "threads_per_worker": 4, "resources": {"GPU": 1}}
    with distributed.LocalCluster(n_workers=0, **options) as cluster, distributed.Client(cluster) as client:
        client.write_scheduler_file(str(tmp_path / "scheduler.json"))
        backend = DaskBackend(str(tmp_path / "scheduler.json"), resources={"GPU": 1})
        try:
            assert backend.capacity == 1  # waits for the first
            cluster.scale(3)
            deadline = time.monotonic() + 30
            while backend.capacity < 3:  # one GPU each, whatever the threads
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            backend.stop()
