"""The supervisor's loop: what it carries out, in which order, what it says, and when it leaves."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from squids.exit_codes import ExitCode
from squids.process import stops
from squids.process.figures import ConsumerFigures, RunningJob
from squids.process.log_lines import Line, Origin, Source
from squids.process.protocol import Drain, Figures, Scale
from squids.process.stops import FORCES, StopBy
from squids.supervisor import events
from squids.supervisor import supervisor as module
from squids.supervisor.events import EventKind
from squids.supervisor.generation import GenerationState
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState
from squids.supervisor.settings import ExitOn, SupervisorSettings
from squids.supervisor.supervisor import Supervisor
from tests.support.fleets import BANK, SHOP, Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, REPORTS, PAYMENTS = program("emails"), program("reports"), program("payments", BANK)


async def close() -> None:
    """Of a control socket that there is not."""


@pytest.fixture
def lines_of() -> Callable[[Supervisor], list[Line]]:
    """What a supervisor writes from now on."""

    def follow(supervisor: Supervisor) -> list[Line]:
        lines: list[Line] = []
        supervisor.output.followers.add(lines.append)
        return lines

    return follow


# Stops and ends.


def test_it_leaves_once_all_have_drained_and_their_fork_servers_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The verbs are answered until the last of them is down."""
    order: list[str] = []

    async def close() -> None:
        order.append("control socket")

    async def work(fleet: Fleet) -> None:
        running = asyncio.create_task(fleet.supervisor.run(close))
        await fleet.running("emails", "payments")
        fleet.busy = {"emails"}
        fleet.supervisor.shut_down("SIGTERM")
        await until(lambda: fleet["payments"].gone)
        assert order == []
        fleet.busy = set()
        assert await running is ExitCode.OK
        assert order == ["control socket"]
        await until(lambda: all(server.process.poll() is not None for server in fleet.servers))
        assert fleet.of_kind(EventKind.STOPPING)[0].text == f"SIGTERM: draining 2 programs; {FORCES}"

    steer(monkeypatch, settings_of(EMAILS, PAYMENTS), work)


def test_told_a_second_time_it_lets_nobody_wait_for_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stops, "SAME_STOP_SECONDS", 0.0)

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.busy = {"emails"}
        (one,) = fleet.consumers("emails")
        fleet.supervisor.shut_down("SIGINT")
        await until(lambda: Drain() in one.heard)
        fleet.supervisor.shut_down("SIGINT")
        await until(lambda: one.heard == [Drain(), Drain()])
        (forcing,) = fleet.of_kind(EventKind.FORCING)
        assert forcing.level == "WARNING"

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_stop_that_arrives_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it gave up by itself just before, and systemd then stops it."""

    async def work(fleet: Fleet) -> None:
        monkeypatch.setattr(stops, "SAME_STOP_SECONDS", 1000.0)
        await fleet.running("emails")
        fleet.busy = {"emails"}
        (one,) = fleet.consumers("emails")
        fleet.supervisor.shut_down("emails is essential", StopBy.ITSELF)
        for reason in ("SIGINT", "SIGTERM", "SIGHUP"):
            fleet.supervisor.shut_down(reason)
        await until(lambda: Drain() in one.heard)
        assert not fleet.of_kind(EventKind.FORCING)
        fleet.busy = set()
        await until(lambda: fleet["emails"].gone)
        assert one.heard == [Drain()]

    steer(monkeypatch, settings_of(EMAILS), work)


def test_programs_stop_in_the_reverse_of_the_order_in_which_they_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        assert list(fleet.supervisor.programs) == ["reports", "emails"]
        fleet.supervisor.shut_down("SIGTERM")
        told = [noted.program for noted in fleet.noted if noted.kind is EventKind.STOPPING and noted.program]
        assert told == ["emails", "reports"]

    steer(monkeypatch, settings_of(replace(EMAILS, priority=1), REPORTS), work)


def test_once_it_stops_no_order_starts_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart that began before may still be importing."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.supervisor.shut_down("SIGTERM")
        await until(lambda: fleet["emails"].gone)
        for event in (ev.StartProgram(), ev.RestartProgram(1, EMAILS), ev.ResetProgram(), ev.ResumeProgram()):
            fleet.supervisor.feed(fleet["emails"], event)
        assert fleet["emails"].state is ProgramState.STOPPED
        assert fleet["emails"].gone

    steer(monkeypatch, settings_of(EMAILS), work)


def test_one_that_was_told_to_stop_before_it_started_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        other = Supervisor(settings_of(EMAILS))
        other.shut_down("SIGTERM")
        other.start()
        assert other.programs == {}
        assert await other.run(close) is ExitCode.OK

    steer(monkeypatch, settings_of(PAYMENTS), work)


def test_it_gives_up_when_an_essential_program_can_not_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started it learns of it by the exit code; what runs is drained first."""

    async def work(fleet: Fleet) -> None:
        fleet.broken["bank:app"] = "there is no app"
        running = asyncio.create_task(fleet.supervisor.run(close))
        assert await running is ExitCode.UNAVAILABLE
        (gave_up,) = fleet.of_kind(EventKind.GAVE_UP)
        assert gave_up.level == "ERROR"
        assert fleet["emails"].state is ProgramState.STOPPED

    supervisor = SupervisorSettings(exit_on=ExitOn.ESSENTIAL)
    settings = settings_of(EMAILS, replace(PAYMENTS, essential=True), supervisor=supervisor)
    steer(monkeypatch, settings, work)


# Programs.


def test_a_program_that_does_not_start_by_itself_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        assert fleet["payments"].state is ProgramState.STOPPED
        assert [server.app for server in fleet.servers] == ["shop:app"]

    steer(monkeypatch, settings_of(EMAILS, replace(PAYMENTS, autostart=False)), work)


def test_a_removed_program_takes_its_history_and_its_code_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another program of the app still has stays."""

    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails", "reports")
        fleet.dies("emails", 3)
        await until(lambda: supervisor.history.deaths("emails"))
        supervisor.stale[SHOP] = "SyntaxError"
        for name, left in (("emails", {SHOP: "SyntaxError"}), ("reports", {})):
            supervisor.feed(fleet[name], ev.StopProgram())
            await until(lambda name=name: fleet[name].gone)
            supervisor.remove(name)
            assert supervisor.stale == left
        assert supervisor.history.deaths("emails") == []
        assert not supervisor.fork_servers.generations
        await until(lambda: fleet.servers[0].process.poll() is not None)

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_scaling_tells_the_process_that_runs_and_those_that_are_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.supervisor.scale(fleet["emails"], 7)
        (one,) = fleet.consumers("emails")
        await until(lambda: Scale(7) in one.heard)
        fleet.dies("emails", 3)
        await until(lambda: EventKind.BACKOFF in fleet.kinds())
        fleet.supervisor.feed(fleet["emails"], ev.ResetProgram())
        await fleet.running("emails")
        assert fleet.consumers("emails")[1].spawn.args["options"]["workers"] == 7

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_program_that_failed_is_started_again_by_the_loops_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.dies("emails", 3)
        await until(lambda: EventKind.BACKOFF in fleet.kinds())
        await fleet.running("emails")
        assert fleet["emails"].restarts == 1

    backoff = replace(EMAILS.backoff, first=0.01)
    steer(monkeypatch, settings_of(replace(EMAILS, backoff=backoff)), work)


def test_what_this_process_slept_through_is_not_held_against_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that was closed for an hour had no sign of life from anybody."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        process = fleet["emails"].current
        assert process is not None
        before = process.deadline
        assert before is not None
        fleet.supervisor._tick(time.monotonic() - 3600.0)
        assert process.deadline is not None
        assert process.deadline >= before + 3600.0
        given = process.deadline
        fleet.supervisor._tick(time.monotonic())
        assert process.deadline == given, "it was in time"

    steer(monkeypatch, settings_of(EMAILS), work)


# Lines and events.


def test_a_death_nobody_asked_for_is_logged_and_kept_with_what_it_was_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails")
        consumer = supervisor.consumers.of(fleet["emails"].current)
        assert consumer is not None
        job = RunningJob(1, 4711, "shop.charge", "id", 1.0)
        fleet.consumers("emails")[0].end.send(Figures(ConsumerFigures(held=2, running=(job,))))
        await until(lambda: consumer.figures)
        pid = fleet.pid_of("emails")
        fleet.dies("emails", -11)
        await until(lambda: supervisor.history.deaths("emails"))
        (death,) = supervisor.history.deaths("emails")
        assert (death.pid, death.status, death.cause, death.asked) == (pid, -11, "signal 11", False)
        assert (death.running, death.held) == ((job,), 2)
        (died,) = fleet.of_kind(EventKind.DIED)
        assert died.text.endswith("it was running 1 tasks")
        await until(lambda: EventKind.BACKOFF in fleet.kinds())
        supervisor.feed(fleet["emails"], ev.ResetProgram())
        await fleet.running("emails")
        supervisor.feed(fleet["emails"], ev.StopProgram())
        await until(lambda: fleet["emails"].gone)
        assert supervisor.history.deaths("emails")[1].asked
        assert len(fleet.of_kind(EventKind.DIED)) == 1

    steer(monkeypatch, settings_of(EMAILS), work)


def test_the_same_failure_again_is_said_without_its_traceback(
    monkeypatch: pytest.MonkeyPatch, lines_of: Any
) -> None:
    """An import that fails each minute would fill the log with one text; after a success it is news again."""

    async def work(fleet: Fleet) -> None:
        lines = lines_of(fleet.supervisor)
        generation = fleet.supervisor.fork_servers.generations[1]
        failure = events.import_failed("importing shop:app failed\nTraceback (most recent call last):")
        for event in (failure, failure, events.imported("shop:app"), failure):
            fleet.supervisor._on_import_event(generation, event)
        assert [(line.text, bool(line.traceback)) for line in lines] == [
            ("importing shop:app failed", True),
            ("importing shop:app failed, as before", False),
            ("shop:app was imported", False),
            ("importing shop:app failed", True),
        ]

    steer(monkeypatch, settings_of(EMAILS), work)


def test_what_is_below_the_level_of_the_log_is_noted_all_the_same(
    monkeypatch: pytest.MonkeyPatch, lines_of: Any
) -> None:
    async def work(fleet: Fleet) -> None:
        lines = lines_of(fleet.supervisor)
        fleet.supervisor.say(events.reload("nothing changed"))
        fleet.supervisor.say(events.reload_failed("cannot be read"))
        assert [(line.level, line.text, line.details["action"]) for line in lines] == [
            ("ERROR", "cannot be read", "reload_failed")
        ]
        assert fleet.kinds()[-2:] == [EventKind.RELOAD, EventKind.RELOAD_FAILED]
        assert [noted.kind for noted in fleet.supervisor.history.events()][-2:] == fleet.kinds()[-2:]

    steer(monkeypatch, settings_of(EMAILS, supervisor=SupervisorSettings(log_level="WARNING")), work)


def test_what_a_worker_prints_is_its_consumers_last_word_too(
    monkeypatch: pytest.MonkeyPatch, lines_of: Any
) -> None:
    """`why` shows it of a process that died."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        supervisor = fleet.supervisor
        lines = lines_of(supervisor)
        reading, writing = os.pipe()
        generation = supervisor.fork_servers.generations[1]
        source = Source(Origin.WORKER, "emails", 1)
        supervisor._on_output(generation, source, 4711, [reading])
        os.write(writing, b"out of paper\n")
        os.close(writing)
        await until(lambda: lines)
        consumer = supervisor.consumers.of(fleet["emails"].current)
        assert consumer is not None
        assert list(consumer.lines) == ["out of paper"]
        assert (lines[0].text, lines[0].source) == ("out of paper", source)

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_fork_server_that_opens_outputs_without_end_is_bounded_and_said_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The supervisor would have no descriptor left for anybody else."""
    monkeypatch.setattr(module, "SPARE_OUTPUTS", 3)

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        supervisor = fleet.supervisor
        generation = supervisor.fork_servers.generations[1]
        source = Source(Origin.WORKER, "emails", 1)
        most = 3 + 4 * (1 + 1)
        opened = supervisor._relay.open_of(generation.number)
        ends: list[socket.socket] = []
        for _ in range(most - opened + 2):
            ours, theirs = socket.socketpair()
            supervisor._on_output(generation, source, 4711, [ours.detach()])
            ends.append(theirs)
        assert supervisor._relay.open_of(generation.number) == most
        (lost,) = fleet.of_kind(EventKind.OUTPUT_LOST)
        assert lost.text == "the output of emails/1 is not read: its fork server has too many outputs open"
        for end in ends:
            end.close()

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_program_may_come_from_a_fork_server_of_its_app_and_from_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "payments")
        shop, bank = fleet.supervisor.fork_servers.generations
        has = fleet.supervisor._has_program
        assert [has(shop, "emails"), has(shop, "payments"), has(shop, "unknown")] == [True, False, False]
        fleet["emails"].settings = replace(EMAILS, app_spec=BANK)  # As after a reload.
        assert [has(shop, "emails"), has(bank, "emails")] == [True, True], "its old process goes on"

    steer(monkeypatch, settings_of(EMAILS, PAYMENTS), work)


def test_trouble_with_a_destination_is_said_in_the_loop_whichever_thread_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before there is a loop there is nobody to tell."""
    Supervisor(settings_of(EMAILS))._output_trouble("cannot write to standard error")

    async def work(fleet: Fleet) -> None:
        await asyncio.get_running_loop().run_in_executor(
            None, fleet.supervisor._output_trouble, "cannot write to a.log"
        )
        await until(lambda: fleet.of_kind(EventKind.OUTPUT_TROUBLE))

    steer(monkeypatch, settings_of(EMAILS), work)


def test_the_report_has_one_line_for_each_program(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.supervisor.report()
        running, stopped = fleet.of_kind(EventKind.STATE)
        assert (running.program, running.text) == ("emails", "running: receiving")
        assert running.details["pid"] == fleet.pid_of("emails")
        assert (stopped.program, stopped.details["pid"]) == ("payments", None)

    steer(monkeypatch, settings_of(EMAILS, replace(PAYMENTS, autostart=False)), work)


def test_code_that_nobody_runs_is_let_go_of_unless_an_order_holds_on_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails")
        new = supervisor.fork_servers.generations.new(SHOP)
        with supervisor.fork_servers.generations.holding([new]):
            supervisor.release_generations()
            assert [one.number for one in supervisor.fork_servers.generations] == [1, new.number]
        supervisor.release_generations()
        assert [one.number for one in supervisor.fork_servers.generations] == [1]
        assert new.state is GenerationState.NEW

    steer(monkeypatch, settings_of(EMAILS), work)
