"""When a consumer reports how it is, and what. Time passes as a test says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from squids.delivery import Delivery
from squids.pool import reporting
from squids.pool.actions import Hand, Receive
from squids.pool.inflight import InFlight
from squids.pool.reporting import MAX_RUNNING, TIMES_KEPT, Reporter, figures, quantiles
from squids.pool.settings import Limits
from squids.process.figures import ConsumerFigures
from squids.retry import RetryPolicy


class Timer:
    def __init__(self, at: float, call) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def monotonic(self) -> float:
        return self.now

    def call_at(self, at, call) -> Timer:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    @property
    def waiting(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def until(self, end: float) -> None:
        """Timers run at their times."""
        while due := [timer for timer in self.waiting if timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            timer.call()
        self.now = end


class Listener:
    """Notes when it hears what."""

    def __init__(self, loop: Loop, listens: bool = True, alive_every: float = 5.0) -> None:
        self._loop = loop
        self.listens = listens
        self.alive_every = alive_every
        self.heard: list[tuple[float, int | str]] = []

    def figures(self, values: ConsumerFigures) -> None:
        self.heard.append((round(self._loop.now - 100.0, 1), values.done))

    def alive(self) -> None:
        self.heard.append((round(self._loop.now - 100.0, 1), "alive"))


class Scene:
    """A reporter, its listener, and the consumer whose figures it reports."""

    def __init__(self, loop: Loop, **listener) -> None:
        self.loop = loop
        self.values = ConsumerFigures()
        self.advances = True
        self.listener = Listener(loop, **listener)
        self.asked = 0
        self.reporter = Reporter(self.listener, self.figures, lambda now: self.advances, loop)

    def figures(self) -> ConsumerFigures:
        self.asked += 1
        return self.values

    def done(self, count: int) -> None:
        self.values = replace(self.values, done=count)

    @property
    def heard(self) -> list[tuple[float, int | str]]:
        return self.listener.heard


@pytest.fixture
def loop(monkeypatch) -> Loop:
    clock = Loop()
    monkeypatch.setattr(reporting, "time", clock)
    return clock


def test_figures_go_out_each_second_while_something_happens(loop):
    """At most: a consumer of short tasks changes thousands of times a second."""
    scene = Scene(loop)
    scene.reporter.start()
    for step in range(1, 31):
        loop.until(100.0 + step / 10)
        scene.done(step)
        scene.reporter.nudge()
    loop.until(104.0)
    assert [at for at, _ in scene.heard] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert scene.heard[-1] == (4.0, 30)


def test_signs_of_life_go_out_when_nothing_happens(loop):
    scene = Scene(loop)
    scene.reporter.start()
    loop.until(116.0)
    assert scene.heard == [(0.0, 0), (5.0, "alive"), (10.0, "alive"), (15.0, "alive")]


def test_they_are_as_frequent_as_the_listener_needs(loop):
    """A watchdog may be shorter than five seconds."""
    scene = Scene(loop, alive_every=2.0)
    scene.reporter.start()
    loop.until(106.5)
    assert [what for _, what in scene.heard] == [0, "alive", "alive", "alive"]


def test_a_consumer_whose_receives_stand_still_says_nothing(loop):
    """Its silence is what has it restarted, also while tasks still end."""
    scene = Scene(loop)
    scene.reporter.start()
    scene.advances = False
    scene.done(1)
    loop.until(160.0)
    assert scene.heard == [(0.0, 0)]
    scene.advances = True
    loop.until(166.0)
    assert scene.heard[1][1] == 1


def test_a_consumer_whose_receives_stand_still_looks_once_a_second(loop):
    """Until somebody kills it: it must not burn a core meanwhile."""
    scene = Scene(loop)
    scene.reporter.start()
    scene.advances = False
    loop.until(110.0)
    before = scene.asked
    loop.until(130.0)
    assert scene.asked - before <= 20


def test_what_happens_after_a_quiet_time_is_told_at_once(loop):
    """And not only with the next sign of life."""
    scene = Scene(loop)
    scene.reporter.start()
    loop.until(103.0)
    scene.done(1)
    scene.reporter.nudge()
    loop.until(103.1)
    assert scene.heard[1:] == [(3.0, 1)]


def test_what_happens_just_after_a_sign_of_life_waits_for_its_second(loop):
    scene = Scene(loop)
    scene.reporter.start()
    loop.until(105.2)
    scene.done(1)
    scene.reporter.nudge()
    loop.until(106.5)
    assert scene.heard[1:] == [(5.0, "alive"), (6.0, 1)]


def test_nobody_listens_and_nothing_is_worked_out(loop):
    scene = Scene(loop, listens=False)
    scene.reporter.start()
    scene.reporter.nudge()
    assert loop.waiting == []
    assert scene.heard == []


def test_after_its_end_nothing_is_left_in_the_loop(loop):
    scene = Scene(loop)
    scene.reporter.start()
    loop.until(103.0)
    scene.reporter.stop()
    scene.reporter.nudge()
    assert loop.waiting == []


def test_only_the_last_times_count(loop):
    """What was slow an hour ago says nothing about now."""
    times = Scene(loop).reporter.times
    times.extend([9.0] * TIMES_KEPT + [0.1] * TIMES_KEPT)
    assert quantiles(times) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("times", "answer"),
    [
        ([], (None, None)),
        ([2.0], (2.0, 2.0)),
        ([3.0, 1.0, 2.0], (2.0, 3.0)),
        ([float(number) for number in range(100, 0, -1)], (51.0, 96.0)),
    ],
)
def test_the_median_and_the_95th_percentile(times, answer):
    assert quantiles(deque(times)) == answer


@dataclass
class Worker:
    """A worker as its consumer sees it."""

    child: int
    job: tuple[int, float] | None = None

    @property
    def slot(self) -> int:
        return self.child

    @property
    def pid(self) -> int | None:
        return 1000 + self.child if self.child % 2 else None

    def started_job(self) -> tuple[int, float] | None:
        return self.job


def running(count: int, busy: int) -> tuple[InFlight, SimpleNamespace]:
    """A consumer with so many workers, of which so many run a job."""
    core = InFlight(Limits(count, 2 * count, 60, 30.0), RetryPolicy())
    workers = {child: Worker(child) for child in range(1, count + 1)}
    for child in workers:
        core.worker_ready(child)
    names = iter(range(busy))
    while core.running < busy:
        for action in core.decide(0.0):
            if isinstance(action, Hand):
                workers[action.worker].job = (action.messages[0].number, 7.0)
            elif isinstance(action, Receive):
                new = [name for _, name in zip(range(action.poll.count), names, strict=False)]
                messages = [Delivery(f"m{name}", "r", '{"task": "shop.mail"}') for name in new]
                core.received(action.poll.number, messages, 0.1, 0.0)
    return core, SimpleNamespace(handles=workers.values(), wanted=count, ready={1})


def test_each_job_that_runs_is_listed_with_its_worker():
    core, workers = running(4, busy=1)
    core.done = 5
    values = figures(core, workers, deque([1.0]))
    (job,) = values.running
    assert (job.task, job.message_id, job.started) == ("shop.mail", "m0", 7.0)
    assert job.pid == (1000 + job.worker if job.worker % 2 else None)
    assert (values.workers, values.ready, values.busy, values.held, values.done) == (4, 1, 1, 1, 5)
    assert (values.p50, values.p95) == (1.0, 1.0)
    assert values.pids == (1001, 1003), "a worker that has not started yet has no pid"


def test_of_many_jobs_the_first_are_listed_and_all_are_counted():
    """A report has a size that does not grow with the workers."""
    core, workers = running(MAX_RUNNING + 5, busy=MAX_RUNNING + 5)
    values = figures(core, workers, deque())
    assert len(values.running) == MAX_RUNNING
    assert values.busy == MAX_RUNNING + 5


def test_a_job_that_is_reported_already_is_not_listed():
    """Its worker says that it has ended, and is yet to take the mark off the page."""
    core, workers = running(1, busy=1)
    (worker,) = workers.handles
    worker.job = (999, 7.0)
    assert figures(core, workers, deque()).running == ()
