"""When visibility is extended, and the bound of twelve hours."""

from squids.pool.heartbeat import BOUND_MARGIN, Heartbeat
from squids.pool.message import HeldMessage, MessageState
from squids.sqs_limits import MAX_VISIBILITY


def message(
    name: str = "m", *, received: float = 0.0, visibility: int = 60, state=MessageState.RUNNING
) -> HeldMessage:
    held = HeldMessage(name, "r", "{}", 1, None, None, received, received + visibility)
    held.state = state
    return held


def test_a_beat_comes_before_half_of_the_visibility():
    """A message is extended before half of its visibility has passed."""
    heartbeat, held = Heartbeat(60), message()
    heartbeat.add(held)
    at = heartbeat.wakes_at()
    assert at is not None and 0 < at < 30
    assert heartbeat.take([held], at - 10)[0] == []
    assert heartbeat.take([held], at)[0] == [(held, 60)]


def test_beats_travel_together():
    """Messages received shortly after one another are extended in one call."""
    heartbeat = Heartbeat(60)
    held = [message(str(number), received=number / 4) for number in range(10)]
    for one in held:
        heartbeat.add(one)
    assert len(heartbeat.take(held, heartbeat.wakes_at())[0]) == 10


def test_at_most_ten_at_a_time_and_none_forgotten():
    """The eleventh leaves with the next call."""
    heartbeat = Heartbeat(60)
    held = [message(str(number)) for number in range(11)]
    for one in held:
        heartbeat.add(one)
    now = heartbeat.wakes_at()
    first, _ = heartbeat.take(held, now)
    for one, _ in first:
        one.extending = True
    second, _ = heartbeat.take(held, now)
    assert len(first) == 10
    assert len(second) == 1


def test_what_goes_back_is_not_extended():
    """A beat never overtakes a return."""
    heartbeat, held = Heartbeat(60), message(state=MessageState.RETURNING)
    heartbeat.add(held)
    assert heartbeat.take([held], 60.0) == ([], [])


def test_buffered_and_finished_messages_are_extended_too():
    """Everything held is extended until it is settled, not only what runs."""
    heartbeat = Heartbeat(60)
    held = [message("b", state=MessageState.BUFFERED), message("d", state=MessageState.DELETING)]
    for one in held:
        heartbeat.add(one)
    assert len(heartbeat.take(held, 30.0)[0]) == 2


def test_the_twelve_hours_are_never_asked_beyond():
    """Near the bound less is asked for, since SQS answers more with an error."""
    heartbeat, held = Heartbeat(60), message()
    now = MAX_VISIBILITY - BOUND_MARGIN - 45.0
    held.visible_at = now + 20
    heartbeat.add(held)
    assert heartbeat.take([held], now) == ([(held, 45)], [])


def test_at_the_bound_the_beats_end_and_it_is_said_once():
    """A message held for twelve hours is let go, with one report."""
    heartbeat, held = Heartbeat(60), message()
    now = float(MAX_VISIBILITY)
    held.visible_at = now
    heartbeat.add(held)
    assert heartbeat.take([held], now) == ([], [held])
    heartbeat.add(held)
    assert heartbeat.take([held], now + 60) == ([], [])


def test_a_failed_call_is_tried_again_before_the_visibility_ends():
    """A beat without an answer is repeated after a short backoff."""
    heartbeat, held = Heartbeat(60), message()
    heartbeat.add(held)
    now = heartbeat.wakes_at()
    heartbeat.take([held], now)
    heartbeat.call_failed(now, jitter=1.0)
    heartbeat.add(held)
    assert heartbeat.take([held], now)[0] == []
    again = heartbeat.wakes_at()
    assert now < again < held.visible_at
    assert heartbeat.take([held], again)[0] == [(held, 60)]
