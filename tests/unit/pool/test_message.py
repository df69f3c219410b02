"""The table of a message's states is total, and its ends are ends."""

import itertools

import pytest

from squids.pool.message import IGNORED, TRANSITIONS, Event, HeldMessage, Ignored, State


def held(state: State) -> HeldMessage:
    message = HeldMessage("m", "r", "{}", 1, None, None, received_at=0.0, visible_at=60.0)
    message.state = state
    return message


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_has_an_answer_in_every_state(state, event):
    """No pair of state and event is left to chance."""
    message = held(state)
    changed = message.happens(event)
    answer = TRANSITIONS[state, event]
    assert changed is not isinstance(answer, Ignored)
    assert message.state is (state if answer is IGNORED else answer)


@pytest.mark.parametrize("event", Event)
def test_what_is_gone_stays_gone(event):
    """A message that is held no more comes to life by no event."""
    assert not held(State.GONE).happens(event)


def test_only_a_running_message_can_end_in_a_delete():
    """A message is deleted after its task returned, and never otherwise."""
    into_deleting = {pair for pair, answer in TRANSITIONS.items() if answer is State.DELETING}
    assert into_deleting - {(State.DELETING, Event.REDELIVERED)} == {(State.RUNNING, Event.SUCCEEDED)}


def test_only_a_buffered_message_starts():
    """A message that runs, or is being settled, is not handed out again."""
    into_running = {pair for pair, answer in TRANSITIONS.items() if answer is State.RUNNING}
    assert {state for state, event in into_running if event is Event.HANDED} == {State.BUFFERED}
