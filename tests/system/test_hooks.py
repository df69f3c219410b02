"""The life of processes as an application's hooks see it."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.processes import APP, call
from tests.support.saving import save
from tests.support.waiting import wait_until

HOOKED = (
    APP
    + """
import contextlib

def wait_for_file(name):
    while not os.path.exists(name):
        time.sleep(0.005)

def maybe_fail(name):
    if os.path.exists("fail-" + name):
        raise LookupError(f"no {name} today")

@app.consumer_start
def open_main():
    note("life", "consumer_start")
    maybe_fail("consumer")
    wait_for_file("go-start")

@app.consumer_stop
def close_main():
    note("life", "consumer_stop")
    wait_for_file("go-stop")

@app.worker_start
def open_worker():
    note("life", "worker_start")
    maybe_fail("worker")

@app.worker_stop
def close_worker():
    note("life", "worker_stop")
    if os.path.exists("hang-worker"):
        time.sleep(600)

@app.worker_stop
def close_first():
    note("life", "worker_stop_registered_later")

@app.around_task
@contextlib.contextmanager
def around(job):
    note("life", "enter")
    try:
        yield
    finally:
        note("life", "exit")

@app.on_success
def succeeded(job):
    note("life", "success")

@app.on_failure
def failed(job, error):
    note("life", "failure:" + type(error).__name__)
"""
)


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


@pytest.fixture
def hooked(strict_sqs, queue, squids_process):
    """A consumer whose hooks wait for nothing, unless a test takes their files away."""
    process = squids_process(strict_sqs.endpoint_url, app=HOOKED)
    for name in ("go-start", "go-stop"):
        (process.directory / name).touch()
    return process


def life(process):
    return process.journal.words("life")


def test_the_life_of_a_consumer_and_its_worker_in_order(strict_sqs, queue, hooked):
    """Nothing is received before `consumer_start` has returned; at `consumer_stop` all is settled, and no worker is left."""
    (hooked.directory / "go-start").unlink()
    (hooked.directory / "go-stop").unlink()
    strict_sqs.put("tests", call("work", "a"))
    hooked.start("--workers", "1")
    wait_until(lambda: life(hooked) == ["consumer_start"], what=lambda: hooked.text)
    assert strict_sqs.asked("ReceiveMessage") == []
    (hooked.directory / "go-start").touch()
    wait_until(lambda: not queue.messages, what=lambda: hooked.text)
    hooked.signal(signal.SIGTERM)
    wait_until(lambda: "consumer_stop" in life(hooked), what=lambda: hooked.text)
    assert hooked.named("worker") == []
    (hooked.directory / "go-stop").touch()
    assert hooked.wait() == 0
    at_work = ["enter", "exit", "success"]
    ends = ["worker_stop_registered_later", "worker_stop", "consumer_stop"]
    assert life(hooked) == ["consumer_start", "worker_start", *at_work, *ends]
    main, worker, *_, last = hooked.journal.pids("life")
    assert main == last == hooked.pid != worker


def test_a_failure_is_seen_in_the_worker_and_a_killed_one_sees_nothing(strict_sqs, queue, hooked):
    """The real exception is there; SIGKILL leaves no time for any hook."""
    hooked.start("--workers", "1").ready()
    strict_sqs.put("tests", call("fail", "a"))
    hooked.wait_for("task_failed")
    strict_sqs.put("tests", call("die", "b", status=-9))
    hooked.wait_for("worker_died")
    assert hooked.stop() == 0
    words: dict[str, list[str]] = {}
    for _, word, pid in (line for line in hooked.journal.lines() if line[0] == "life"):
        words.setdefault(pid, []).append(word)
    first, second = (seen for seen in words.values() if seen[0] == "worker_start")
    assert first == ["worker_start", "enter", "exit", "failure:ValueError", "enter"]
    assert second == ["worker_start", "worker_stop_registered_later", "worker_stop"]


@pytest.mark.parametrize(
    ("error", "code"), [("LookupError('no database')", 1), ("squids.ConfigurationError('no URL')", 78)]
)
def test_a_consumer_whose_start_hook_raises_exits_and_receives_nothing(
    strict_sqs, queue, squids_process, error, code
):
    """With a traceback, unless the configuration is at fault; no process of it is left."""
    app = APP + f"\n@app.consumer_start\ndef connect():\n    raise {error}\n"
    process = squids_process(strict_sqs.endpoint_url, app=app).start()
    assert process.wait() == code
    (line,) = process.actions("start_hook_failed")
    assert "a consumer_start hook raised, so the consumer cannot start" in line
    assert ("in connect" in process.text) == (code == 1)
    assert strict_sqs.asked("ReceiveMessage") == []
    process.nothing_left()


def test_a_worker_whose_start_hook_raises_is_replaced_and_its_message_is_not_touched(
    strict_sqs, queue, hooked
):
    """It says why, with the hook's traceback; once the hook succeeds, work is done."""
    (hooked.directory / "fail-worker").touch()
    message = strict_sqs.put("tests", call("work", "a"))
    hooked.start("--workers", "1")
    lines = hooked.wait_for("start_hook_failed", 2)
    assert "a worker_start hook raised, so the worker cannot start: LookupError: no worker today" in lines[0]
    assert "in maybe_fail" in hooked.text
    assert message.receive_count == 0
    assert "worker_stop" not in life(hooked)
    (hooked.directory / "fail-worker").unlink()
    wait_until(lambda: not queue.messages, what=lambda: hooked.text)
    assert hooked.stop() == 0


def test_a_worker_whose_start_hook_exits_has_failed_too_and_is_replaced_later_and_later(
    strict_sqs, queue, squids_process
):
    """Not in a hot loop, and a stop ends it."""
    app = APP + "\n@app.worker_start\ndef connect():\n    sys.exit(0)\n"
    process = squids_process(strict_sqs.endpoint_url, app=app).start("--workers", "2")
    wait_until(
        lambda: [line for line in process.actions("worker_restarted") if "is replaced in" in line],
        what=lambda: process.text,
    )
    assert "so the worker cannot start: SystemExit: 0" in process.text
    assert process.stop() == 0
    assert strict_sqs.asked("ReceiveMessage") == []


def test_a_stop_hook_of_a_worker_that_hangs_is_killed_in_time(strict_sqs, queue, hooked):
    """The shutdown timeout is for hooks, too."""
    (hooked.directory / "hang-worker").touch()
    hooked.start("--workers", "1", "--shutdown-timeout", "3").ready()
    assert hooked.stop() == 0
    assert "killing worker 1: still exiting after" in hooked.actions("killing")[0]
    assert life(hooked)[-2:] == ["worker_stop", "consumer_stop"]
    hooked.nothing_left()


def test_a_second_stop_does_not_wait_for_the_stop_hooks_of_workers(strict_sqs, queue, hooked):
    (hooked.directory / "hang-worker").touch()
    hooked.start("--workers", "1", "--shutdown-timeout", "600").ready()
    hooked.signal(signal.SIGTERM)
    wait_until(lambda: "worker_stop" in life(hooked), what=lambda: hooked.text)
    hooked.insist()
    assert hooked.wait() == 0
    hooked.nothing_left()


def test_signals_do_not_cut_a_consumers_stop_hook_short_unless_they_insist(strict_sqs, queue, hooked):
    """The first is taken for the stop that is under way, as a process manager may send one more; the second counts."""
    (hooked.directory / "go-stop").unlink()
    hooked.start("--workers", "1").ready()
    hooked.signal(signal.SIGTERM)
    wait_until(lambda: "consumer_stop" in life(hooked), what=lambda: hooked.text)
    hooked.signal(signal.SIGUSR1)
    hooked.signal(signal.SIGTERM)
    wait_until(lambda: "consumer_stop hooks are running" in hooked.text, what=lambda: hooked.text)
    assert hooked.process.poll() is None
    hooked.signal(signal.SIGINT)
    assert hooked.wait() == 0
    hooked.nothing_left()


def test_under_a_supervisor_workers_stop_when_they_are_too_many_and_a_consumer_that_cannot_start_is_backing_off(
    strict_sqs, queue, supervisor
):
    """Scaled down, a worker's hooks run while the consumer goes on; a restart meets a hook that raises."""
    process = supervisor(strict_sqs.endpoint_url, app=HOOKED)
    for name in ("go-start", "go-stop"):
        (process.directory / name).touch()
    quick = {"backoff": {"first": "100ms", "max": "200ms"}}
    process.write({"tests": {"workers": 2}}, defaults=quick).up()
    wait_until(lambda: life(process).count("worker_start") == 2, what=lambda: process.text)
    assert process.verb("scale", "tests=1").returncode == 0
    wait_until(lambda: "worker_stop" in life(process), what=lambda: process.text)
    assert process.state("tests") == "running"
    (process.directory / "fail-consumer").touch()
    os.kill(process.pid_of("tests"), signal.SIGKILL)
    process.until_state("tests", "backoff")
    process.wait_for("start_hook_failed")
    assert "in maybe_fail" in process.text
    (process.directory / "fail-consumer").unlink()
    process.until_state("tests", "running")
    assert process.stop() == 0
    assert life(process)[-1] == "consumer_stop"
    process.nothing_left()


@pytest.mark.parametrize("how", ["a rolling restart", "a reload of the file", "a save"])
def test_a_process_that_is_replaced_runs_its_stop_hooks_once_and_the_new_one_its_own(
    strict_sqs, queue, supervisor, how
):
    """With a task that is still running then: its worker's hooks run after it."""
    process = supervisor(strict_sqs.endpoint_url, app=HOOKED)
    for name in ("go-start", "go-stop"):
        (process.directory / name).touch()
    process.write({"tests": {}}, reload=how == "a save").up()
    strict_sqs.put("tests", call("wait_for", "a", str(process.directory / "go")))
    wait_until(lambda: process.journal.words("start") == ["a"], what=lambda: process.text)
    main = process.pid_of("tests")
    (worker,) = set(process.journal.pids("start"))
    match how:
        case "a rolling restart":
            process.verb("restart", "--rolling", "--no-wait")
        case "a reload of the file":
            process.write({"tests": {"environment": {"COLOUR": "blue"}}})
            process.verb("reload", "--no-wait")
        case "a save":
            save(process.directory / "shop.py", HOOKED + "\n# new\n")
    wait_until(lambda: life(process).count("worker_start") == 2, what=lambda: process.text)
    (process.directory / "go").touch()
    wait_until(lambda: "consumer_stop" in life(process), what=lambda: process.text)
    assert process.stop() == 0
    begins = ["consumer_start", "worker_start"]
    ends = ["worker_stop_registered_later", "worker_stop", "consumer_stop"]
    for pids in ({main, worker}, set(process.journal.pids("life")) - {main, worker}):
        words = [line[1] for line in process.journal.lines() if line[0] == "life" and int(line[-1]) in pids]
        assert [word for word in words if word in begins] == begins
        assert [word for word in words if word in ends] == ends
    assert process.journal.words("done") == ["a"]
    process.nothing_left()
