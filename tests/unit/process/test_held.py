"""A process that was reported, held by a pidfd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from squids.process.held import Held, Untrue, hold, is_child, kill_group, since_boot
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfds are Linux's")


@pytest.fixture
def child():
    process = subprocess.Popen(["sleep", "600"], process_group=0)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def held(child):
    """As if init were its fork server: this process is its parent all the same."""
    found = hold(child.pid, 1, os.getuid(), None)
    yield found
    found.close()


def test_a_child_is_held_and_its_end_is_seen(child, held):
    """Before it is reaped, and after."""
    assert held.descriptor is not None
    assert not held.ended
    assert held.signal(signal.SIGTERM)
    wait_until(lambda: held.ended)
    assert is_child(child.pid), "dead, and not reaped"
    child.wait()
    assert held.ended
    assert not held.signal(signal.SIGTERM)
    assert not is_child(child.pid)


def test_the_group_is_signalled_with_it():
    """What a task started dies with its worker."""
    script = "sleep 600 & echo $!; wait"
    leader = subprocess.Popen(["sh", "-c", script], process_group=0, stdout=subprocess.PIPE, text=True)
    other = int(leader.stdout.readline())
    held = hold(leader.pid, 1, os.getuid(), None)
    held.signal_group(signal.SIGKILL)
    held.close()
    assert leader.wait() == -signal.SIGKILL
    assert leader.stdout.read() == "", "the other has closed its end, too"
    leader.stdout.close()
    assert other


def test_a_pid_that_is_not_what_it_should_be_is_untrue(child):
    """Whoever reported it has erred, or lies."""
    with pytest.raises(Untrue, match="no child can have it"):
        hold(os.getpid(), 1, os.getuid(), None)
    with pytest.raises(Untrue, match="no child can have it"):
        hold(1, 1, os.getuid(), None)
    with pytest.raises(
        Untrue, match=r"not a descendant|not a child|no child can have it"
    ):  # The last: in a container.
        hold(os.getppid(), child.pid, os.getuid(), None)
    with pytest.raises(Untrue, match="runs as uid"):
        hold(child.pid, 1, os.getuid() + 1, None)
    with pytest.raises(Untrue, match="older"):
        hold(child.pid, 1, os.getuid(), since_boot() + 3600)


def test_who_is_dead_already_has_ended(child):
    """It was reaped before anybody could look: nothing is signalled then."""
    child.kill()
    child.wait()
    held = hold(child.pid, 1, os.getuid(), None)
    assert held.ended
    assert not held.signal(0)


def test_without_a_pidfd_only_children_are_signalled(child):
    """A number alone may be anybody's."""
    assert Held(child.pid, None).signal(0)
    assert not Held(os.getppid(), None).signal(0)
    kill_group(os.getppid(), signal.SIGKILL)  # No child of this process: nothing happens.
    kill_group(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert Held(child.pid, None).ended
