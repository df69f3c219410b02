"""When a fork server counts as one that hangs."""

from __future__ import annotations

import pytest

from squids.pool.server_watch import ServerWatch
from squids.process.zygote_handle import FORK_SECONDS, REPORT_SECONDS


class Loop:
    """A loop whose time passes when it is told to."""

    def __init__(self):
        self.now = 100.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, at, call):
        self.timers.append((at, call))

    def later(self, seconds):
        """Timers run at their times."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            timer = min(due, key=lambda timer: timer[0])
            self.timers.remove(timer)
            self.now = max(self.now, timer[0])
            timer[1]()
        self.now = end

    def stopped(self, seconds):
        """Time passes, and no timer runs."""
        self.now += seconds


class Process:
    descriptor = None
    ended = False


class Worker:
    def __init__(self):
        self.slot = 1
        self.process = None

    @property
    def ended(self):
        return self.process is not None and self.process.ended


class Pool:
    def __init__(self):
        self.workers = []
        self.killed = []
        self.reasons = []

    def has(self, worker):
        return worker in self.workers

    def kill(self, worker):
        self.killed.append(worker)

    def fork_server_hangs(self, reason):
        self.reasons.append(reason)

    def ends(self, worker):
        raise AssertionError("there is no pidfd here")


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
def watch(pool, loop):
    return ServerWatch(pool, loop)


@pytest.fixture
def worker(pool):
    pool.workers.append(Worker())
    return pool.workers[0]


def test_a_worker_that_does_not_come_says_that_the_fork_server_hangs(watch, loop, pool, worker):
    """One that was asked for is there, or refused, in time."""
    watch.asked(worker)
    loop.later(FORK_SECONDS - 0.1)
    assert not pool.reasons
    loop.later(0.2)
    assert pool.reasons == ["did not start worker 1"]


def test_a_worker_that_came_or_was_refused_says_nothing(watch, loop, pool, worker):
    """What was answered is not waited for."""
    watch.asked(worker)
    refused = Worker()
    watch.asked(refused)
    worker.process = Process()
    loop.later(FORK_SECONDS + 1)
    assert not pool.reasons


def test_the_end_of_a_dead_worker_is_reported_in_time_or_never(watch, loop, pool, worker):
    """The process is dead, and nobody says so."""
    worker.process = Process()
    worker.process.ended = True
    watch.ends(worker)
    loop.later(REPORT_SECONDS - 0.1)
    assert not pool.reasons
    loop.later(0.2)
    assert pool.reasons == ["did not report the end of worker 1"]
    assert not pool.killed


def test_an_end_that_is_reported_says_nothing(watch, loop, pool, worker):
    """The usual case."""
    watch.ends(worker)
    pool.workers.clear()
    loop.later(REPORT_SECONDS + 1)
    assert not pool.reasons


def test_a_worker_that_lives_without_its_socket_is_killed_first(watch, loop, pool, worker):
    """A task may have closed it. The fork server is to blame only if the kill is not reported either."""
    worker.process = Process()
    watch.ends(worker)
    loop.later(REPORT_SECONDS + 0.1)
    assert pool.killed == [worker]
    assert not pool.reasons
    loop.later(REPORT_SECONDS)
    assert pool.reasons == ["did not report the end of worker 1"]


def test_nobody_is_blamed_for_what_this_process_slept_through(watch, loop, pool, worker):
    """A container that was frozen, fork server and all: each has its whole time anew."""
    watch.asked(worker)
    loop.stopped(3600)
    loop.later(FORK_SECONDS - 0.1)
    assert not pool.reasons
    loop.later(0.2)
    assert pool.reasons
