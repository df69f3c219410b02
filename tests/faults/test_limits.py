"""Limits of processes, descriptors and memory that are reached under a running supervisor, and clocks that jump."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.faults.test_pids import NOBODY, as_nobody, innocent
from tests.support.processes import APP, call
from tests.support.waiting import wait_until
from tests.support.zygotes import alive, end

__all__ = ["as_nobody", "innocent"]

SETTINGS = {
    "workers": 2,
    "retry_delay": 0,
    "visibility_timeout": 6,
    "backoff": {"first": "100ms", "max": "1s"},
}
NAMES = [f"m{number}" for number in range(6)]

INHERITED = resource.getrlimit(resource.RLIMIT_NPROC)[0]

APP_UNDER_FAKETIME = (
    APP
    + """
import select
time.sleep = lambda seconds: select.select([], [], [], seconds)  # libfaketime's clock_nanosleep fails at times.
"""
)

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def test_a_consumer_that_gets_no_thread_says_so_and_heals(as_nobody, strict_sqs):
    """RLIMIT_NPROC, as a `pids.max` that is reached for a moment: what was done is deleted once it can be."""
    process = as_nobody(APP + '\n@app.task("tests")\ndef nothing(): pass\n').up()
    queue = strict_sqs.named("tests")
    (main,) = process.mains("tests")
    allow_processes(main, "1")
    strict_sqs.put("tests", call("nothing"))
    text = wait_until(
        lambda: process.status()["tests"]["degraded"], what=lambda: f"it says so\n{process.text}"
    )
    assert "thread" in text
    allow_processes(main, "unlimited" if INHERITED == resource.RLIM_INFINITY else str(INHERITED))
    wait_until(lambda: not queue.messages, seconds=60, what=lambda: f"it is deleted\n{process.text}")
    process.until_state("tests", "running")
    assert process.mains("tests") == [main]
    assert process.stop() == 0
    assert "Traceback" not in process.text


def allow_processes(pid: int, number: str) -> None:
    """As its user: in a container root may not."""
    as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    subprocess.run([*as_user, "prlimit", f"--nproc={number}:", "--pid", str(pid)], check=True)


def tighten(pid: int, limit: int) -> None:
    """Leave next to nothing of it, to a process that runs."""
    if limit == resource.RLIMIT_AS:
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize() + 512 * 1024
    else:
        used = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, limit, (used, resource.prlimit(pid, limit)[1]))


@pytest.mark.parametrize("limit", [resource.RLIMIT_AS, resource.RLIMIT_NOFILE], ids=["memory", "descriptors"])
@pytest.mark.parametrize("who", ["supervisor", "fork server", "consumer"])
def test_a_limit_that_is_reached_for_a_moment_loses_nothing(strict_sqs, supervisor, tmp_path, limit, who):
    """Workers die meanwhile and are to be replaced; all is done once the limit is lifted."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": SETTINGS}).up()
    queue = strict_sqs.named("tests")
    (main,) = process.mains("tests")
    pid = {"supervisor": process.pid, "fork server": process.zygotes()[0], "consumer": main}[who]
    before = resource.prlimit(pid, limit)
    tighten(pid, limit)
    for name in NAMES:
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: len(process.journal.words("start")) >= 2, seconds=60, what=lambda: process.text)
    for worker in process.journal.pids("start"):
        end(worker)
    wait_until(  # Told by the consumer, if that survived its own limit.
        lambda: process.actions("worker_died") or (who == "consumer" and not alive(main)),
        what=lambda: f"it is told\n{process.text}",
    )
    try:
        resource.prlimit(pid, limit, before)
    except ProcessLookupError:
        pass  # It did not survive that, and another one has no such limit.
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, seconds=90, what=lambda: f"all is done\n{process.text[-4000:]}")
    assert set(process.journal.words("done")) == set(NAMES)
    process.until_state("tests", "running")
    assert process.stop() == 0
    process.nothing_left()


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (Debian's package faketime)")
@pytest.mark.parametrize("jump", ["+40d", "-40d", "+1h"])
def test_a_clock_that_jumps_kills_nobody_and_loses_nothing(strict_sqs, supervisor, tmp_path, jump):
    """Wall clocks of all processes jump while tasks run: heartbeats go on, what runs ends, nothing runs twice."""
    strict_sqs.create("tests")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    process = supervisor(
        strict_sqs.endpoint_url,
        APP_UNDER_FAKETIME,
        LD_PRELOAD=str(FAKETIME),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    process.write({"tests": SETTINGS}).up()
    (main,) = process.mains("tests")
    for name in NAMES:
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: len(process.journal.words("start")) == 2)
    clock.write_text(jump)
    beats = strict_sqs.calls["ChangeMessageVisibilityBatch"]
    strict_sqs.wait_until(lambda: strict_sqs.calls["ChangeMessageVisibilityBatch"] >= beats + 3)
    entry = process.status()["tests"]
    assert (entry["state"], entry["pid"]) == ("running", main)
    assert entry["uptime"] < 600
    (tmp_path / "go").touch()
    wait_until(lambda: not strict_sqs.named("tests").messages, what=lambda: f"all is done\n{process.text}")
    assert sorted(process.journal.words("start")) == NAMES, f"none ran twice\n{process.text}"
    assert process.mains("tests") == [main]
    assert process.stop() == 0
    process.nothing_left()
    assert "Traceback" not in process.text
