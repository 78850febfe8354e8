"""Accuracies of Once-for-All sub-networks as its own code writes them: ``224.dict``, JSON from settings (themselves JSON text) to top-1 accuracy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_ir import ArchError, SourceError, get_space

SUFFIX = ".dict"


def read_ofa(path: Path) -> LabelTable:
    """The table in a file ``RESOLUTION.dict``, or in all those of a folder; the metric is ``top1``.

    Raises:
        SourceError: a file cannot be read or has another layout.
    """
    space: Any = get_space("mobilenetv3")
    rows = Rows()
    for file in sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]:
        side = file.name.removesuffix(SUFFIX)
        if not side.isdecimal():
            if path.is_dir():
                continue
            raise SourceError(f"{file}: the name should be the resolution, such as 224{SUFFIX}")
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            for settings, accuracy in data.items():
                rows.add(space.canonical({**json.loads(settings), "r": [int(side)]}), {"top1": float(accuracy)})
        except (ArchError, AttributeError, OSError, RecursionError, TypeError, ValueError) as error:
            raise SourceError(f"{file}: no accuracies of sub-networks: {error}"[:300]) from None
    return rows.table(str(path), ("top1",), space.canonical)
