"""What asks a training to stop: signals, and the end of the process that watches it."""

import os
import signal

import pytest

from elastic_infogan.training import interruption
from elastic_infogan.training.interruption import ONE_REQUEST, STARTED_BY, Interruption


def handlers():
    return [signal.getsignal(number) for number in (*Interruption.SIGNALS, signal.SIGCONT)]


def test_a_second_request_interrupts_at_once(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(interruption, "monotonic", lambda: clock[0])
    before = handlers()
    with Interruption() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        clock[0] += ONE_REQUEST / 2
        signal.raise_signal(signal.SIGTERM)  # still the first one: who ends a service tells parent and child
        clock[0] += ONE_REQUEST
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert handlers() == before


def test_one_of_several_processes_stops_once_nobody_watches_it(monkeypatch):
    monkeypatch.setenv(STARTED_BY, str(os.getppid()))
    assert not Interruption().asked
    monkeypatch.setenv(STARTED_BY, str(os.getpid()))
    assert Interruption().asked


def test_being_suspended_is_told_once():
    before = handlers()
    with Interruption() as interruption:
        assert not interruption.was_suspended()
        signal.raise_signal(signal.SIGCONT)
        assert interruption.was_suspended()
        assert not interruption.was_suspended()
        assert not interruption.asked
    assert handlers() == before
