"""AnalogNAS-Bench (PyPI package ``analog-nasbench``): all cells of NAS-Bench-201 trained on CIFAR-10, in a pickle ``data.anb``."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from cg_frontends.benchmarks.pickles import Record, as_mapping, load_plain
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import SourceError, get_space

_MODULE = "analognasbench.data"
_RECORDS = ((_MODULE, "Architecture"), (_MODULE, "DriftMeasurement"))
_OPERATORS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
#: Positions of the key (edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4) in the order of the official string (1-2, 1-3, 2-3, 1-4, 2-4, 3-4).
_ORDER = (0, 1, 3, 2, 4, 5)


def read_analog(path: Path) -> LabelTable:
    """The table in a ``data.anb``; the accuracy of the digital network, ``baseline_accuracy``, comes first.

    Raises:
        SourceError: the file cannot be read or has another layout.
    """
    try:
        with open(path, "rb") as file:
            data = as_mapping(load_plain(file, str(path), _RECORDS), str(path), "the table")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from None
    space: Any = get_space("nb201")
    rows = Rows()
    for key, record in data.items():
        if type(key) is not tuple or len(key) != 6 or type(record) is not Record:
            raise SourceError(f"{path}: an entry should have a key of six operators, not {reprlib.repr(key)}")
        if not all(type(op) is int and 0 <= op < len(_OPERATORS) for op in key):
            raise SourceError(f"{path}: operators should be numbers from 0 to 4, not {reprlib.repr(key)}")
        rows.add(space.format([_OPERATORS[key[i]] for i in _ORDER]), _labels(record))
    return rows.table(str(path), ("baseline_accuracy",), space.canonical)


def _labels(record: Record) -> dict[str, float]:
    labels = {}
    for name, value in record.items():
        number = value.get("value") if type(value) is Record else value
        if type(number) is float or type(number) is int:
            labels[name] = float(number)
    return labels
