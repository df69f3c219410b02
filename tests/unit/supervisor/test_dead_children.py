"""Dead children of the supervisor whose fork server died: reaped by pid, with the rest of their groups killed.

Each test is a process of its own, for it waits for all children of its process.
"""

from __future__ import annotations

import subprocess
import sys

import squids.supervisor.dead_children

BEGIN = f"""
import os, signal, sys, time
from types import SimpleNamespace
from {squids.supervisor.dead_children.__name__} import DeadChildren

class StubForkServers:
    def __init__(self): self.mine, self.heard = set(), []
    def pids(self): return self.mine
    def hear(self, generation): self.heard.append(generation)
    def reap(self, pid):
        if pid in self.mine:
            os.waitpid(pid, 0)
        return pid in self.mine

def consumer(pid, worker_pids=()):
    generation = SimpleNamespace(uid=os.getuid())
    return SimpleNamespace(
        pid=pid, worker_pids=worker_pids, process=object(), asked=True, generation=generation)

def child(code=0, helper=False):
    "A child that leads a group, with a helper in it if asked; it exits when its input ends."
    read, write = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.close(write)
        helper_pid = os.fork() if helper else 1
        if helper_pid == 0:
            time.sleep(600)
        os.write(tell, str(helper_pid).encode())
        os.read(read, 1)
        os._exit(code)
    os.close(read)
    return pid, write, int(os.read(told, 20))

def ends(pid, write):
    "Let it exit, and wait until it is a zombie."
    os.close(write)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def is_alive(pid):
    try:
        with open(f"/proc/{{pid}}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

servers = StubForkServers()
consumers = {{}}
dead = DeadChildren(consumers, servers)
"""


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_consumer_is_reaped_with_its_exit_code_and_its_group_is_killed() -> None:
    """Its helper would otherwise outlive it, with nobody to answer for it."""
    run("""
pid, write, helper = child(code=3, helper=True)
consumers[1] = consumer(pid)
assert list(dead.reap()) == []
ends(pid, write)
assert list(dead.reap()) == [(consumers[1], 3)]
while is_alive(helper):
    time.sleep(0.01)
""")


def test_the_group_of_a_dead_worker_is_killed_too() -> None:
    run("""
main, keep, _ = child()
worker, write, helper = child(helper=True)
consumers[1] = consumer(main, (worker,))
ends(worker, write)
assert list(dead.reap()) == [], "a worker is no consumer"
while is_alive(helper):
    time.sleep(0.01)
assert is_alive(main)
""")


def test_a_stranger_is_reaped_and_what_it_started_is_left_alone() -> None:
    """What an app started with a session of its own, and what nobody knows."""
    run("""
pid, write, helper = child(helper=True)
ends(pid, write)
assert list(dead.reap()) == []
assert is_alive(helper)
try:
    os.waitpid(pid, os.WNOHANG)
except ChildProcessError:
    os.kill(helper, signal.SIGKILL)
else:
    sys.exit("it was not reaped")
""")


def test_a_fork_server_is_reaped_by_its_owner() -> None:
    run("""
pid, write, _ = child()
servers.mine.add(pid)
consumers[1] = consumer(pid)
ends(pid, write)
assert list(dead.reap()) == []
""")


def test_nothing_is_reaped_where_the_system_cannot_look_first() -> None:
    """macOS before Python 3.13: `reap` raised an AttributeError, so that no supervisor started."""
    run("""
pid, write, _ = child()
consumers[1] = consumer(pid)
ends(pid, write)
del os.waitid
assert list(dead.reap()) == []
""")


def test_a_consumer_whose_pid_is_not_read_yet_is_asked_for_first() -> None:
    """Else it would be taken for a stranger, and its exit code be lost."""
    run("""
pid, write, _ = child(code=4)
consumers[1] = consumer(None)
consumers[1].process = None
servers.hear = lambda generation: setattr(consumers[1], "pid", pid)
ends(pid, write)
assert list(dead.reap()) == [(consumers[1], 4)]
""")


def test_workers_are_killed_only_if_they_are_what_was_reported() -> None:
    """A consumer reports pids; a fork server's, or another consumer's, is none of its workers."""
    run("""
worker, _, _ = child()
server, _, _ = child()
other, _, _ = child()
servers.mine.add(server)
consumers[1] = consumer(None, (worker, server, other, 1))
consumers[2] = consumer(other)
dead.kill_workers(consumers[1])
assert os.waitpid(worker, 0)[1] == signal.SIGKILL
assert is_alive(server) and is_alive(other)
""")
