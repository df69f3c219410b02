"""A forced stop, a pause, and what a receive under way brings then."""

from __future__ import annotations

import pytest

from squids.delivery import Delivery
from squids.pool.actions import ApplyBatch, Hand, KillWorker, Receive, Recover
from squids.pool.batches import Operation
from squids.pool.inflight import FORCED_SECONDS, InFlight, Phase
from squids.pool.settings import Limits
from squids.retry import RetryPolicy


@pytest.fixture(params=["standard", "fifo"])
def fifo(request) -> bool:
    return request.param == "fifo"


def polling(fifo: bool) -> tuple[InFlight, Receive]:
    """One whose receive is under way."""
    core = InFlight(
        Limits(workers=1, prefetch=2, visibility=60, shutdown_timeout=30),
        RetryPolicy(),
        attempt_prefix="a" if fifo else None,
    )
    core.worker_ready(1)
    (receive,) = [action for action in core.decide(0.0) if isinstance(action, Receive)]
    return core, receive


def message(fifo: bool) -> Delivery:
    return Delivery("m", "receipt", "{}", 1, 0.0, "group" if fifo else None)


def test_what_a_receive_brings_is_given_back_where_there_is_time_for_it(fifo):
    core, receive = polling(fifo)
    core.stop(1.0)
    core.force(2.0, patience=5.0)
    assert not [action for action in core.decide(2.0) if isinstance(action, Recover)]
    assert core.phase is Phase.FORCED
    core.received(receive.poll.number, [message(fifo)], 0.1, 3.0)
    (call,) = [action for action in core.decide(3.0) if isinstance(action, ApplyBatch)]
    assert [(entry.message_id, entry.seconds) for entry in call.batch.entries] == [("m", 0)]


def test_without_time_it_is_not_waited_for(fifo):
    """On a FIFO queue, where what it brought would block its group, it is asked for once more."""
    core, _ = polling(fifo)
    core.stop(1.0)
    core.force(2.0)
    actions = core.decide(2.0)
    assert bool([action for action in actions if isinstance(action, Recover)]) is fifo
    assert core.phase is (Phase.FORCED if fifo else Phase.DONE)


def test_forced_once_more_it_no_longer_waits(fifo):
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
        assert [action.worker for action in core.decide(2.0) if isinstance(action, KillWorker)] == [1]


def test_what_a_receive_brings_after_a_pause_goes_back(fifo):
    """What was held before runs, and nothing is asked for until the pause ends."""

    def received(name: str) -> Delivery:
        return Delivery(name, f"receipt of {name}", "{}", 1, 0.0, name if fifo else None)

    core = InFlight(
        Limits(workers=2, prefetch=4, visibility=60, shutdown_timeout=30),
        RetryPolicy(),
        attempt_prefix="a" if fifo else None,
    )
    core.worker_ready(1)
    core.worker_ready(2)
    (first,) = [action for action in core.decide(0.0) if isinstance(action, Receive)]
    core.received(first.poll.number, [received("before")], 0.1, 1.0)
    actions = core.decide(1.0)
    assert [action for action in actions if isinstance(action, Hand)]
    (second,) = [action for action in actions if isinstance(action, Receive)]

    core.paused = True
    core.received(second.poll.number, [received("after")], 0.1, 2.0)
    actions = core.decide(2.0)
    assert not [action for action in actions if isinstance(action, Hand | Receive)]
    (call,) = [action for action in actions if isinstance(action, ApplyBatch)]
    assert call.batch.operation is Operation.RETURN
    assert [(entry.message_id, entry.seconds) for entry in call.batch.entries] == [("after", 0)]
    core.answered(call.batch, ["after"], [], 0.1, 2.0, 2.1, 0.5)

    core.paused = False
    assert [action for action in core.decide(3.0) if isinstance(action, Receive)]
