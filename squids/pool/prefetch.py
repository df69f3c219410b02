"""Decides how many messages to request from SQS, when, and how many to hand to a worker at once. Pure.

The prefetch is an upper bound for held messages and those that receives in progress may bring. The target
depends on how long tasks take:

- Long tasks (a receive takes less than a hundredth of one): nothing is buffered. A message is requested when
  a worker is free for it, so that other machines get what this one cannot run.
- Medium tasks: as many are buffered as workers finish during a receive, so that none waits for the network,
  plus as many as they finish in `HORIZON`, so that a receive brings several.
- Short tasks (under `SHORT`): workers are faster than any receive, and the cost per message dominates: calls,
  wake-ups and frames. So a receive is started when it can be full, and a worker is handed several messages at
  a time. If that takes too long (a task turned out long), it requests as many as there is room for.

Task times are learned from jobs. Until then, one message per idle worker is requested.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from squids.sqs_limits import MAX_BATCH

SHORT = 0.001
"""Seconds. A shorter task costs less than handing it over."""

HAND_OVER = 0.002
"""Seconds of work that a worker is handed at once, if tasks are short."""

HORIZON = 0.1
"""Seconds of work requested beyond what hides a receive.

More saves calls, and holds messages that other machines could run.
"""

NEGLIGIBLE = 0.01
"""Fraction of a task's time that a worker may wait for a receive before buffering pays off."""

SAFETY = 1.5
"""Factor for the learned receive time, as the next receive may be slower."""

SAMPLES_FOR_SHORT = 10
"""Observed tasks before they can count as short."""


class TaskTimes:
    """How long tasks take, in seconds: the mean, and the recent worst."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self.worst = 0.0
        self.seen = 0

    def observe(self, seconds: float) -> None:
        self.seen += 1
        self.mean = seconds if self.mean is None else self.mean + (seconds - self.mean) * 0.1
        # A long task is remembered for about three hundred short ones.
        self.worst = max(seconds, self.worst * 0.99)

    @property
    def short(self) -> bool:
        return self.seen >= SAMPLES_FOR_SHORT and self.worst < SHORT


class CallTime:
    """How long a call takes when SQS has an answer, in seconds.

    The wait of a long poll for messages does not count, so this is the shortest of the last few calls.
    """

    def __init__(self, initial: float = 0.02) -> None:
        self._last: deque[float] = deque([initial], maxlen=8)

    def observe(self, seconds: float) -> None:
        self._last.append(seconds)

    @property
    def seconds(self) -> float:
        return min(self._last)


@dataclass(frozen=True, slots=True)
class View:
    """The current counts. `held`: messages that are not settled; `ready`: those that may start."""

    held: int
    ready: int
    running: int
    idle_workers: int
    expected: int
    polls: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Receive up to this many messages now."""

    count: int


@dataclass(frozen=True, slots=True)
class AskLater:
    """Nothing now; decide again at this time, if nothing happens before."""

    at: float


class Prefetch:
    """The prefetch, and what is known about times."""

    def __init__(self, workers: int, max_held: int) -> None:
        if workers < 1 or max_held < 1:
            raise ValueError("workers and max_held must be 1 or more")
        self.workers = workers
        self.max_held = max_held
        self.tasks = TaskTimes()
        self.receives = CallTime()
        self.settles = CallTime(0.005)
        self.deep = False
        self._starved_since: float | None = None

    def resize(self, workers: int, max_held: int) -> None:
        self.workers = workers
        self.max_held = max_held

    @property
    def most_polls(self) -> int:
        """Maximum concurrent receives: more than one only if there is room for two full ones."""
        return max(1, self.max_held // MAX_BATCH)

    def received(self, asked: int, got: int, seconds: float) -> None:
        if got:
            self.receives.observe(seconds)
        self.deep = got >= asked

    def decide(self, now: float, view: View) -> Ask | AskLater | None:
        """Decide whether to start one more receive."""
        free = self.max_held - view.held - view.expected
        if (
            free < 1
            or view.polls >= self.most_polls
            or (view.polls and not (self.deep and free >= MAX_BATCH))
        ):
            return None
        if self.tasks.short:
            return self._full_or_patient(now, view, free)
        self._starved_since = None
        wanted = self._wanted(view)
        return Ask(min(MAX_BATCH, free, wanted)) if wanted > 0 else None

    def chunk(self) -> int:
        """Return how many messages a worker is handed at once."""
        if not self.tasks.short or self.tasks.mean is None:
            return 1
        return max(1, min(MAX_BATCH, int(HAND_OVER / max(self.tasks.mean, 1e-6))))

    def _wanted(self, view: View) -> int:
        mean = self.tasks.mean
        if mean is None:
            return view.idle_workers - view.ready - view.expected
        receive = self.receives.seconds * SAFETY
        low = 0 if receive < mean * NEGLIGIBLE else math.ceil(self.workers * receive / max(mean, 1e-6))
        coming = view.ready + view.expected - view.idle_workers
        if coming >= low and coming >= 0:
            return 0
        high = max(low, int(self.workers * (receive + HORIZON) / max(mean, 1e-6))) if low else 0
        return high - coming

    def _full_or_patient(self, now: float, view: View, free: int) -> Ask | AskLater | None:
        if free >= min(MAX_BATCH, self.max_held):
            self._starved_since = None
            return Ask(min(MAX_BATCH, free))
        if not view.idle_workers or view.ready:
            self._starved_since = None
            return None
        if self._starved_since is None:
            self._starved_since = now
        patient_until = self._starved_since + min(0.05, HAND_OVER + 2 * self.settles.seconds)
        if now < patient_until:
            return AskLater(patient_until)
        self._starved_since = None
        return Ask(free)
