"""Answers for a client that waits for a job: the states of queues, what happens to jobs, lines of the log.

The first answer has the states; from then on no job is missed. Lines are for people: a client that reads
slowly misses some. It misses no typed answer: if it reads even them too slowly, it gets the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import ExitStack
from typing import Self

from squids.exit_codes import FAILED
from squids.process.log_lines import Line
from squids.queues import QueueRef
from squids.supervisor.control import answers
from squids.supervisor.control.answers import Answer
from squids.supervisor.control.status import state_of
from squids.supervisor.supervisor import Supervisor

MAX_LINES = 1000
"""Answers that may wait for the client before lines are left out."""

MAX_WAITING = 8 * 1024 * 1024
"""What typed answers may wait for the client, by `_weight`: some 50,000 jobs."""


class Following:
    """The answers for one client that follows the programs of these SQS queues, from `with` on.

    Those that a reload adds are among them. `queues`: names in SQS.
    """

    def __init__(self, supervisor: Supervisor, queues: Collection[str]) -> None:
        self._supervisor = supervisor
        self._queues = queues
        self._coming: asyncio.Queue[Answer] = asyncio.Queue()
        self._waiting = 0
        """The weight of the typed answers that wait."""
        self._told = self._states()
        self._stack = ExitStack()

    @property
    def found(self) -> bool:
        """Whether there is such a program."""
        return bool(self._told["states"])

    def __enter__(self) -> Self:
        supervisor = self._supervisor
        self._take(self._told)
        self._stack.enter_context(supervisor.consumers.job_log.following(self._follows, self._take_jobs))
        supervisor.output.followers.add(self._take_line)
        self._stack.callback(supervisor.output.followers.discard, self._take_line)
        watch = supervisor.background.start("the states that a client follows", self._watch_states())
        self._stack.callback(watch.cancel)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def next(self) -> Answer:
        """Wait for the next answer. Only a client that is too slow gets an end."""
        answer = await self._coming.get()
        if answer["type"] != "line":
            self._waiting -= _weight(answer)
        return answer

    def _take_line(self, line: Line) -> None:
        if self._coming.qsize() < MAX_LINES and self._follows(line.program):
            self._coming.put_nowait(answers.line(line))

    def _take_jobs(self, program: str, changes: list[list[str]]) -> None:
        self._take(answers.jobs(program, changes))

    def _take(self, answer: Answer) -> None:
        if self._waiting > MAX_WAITING:
            return  # The end is among those that wait.
        self._waiting += _weight(answer)
        if self._waiting > MAX_WAITING:
            answer = answers.end(FAILED, "this command reads too slowly what happens to jobs")
        self._coming.put_nowait(answer)

    async def _watch_states(self) -> None:
        while True:
            await self._supervisor.waiters.until(lambda: self._states() != self._told)
            self._told = self._states()
            self._take(self._told)

    def _follows(self, name: str | None) -> bool:
        program = self._supervisor.programs.get(name or "")
        return program is not None and QueueRef.parse(program.settings.queue).name in self._queues

    def _states(self) -> Answer:
        """The state of each program, and what it is to be."""
        supervisor = self._supervisor
        programs = {name: program for name, program in supervisor.programs.items() if self._follows(name)}
        states = {name: state_of(supervisor, program) for name, program in programs.items()}
        return answers.states(states, {name: program.wanted.value for name, program in programs.items()})


def _weight(answer: Answer) -> int:
    """Return about how many characters an answer takes. An app's code may report ids of any length."""
    return 100 + sum(100 + len(message_id) for message_id, _ in answer.get("changes", ()))
