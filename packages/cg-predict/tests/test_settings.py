"""The numbers that were chosen by hand."""

from __future__ import annotations

import inspect
import re
from dataclasses import FrozenInstanceError, fields

import pytest

from cg_predict.settings import Settings


def test_every_setting_is_told_in_the_order_of_the_fields() -> None:
    told = re.findall(r"^    (\w+): ", inspect.getdoc(Settings) or "", re.M)
    assert told == [f.name for f in fields(Settings)]
    with pytest.raises(FrozenInstanceError):
        Settings().draws = 1  # type: ignore[misc]
