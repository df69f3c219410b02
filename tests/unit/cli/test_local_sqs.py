"""A local SQS of a supervisor, with a process that sleeps in the place of the server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from squids.cli import local_sqs
from squids.cli.local_sqs import SupervisedSQS, without_aws_variables
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.events import Event, EventKind
from squids.supervisor.settings import AppSpec, Settings
from squids.testing.local_sqs import LocalSQSFailed
from tests.support.fleets import program, settings_of
from tests.support.loops import run, until


class Server:
    """What is asked of it, and whether it can."""

    url = "http://127.0.0.1:4566"

    def __init__(self) -> None:
        self.process = self._begin()
        self.made: list[list[str]] = []
        self.starts = 1
        self.broken: list[str] = []

    def _begin(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE)

    def create(self, queues: Iterable[str]) -> None:
        if self.broken:
            raise LocalSQSFailed(self.broken.pop(0))
        self.made.append(list(queues))

    def restart(self) -> None:
        self.stop()
        self.process = self._begin()
        self.starts += 1

    def wait(self) -> None:
        if self.broken:
            raise LocalSQSFailed(self.broken.pop(0))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class StubSupervisor:
    """What it needs of one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.said: list[Event] = []
        self.background = BackgroundTasks(lambda name, error: None)

    def say(self, event: Event) -> None:
        self.said.append(event)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.said]


def carry_out(work: Callable[[SupervisedSQS, Server, StubSupervisor], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        server = Server()
        supervisor = StubSupervisor(settings_of(program("emails"), program("reports")))
        sqs = SupervisedSQS(server, supervisor)
        try:
            await sqs.start()
            await work(sqs, server, supervisor)
        finally:
            if server.process.poll() is None:
                sqs.close()
            else:
                server.stop()

    run(whole())


def test_the_queues_are_there_before_the_programs_start() -> None:
    async def work(sqs: SupervisedSQS, server: Server, supervisor: StubSupervisor) -> None:
        assert server.made == [["emails", "reports"]]
        await sqs.create_queues(settings_of(program("new")))
        assert server.made[1:] == [["new"]]
        assert supervisor.said == []

    carry_out(work)


def test_one_that_dies_is_said_and_started_anew_with_its_queues() -> None:
    """Its watch is the new one's: a second death is seen, too."""

    async def work(sqs: SupervisedSQS, server: Server, supervisor: StubSupervisor) -> None:
        for deaths in (1, 2):
            server.process.kill()
            await until(lambda deaths=deaths: len(supervisor.said) == 2 * deaths)
            assert server.starts == deaths + 1
            assert server.made[deaths] == ["emails", "reports"]
        assert supervisor.kinds() == [EventKind.LOCAL_SQS_DIED, EventKind.LOCAL_SQS] * 2
        assert supervisor.said[1].text == "a new local SQS listens at http://127.0.0.1:4566"

    carry_out(work)


def test_one_that_cannot_be_started_anew_is_said_and_not_watched() -> None:
    async def work(sqs: SupervisedSQS, server: Server, supervisor: StubSupervisor) -> None:
        server.broken = ["the port is taken"]
        server.process.kill()
        await until(lambda: len(supervisor.said) == 2)
        assert supervisor.kinds() == [EventKind.LOCAL_SQS_DIED] * 2
        assert supervisor.said[1].text == "the port is taken"
        server.process.kill()
        await asyncio.sleep(0)
        assert server.starts == 2
        server.process.wait()

    carry_out(work)


def test_queues_that_cannot_be_made_are_said() -> None:
    async def work(sqs: SupervisedSQS, server: Server, supervisor: StubSupervisor) -> None:
        server.broken = ["the local SQS refused CreateQueue"]
        await sqs.create_queues(supervisor.settings)
        assert supervisor.said[0].text == "the local SQS refused CreateQueue"

    carry_out(work)


def test_the_files_own_aws_variables_do_not_count_and_this_is_said() -> None:
    """They would lead elsewhere."""
    environment = (("AWS_REGION", "eu-west-1"), ("A", "b"), ("AWS_PROFILE", None))
    app_spec = AppSpec("shop:app", "/srv", environment=environment)
    found = without_aws_variables(
        settings_of(program("emails", app_spec), program("reports"), warnings=("before",))
    )
    assert found.programs[0].app_spec.environment == (("A", "b"),)
    assert found.programs[1] == program("reports")
    assert found.warnings == (
        "before",
        "emails: AWS_PROFILE, AWS_REGION in the file are ignored with --local",
    )


def test_a_server_that_does_not_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from squids.testing.local_sqs import LocalSQS

    def fail(port: int) -> LocalSQS:
        raise LocalSQSFailed("the port is taken")

    monkeypatch.setattr(LocalSQS, "start", fail)
    assert local_sqs.start(4566, "squids") is None
    assert capsys.readouterr().err == "squids: the port is taken\n"
