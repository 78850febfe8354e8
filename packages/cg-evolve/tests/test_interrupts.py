"""The user's interrupt, told from what an evaluator raises."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from cg_evolve.interrupts import Interrupted, asked, interruptible, undisturbed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process")


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_and_is_remembered_until_the_end(number: signal.Signals) -> None:
    before = handlers()
    with interruptible():
        assert not asked()
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), number)
        assert asked()  # also where an evaluator caught it
    assert not asked()
    assert handlers() == before


def test_what_an_evaluator_raises_itself_is_no_interrupt() -> None:
    before = handlers()
    with pytest.raises(KeyboardInterrupt) as raised, interruptible():
        raise KeyboardInterrupt
    assert not isinstance(raised.value, Interrupted)
    assert not asked()
    assert handlers() == before


def test_a_run_after_an_interrupted_one_is_not_interrupted() -> None:
    with pytest.raises(Interrupted), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    with interruptible():
        assert not asked()


def test_a_second_interrupt_does_not_disturb_the_clean_up() -> None:
    before = handlers()
    with interruptible():
        outer = handlers()
        with undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        assert handlers() == outer
        assert not asked()
    assert handlers() == before


def test_in_another_thread_nothing_changes() -> None:
    seen: list[object] = []

    def look() -> None:
        with interruptible(), undisturbed():
            seen.append(handlers())

    before = handlers()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
