"""The answers for a client that waits for a job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from squids.process.log_lines import Line, Source
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.control import following, queries
from squids.supervisor.control.context import Context
from squids.supervisor.control.following import Following
from squids.supervisor.control.selection import Request, RequestRefused
from squids.supervisor.job_log import JobLog
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.waiters import Waiters
from tests.support.loops import run, until


class StubProgram:
    """A program in a state that the test sets."""

    def __init__(self, queue: str) -> None:
        self.settings = SimpleNamespace(queue=queue)
        self.state = ProgramState.RUNNING
        self.wanted = Wanted.UP
        self.current = None


class StubSupervisor:
    """One with two queues, whose consumers and log the test plays."""

    def __init__(self) -> None:
        queues = {"emails:1": "emails", "emails:2": "https://sqs.example.com/1/emails", "orders": "orders"}
        self.programs = {name: StubProgram(queue) for name, queue in queues.items()}
        job_log = JobLog({}, log_all=False)
        self.consumers = SimpleNamespace(job_log=job_log, of=lambda process: None)
        self.output = SimpleNamespace(followers=set())
        self.waiters = Waiters()
        self.deaths: list[tuple[str, BaseException]] = []
        self.background = BackgroundTasks(lambda *death: self.deaths.append(death))

    def prints(self, program: str, text: str) -> None:
        line = Line(time.time(), Source.of_child(program, 1), "", text)
        for follower in list(self.output.followers):
            follower(line)

    def is_free(self) -> bool:
        """Whether nobody follows any more."""
        return not self.output.followers and not self.consumers.job_log._followers and not self.waiters


def play(scenario: Callable[[StubSupervisor, Following], Any], queues: tuple[str, ...] = ("emails",)) -> None:
    async def whole() -> None:
        supervisor = StubSupervisor()
        with Following(supervisor, queues) as followed:
            await asyncio.wait_for(scenario(supervisor, followed), 60)
        await until(supervisor.is_free)
        assert supervisor.deaths == []

    run(whole(), 90)


def states(**of: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "states",
        "states": {f"emails:{key[1:]}": state for key, (state, _) in of.items()},
        "wanted": {f"emails:{key[1:]}": wanted for key, (_, wanted) in of.items()},
    }


UP = states(n1=("running", "up"), n2=("running", "up"))


def test_the_first_answer_has_the_states_and_then_comes_what_happens_in_its_order() -> None:
    async def scenario(supervisor: StubSupervisor, followed: Following) -> None:
        job_log = supervisor.consumers.job_log
        supervisor.prints("emails:1", "first")
        job_log.changed("emails:2", [["m1", "started"], ["m1", "done"]])
        job_log.changed("orders", [["m2", "done"]])
        supervisor.prints("orders", "not mine")
        supervisor.prints("emails:2", "last")
        assert await followed.next() == UP
        assert (await followed.next())["message"] == "first"
        changes = [["m1", "started"], ["m1", "done"]]
        assert await followed.next() == {"type": "jobs", "queue": "emails:2", "changes": changes}
        assert (await followed.next())["message"] == "last"

    play(scenario)


def test_states_are_answered_when_they_change() -> None:
    """Whatever the log shows of it."""

    async def scenario(supervisor: StubSupervisor, followed: Following) -> None:
        assert await followed.next() == UP
        await until(lambda: bool(supervisor.waiters))
        one, two = supervisor.programs["emails:1"], supervisor.programs["emails:2"]
        one.wanted = Wanted.PAUSED
        supervisor.waiters.look()
        assert await followed.next() == states(n1=("paused", "paused"), n2=("running", "up"))
        two.state, two.wanted = ProgramState.STOPPING, Wanted.DOWN
        supervisor.waiters.look()
        assert await followed.next() == states(n1=("paused", "paused"), n2=("stopping", "down"))

    play(scenario)


def test_what_a_reload_adds_is_followed_and_what_it_removes_is_not() -> None:
    """The file may give the queue another name while its message waits."""

    async def scenario(supervisor: StubSupervisor, followed: Following) -> None:
        assert await followed.next() == UP
        await until(lambda: bool(supervisor.waiters))
        del supervisor.programs["emails:2"]
        supervisor.programs["emails:3"] = StubProgram("emails")
        for program in supervisor.programs:
            supervisor.consumers.job_log.changed(program, [["m1", program]])
        supervisor.waiters.look()
        came = [await followed.next() for _ in range(3)]
        assert [answer.get("queue") for answer in came] == ["emails:1", "emails:3", None]
        assert came[-1] == states(n1=("running", "up"), n3=("running", "up"))

    play(scenario)


def test_a_flood_of_lines_keeps_no_job_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the job was lost with them, and its client waited for ever."""
    monkeypatch.setattr(following, "MAX_LINES", 10)

    async def scenario(supervisor: StubSupervisor, followed: Following) -> None:
        for number in range(50):
            supervisor.prints("emails:1", str(number))
        supervisor.consumers.job_log.changed("emails:1", [["m1", "done"]])
        types = [(await followed.next())["type"] for _ in range(11)]
        assert types == ["states", *["line"] * 9, "jobs"]
        supervisor.prints("emails:1", "after it")
        assert (await followed.next())["message"] == "after it"

    play(scenario)


def test_a_client_that_reads_nothing_gets_the_end_and_costs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MAX_WAITING", 600)

    async def scenario(supervisor: StubSupervisor, followed: Following) -> None:
        for _ in range(50):
            supervisor.consumers.job_log.changed("emails:1", [["m1", "done"]])
        came = [await followed.next() for _ in range(4)]
        assert [answer["type"] for answer in came] == ["states", "jobs", "jobs", "end"]
        assert came[-1]["code"] == 1
        assert followed._coming.empty()

    play(scenario)


def test_the_verb_follows_all_programs_of_a_queue_until_its_client_is_gone() -> None:
    async def whole() -> None:
        supervisor = StubSupervisor()
        answered = queries.follow(Context(supervisor, None, None), Request("follow", ["emails"], {}))
        assert await anext(answered) == UP
        supervisor.consumers.job_log.changed("emails:2", [["m1", "done"]])
        assert (await anext(answered))["type"] == "jobs"
        await answered.aclose()
        await until(supervisor.is_free)

    run(whole())


def test_the_verb_ends_with_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MAX_WAITING", 400)

    async def whole() -> list[str]:
        supervisor = StubSupervisor()
        answered = queries.follow(Context(supervisor, None, None), Request("follow", ["emails"], {}))
        types = [(await anext(answered))["type"]]
        for _ in range(5):
            supervisor.consumers.job_log.changed("emails:2", [["m1", "done"]])
        return types + [answer["type"] async for answer in answered]

    assert run(whole()) == ["states", "jobs", "end"]


def test_a_queue_that_the_file_lacks_is_refused() -> None:
    async def whole() -> None:
        with pytest.raises(RequestRefused, match="the supervisor's file has no queue films"):
            await anext(
                queries.follow(Context(StubSupervisor(), None, None), Request("follow", ["films"], {}))
            )

    run(whole())
