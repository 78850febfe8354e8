"""The test family, once a session."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("predict_test_networks", Path(__file__).with_name("networks.py"))
assert _spec is not None
assert _spec.loader is not None
networks = importlib.util.module_from_spec(_spec)
sys.modules["predict_test_networks"] = networks
_spec.loader.exec_module(networks)


@pytest.fixture(scope="session")
def family():
    """160 networks and their labels."""
    return networks.family(160)
