"""What is one stop, and what is a second one."""

from __future__ import annotations

import itertools

import pytest

from squids.process.stops import SAME_STOP_SECONDS, StopBy, Stops


def test_signals_within_a_second_of_the_first_are_one_stop_however_many():
    stops = Stops()
    assert not any(stops.forces(StopBy.SIGNAL, 100.0 + after) for after in (0.0, 0.0, 0.03, 0.5, 0.999))


def test_a_signal_after_that_second_forces_also_if_others_came_in_between():
    """It counts from the first: whoever holds Ctrl-C down must not wait for ever."""
    stops = Stops()
    answers = [
        stops.forces(StopBy.SIGNAL, 100.0 + after) for after in (0.0, 0.4, 0.8, SAME_STOP_SECONDS, 1.2)
    ]
    assert answers == [False, False, False, True, True]


@pytest.mark.parametrize("senders", list(itertools.permutations(StopBy)))
def test_the_first_request_of_each_sender_is_gentle_however_late(senders):
    stops = Stops()
    assert not any(stops.forces(sender, 100.0 * at) for at, sender in enumerate(senders))


def test_a_supervisor_that_asks_again_forces_at_once():
    """It has taken the second already: it got the signals."""
    stops = Stops()
    assert [stops.forces(StopBy.SUPERVISOR, 100.0) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("sender", [StopBy.GONE, StopBy.ITSELF])
def test_what_no_person_requests_never_forces(sender):
    stops = Stops()
    assert not any(stops.forces(sender, 100.0 * at) for at in range(5))
