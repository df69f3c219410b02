"""The table of a message's states: every pair of state and event has an answer, and its ends are ends."""

from __future__ import annotations

import itertools

import pytest

from squids.pool.message import TRANSITIONS, HeldMessage, MessageEvent, MessageState

MOVES = {
    MessageState.BUFFERED: {
        MessageEvent.HANDED: MessageState.RUNNING,
        MessageEvent.RELEASED: MessageState.RETURNING,
        MessageEvent.LAPSED: MessageState.GONE,
    },
    MessageState.RUNNING: {
        MessageEvent.SUCCEEDED: MessageState.DELETING,
        MessageEvent.FAILED: MessageState.RETURNING,
        MessageEvent.UNSTARTED: MessageState.BUFFERED,
        MessageEvent.WORKER_LOST: MessageState.RETURNING,
    },
    MessageState.DELETING: {MessageEvent.SETTLED: MessageState.GONE, MessageEvent.LAPSED: MessageState.GONE},
    MessageState.RETURNING: {MessageEvent.SETTLED: MessageState.GONE, MessageEvent.LAPSED: MessageState.GONE},
    MessageState.GONE: {},
}
"""The promise, written a second time: what moves a message, from where, to where."""


def held(state: MessageState) -> HeldMessage:
    message = HeldMessage("m", "r", "{}", 1, None, None, received_at=0.0, visible_at=60.0)
    message.state = state
    return message


@pytest.mark.parametrize(("state", "event"), list(itertools.product(MessageState, MessageEvent)))
def test_every_event_has_an_answer_in_every_state(state: MessageState, event: MessageEvent) -> None:
    """It moves the message as promised, or it is ignored and says so."""
    message = held(state)
    expected = MOVES[state].get(event)
    assert message.happens(event) is (expected is not None)
    assert message.state is (expected or state)


def test_every_event_moves_a_message_somewhere() -> None:
    """An event that is ignored in each state is dead."""
    assert {event for _, event in TRANSITIONS} == set(MessageEvent)


@pytest.mark.parametrize("start", [state for state in MessageState if state is not MessageState.GONE])
def test_every_state_leads_to_the_end(start: MessageState) -> None:
    """No state is a trap: each held message can end."""
    reached = {start}
    while more := {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached:
        reached |= more
    assert MessageState.GONE in reached
