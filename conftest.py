"""Settings that the tests of all packages share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are not timed: the machines that run the tests are of very different speed.
settings.register_profile("cg", deadline=None, print_blob=True)
settings.register_profile("cg-ci", parent=settings.get_profile("cg"), derandomize=True)
settings.load_profile("cg-ci" if os.environ.get("CI") else "cg")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, visibly, what needs evaluation data or a browser where there is none."""
    without_data = pytest.mark.skip(reason="CG_DATA does not name a folder with evaluation data")
    without_browser = pytest.mark.skip(reason="no Chromium on PATH")
    has_data = Path(os.environ.get("CG_DATA") or "/nonexistent").is_dir()
    for item in items:
        if item.get_closest_marker("realdata") and not has_data:
            item.add_marker(without_data)
        if item.get_closest_marker("browser") and CHROMIUM is None:
            item.add_marker(without_browser)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with evaluation data; tests that use it carry the mark `realdata`."""
    return Path(os.environ["CG_DATA"])


@pytest.fixture(scope="session")
def chromium() -> str:
    """The command of a Chromium; tests that use it carry the mark `browser`."""
    assert CHROMIUM is not None
    return CHROMIUM
