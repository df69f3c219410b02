"""Whatever happens in whatever order, the promises about messages hold.

Hypothesis plays workers, SQS and the operator against `InFlight`, with a small model of what SQS
would do, and checks the invariants after each step.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from squids.delivery import Delivery
from squids.job import JobEnd
from squids.pool.actions import (
    ApplyBatch,
    Hand,
    KillWorker,
    Notice,
    RecallUnstarted,
    Receive,
    Recover,
    Report,
)
from squids.pool.batches import Batch, Operation
from squids.pool.inflight import InFlight, Phase
from squids.pool.message import MessageState
from squids.pool.polls import Poll
from squids.pool.roster import JobResult
from squids.pool.settings import Limits
from squids.retry import RetryPolicy

MOMENTS = st.floats(min_value=0.0, max_value=20.0)
JITTER = st.floats(min_value=0.0, max_value=1.0)


class Consumer(RuleBasedStateMachine):
    """The shell, the workers and SQS, as `InFlight` sees them."""

    fifo = False

    @initialize(workers=st.integers(1, 4), extra=st.integers(0, 30), visibility=st.sampled_from([1, 10, 60]))
    def start(self, workers, extra, visibility):
        self.now = 100.0
        self.prefetch = workers + extra
        limits = Limits(workers, self.prefetch, visibility, shutdown_timeout=30.0)
        self.core = InFlight(limits, RetryPolicy(), attempt_prefix="test" if self.fifo else None)
        self.polls: dict[int, Poll] = {}
        self.calls: list[tuple[Batch, float]] = []
        self.jobs: dict[int, list] = {}
        self.next_worker = 1
        self.next_message = 1
        self.received: dict[str, str] = {}
        self.succeeded: set[str] = set()
        self.settled: dict[str, str] = {}
        self.gave_up: set[str] = set()
        self.running_groups: dict[str, str] = {}
        self.group_of: dict[str, str | None] = {}
        self.order: dict[str, list[str]] = {}
        self.must_go_back: set[str] = set()
        for _ in range(workers):
            self.new_worker()
        self.decide()

    # The shell.

    def new_worker(self):
        self.jobs[self.next_worker] = []
        self.core.worker_ready(self.next_worker)
        self.next_worker += 1

    def decide(self):
        for action in self.core.decide(self.now):
            match action:
                case Receive(poll):
                    assert self.core.phase is Phase.RUNNING, "a receive after the stop"
                    assert self.core.held + self.core.polls.expected <= self.prefetch
                    self.polls[poll.number] = poll
                case Recover(poll):
                    self.polls[poll.number] = poll
                case Hand(worker, messages):
                    assert self.core.phase is Phase.RUNNING, "a task started after the stop"
                    assert not self.jobs[worker], "a worker that runs was handed more"
                    for message in messages:
                        self.check_start(message)
                    self.jobs[worker] = list(messages)
                case RecallUnstarted(worker):
                    first, *rest = self.jobs[worker]
                    self.jobs[worker] = [first]
                    self.core.results(
                        worker, [JobResult(m.number, JobEnd.UNSTARTED) for m in rest], self.now, 0.5
                    )
                case KillWorker(worker):
                    self.lose(worker)
                case ApplyBatch(batch):
                    self.check_no_return_beside_a_beat(batch)
                    for entry in batch.entries:
                        if batch.operation is Operation.DELETE:
                            assert entry.message_id in self.succeeded, "deleted, though no task returned"
                    self.calls.append((batch, self.now))
                case Report(notice, _, message, _):
                    if notice is Notice.TOO_LATE:
                        self.gave_up.add(message.message_id)

    def check_no_return_beside_a_beat(self, batch):
        if batch.operation is Operation.RETURN:
            beaten = {
                entry.message_id
                for other, _ in self.calls
                if other.operation is Operation.EXTEND
                for entry in other.entries
            }
            returned = {entry.message_id for entry in batch.entries}
            assert not beaten & returned, "a beat under way may undo the return"

    def behind(self, message):
        """The messages held behind this one in its group: they must not run once it failed."""
        if not self.fifo:
            return []
        order = self.order[message.group]
        later = order[order.index(message.message_id) + 1 :]
        return [message_id for message_id in later if message_id in self.core.view()]

    def check_start(self, message):
        assert message.message_id not in self.must_go_back, "run past one of its group that failed"
        for jobs in self.jobs.values():
            assert message.message_id not in [m.message_id for m in jobs], "run twice at once"
        assert message.message_id not in self.succeeded, "run again after its task returned"
        if self.fifo:
            for jobs in self.jobs.values():
                assert message.group not in [m.group for m in jobs], "two of a group at once"
            held = [
                m.message_id
                for m in self.core.view().values()
                if m.group == message.group and m.state is not MessageState.GONE
            ]
            earlier = self.order[message.group]
            for other in held:
                assert earlier.index(other) >= earlier.index(message.message_id), "out of order"

    def lose(self, worker):
        jobs = self.jobs.pop(worker)
        if jobs:
            self.must_go_back.update(self.behind(jobs[0]))
        started = jobs[0].number if jobs else None
        self.core.worker_gone(worker, started, "was killed by SIGKILL", self.now, 0.5)

    # SQS and the world.

    @precondition(lambda self: self.polls)
    @rule(data=st.data(), share=st.floats(0.0, 1.0), groups=st.integers(1, 3))
    def a_receive_is_answered(self, data, share, groups):
        number = data.draw(st.sampled_from(sorted(self.polls)))
        poll = self.polls.pop(number)
        messages = []
        for _ in range(round(poll.count * share)):
            message_id = f"m{self.next_message}"
            group = f"g{self.next_message % groups}" if self.fifo else None
            self.next_message += 1
            self.received[message_id] = "r1"
            self.group_of[message_id] = group
            if group:
                self.order.setdefault(group, []).append(message_id)
            messages.append(Delivery(message_id, "r1", "{}", 1, None, group))
        self.core.received(number, messages, 0.01, self.now)
        self.decide()

    @precondition(lambda self: self.polls and not self.fifo and self.core.held)
    @rule(data=st.data())
    def a_held_message_comes_again(self, data):
        number = data.draw(st.sampled_from(sorted(self.polls)))
        self.polls.pop(number)
        message_id = data.draw(st.sampled_from(sorted(self.core.view())))
        receipt = self.received[message_id] + "+"
        self.received[message_id] = receipt
        before = self.core.held
        self.core.received(number, [Delivery(message_id, receipt, "{}", 2, None, None)], 0.01, self.now)
        assert self.core.held == before, "a message that came again is held twice"
        self.decide()

    @precondition(lambda self: self.polls)
    @rule(data=st.data(), jitter=JITTER)
    def a_receive_fails(self, data, jitter):
        number = data.draw(st.sampled_from(sorted(self.polls)))
        self.polls.pop(number)
        self.core.receive_failed(number, "SQS is down", self.now, jitter)
        self.decide()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_is_answered(self, data):
        batch, sent_at = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        done, failed = [], []
        for entry in batch.entries:
            fate = data.draw(st.sampled_from(["done", "done", "done", "refused", "stale", "missing"]))
            if fate == "done":
                done.append(entry.message_id)
                if (
                    batch.operation is not Operation.EXTEND
                    and entry.receipt == self.received[entry.message_id]
                ):
                    self.settled[entry.message_id] = batch.operation.value
            elif fate != "missing":
                failed.append((entry.message_id, fate, fate == "stale"))
                if fate == "stale" and entry.receipt == self.received[entry.message_id]:
                    self.gave_up.add(entry.message_id)
        self.core.answered(batch, done, failed, 0.01, sent_at, self.now, 0.5)
        self.decide()

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), jitter=JITTER)
    def a_call_fails(self, data, jitter):
        batch, _ = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        held = self.core.held
        self.core.call_failed(batch, "SQS is down", self.now, jitter)
        assert self.core.held == held, "a call without an answer was taken for a done one"
        self.decide()

    # Workers.

    @precondition(lambda self: any(self.jobs.values()))
    @rule(
        data=st.data(), ends=st.sampled_from(list(JobEnd)[:3]), seconds=st.sampled_from([0.00001, 0.05, 10.0])
    )
    def a_job_ends(self, data, ends, seconds):
        worker = data.draw(st.sampled_from([w for w, jobs in self.jobs.items() if jobs]))
        message = self.jobs[worker].pop(0)
        if ends is JobEnd.DONE:
            self.succeeded.add(message.message_id)
        else:
            self.must_go_back.update(self.behind(message))
        self.core.results(worker, [JobResult(message.number, ends, seconds)], self.now, 0.5)
        self.decide()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_worker_dies(self, data):
        worker = data.draw(st.sampled_from(sorted(self.jobs)))
        self.lose(worker)
        if self.core.phase is Phase.RUNNING:
            self.new_worker()
        self.decide()

    # Time and the operator.

    @rule(seconds=MOMENTS)
    def time_passes(self, seconds):
        self.now += seconds
        self.decide()

    @rule()
    def the_timer_fires(self):
        at = self.core.wakes_at()
        if at is not None and self.core.phase is not Phase.DONE:
            self.now = max(self.now, at)
            self.decide()

    @precondition(lambda self: self.now > 150)
    @rule()
    def the_operator_stops_it(self):
        self.core.stop(self.now)
        self.decide()

    @precondition(lambda self: self.core.phase is Phase.DRAINING)
    @rule()
    def the_operator_forces_it(self):
        self.core.force(self.now)
        self.decide()

    # The promises.

    @invariant()
    def the_budget_holds(self):
        if hasattr(self, "core") and self.core.phase is Phase.RUNNING:
            assert self.core.held + self.core.polls.expected <= self.prefetch

    @invariant()
    def a_message_has_one_state(self):
        if not hasattr(self, "core"):
            return
        running = [m.message_id for jobs in self.jobs.values() for m in jobs]
        assert len(running) == len(set(running)) == self.core.running
        for message in self.core.view().values():
            assert (message.state is MessageState.RUNNING) == (message.message_id in running)
            assert message.state is not MessageState.GONE

    @invariant()
    def nothing_waits_for_ever(self):
        """While anything is held, something is under way that ends it, or a time is set."""
        if not hasattr(self, "core") or self.core.phase is Phase.DONE or not self.core.held:
            return
        assert self.calls or any(self.jobs.values()) or self.core.wakes_at() is not None

    def teardown(self):
        """From any point, a stop ends with every message deleted, given back, or left to its visibility."""
        if not hasattr(self, "core"):
            return
        self.core.stop(self.now)
        self.decide()
        forced = self.core.phase in (Phase.FORCED, Phase.DONE)
        for _ in range(500):
            if self.core.phase is Phase.DONE:
                break
            for worker, jobs in self.jobs.items():
                while jobs:
                    message = jobs.pop(0)
                    self.succeeded.add(message.message_id)
                    self.core.results(worker, [JobResult(message.number, JobEnd.DONE)], self.now, 0.5)
            for number in list(self.polls):
                self.polls.pop(number)
                self.core.received(number, [], 0.01, self.now)
            self.decide()
            while self.calls:
                batch, sent_at = self.calls.pop()
                done = [entry.message_id for entry in batch.entries]
                self.core.answered(batch, done, [], 0.01, sent_at, self.now, 0.5)
                for entry in batch.entries:
                    if batch.operation is not Operation.EXTEND:
                        self.settled[entry.message_id] = batch.operation.value
            at = self.core.wakes_at()
            if at is not None:
                self.now = max(self.now, at)
            self.decide()
        assert self.core.phase is Phase.DONE, "a stop without an end"
        if not forced:
            assert not self.core.held
        for message_id in self.succeeded:
            left = forced and message_id in self.core.view()
            assert self.settled.get(message_id) == "delete" or message_id in self.gave_up or left


class FifoConsumer(Consumer):
    """The same on a FIFO queue, where order is a promise too."""

    fifo = True


TestConsumer = Consumer.TestCase
TestConsumer.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestFifoConsumer = FifoConsumer.TestCase
TestFifoConsumer.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_an_old_receipt_never_counts_as_a_delete():
    """A delete that "succeeded" with an old receipt is repeated with the newest."""
    core = InFlight(Limits(1, 2, 60, 30.0), RetryPolicy())
    core.worker_ready(1)
    polls = [a.poll for a in core.decide(0.0) if isinstance(a, Receive)]
    core.received(polls[0].number, [Delivery("m", "old", "{}", 1)], 0.01, 0.0)
    hand, *_ = [a for a in core.decide(0.0) if isinstance(a, Hand)]
    core.results(1, [JobResult(hand.messages[0].number, JobEnd.DONE)], 1.0, 0.5)
    actions = core.decide(1.0)
    call = next(a for a in actions if isinstance(a, ApplyBatch))
    poll = next(a.poll for a in actions if isinstance(a, Receive))
    core.received(poll.number, [Delivery("m", "new", "{}", 2)], 0.01, 1.0)
    core.answered(call.batch, ["m"], [], 0.01, 1.0, 1.1, 0.5)
    again = next(a for a in core.decide(1.1) if isinstance(a, ApplyBatch))
    assert [entry.receipt for entry in again.batch.entries] == ["new"]
    assert core.held == 1


@pytest.mark.parametrize("phase", ["drain", "force"])
def test_what_a_receive_brings_after_the_stop_goes_back(phase):
    """Messages that a long poll brings after the stop are given back at once, unrun."""
    core = InFlight(Limits(1, 20, 60, 30.0), RetryPolicy())
    core.worker_ready(1)
    poll = next(a.poll for a in core.decide(0.0) if isinstance(a, Receive))
    core.stop(1.0)
    core.decide(1.0)
    if phase == "force":
        core.force(1.0, patience=5.0)
        core.decide(1.0)
        assert core.phase is Phase.FORCED
    core.received(poll.number, [Delivery(f"m{n}", "r", "{}", 1) for n in range(10)], 0.01, 1.1)
    call = next(a for a in core.decide(1.1) if isinstance(a, ApplyBatch))
    assert call.batch.operation is Operation.RETURN
    assert {entry.seconds for entry in call.batch.entries} == {0}
    assert len(call.batch.entries) == 10
