"""What a pooled consumer says: stable actions, the right level, and nothing that is no change."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from squids.delivery import Delivery
from squids.exit_codes import ExitCode
from squids.job import JobEnd
from squids.pool import log_events
from squids.pool.actions import Notice, Receive, Report
from squids.pool.inflight import InFlight, Phase
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.pool.settings import Limits
from squids.process.stops import FORCES, StopBy
from squids.queues import QueueRef
from squids.retry import RetryPolicy

EMAILS = QueueRef.parse("emails")


@pytest.fixture
def said(caplog) -> Callable[[], list[logging.LogRecord]]:
    """What was said since it was asked last."""
    caplog.set_level(logging.DEBUG, "squids")

    def since() -> list[logging.LogRecord]:
        records = list(caplog.records)
        caplog.clear()
        return records

    return since


def message(task: str = "shop.mail") -> HeldMessage:
    return HeldMessage("m1", "receipt", f'{{"task": "{task}"}}', 3, None, None, 0.0, 60.0)


def consumer_of(*names: str) -> InFlight:
    """One with these messages: its worker runs the first, and the others wait."""
    core = InFlight(Limits(1, 10, 60, 30.0), RetryPolicy())
    core.worker_ready(1)
    (receive,) = [action for action in core.decide(0.0) if isinstance(action, Receive)]
    core.received(receive.poll.number, [Delivery(name, "receipt", "{}") for name in names], 0.1, 0.1)
    core.decide(0.1)
    return core


@pytest.mark.parametrize("notice", Notice)
def test_each_notice_has_its_action_and_a_sentence(said, notice):
    """Tests and alerts go by the action. One that nobody put in words would be lost."""
    details: dict[str, object] = {"error": "E", "how": "H", "operation": "delete"}
    log_events.report(Report(notice, "why", message(), details), EMAILS, False)
    (record,) = said()
    assert record.action == notice.value
    assert record.queue == "emails"
    assert record.getMessage()


def test_a_failure_says_which_message_and_carries_its_traceback_apart(said):
    """What is in the sentence is not repeated beside it, and what nobody knows is left out."""
    details = {"task": "shop.mail", "error": "ValueError: x", "traceback": "File 1", "retry_in": None}
    log_events.report(Report(Notice.TASK_FAILED, message=message(), details=details), EMAILS, False)
    (record,) = said()
    assert record.getMessage() == "task failed: ValueError: x"
    assert (record.message_id, record.receive_count, record.task) == ("m1", 3, "shop.mail")
    assert record.traceback == "File 1"
    assert not hasattr(record, "error") and not hasattr(record, "retry_in")


def test_a_lost_task_is_named_though_its_worker_can_say_nothing(said):
    details: dict[str, object] = {"how": "was killed by SIGKILL"}
    log_events.report(
        Report(Notice.WORKER_LOST, message=message("shop.crash"), details=details), EMAILS, False
    )
    (record,) = said()
    assert record.task == "shop.crash"
    assert record.getMessage() == "task lost, its worker was killed by SIGKILL"


@pytest.mark.parametrize(("at_start", "level"), [(True, logging.ERROR), (False, logging.WARNING)])
def test_an_outage_is_an_error_only_where_it_never_worked(said, at_start, level):
    """At the start a person has to mend something; later SQS does."""
    log_events.report(Report(Notice.DEGRADED, "no route"), EMAILS, at_start)
    assert [record.levelno for record in said()] == [level]


def test_a_stop_says_what_it_waits_for(said):
    """Whoever stops it wants to know for how long."""
    idle = InFlight(Limits(1, 10, 60, 30.0), RetryPolicy())
    log_events.stopping("SIGTERM", idle, 20, StopBy.SIGNAL)
    log_events.stopping("SIGTERM", consumer_of("a"), 20, StopBy.SIGNAL)
    log_events.stopping("stopped by the supervisor", consumer_of("a", "b", "c"), 20, StopBy.SUPERVISOR)
    nothing, one, much = said()
    assert nothing.getMessage() == "SIGTERM: draining"
    assert one.getMessage() == f"SIGTERM: draining; waits for 1 running task; {FORCES}"
    text = (
        "stopped by the supervisor: draining; waits for 1 running task, 2 unstarted messages to be given back"
    )
    assert much.getMessage() == text
    assert (much.running, much.held) == (1, 3)


def test_a_stop_says_how_long_the_receive_under_way_may_take(said):
    polling = InFlight(Limits(1, 10, 60, 30.0), RetryPolicy())
    polling.worker_ready(1)
    polling.decide(0.0)
    log_events.stopping("SIGTERM", polling, 20, StopBy.GONE)
    (record,) = said()
    assert record.getMessage() == "SIGTERM: draining; waits for the receive under way (up to 20 s)"


def test_the_end_says_what_is_left_and_the_exit_code(said):
    """Messages that are not given back come again later; a number, not an enum, for programs."""
    log_events.stopped(consumer_of(), ExitCode.OK)
    log_events.stopped(consumer_of("a"), ExitCode.CONFIG)
    clean, left = said()
    assert (clean.getMessage(), clean.exit) == ("stopped", 0)
    assert (left.getMessage(), left.exit) == ("stopped; 1 message left to the visibility timeout", 78)
    assert type(left.exit) is int


WORKER = SimpleNamespace(slot=2, pid=77)


@pytest.mark.parametrize(
    ("phase", "status", "busy", "level"),
    [
        (Phase.RUNNING, 0, False, logging.WARNING),
        (Phase.RUNNING, 3, True, logging.WARNING),
        (Phase.RUNNING, None, False, logging.WARNING),
        (Phase.DRAINING, 0, False, None),
        (Phase.DRAINING, 0, True, None),
        (Phase.DRAINING, -signal.SIGTERM, False, None),
        (Phase.DRAINING, 3, True, logging.WARNING),
        (Phase.FORCED, -signal.SIGKILL, True, logging.INFO),
        (Phase.FORCED, -signal.SIGKILL, False, None),
    ],
)
def test_the_end_of_a_worker_is_told_where_it_is_news(said, phase, status, busy, level):
    """At the end all of them leave; and who forces a stop knows that they are killed."""
    log_events.worker_ended(WORKER, "ended", status, busy, phase)
    records = said()
    assert [record.levelno for record in records] == ([] if level is None else [level])
    assert all((record.action, record.pid) == ("worker_exited", 77) for record in records)


@pytest.mark.parametrize(
    ("phase", "status", "hint"),
    [
        (Phase.RUNNING, -signal.SIGKILL, True),
        (Phase.RUNNING, -signal.SIGSEGV, False),
        (Phase.RUNNING, 9, False),
        (Phase.FORCED, -signal.SIGKILL, False),
    ],
)
def test_a_kill_that_was_not_ours_may_be_for_want_of_memory(said, phase, status, hint):
    log_events.worker_ended(WORKER, "ended", status, True, phase)
    (record,) = said()
    assert ("out of memory" in record.getMessage()) is hint
    assert getattr(record, "signal", None) == (signal.Signals(-status).name if status < 0 else None)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "exited with 0"),
        (3, "exited with 3"),
        (-9, "was killed by SIGKILL"),
        (-35, "was killed by signal 35"),
    ],
)
def test_how_a_process_ended_in_words(status, text):
    assert log_events.how_it_ended(status) == text


def test_a_state_line_has_what_runs_and_what_is_held(said):
    """For who sends SIGUSR1 to a consumer that seems to do nothing."""
    log_events.state(consumer_of("a", "b"), 1, 4, [(1, 2.34)])
    log_events.state(consumer_of(), 0, 4, [])
    busy, idle = said()
    assert busy.getMessage() == "running; running: worker 1 for 2.3 s"
    assert (busy.action, busy.workers, busy.held, busy.buffered) == ("state", "1/4", 2, 1)
    assert idle.getMessage() == "running; running: nothing"
    assert not hasattr(idle, "trouble")


def test_who_follows_jobs_sees_starts_and_good_ends(said):
    """A failure has a line of its own."""
    log_events.handed([message()], 2)
    log_events.done(JobResult(1, JobEnd.DONE, 1.5), message())
    started, done = said()
    assert (started.action, started.getMessage()) == ("job_started", "shop.mail starts in worker 2")
    assert (done.action, done.getMessage()) == ("job_done", "shop.mail is done after 1.50 s")
    assert started.message_id == done.message_id == "m1"


def test_a_fault_of_ours_comes_with_its_traceback(said):
    """It is a bug, and this is what a report of it needs."""
    error = OSError("no space")
    log_events.action_failed(Receive(SimpleNamespace(number=1)), error)
    (record,) = said()
    assert (record.levelno, record.action) == (logging.ERROR, "internal_error")
    assert record.getMessage() == "receive failed: OSError: no space"
    assert record.exc_info[1] is error


def test_the_end_of_the_fork_server_is_told_also_where_nobody_knows_how(said):
    """A supervisor's is somebody else's child."""
    log_events.zygote_died(-signal.SIGKILL)
    log_events.zygote_died(None)
    assert [record.getMessage().partition(":")[0] for record in said()] == [
        "the process that forks workers was killed by SIGKILL",
        "the process that forks workers ended",
    ]


def test_a_replacement_that_waits_says_how_long(said):
    log_events.replacing(1, 0.0)
    log_events.replacing(1, 2.5)
    assert [record.getMessage() for record in said()] == [
        "worker 1 is replaced",
        "worker 1 is replaced in 2.5 s",
    ]
