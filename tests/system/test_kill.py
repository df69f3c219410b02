"""Whatever is killed, no message is lost, nothing is orphaned, and nobody waits for ever."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.processes import call
from tests.support.waiting import wait_until
from tests.support.zygotes import alive


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


def start_waiting(process, strict_sqs, names, release):
    """Have a task run for each name, until the file `release` is there."""
    for name in names:
        strict_sqs.put("tests", call("wait_for", name, str(release)))
    wait_until(lambda: set(process.journal.words("start")) >= set(names), what="the tasks started")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_costs_one_attempt_of_one_message(
    strict_sqs, queue, squids_process, tmp_path, number
):
    """A worker that is killed is replaced, its message runs again, and its neighbour's is not touched."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2", "--retry-delay", "0").ready()
    start_waiting(process, strict_sqs, ["a", "b"], tmp_path / "go")
    victim = next(int(line[-1]) for line in process.journal.lines() if line[1] == "a")
    os.kill(victim, number)
    (line,) = process.wait_for("worker_died")
    assert "task=shop.wait_for" in line
    assert "message_id=" in line
    assert signal.Signals(number).name in line
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, what="all is deleted")
    assert sorted(process.journal.words("done")) == ["a", "b"]
    assert process.journal.words("start").count("b") == 1
    wait_until(lambda: len(process.named("worker")) == 2, what="the worker is replaced")
    assert process.stop() == 0
    process.nothing_left()


def test_a_worker_that_exits_in_a_task_is_replaced(strict_sqs, queue, squids_process):
    """os._exit in a task is that message's failure, and the next message runs."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    strict_sqs.put("tests", call("die", "x", 3))
    strict_sqs.put("tests", call("work", "after"))
    wait_until(lambda: process.journal.words("done") == ["after"])
    assert "exited with 3" in process.wait_for("worker_died")[0]
    process.stop()
    process.nothing_left()


def test_what_a_task_started_dies_with_its_worker(strict_sqs, queue, squids_process, tmp_path):
    """When a worker dies, the subprocesses of its task are killed too."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "1").ready()
    strict_sqs.put("tests", call("spawn_and_wait", "x", str(tmp_path / "never")))
    wait_until(lambda: process.journal.words("start"))
    child = int(process.journal.words("child")[0])
    os.kill(process.journal.pids("start")[0], signal.SIGKILL)
    wait_until(lambda: not alive(child), what="the task's own child is gone")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_main_killed_leaves_workers_half_of_the_visibility(
    strict_sqs, queue, squids_process, tmp_path, number
):
    """After main's death a worker may finish within half of the visibility, and is killed then, with all it
    started; the message comes back."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--visibility-timeout", "4").ready()
    strict_sqs.put("tests", call("spawn_and_wait", "endless", str(tmp_path / "never")))
    strict_sqs.put("tests", call("wait_for", "quick", str(tmp_path / "go")))
    wait_until(lambda: len(process.journal.words("start")) == 2)
    child = int(process.journal.words("child")[0])
    process.signal(number)
    process.process.wait()
    (tmp_path / "go").touch()
    wait_until(lambda: process.journal.words("done") == ["quick"], what="the quick one may finish")
    process.nothing_left()
    assert not alive(child)
    wait_until(lambda: len(queue.visible()) == 2, what="both come back, for nobody deleted them")


def test_the_zygote_killed_drains_and_exits_1(strict_sqs, queue, squids_process, tmp_path):
    """Without the process that forks, what runs may end, and the consumer leaves with 1."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    start_waiting(process, strict_sqs, ["a", "b"], tmp_path / "go")
    (zygote,) = process.named("zygote")
    os.kill(zygote, signal.SIGKILL)
    process.wait_for("zygote_died")
    (tmp_path / "go").touch()
    assert process.wait() == 1
    assert sorted(process.journal.words("done")) == ["a", "b"]
    assert not queue.messages
    process.nothing_left()


@pytest.mark.slow
def test_workers_that_only_die_slow_down_and_end_the_consumer(strict_sqs, queue, squids_process):
    """Workers that die again and again, with nothing finished in between, end the consumer with 1."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2", "--retry-delay", "0").ready()
    for number in range(12):
        strict_sqs.put("tests", call("die", str(number)))
    assert process.wait(120) == 1
    assert "giving up" in process.actions("gave_up")[0]
    assert len(queue.messages) == 12
    assert any(" in 0." in line or " in 1." in line for line in process.actions("worker_restarted"))
    process.nothing_left()


def test_a_worker_killed_while_idle_is_replaced(strict_sqs, queue, squids_process):
    """A worker needs no task to be replaced."""
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2").ready()
    (first, second) = process.workers(2)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(process.named("worker")) == 2 and first not in process.named("worker"))
    assert second in process.named("worker")
    assert not process.actions("worker_died"), "no message was lost, so none is reported"
    assert process.stop() == 0


def test_a_worker_killed_at_any_moment_leaves_nobody_waiting(strict_sqs, queue, squids_process):
    """Workers killed in the middle of thousands of hand-overs cost nothing but runs twice."""
    process = squids_process(strict_sqs.endpoint_url)
    process.start("--workers", "2", "--retry-delay", "0", "--prefetch", "20").ready()
    names = {str(number) for number in range(600)}
    for name in names:
        strict_sqs.put("tests", call("work", name))
    killed = 0
    while killed < 6:
        before = len(process.journal.lines())
        wait_until(lambda before=before: len(process.journal.lines()) > before or not queue.messages)
        workers = process.named("worker")
        if workers:
            try:
                os.kill(workers[0], signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        if not queue.messages:
            break
    wait_until(lambda: not queue.messages, seconds=60, what="all is done all the same")
    assert set(process.journal.words("done")) == names
    assert process.stop() == 0
    process.nothing_left()
