"""The user's own interrupt, told from whatever an evaluator raises.

An evaluator may raise ``KeyboardInterrupt`` or ``SystemExit`` itself: that is how its evaluation ended. Only Ctrl-C and a request to terminate, which come
as signals, end the run.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Interrupted", "asked", "interruptible", "undisturbed"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked = threading.Event()


class Interrupted(KeyboardInterrupt):
    """The user pressed Ctrl-C, or the process was asked to terminate."""


def asked() -> bool:
    """Whether the user's interrupt has come, also where an evaluator caught it."""
    return _asked.is_set()


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGINT and SIGTERM raise `Interrupted`; only the main thread is sent signals, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        _asked.set()
        raise Interrupted

    _asked.clear()
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within it further interrupts are ignored: for the clean-up after the first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
