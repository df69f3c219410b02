"""The supervisor's view of a consumer process: its socket, and what it last reported."""

from __future__ import annotations

import time
from collections import deque

from squids.process.figures import ConsumerFigures, ImportFacts
from squids.process.held import Held
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Booted, Degraded, Figures, Frame
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor.generation import Generation
from squids.supervisor.history import LastLines
from squids.supervisor.settings import ProgramSettings

RATE_SECONDS = 10.0
"""The interval that `rate` covers."""


class ConsumerHandle:
    """A requested process. It has a channel once its fork server was asked for it."""

    def __init__(self, child: int, program: str, settings: ProgramSettings, generation: Generation) -> None:
        self.child = child
        self.program = program
        self.settings = settings
        self.generation = generation
        self.channel: LoopChannel | None = None
        self.asked = False
        self.asked_at: float | None = None
        """When its fork server was asked for it, in seconds since boot."""
        self.process: Held | None = None
        self.adopted = False
        """Its fork server is dead, so the supervisor is its parent."""
        self.kills = 0
        """How often its fork server was told to kill it."""
        self.figures: ConsumerFigures | None = None
        """None until the first report."""
        self.degraded: str | None = None
        self.booted = False
        """It imported what it needs, and its loop runs."""
        self.facts: ImportFacts | None = None
        """From its own import. None if its fork server imported the app."""
        self.lines = LastLines()
        self._done: deque[tuple[float, int]] = deque()

    def hear(self) -> list[Frame]:
        """Return the frames received since the last call; keep figures and degradation."""
        if self.channel is None:
            return []
        frames = self.channel.receive()
        for frame in frames:
            match frame:
                case Figures(values):
                    self.figures = values
                    self._count(values.done)
                case Booted(facts):
                    self.booted = True
                    self.facts = facts
                case Degraded(reason):
                    self.degraded = reason
        return frames

    @property
    def failure(self) -> str:
        """Why it could not start, as it said itself; "" if it did not."""
        return "" if self.booted else self.degraded or ""

    def send(self, frame: Frame) -> None:
        """Send a frame, if its fork server was asked for it."""
        if self.channel is not None:
            self.channel.send(frame)

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
        if self.process is not None:
            self.process.close()

    @property
    def fork_server(self) -> ZygoteHandle | None:
        """The fork server that forked it, as long as that is its parent."""
        return self.generation.handle if not self.adopted else None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """As the consumer reports them: verify each pid before acting on it."""
        return self.figures.pids if self.figures is not None else ()

    def rate(self) -> float:
        """Return the tasks done per second over the last ten seconds."""
        now = time.monotonic()
        while len(self._done) > 1 and now - self._done[0][0] > RATE_SECONDS:
            self._done.popleft()
        if len(self._done) < 2:
            return 0.0
        first, last = self._done[0], self._done[-1]
        return (last[1] - first[1]) / max(now - first[0], 1.0)

    def _count(self, done: int) -> None:
        self._done.append((time.monotonic(), done))
        while len(self._done) > 2 and self._done[-1][0] - self._done[1][0] > RATE_SECONDS:
            self._done.popleft()
