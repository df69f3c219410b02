"""Each process of a supervisor, and each signal that it may get, while tasks run and others wait.

Whatever is hit: every message is done in the end, the rest goes on, the stop ends with 0, and nothing is left.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import call
from tests.support.supervisors import SupervisorProcess
from tests.support.waiting import wait_until

NAMES = [f"m{number}" for number in range(6)]
CRASHES = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

SETTINGS = {
    "workers": 2,
    "retry_delay": 0,
    "visibility_timeout": 8,
    "heartbeat_timeout": 10,
    "backoff": {"first": "100ms", "max": "1s"},
}


def victim_of(process: SupervisorProcess, who: str) -> int:
    match who:
        case "worker":
            return int(process.journal.lines()[0][-1])
        case "consumer":
            return process.mains("tests")[0]
        case "fork server":
            return process.zygotes()[0]
        case _:
            return process.pid


@pytest.fixture
def busy(strict_sqs, supervisor, tmp_path):
    """A supervisor whose two workers run a task each, with four more messages, and the file that lets all end."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": SETTINGS}).up()
    go = tmp_path / "go"
    for name in NAMES:
        strict_sqs.put("tests", call("wait_for", name, str(go)))
    wait_until(lambda: len(process.journal.words("start")) >= 2, what="two run")
    return process, go


def all_done(process: SupervisorProcess, sqs: Any) -> None:
    wait_until(
        lambda: not sqs.named("tests").messages,
        seconds=90,
        what=lambda: f"all is done\n{process.text[-4000:]}",
    )
    assert set(process.journal.words("done")) == set(NAMES)


def ends(process: SupervisorProcess) -> None:
    assert process.stop() == 0, process.text[-4000:]
    process.nothing_left()
    assert "Traceback" not in process.text


@pytest.mark.parametrize("number", [*CRASHES, *REQUESTS], ids=lambda number: number.name)
@pytest.mark.parametrize("who", ["worker", "consumer", "fork server"])
def test_a_signal_to_a_child_loses_nothing_and_heals(strict_sqs, busy, who, number):
    process, go = busy
    os.kill(victim_of(process, who), number)
    go.touch()
    all_done(process, strict_sqs)
    process.until_state("tests", "running")
    ends(process)


@pytest.mark.parametrize("who", ["worker", "consumer", "fork server"])
def test_a_child_that_is_stopped_for_a_moment_goes_on(strict_sqs, busy, who):
    """SIGSTOP, then SIGCONT: nothing is killed, and no message runs twice."""
    process, go = busy
    victim = victim_of(process, who)
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: stopped(victim))
    os.kill(victim, signal.SIGCONT)
    go.touch()
    all_done(process, strict_sqs)
    assert sorted(process.journal.words("start")) == NAMES
    ends(process)


def test_a_consumer_that_is_stopped_is_replaced(strict_sqs, busy):
    process, go = busy
    victim = victim_of(process, "consumer")
    os.kill(victim, signal.SIGSTOP)
    go.touch()
    wait_until(lambda: process.mains("tests") not in ([], [victim]), seconds=60, what="another one is there")
    all_done(process, strict_sqs)
    assert process.why("tests")["deaths"][-1]["pid"] == victim
    ends(process)


def test_a_stop_ends_though_a_worker_is_stopped(strict_sqs, supervisor, tmp_path):
    """Its message goes back to the queue when its time is over."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url)
    process.write({"tests": {**SETTINGS, "workers": 1, "shutdown_timeout": 1}}).up()
    strict_sqs.put("tests", call("wait_for", "m0", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["m0"])
    os.kill(victim_of(process, "worker"), signal.SIGSTOP)
    ends(process)
    wait_until(lambda: len(strict_sqs.named("tests").visible()) == 1, what="its message is there for others")


def test_a_stop_ends_though_the_fork_server_is_stopped(strict_sqs, busy):
    process, go = busy
    os.kill(victim_of(process, "fork server"), signal.SIGSTOP)
    go.touch()
    process.signal(signal.SIGTERM)
    assert process.wait(60) == 0, process.text[-4000:]
    process.nothing_left()
    left = {json.loads(message.body)["args"][0] for message in strict_sqs.named("tests").messages}
    assert left | set(process.journal.words("done")) == set(NAMES)


def test_a_supervisor_that_is_stopped_for_a_moment_kills_nobody(strict_sqs, busy):
    """Its consumers go on meanwhile, and their silence is its own fault."""
    process, go = busy
    (main,) = process.mains("tests")
    os.kill(process.pid, signal.SIGSTOP)
    go.touch()
    all_done(process, strict_sqs)
    os.kill(process.pid, signal.SIGCONT)
    process.until_state("tests", "running")
    assert process.mains("tests") == [main]
    assert sorted(process.journal.words("start")) == NAMES
    ends(process)


@pytest.mark.parametrize("number", CRASHES, ids=lambda number: number.name)
def test_a_supervisor_that_dies_leaves_nothing_behind_and_loses_nothing(strict_sqs, busy, number):
    """Its children end by themselves; the next one does the rest."""
    process, go = busy
    os.kill(process.pid, number)
    process.wait()
    go.touch()
    process.nothing_left(30)
    process.up()
    all_done(process, strict_sqs)
    ends(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_supervisor_that_is_told_to_end_lets_tasks_end(strict_sqs, busy, number):
    """What runs is done, once; the rest is given back."""
    process, go = busy
    process.signal(number)
    process.wait_for("stopping")
    go.touch()
    assert process.wait() == 0
    process.nothing_left()
    left = {json.loads(message.body)["args"][0] for message in strict_sqs.named("tests").visible()}
    done = process.journal.words("done")
    assert sorted([*left, *done]) == NAMES


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2], ids=lambda number: number.name
)
def test_what_a_supervisor_is_asked_for_disturbs_nothing(strict_sqs, busy, number):
    process, go = busy
    (main,) = process.mains("tests")
    process.signal(number)
    go.touch()
    all_done(process, strict_sqs)
    assert process.mains("tests") == [main]
    assert sorted(process.journal.words("start")) == NAMES
    ends(process)


FAULTS = ("500", "503", "throttle", "cut", "cut_after", "garbage", "expired", "empty", "null", "odd")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_answer_to_any_call_heals(strict_sqs, supervisor, kind, tmp_path):
    """Three of each of the three calls of a consumer: all is done, and it says that it is well again."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {**SETTINGS, "visibility_timeout": 4}}).up()
    strict_sqs.fail(kind, action="ReceiveMessage", times=3)
    strict_sqs.wait_until(lambda: not strict_sqs.faults.left, seconds=90)
    for action in ("DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
        strict_sqs.fail(kind, action=action, times=3)
    go = tmp_path / "go"
    for name in NAMES:
        strict_sqs.put("tests", call("wait_for", name, str(go)))
    strict_sqs.wait_until(lambda: strict_sqs.faults.left <= 3, seconds=90)
    go.touch()
    all_done(process, strict_sqs)
    process.until_state("tests", "running")
    ends(process)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
