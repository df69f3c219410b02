"""A debugger works in the foreground of a terminal, and says where, if it is called elsewhere."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.support.processes import APP, call
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

SQUIDS = [sys.executable, "-m", "squids", "--queue", "tests", "--app", "shop.app", "--polling-wait-time", "1"]

BREAKS = (
    APP
    + """
@app.task("tests")
def stops(name):
    answer = 40 + len(name)
    note("start", name)
    breakpoint()
    note("done", name, answer)

@app.task("tests")
def traces(name):
    import pdb
    pdb.set_trace()
    note("done", name)
"""
)


def test_pdb_works_without_workers_and_its_message_is_kept_meanwhile(strict_sqs, squids_process, terminal):
    """Longer than its visibility: it is delivered to no one else, and deleted when its task is done."""
    queue = strict_sqs.create("tests", visibility=1)
    process = squids_process(strict_sqs.endpoint_url, app=BREAKS)
    message = strict_sqs.put("tests", call("stops", "ab"))
    window = terminal(process, *SQUIDS, "--workers", "0", "--visibility-timeout", "1")
    window.until(r"\(Pdb\) ")
    window.types("p answer\n")
    window.until("42")
    strict_sqs.wait_until(
        lambda: len(strict_sqs.happened("ChangeMessageVisibility", message.message_id)) >= 4
    )
    assert message.receive_count == 1
    window.types("continue\n")
    wait_until(lambda: not queue.messages, what=lambda: f"it is deleted:\n{window.text}")
    assert process.journal.words("done") == ["ab"]
    window.types("\x03")
    assert window.status() == 0
    process.nothing_left()


@pytest.mark.parametrize("leave", ["quit\n", "\x03"], ids=["quit", "Ctrl-C"])
def test_to_leave_the_debugger_gives_the_message_back_and_ends(strict_sqs, squids_process, terminal, leave):
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, app=BREAKS)
    strict_sqs.put("tests", call("stops", "ab"))
    window = terminal(process, *SQUIDS, "--workers", "0")
    window.until(r"\(Pdb\) ")
    window.types(leave)
    assert window.status() == 0, window.text
    assert len(queue.visible()) == 1, "at once, and it does not count as failed"
    assert process.journal.words("done") == []
    assert "task_failed" not in window.text


def test_without_workers_a_first_signal_lets_a_task_end_and_a_second_interrupts_it(
    strict_sqs, squids_process, tmp_path
):
    queue = strict_sqs.create("tests")
    for name, second in (("a", False), ("b", True)):
        process = squids_process(strict_sqs.endpoint_url).start("--workers", "0").ready()
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / name)))
        wait_until(lambda process=process, name=name: name in process.journal.words("start"))
        process.signal(signal.SIGINT)
        process.wait_for("stopping")
        if second:
            process.insist()
        else:
            (tmp_path / name).touch()
        assert process.wait() == 0
        assert len(queue.visible()) == second, process.text
        process.nothing_left()


def test_without_workers_the_shutdown_timeout_holds(strict_sqs, squids_process, tmp_path):
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "0", "--shutdown-timeout", "0.3").ready()
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "never")))
    wait_until(lambda: process.journal.words("start"))
    assert process.stop() == 0
    assert len(queue.visible()) == 1, process.text


@pytest.mark.parametrize(
    ("task", "error"), [("stops", "RuntimeError: breakpoint()"), ("traces", "bdb.BdbQuit")]
)
def test_in_a_worker_a_debugger_is_a_failure_that_says_where_it_works(
    strict_sqs, squids_process, task, error
):
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, app=BREAKS).start("--workers", "1").ready()
    strict_sqs.put("tests", call(task, "a"))
    (line,) = process.wait_for("task_failed")
    assert f"task failed: {error}: this process has no terminal for a debugger" in line
    assert "squids-supervisor debug" in line
    assert process.stop() == 0


def test_debug_pauses_the_queue_of_a_running_supervisor_and_resumes_it(strict_sqs, supervisor, terminal):
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=BREAKS)
    process.write({"tests": {"environment": {"COLOUR": "blue"}}}).up()
    window = terminal(process, *COMMAND, "-c", str(process.file), "debug", "tests")
    window.until("tests: paused")
    window.until("action=ready")
    strict_sqs.put("tests", call("stops", "ab"))
    window.until(r"\(Pdb\) ")
    window.types("os.environ['COLOUR']\n")
    window.until("'blue'")
    assert process.status()["tests"]["wanted"] == "paused"
    window.types("c\n")
    wait_until(lambda: not queue.messages, what=lambda: f"it is deleted:\n{window.text}")
    window.types("\x03")
    window.until("tests: receiving")
    assert window.status() == 0
    strict_sqs.put("tests", call("work", "b"))
    wait_until(lambda: "b" in process.journal.words("done"), what="a worker runs it")
    assert process.stop() == 0


def at_a_breakpoint(strict_sqs, supervisor, terminal):
    """The queue, its supervisor, and a `debug` of it whose task is at its breakpoint."""
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=BREAKS).write({"tests": {}}).up()
    window = terminal(process, *COMMAND, "-c", str(process.file), "debug", "tests")
    window.until("action=ready")
    strict_sqs.put("tests", call("stops", "ab"))
    window.until(r"\(Pdb\) ")
    return queue, process, window


def test_debug_ends_and_resumes_on_sigterm(strict_sqs, supervisor, terminal):
    """Sent to the command alone, as by a process manager."""
    queue, process, window = at_a_breakpoint(strict_sqs, supervisor, terminal)
    os.kill(window.pid, signal.SIGTERM)
    window.until("tests: receiving")
    assert window.status() == 0
    (line,) = process.wait_for("task_failed")
    assert "breakpoint()" in line, "it is back with the workers"
    assert process.stop() == 0
    assert len(queue.messages) == 1


def test_a_debugger_that_is_killed_leaves_no_pause_and_no_process_behind(strict_sqs, supervisor, terminal):
    """Its connection to the supervisor ends with it. The task that it was in is tried again by a worker."""
    queue, process, window = at_a_breakpoint(strict_sqs, supervisor, terminal)
    os.kill(window.pid, signal.SIGKILL)
    (line,) = process.wait_for("debugger_gone")
    assert "tests" in line
    wait_until(lambda: process.status()["tests"]["state"] == "running", what=lambda: process.text)
    (line,) = process.wait_for("task_failed")
    assert "breakpoint()" in line, "it is back with the workers"
    wait_until(lambda: not any("debug" in title for title in process.processes().values()))
    assert process.stop() == 0
    assert len(queue.messages) == 1


def test_what_an_operator_resumes_meanwhile_is_left_alone(strict_sqs, supervisor, terminal):
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=BREAKS).write({"tests": {}}).up()
    window = terminal(process, *COMMAND, "-c", str(process.file), "debug", "tests")
    window.until("action=ready")
    assert process.verb("resume", "tests").returncode == 0
    os.kill(window.pid, signal.SIGKILL)
    wait_until(lambda: not any("debug" in title for title in process.processes().values()))
    assert process.stop() == 0
    assert not process.actions("debugger_gone")


def test_debug_needs_no_supervisor(strict_sqs, supervisor, terminal):
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=BREAKS).write({"tests": {}})
    window = terminal(process, *COMMAND, "-c", str(process.file), "debug", "tests")
    window.until("no consumer is paused")
    window.until("action=ready")
    window.types("\x03")
    assert window.status() == 0


@pytest.mark.slow
def test_debug_works_beside_dev(supervisor, terminal):
    """It finds the local SQS as `send` does."""
    process = supervisor("http://127.0.0.1:9", app=BREAKS)
    process.file.write_text("app: shop:app\nqueues: {tests: {}}\n")
    process.launch("--dev")
    wait_until(lambda: process.verb("wait", "--timeout", "30").returncode == 0, seconds=60)
    window = terminal(process, *COMMAND, "-c", str(process.file), "debug", "tests")
    window.until("tests: paused")
    window.until("action=ready")
    assert process.verb("send", "stops", '{"name": "ab"}').returncode == 0
    window.until(r"\(Pdb\) ")
    window.types("c\n")
    wait_until(lambda: process.journal.words("done") == ["ab"], what=lambda: window.text)
    window.types("\x03")
    window.until("tests: receiving")
    assert window.status() == 0
    assert process.stop() == 0
