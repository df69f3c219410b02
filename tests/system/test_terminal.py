"""What is started in a terminal ends when the terminal is closed, unless it was told to outlive it."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from tests.support.processes import MARKER, call
from tests.support.supervisors import COMMAND
from tests.support.terminals import Terminal
from tests.support.waiting import wait_until

SQUIDS = [sys.executable, "-m", "squids", "--queue", "tests", "--app", "shop.app", "--workers", "1"]


@pytest.fixture
def terminal():
    """Open one, and a process in it."""
    opened = []

    def start(process, *command):
        environment = {**process.environment, MARKER: process._marker}
        opened.append(Terminal(command, process.directory, environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # The test has seen its end.


def until_said(window, pattern):
    return wait_until(lambda: re.search(pattern, window.text), what=lambda: f"{pattern} in:\n{window.text}")


def status_of(window):
    """The exit status, once it has ended."""
    ended = {}

    def over():
        pid, status = os.waitpid(window.pid, os.WNOHANG)
        ended[pid] = status
        return pid

    wait_until(over, seconds=40, what="it has ended")
    return os.waitstatus_to_exitcode(ended[window.pid])


@pytest.mark.slow
def test_dev_ends_with_its_terminal_and_the_next_one_starts(supervisor, terminal):
    """With its local SQS and all it started: nothing holds the lock."""
    process = supervisor("http://127.0.0.1:9")
    process.file.write_text("app: shop:app\nqueues: {tests: {}}\n")
    window = terminal(process, *COMMAND, "-c", str(process.file), "--dev")
    assert process_is_up(process)
    assert len(process.processes()) >= 5, "supervisor, local SQS, fork server, consumer, worker"
    window.close()
    assert status_of(window) == 0
    process.nothing_left()
    process.launch("--dev")
    assert process_is_up(process), "it was not told that another one runs"
    assert process.stop() == 0


def process_is_up(process):
    return wait_until(lambda: process.verb("wait", "--timeout", "30").returncode == 0, seconds=60)


def test_squids_drains_when_its_terminal_is_closed(strict_sqs, squids_process, terminal, tmp_path):
    """What runs may end, and is deleted."""
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url)
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    window = terminal(process, *SQUIDS)
    wait_until(lambda: process.journal.words("start") == ["a"])
    window.close()
    os.kill(window.pid, signal.SIGHUP)  # A shell says so, too, and it is no second signal.
    (tmp_path / "go").touch()
    assert status_of(window) == 0
    assert process.journal.words("done") == ["a"]
    assert not queue.messages
    process.nothing_left()


def test_local_ends_with_its_terminal(supervisor, terminal):
    process = supervisor("http://127.0.0.1:9").write({"tests": {}})
    window = terminal(process, *COMMAND, "-c", str(process.file), "local")
    until_said(window, "queues: tests")
    window.close()
    assert status_of(window) == 0
    process.nothing_left()


def test_under_nohup_it_outlives_its_terminal(strict_sqs, supervisor, terminal):
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}})
    window = terminal(process, "nohup", *COMMAND, "-c", str(process.file))
    assert process_is_up(process)
    window.close()
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: not queue.messages, what="it goes on")
    os.kill(window.pid, signal.SIGTERM)
    assert status_of(window) == 0
    process.nothing_left()
