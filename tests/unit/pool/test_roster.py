"""Which worker is handed work, and what each of them has."""

from __future__ import annotations

import pytest

from squids.pool.actions import Action, Dismiss, Hand, KillWorker, RecallUnstarted
from squids.pool.message import HeldMessage
from squids.pool.roster import Roster


class Office:
    """A roster, and what it asked for."""

    def __init__(self, *workers: int) -> None:
        self._actions: list[Action] = []
        self.roster = Roster(self._actions)
        for worker in workers:
            self.roster.ready(worker)

    def asked(self) -> list[Action]:
        """What is new since the last call."""
        actions = list(self._actions)
        self._actions.clear()
        return actions

    def hand(self, *names: str) -> Hand:
        self.roster.hand([message(name) for name in names])
        (action,) = self.asked()
        assert isinstance(action, Hand)
        return action


def message(name: str) -> HeldMessage:
    return HeldMessage(name, "receipt", "{}", 1, None, None, received_at=0.0, visible_at=60.0)


def test_the_worker_that_rested_last_is_handed_work_first() -> None:
    """Its caches are warm."""
    office = Office(1, 2)
    first = office.hand("a")
    assert first.worker == 2
    office.roster.ended(2, first.messages[0].number)
    assert office.hand("b").worker == 2
    assert office.hand("c").worker == 1


def test_each_job_has_a_number_of_its_own() -> None:
    """A message that is run twice is two jobs."""
    office = Office(1, 2)
    one, other = office.hand("a", "b"), office.hand("a")
    numbers = [message.number for hand in (one, other) for message in hand.messages]
    assert len(set(numbers)) == 3
    assert office.roster.running == 3


def test_a_worker_is_idle_only_when_its_last_job_ended() -> None:
    office = Office(1)
    first, second = office.hand("a", "b").messages
    assert office.roster.ended(1, first.number) is first
    assert (office.roster.idle, office.roster.running) == (0, 1)
    assert office.roster.ended(1, second.number) is second
    assert (office.roster.idle, office.roster.running) == (1, 0)


def test_a_result_that_no_job_has_changes_nothing() -> None:
    """It came twice, or the worker's task wrote it. An idle worker must not be handed work twice at once."""
    office = Office(1)
    (job,) = office.hand("a").messages
    assert office.roster.ended(1, job.number + 1) is None
    assert office.roster.ended(2, job.number) is None
    assert office.roster.ended(1, job.number) is job
    assert office.roster.ended(1, job.number) is None
    assert (office.roster.idle, office.roster.running) == (1, 0)


def test_a_worker_that_says_again_that_it_is_ready_keeps_its_jobs() -> None:
    """What it was handed is still to be accounted for."""
    office = Office(1)
    (job,) = office.hand("a").messages
    office.roster.ready(1)
    assert office.roster.jobs_of(1) == [job]
    assert office.roster.idle == 0


def test_a_dead_worker_leaves_its_jobs() -> None:
    office = Office(1, 2)
    hand = office.hand("a", "b")
    assert list(office.roster.gone(2).values()) == list(hand.messages)
    assert (len(office.roster), office.roster.idle, office.roster.running) == (1, 1, 0)
    assert office.roster.gone(2) == {}
    assert office.roster.gone(1) == {}
    assert office.roster.idle == 0


def test_a_retired_worker_that_is_idle_is_dismissed_at_once() -> None:
    office = Office(1, 2)
    office.roster.retire(2)
    assert office.asked() == [Dismiss(2)]
    assert office.hand("a").worker == 1


def test_a_retired_worker_that_runs_is_dismissed_after_its_last_job() -> None:
    office = Office(1)
    first, second = office.hand("a", "b").messages
    office.roster.retire(1)
    office.roster.ended(1, first.number)
    assert office.asked() == []
    office.roster.ended(1, second.number)
    assert office.asked() == [Dismiss(1)]
    assert office.roster.idle == 0


def test_a_worker_that_is_retired_before_it_is_ready_is_handed_nothing() -> None:
    office = Office()
    office.roster.retire(1)
    office.roster.ready(1)
    assert office.asked() == [Dismiss(1)]
    assert office.roster.idle == 0


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(Roster.recall_unstarted, [RecallUnstarted(3)]), (Roster.kill_busy, [KillWorker(3), KillWorker(2)])],
    ids=["recall", "kill"],
)
def test_who_is_asked_at_the_end(ask, answer) -> None:
    """Jobs are recalled from workers that have some behind the running one; who runs something is killed."""
    office = Office(1, 2, 3)
    office.hand("a", "b")
    office.hand("c")
    ask(office.roster)
    assert sorted(office.asked(), key=str) == sorted(answer, key=str)
