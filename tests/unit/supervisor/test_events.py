"""The supervisor's events: each kind has its sentence, and each change of a program's state is one."""

from __future__ import annotations

import inspect

import pytest

from squids.process.stops import StopBy
from squids.supervisor import events
from squids.supervisor.events import Event, EventKind
from squids.supervisor.program.events import ProgramState

MAKERS = {
    "started": events.started("squids.yaml", 2),
    "stopping": events.stopping("SIGTERM", 1, StopBy.SIGNAL),
    "forcing": events.forcing("SIGTERM"),
    "gave_up": events.gave_up("all programs are FATAL"),
    "warning": events.warning("odd"),
    "internal_error": events.internal_error("the rollout", TypeError("no\n more")),
    "verb": events.verb("stop", ["emails"], {"timeout": 5}, 0),
    "state": events.state("emails", "running: receiving", pid=7),
    "no_control_socket": events.no_control_socket("read-only"),
    "output_trouble": events.output_trouble("disk full"),
    "died": events.died("emails", "exit 1", 2.0, 3),
    "handed_over": events.handed_over("emails", "did not start"),
    "debugger_gone": events.debugger_gone("emails"),
    "degraded": events.degraded("emails", "no such queue"),
    "garbage": events.garbage("emails", ValueError("not JSON")),
    "imported": events.imported("shop:app"),
    "import_failed": events.import_failed("importing shop:app failed\nTraceback"),
    "import_failed_as_before": events.import_failed_as_before(events.import_failed("no\nTraceback")),
    "not_forkable": events.not_forkable("shop:app", "2 threads"),
    "output_lost": events.output_lost("emails/1", "too many open files"),
    "fork_server_hangs": events.fork_server_hangs("shop:app", "does not answer"),
    "fork_server_broken": events.fork_server_broken("shop:app", "sent an invalid frame"),
    "fork_server_died": events.fork_server_died("shop:app", "exit 1"),
    "code_changed": events.code_changed("shop.py", "shop:app"),
    "stale": events.stale("SyntaxError in shop.py:1"),
    "reload": events.reload("+ emails"),
    "reload_failed": events.reload_failed("squids.yaml:1:1: no"),
    "rolled_out": events.rolled_out("emails", "running", ok=False),
    "watch_trouble": events.watch_trouble("limit reached"),
    "local_sqs": events.local_sqs("http://127.0.0.1:1"),
    "local_sqs_died": events.local_sqs_died("exit 1"),
}


def test_each_kind_of_event_has_its_sentence():
    """A kind that nothing makes is dead; a maker that this test does not know is not tested."""
    makers = {
        name
        for name, value in vars(events).items()
        if inspect.isfunction(value) and value.__module__ == events.__name__ and not name.startswith("_")
    }
    assert set(MAKERS) == makers - {"state_changed"}
    others = {events.handed_over("emails", None).kind, events.degraded("emails", None).kind}
    kinds = {event.kind for event in MAKERS.values()} | others | set(events.KIND_OF_STATE.values())
    assert kinds == set(EventKind)


@pytest.mark.parametrize("event", MAKERS.values(), ids=MAKERS)
def test_an_event_is_one_line(event: Event):
    """What has more lines is in its traceback."""
    assert event.text
    assert "\n" not in event.text


@pytest.mark.parametrize("state", ProgramState)
def test_a_change_of_state_says_the_last_line_of_its_reason(state: ProgramState):
    """An exception's last line is its message. A retry is announced where there is one."""
    event = events.state_changed("emails", state, "Traceback\nValueError: no", 2.0)
    assert event.kind.value == state.value
    assert event.text.startswith(f"{state.value}: ValueError: no")
    assert ("again in 2.0 s" in event.text) == (state is ProgramState.BACKOFF)
    assert events.state_changed("emails", state, "started", None).text == state.value


def test_the_same_failure_again_is_said_without_its_traceback():
    """An app that is saved again and again with the same mistake."""
    failed = events.import_failed("importing shop:app failed\nTraceback\nValueError")
    again = events.import_failed_as_before(failed)
    assert failed.traceback == "Traceback\nValueError"
    assert (again.text, again.traceback) == ("importing shop:app failed, as before", "")


def test_what_is_still_draining_is_no_error():
    assert events.rolled_out("emails", "is still draining", ok=False, still_draining=True).level == "WARNING"
    assert events.rolled_out("emails", "exit 1", ok=False).level == "ERROR"
    assert events.rolled_out("emails", "running", ok=True).level == "INFO"
