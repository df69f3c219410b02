"""A stop that is in a hurry: what runs is killed; whether a receive under way is waited for is asked apart."""

from __future__ import annotations

import pytest

from squids.pool.actions import Call, Kill, Receive, Recover
from squids.pool.inflight import FORCED_SECONDS, InFlight, Limits, Phase
from squids.received import Received
from squids.retry import RetryPolicy


@pytest.fixture(params=["standard", "fifo"])
def fifo(request) -> bool:
    return request.param == "fifo"


def polling(fifo: bool) -> tuple[InFlight, Receive]:
    """One whose receive is under way."""
    core = InFlight(
        Limits(workers=1, budget=2, visibility=60, shutdown_timeout=30),
        RetryPolicy(),
        attempt_prefix="a" if fifo else None,
    )
    core.worker_ready(1)
    (receive,) = [action for action in core.decide(0.0) if isinstance(action, Receive)]
    return core, receive


def message(fifo: bool) -> Received:
    return Received("m", "receipt", "{}", 1, 0.0, "group" if fifo else None)


def test_what_a_receive_brings_is_given_back_where_there_is_time_for_it(fifo):
    core, receive = polling(fifo)
    core.stop(1.0)
    core.force(2.0, patience=5.0)
    assert not [action for action in core.decide(2.0) if isinstance(action, Recover)]
    assert core.phase is Phase.FORCED
    core.received(receive.poll.number, [message(fifo)], 0.1, 3.0)
    (call,) = [action for action in core.decide(3.0) if isinstance(action, Call)]
    assert [(entry.message_id, entry.seconds) for entry in call.batch.entries] == [("m", 0)]


def test_without_time_nobody_waits_for_it(fifo):
    """But of a FIFO queue, where what it brought would block its group, it is asked for once more."""
    core, _ = polling(fifo)
    core.stop(1.0)
    core.force(2.0)
    actions = core.decide(2.0)
    assert bool([action for action in actions if isinstance(action, Recover)]) is fifo
    assert core.phase is (Phase.FORCED if fifo else Phase.DONE)


def test_who_is_forced_once_more_waits_no_longer(fifo):
    core, _ = polling(fifo)
    core.force(2.0, patience=5.0)
    core.decide(2.0)
    core.force(3.0)
    actions = core.decide(3.0)
    assert bool([action for action in actions if isinstance(action, Recover)]) is fifo


def test_patience_ends():
    core, _ = polling(False)
    core.force(2.0, patience=5.0)
    core.decide(2.0)
    assert core.wakes_at() == 2.0 + 5.0 + FORCED_SECONDS
    core.decide(2.0 + 5.0 + FORCED_SECONDS)
    assert core.phase is Phase.DONE


def test_what_runs_is_killed_at_once_either_way(fifo):
    for patience in (0.0, 5.0):
        core, receive = polling(fifo)
        core.received(receive.poll.number, [message(fifo)], 0.1, 1.0)
        core.decide(1.0)
        core.force(2.0, patience)
        assert [action.worker for action in core.decide(2.0) if isinstance(action, Kill)] == [1]
