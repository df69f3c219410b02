"""Thousands of queues start, and limits that cannot hold them are told before."""

from __future__ import annotations

import os
import resource
import signal
import subprocess

import pytest

from tests.support.processes import call
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

UP: dict[str, dict[str, object]] = {"tests": {}}


@pytest.mark.parametrize(("preload", "queues", "consumers"), [(True, 2000, 2), (False, 2, 1000)])
def test_two_thousand_queues_and_a_thousand_consumers_start(
    strict_sqs, supervisor, preload, queues, consumers
):
    """And after a reload that adds more, a fork server that dies is started again."""
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url)
    defaults = {"preload": preload}
    idle = {
        f"a-queue-with-quite-a-long-name-number-{number}": {"autostart": False} for number in range(queues)
    }
    idle["many"] = {"consumers": consumers, "autostart": False}
    process.write({**idle, **UP}, defaults=defaults).up("tests")
    assert len(process.status()) == queues + consumers + 1
    more = {f"another-{number}": {"autostart": False} for number in range(queues)}
    process.write({**idle, **more, **UP}, defaults=defaults)
    assert process.verb("reload").returncode == 0
    assert len(process.status()) == queues + queues + consumers + 1
    before = process.pid_of("tests")
    (fork_server,) = process.zygotes()
    os.kill(fork_server, signal.SIGKILL)
    wait_until(
        lambda: (
            (entry := process.status()["tests"])["state"] == "running" and entry["pid"] not in (before, None)
        ),
        seconds=60,
        what="its queue has a consumer of another fork server",
    )
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: not queue.messages, what="it works")
    assert process.stop() == 0
    process.nothing_left()


def test_check_tells_of_limits_that_cannot_hold_the_file(strict_sqs, supervisor):
    """It is content with the file, and warns of the shell's limit."""
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {"consumers": 1000}})

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))

    done = subprocess.run(
        [*COMMAND, "-c", str(process.file), "check"],
        cwd=process.directory,
        env=process.environment,
        preexec_fn=few_descriptors,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1000 consumers need about 6040 file descriptors" in done.stderr
    assert "ulimit -Hn) allows 500" in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
