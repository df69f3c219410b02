"""A stop strands nothing: what runs ends, what has not started is visible at once."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


def poll_for(strict_sqs, queue, count):
    """Have the consumer wait in a long poll for so many messages: none held, and the poll not answered yet."""
    for number in range(15):
        strict_sqs.put(queue.name, call("work", f"warm{number}"), group=f"w{number}" if queue.fifo else None)

    def waits():
        at, poll = [(at, data) for at, action, data in strict_sqs.requests if action == "ReceiveMessage"][-1]
        unanswered = not queue.messages and at > strict_sqs.events[-1].at
        return unanswered and poll["MaxNumberOfMessages"] == count and poll["WaitTimeSeconds"] > 0

    strict_sqs.wait_until(waits)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_tasks_end_and_gives_the_rest_back(strict_sqs, queue, squids_process, tmp_path, number):
    """What runs ends and is deleted; what was buffered is visible at once and never ran."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--prefetch", "6").ready()
    go = tmp_path / "go"
    go.touch()
    for name in range(12):  # Short ones first, so that it learns to buffer.
        strict_sqs.put("tests", call("work", f"warm{name}", 0.02))
    wait_until(lambda: not queue.messages)
    go.unlink()
    for name in range(6):
        strict_sqs.put("tests", call("wait_for", f"m{name}", str(go)))
    wait_until(lambda: len(queue.in_flight()) > 1, what="some are buffered")
    wait_until(lambda: any(name.startswith("m") for name in process.journal.words("start")))
    process.signal(number)
    process.wait_for("stopping")
    wait_until(lambda: len(queue.visible()) == 5, seconds=10, what="the unstarted are visible at once")
    go.touch()
    assert process.wait() == 0
    assert len(queue.messages) == 5
    assert len([name for name in process.journal.words("start") if name.startswith("m")]) == 1
    assert all(message.receive_count <= 1 for message in queue.messages)
    process.nothing_left()


@pytest.mark.parametrize("queue_name", ["tests", "tests.fifo"])
def test_the_poll_under_way_at_the_stop_strands_nothing(strict_sqs, squids_process, queue_name):
    """Ten messages that a long poll brings after the stop was decided are all visible again at once."""
    queue = strict_sqs.create(queue_name)
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "10", "--prefetch", "10", "--polling-wait-time", "5", queue=queue_name).ready()
    poll_for(strict_sqs, queue, 10)
    answer = strict_sqs.hold("ReceiveMessage")
    with strict_sqs.together():
        for name in range(10):
            strict_sqs.put(queue_name, call("work", str(name)), group="g" if queue.fifo else None)
    strict_sqs.wait_until(lambda: strict_sqs.held["ReceiveMessage"] == 1)
    assert len(queue.in_flight()) == 10
    process.signal(signal.SIGTERM)
    process.wait_for("stopping")
    answer.set()
    assert process.wait() == 0
    assert len(queue.visible()) == 10
    assert "0" not in process.journal.words("start")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_signal_that_comes_at_the_very_end_changes_nothing(strict_sqs, queue, squids_process, workers):
    """It has drained: its exit code says so, and no traceback follows."""
    late = "\nimport atexit, signal\nmain = os.getpid()\n" + "".join(
        f"atexit.register(lambda: os.getpid() == main and signal.raise_signal(signal.{name}))\n"
        for name in ("SIGTERM", "SIGINT")
    )
    process = squids_process(strict_sqs.endpoint_url, app=APP + late).start("--workers", workers).ready()
    assert process.stop() == 0, process.text
    assert "Traceback" not in process.text


def test_a_second_signal_kills_and_gives_back(strict_sqs, queue, squids_process, tmp_path):
    """The second signal does not wait: what runs is killed, and is visible at once."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "2", "--polling-wait-time", "20").ready()
    )
    for name in ("a", "b"):
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "never")))
    wait_until(lambda: len(process.journal.words("start")) == 2)
    process.signal(signal.SIGTERM)
    process.wait_for("stopping")
    process.insist()
    assert process.wait(15) == 0
    assert len(queue.visible()) == 2
    process.nothing_left()


def test_a_stop_that_arrives_twice_is_one(strict_sqs, queue, squids_process, tmp_path):
    """The terminal's signal, and that of a wrapper: `npx concurrently`, foreman, `timeout`."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["a"])
    os.kill(process.pid, signal.SIGSTOP)  # It reads both at once, however slow this test is.
    for number in (signal.SIGINT, signal.SIGTERM):
        process.signal(number)
    os.kill(process.pid, signal.SIGCONT)
    process.wait_for("stopping")
    (tmp_path / "go").touch()
    assert process.wait() == 0
    assert process.journal.words("done") == ["a"]
    assert not process.actions("killing")
    assert not queue.messages


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_each_process_is_one_gentle_stop(strict_sqs, queue, squids_process, tmp_path, number):
    """`pkill squids`, tree-kill, Supervisor's killasgroup: workers leave it to their consumer."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    for name in ("a", "b"):
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: len(process.journal.words("start")) == 2)
    for pid in process.processes():
        os.kill(pid, number)
    process.wait_for("stopping")
    (tmp_path / "go").touch()
    assert process.wait() == 0
    assert sorted(process.journal.words("done")) == ["a", "b"]
    assert not queue.messages
    process.nothing_left()


def test_the_second_signal_recovers_a_cut_poll_on_fifo(strict_sqs, squids_process):
    """On FIFO queues, what a cut poll was given is fetched by its attempt id and given back."""
    queue = strict_sqs.create("tests.fifo")
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "5", "--prefetch", "5", "--polling-wait-time", "5", queue="tests.fifo").ready()
    poll_for(strict_sqs, queue, 5)
    with strict_sqs.together():
        for name in range(5):
            strict_sqs.put("tests.fifo", call("work", str(name)), group="g")
        answer = strict_sqs.hold("ReceiveMessage")
    strict_sqs.wait_until(lambda: strict_sqs.held["ReceiveMessage"] == 1)
    process.signal(signal.SIGTERM)
    process.wait_for("stopping")
    process.insist()
    # The one that recovers is answered; the one that was cut is not.
    strict_sqs.wait_until(lambda: strict_sqs.held["ReceiveMessage"] == 2)
    answer.set()
    assert process.wait(15) == 0
    attempts = [d["ReceiveRequestAttemptId"] for _, a, d in strict_sqs.requests if a == "ReceiveMessage"]
    assert attempts[-1] == attempts[-2]
    assert len(queue.visible()) == 5


def test_the_shutdown_timeout_ends_the_wait(strict_sqs, queue, squids_process, tmp_path):
    """A task that outlives the shutdown timeout is killed and given back, and the exit code is 0."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--shutdown-timeout", "0.5").ready()
    )
    strict_sqs.put("tests", call("wait_for", "long", str(tmp_path / "never")))
    wait_until(lambda: process.journal.words("start"))
    assert process.stop(15) == 0
    assert len(queue.visible()) == 1
    process.nothing_left()


def test_a_stop_waits_for_the_poll_and_says_so(strict_sqs, queue, squids_process):
    """The log says what a stop waits for."""
    process = (
        squids_process(strict_sqs.endpoint_url).start("--workers", "1", "--polling-wait-time", "2").ready()
    )
    strict_sqs.wait_until(lambda: strict_sqs.calls["ReceiveMessage"] >= 2)
    assert process.stop() == 0
    assert "the receive under way (up to 2 s)" in process.actions("stopping")[0]


def test_the_beats_go_on_while_it_drains(strict_sqs, squids_process, tmp_path):
    """A task that drains for longer than the visibility is not given to anybody else."""
    queue = strict_sqs.create("tests", visibility=1)
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "1", "--visibility-timeout", "1", "--polling-wait-time", "0").ready()
    message = strict_sqs.put("tests", call("wait_for", "long", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start"))
    process.signal(signal.SIGTERM)
    process.wait_for("stopping")
    beats = len(strict_sqs.happened("ChangeMessageVisibility", message.message_id))
    strict_sqs.wait_until(
        lambda: len(strict_sqs.happened("ChangeMessageVisibility", message.message_id)) >= beats + 4
    )
    assert len(queue.in_flight()) == 1
    (tmp_path / "go").touch()
    assert process.wait() == 0
    assert not queue.messages
    assert process.journal.words("start") == ["long"]


def test_ctrl_c_reaches_main_only(strict_sqs, queue, squids_process, tmp_path):
    """Ctrl-C in a terminal stops the main process; workers finish their tasks."""
    process = squids_process(strict_sqs.endpoint_url)
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "squids", "--queue", "tests", "--app", "shop.app", "--workers", "1"],
        cwd=process.directory,
        env=process.environment,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        preexec_fn=lambda: (os.setsid(), __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0)),
    )
    os.close(theirs)
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start"))
    os.write(ours, b"\x03")
    seen = b""
    while b"action=stopping" not in seen:
        seen += os.read(ours, 4096)
    (tmp_path / "go").touch()
    assert child.wait(30) == 0
    os.close(ours)
    assert process.journal.words("done") == ["a"]
    assert not queue.messages


def test_sigusr1_says_how_things_are(strict_sqs, queue, squids_process, tmp_path):
    """SIGUSR1 writes one line of state."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    strict_sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start"))
    process.signal(signal.SIGUSR1)
    (line,) = process.wait_for("state")
    assert "held=1" in line
    assert re.search(r"workers=[12]/2", line), "the second may still be starting"
    (tmp_path / "go").touch()
    assert process.stop() == 0


def test_as_pid_1_it_reaps_strangers_and_takes_signals(strict_sqs, queue, squids_process, tmp_path):
    """As PID 1 of a container it leaves no zombie of others, and SIGTERM drains it."""
    if os.geteuid() != 0:
        pytest.skip("making a PID namespace needs root")
    process = squids_process(strict_sqs.endpoint_url)
    child = subprocess.Popen(
        [
            "unshare",
            "--fork",
            "--pid",
            "--mount-proc",
            "--kill-child",
            sys.executable,
            "-m",
            "squids",
            "--queue",
            "tests",
            "--app",
            "shop.app",
            "--workers",
            "1",
        ],
        cwd=process.directory,
        env=process.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    (init,) = _children(child.pid)
    # A stranger: started in the namespace by somebody else, and left to PID 1.
    entered = ["nsenter", "--target", str(init), "--pid", "--mount", "sh", "-c", "(sleep 0.2 &)"]
    subprocess.run(entered, check=True)
    wait_until(lambda: not _zombies_of(init), what="no zombie is left to PID 1")
    os.kill(init, signal.SIGTERM)
    output, _ = child.communicate(timeout=30)
    assert child.returncode == 0, output
    assert "action=stopped" in output


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def _zombies_of(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    found.append(child)
        except OSError:
            continue
    return found
