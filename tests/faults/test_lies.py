"""What the code of an app, as another user, says over its fork server's socket to a supervisor of root."""

from __future__ import annotations

import os

import pytest

from tests.faults.test_pids import SOCKET_TO_THE_SUPERVISOR, as_nobody, innocent
from tests.support.processes import APP
from tests.support.waiting import wait_until

__all__ = ["as_nobody", "innocent"]

SAYING = (
    APP
    + SOCKET_TO_THE_SUPERVISOR
    + """
import socket

def say():
    owner = socket_to_the_supervisor()
    if os.fork() == 0:
        owner.setblocking(True)
        read, write = os.pipe()
        ours, theirs = socket.socketpair()
        try:
            while True:
                time.sleep(0.002)  # The pace: what is said fills no socket.
                socket.send_fds(owner, [encode({frame!r})], [read, ours.fileno()])
        finally:
            os._exit(0)

say()
"""
)


@pytest.mark.parametrize(
    "frame",
    [
        ["output", "supervisor", None, 4242],
        ["output", "other", None, 4242],
        ["output", "tests\n", 1, 4242],
        ["output", "tests/1", None, 4242],
        ["output", "tests", "1", 4242],
        ["alive"],
        ["preload_failed", False, 5, 7],
        ["preloaded", "", {"imported_at": "x", "files": 5, "tasks": 7}],
    ],
    ids=str,
)
def test_a_fork_server_that_says_what_is_not_its_own_is_killed(as_nobody, frame):
    """Lines of others, wrong types, descriptors with nothing: it is named, and the verbs answer."""
    process = as_nobody(SAYING.replace("{frame!r}", repr(frame)))
    process.start()
    process.wait_for("zygote_broken")
    assert process.verb("status").returncode in (0, 3)
    assert "Traceback" not in process.text
    assert process.stop() == 0
    process.nothing_left()


def test_outputs_of_a_fork_server_are_bounded(as_nobody):
    """Its own names, thousands of times: the supervisor keeps its descriptors for others."""
    process = as_nobody(SAYING.replace("{frame!r}", repr(["output", "tests", 1, 4242])))
    process.start()
    process.wait_for("output_lost")
    assert process.verb("status").returncode in (0, 3)
    assert len(os.listdir(f"/proc/{process.pid}/fd")) < 200
    wait_until(lambda: process.verb("status").returncode == 0, what=lambda: process.text[-2000:])
    assert process.stop() == 0
    process.nothing_left()
    assert "Traceback" not in process.text
