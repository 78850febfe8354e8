"""Settings that the tests of all packages share."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    missing = [
        name
        for name, found in {
            "Chromium": CHROMIUM,
            "chromedriver": shutil.which("chromedriver"),
            "the Python package selenium": importlib.util.find_spec("selenium"),
        }.items()
        if not found
    ]
    without_browser = pytest.mark.skip(reason=f"no {', no '.join(missing)}")
    has_data = Path(os.environ.get("CG_DATA") or "/nonexistent").is_dir()
    for item in items:
        if item.get_closest_marker("realdata") and not has_data:
            item.add_marker(without_data)
        if item.get_closest_marker("browser") and missing:
            item.add_marker(without_browser)


def pytest_collection_finish() -> None:
    """Modules stay until the end: garbage collections need not look at them again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with evaluation data; tests that use it carry the mark `realdata`."""
    return Path(os.environ["CG_DATA"])


@pytest.fixture(scope="session")
def chromium() -> str:
    """The command of a Chromium; tests that use it carry the mark `browser`."""
    assert CHROMIUM is not None
    return CHROMIUM


@pytest.fixture(scope="session")
def browser_process(chromium: str) -> Iterator[Any]:
    """One headless Chromium, driven by selenium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Network.enable", {})
    yield driver
    driver.quit()


@pytest.fixture
def browser(browser_process: Any) -> Iterator[Any]:
    """The browser at desktop size; whatever a page wrote to the console, or refused to load, fails the test."""
    window = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser_process.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    browser_process.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser_process.get("about:blank")
    browser_process.get_log("browser")
    yield browser_process
    messages = [entry["message"] for entry in browser_process.get_log("browser")]
    assert not messages, messages
