"""What SQS is called for, and what its answers mean for the messages held."""

from __future__ import annotations

import pytest

from squids.pool.actions import Action, ApplyBatch, Notice, Report
from squids.pool.batches import Batch, Operation
from squids.pool.message import HeldMessage, MessageState
from squids.pool.settling import LASTING_FAILURES, MAX_CALLS, MAX_ENTRY_ATTEMPTS, Settling

VISIBILITY = 60


class Desk:
    """Settling for some held messages, and what it asked for. Time is 0 unless a test says otherwise."""

    def __init__(self, *names: str) -> None:
        self.held: dict[str, HeldMessage] = {}
        self._actions: list[Action] = []
        self.settling = Settling(self.held, VISIBILITY, self._actions)
        for name in names:
            self.held[name] = HeldMessage(name, "receipt", "{}", 1, None, None, 0.0, VISIBILITY)
            self.settling.keep(self.held[name])

    def delete(self, name: str, now: float = 0.0) -> None:
        self.held[name].state = MessageState.DELETING
        self.settling.delete(self.held[name], now, urgent=True)

    def give_back(self, name: str, seconds: int = 0, now: float = 0.0) -> None:
        self.held[name].state = MessageState.RETURNING
        self.settling.give_back(self.held[name], seconds, now, urgent=True)

    def calls(self, now: float = 0.0) -> list[Batch]:
        self.settling.call(now, company_expected=False)
        return [action.batch for action in self._taken(ApplyBatch)]

    def reports(self) -> list[Notice]:
        return [action.notice for action in self._taken(Report)]

    def _taken(self, kind):
        taken = [action for action in self._actions if isinstance(action, kind)]
        self._actions[:] = [action for action in self._actions if not isinstance(action, kind)]
        return taken

    def answer(self, batch: Batch, done=(), failed=(), now: float = 0.0) -> list[str]:
        """The messages that ended with it. As in a pool, they are forgotten."""
        over = self.settling.answered(batch, done, failed, now, now, 0.5)
        for message in over:
            del self.held[message.message_id]
            self.settling.forget(message.message_id)
        return [message.message_id for message in over]


def test_what_sqs_confirms_is_over() -> None:
    desk = Desk("a", "b")
    desk.delete("a")
    desk.give_back("b", 30)
    delete, back = desk.calls()
    assert [(delete.operation, back.operation)] == [(Operation.DELETE, Operation.RETURN)]
    assert [(entry.message_id, entry.seconds) for entry in back.entries] == [("b", 30)]
    assert desk.answer(delete, ["a"]) == ["a"]
    assert desk.answer(back, ["b"]) == ["b"]
    assert desk.reports() == []


def test_only_so_many_calls_are_under_way_at_once() -> None:
    """The next is made when one is answered."""
    names = [f"m{number}" for number in range(30)]
    desk = Desk(*names)
    for name in names:
        desk.delete(name)
    first, second = desk.calls()
    assert desk.settling.under_way == MAX_CALLS
    assert desk.settling.wakes_at() is None
    assert desk.settling.due_at() is not None
    desk.answer(first, [entry.message_id for entry in first.entries])
    (third,) = desk.calls()
    assert len({entry.message_id for batch in (first, second, third) for entry in batch.entries}) == 30


def test_heartbeats_are_called_first() -> None:
    """A message whose heartbeat is late may run twice; a delete can wait."""
    names = [f"m{number}" for number in range(20)]
    desk = Desk("beats", *names)
    for name in names:
        desk.held[name].beats = False
        desk.delete(name, now=30.0)
    batches = desk.calls(now=30.0)
    assert [batch.operation for batch in batches] == [Operation.EXTEND, Operation.DELETE]


def test_a_return_waits_for_a_heartbeat_under_way() -> None:
    """SQS could carry out the heartbeat after the return, and hide the message again."""
    desk = Desk("a")
    (beat,) = desk.calls(now=30.0)
    assert beat.operation is Operation.EXTEND
    desk.give_back("a", now=31.0)
    assert desk.calls(now=31.0) == []
    desk.answer(beat, ["a"], now=32.0)
    (back,) = desk.calls(now=32.0)
    assert back.operation is Operation.RETURN


def test_an_answer_for_an_older_receipt_settles_nothing() -> None:
    """A delete with an old receipt "succeeds" without deleting."""
    desk = Desk("a")
    desk.delete("a")
    (old,) = desk.calls()
    desk.held["a"].receipt = "newer"
    assert desk.answer(old, ["a"]) == []
    (again,) = desk.calls()
    assert [entry.receipt for entry in again.entries] == ["newer"]


def test_a_call_without_an_answer_settles_nothing_and_is_made_again() -> None:
    desk = Desk("a")
    desk.delete("a")
    (batch,) = desk.calls()
    desk.settling.call_failed(batch, "down", 0.0, 0.5)
    assert desk.reports() == [Notice.SETTLE_TROUBLE]
    assert desk.calls(0.0) == []
    at = desk.settling.wakes_at()
    assert at is not None
    assert at > 0.0
    assert desk.calls(at) == [batch]


def test_trouble_is_what_lasts_and_is_over_with_an_answer() -> None:
    """One failed call is reported, and is not yet trouble."""
    desk = Desk("a", "b")
    desk.delete("a")
    now = 0.0
    for failures in range(1, LASTING_FAILURES + 1):
        assert desk.settling.trouble is None
        (batch,) = desk.calls(now)
        desk.settling.call_failed(batch, "down", now, 0.5)
        assert desk.reports() == ([Notice.SETTLE_TROUBLE] if failures == 1 else [])
        now = desk.settling.wakes_at() or 0.0
    assert desk.settling.trouble == "cannot delete messages: down"
    (batch,) = desk.calls(now)
    desk.answer(batch, ["a"], now=now)
    assert desk.settling.trouble is None
    assert desk.reports() == [Notice.SETTLE_HEALED]


@pytest.mark.parametrize(
    ("failed", "troubled"),
    [
        ([("a", "denied", False), ("b", "denied", False)], True),
        ([("a", "stale", True), ("b", "stale", True)], False),
        ([], True),
        ([("a", "denied", False)], True),
    ],
    ids=["all refused", "all too late", "none answered", "one refused, one unanswered"],
)
def test_a_call_of_which_nothing_is_carried_out_is_trouble(failed, troubled) -> None:
    """Unless its entries came too late, which is no fault of SQS."""
    desk = Desk("a", "b")
    desk.delete("a")
    desk.delete("b")
    (batch,) = desk.calls()
    desk.answer(batch, [], failed)
    assert (Notice.SETTLE_TROUBLE in desk.reports()) is troubled


def test_one_entry_refused_is_tried_again_alone_and_not_for_ever() -> None:
    """What SQS never takes is left to its visibility timeout, and that is reported once."""
    desk = Desk("a", "b")
    desk.held["a"].beats = False
    desk.delete("a")
    now, attempts = 0.0, 0
    while "a" in desk.held:
        desk.held["b"] = HeldMessage("b", "receipt", "{}", 1, None, None, now, now + VISIBILITY)
        desk.delete("b", now)
        batches = desk.calls(now)
        for batch in batches:
            names = [entry.message_id for entry in batch.entries]
            attempts += "a" in names
            assert desk.answer(batch, ["b"], [("a", "refused", False)] if "a" in names else [], now)
        now = desk.settling.due_at() or now
    assert attempts == MAX_ENTRY_ATTEMPTS
    assert desk.reports() == [Notice.TOO_LATE]


def test_a_delete_that_came_too_late_is_reported() -> None:
    """Its task is done, and it may run again."""
    desk = Desk("a")
    desk.delete("a")
    (batch,) = desk.calls()
    assert desk.answer(batch, [], [("a", "too late", True)]) == ["a"]
    assert desk.reports() == [Notice.TOO_LATE]


def test_a_message_without_visibility_is_dropped_unless_it_runs() -> None:
    """It may run elsewhere: what has not started here must not start; what runs cannot be unrun."""
    desk = Desk("buffered", "running")
    desk.held["running"].state = MessageState.RUNNING
    (beat,) = desk.calls(now=30.0)
    failed = [("buffered", "expired", True), ("running", "expired", True)]
    assert desk.answer(beat, [], failed, now=30.0) == ["buffered"]
    assert desk.reports() == [Notice.VISIBILITY_LOST]
    assert desk.calls(now=55.0) == [], "another heartbeat for a receipt that is stale"
