"""Signals that are held back reach the work at the next safe place, and never between."""

from __future__ import annotations

import signal
import threading

import pytest

from pedalflow import interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_at_the_next_safe_place_and_not_before(number: signal.Signals) -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.held() as take:
        take()
        signal.raise_signal(number)
        reached.append("the end of the piece of work")
        take()
        reached.append("the next piece")
    assert reached == ["the end of the piece of work"]


def test_whoever_insists_is_heard_at_once() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        signal.raise_signal(signal.SIGINT)
        reached.append("after the first")
        signal.raise_signal(signal.SIGINT)
        reached.append("after the second")
    assert reached == ["after the first"]


def test_a_signal_during_the_last_piece_is_raised_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        signal.raise_signal(signal.SIGINT)


def test_an_error_of_the_work_goes_before_a_signal_that_came_with_it() -> None:
    with pytest.raises(ValueError, match="the disk is full"), interrupts.held():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("the disk is full")


def test_afterwards_the_signals_are_handled_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interrupts.held():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_on_another_thread_nothing_is_held() -> None:
    handlers = []

    def work() -> None:
        with interrupts.held() as take:
            take()
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
