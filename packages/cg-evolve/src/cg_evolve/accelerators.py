"""Workers of this machine, and the accelerator that each of them sees."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess

from cg_evolve.errors import SearchError

__all__ = ["VARIABLE", "visible", "workers_of"]

#: What tells CUDA which accelerators a process sees.
VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible() -> list[str]:
    """The accelerators that this process sees, as CUDA names them; none where the driver's tool is not there or finds none."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        parts = (part.strip() for part in given.split(","))
        return list(itertools.takewhile(lambda part: part not in ("", "-1"), parts))  # CUDA sees nothing behind these
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        answer = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i, _ in enumerate(line for line in answer.splitlines() if line.startswith("GPU "))]


def workers_of(text: str) -> list[dict[str, str]]:
    """The environment of each worker that ``--workers`` asks for; none evaluates in the main process.

    Args:
        text: a number, whose workers share the accelerators evenly, or ``auto``: one worker an accelerator, one in all without any.

    Raises:
        SearchError: it is neither.
    """
    devices = visible()
    if text == "auto":
        return [{VARIABLE: device} for device in devices] or [{}]
    try:
        count = int(text)
    except ValueError:
        raise SearchError(f"workers should be a number or auto, not '{text}'") from None
    if count < 0:
        raise SearchError(f"workers should not be negative, not {count}")
    return [{VARIABLE: devices[i % len(devices)]} if len(devices) > 1 else {} for i in range(count)]
