"""A pause: what was held before goes on, what a receive under way brings goes back, nothing is asked for."""

from __future__ import annotations

import pytest

from squids.pool.actions import Call, Hand, Receive
from squids.pool.batches import Operation
from squids.pool.inflight import InFlight, Limits
from squids.received import Received
from squids.retry import RetryPolicy


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_what_a_receive_brings_after_a_pause_goes_back(fifo):
    def received(name: str) -> Received:
        return Received(name, f"receipt of {name}", "{}", 1, 0.0, name if fifo else None)

    core = InFlight(
        Limits(workers=2, budget=4, visibility=60, shutdown_timeout=30),
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
    (call,) = [action for action in actions if isinstance(action, Call)]
    assert call.batch.operation is Operation.RETURN
    assert [(entry.message_id, entry.seconds) for entry in call.batch.entries] == [("after", 0)]
    core.answered(call.batch, ["after"], [], 0.1, 2.0, 2.1, 0.5)

    core.paused = False
    assert [action for action in core.decide(3.0) if isinstance(action, Receive)]
