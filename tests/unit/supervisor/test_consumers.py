"""Consumer processes: small real ones, with a test in the place of their fork server and of their program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from squids.process.channel import Channel
from squids.process.figures import ConsumerFigures
from squids.process.protocol import (
    Booted,
    Degraded,
    Drain,
    Exited,
    Figures,
    Follow,
    ForkServerHangs,
    Frame,
    JobsChanged,
    Kill,
    Ready,
    Spawn,
    Spawned,
    SpawnFailed,
    Stopping,
)
from squids.supervisor import consumers, procfs
from squids.supervisor.consumers import ConsumerProcesses
from squids.supervisor.events import Event, EventKind
from squids.supervisor.fork_servers import ForkServers
from squids.supervisor.generation import Failure
from squids.supervisor.program import events as ev
from squids.supervisor.settings import AppSpec, ProgramSettings
from tests.support.loops import run, until
from tests.support.spoken import SpokenForkServer, end_all
from tests.support.zygotes import alive

APP = AppSpec(app="shop:app", directory="/srv")
OTHER_APP = AppSpec(app="bank:app", directory="/srv")
EMAILS = ProgramSettings("emails", "emails", APP, (("queue", "emails"), ("workers", 2)))


def named(name: str, **changes: Any) -> ProgramSettings:
    return replace(EMAILS, name=name, **changes)


class Owner:
    """What a supervisor is to its consumers: it notes what it is told."""

    def __init__(self, **options: Any) -> None:
        self.heard: list[ev.Event] = []
        self.events: list[Event] = []
        self.gone = 0
        self.fork_servers = ForkServers(
            on_report=lambda generation, frame: self.consumers.on_report(generation, frame),
            on_output=lambda *_: None,
            has_program=lambda *_: True,
            on_lost=lambda generation, status: self.consumers.on_fork_server_lost(generation, status),
            on_lie=lambda generation, what: self.consumers.distrust(generation, what),
            on_event=lambda generation, event: self.events.append(event),
            consumers_of=lambda generation: [],
            log_level=lambda: "INFO",
        )
        self.consumers = ConsumerProcesses(
            self.fork_servers,
            on_event=lambda consumer, event: self.heard.append(event),
            say=self.events.append,
            note=self.events.append,
            on_gone=self.count_gone,
            **{"soft_nofile": None, "log_jobs": False, **options},
        )
        self.made: list[SpokenForkServer] = []
        self.own: list[subprocess.Popen[bytes]] = []

    def count_gone(self) -> None:
        self.gone += 1

    def fork_server(self, app_spec: AppSpec = APP) -> SpokenForkServer:
        made = SpokenForkServer()
        made.serve(self.fork_servers, app_spec)
        self.made.append(made)
        return made

    def adopted(self) -> subprocess.Popen[bytes]:
        """A child of this process, as an orphan becomes one. It leads its group."""
        self.own.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return self.own[-1]

    async def start(
        self, server: SpokenForkServer, settings: ProgramSettings = EMAILS, child: int = 1
    ) -> int:
        """Have a consumer spawned by its fork server; its pid."""
        return await self.start_as(server, server.fork, settings, child)

    async def start_as(
        self,
        server: SpokenForkServer,
        make: Callable[[], int],
        settings: ProgramSettings = EMAILS,
        child: int = 1,
    ) -> int:
        before = len(server.all_of(Spawn))
        self.consumers.want(child, server.generation, settings)
        await server.asked(before + 1)
        pid = make()
        server.say(Spawned(child, pid))
        await self.told_of(ev.ProcessSpawned(child, pid))
        return pid

    async def told_of(self, event: ev.Event) -> None:
        await until(lambda: event in self.heard)

    async def exit_of(self, child: int) -> ev.ProcessExited:
        return await until(
            lambda: next(
                (e for e in self.heard if isinstance(e, ev.ProcessExited) and e.child == child), None
            )
        )

    async def event(self, kind: EventKind) -> Event:
        return await until(lambda: next((event for event in self.events if event.kind is kind), None))

    def close(self) -> None:
        for consumer in self.consumers.all.values():
            consumer.close()
        for server in self.made:
            server.close()
        for process in self.own:
            end_all({process.pid} if alive(process.pid) else set())
            process.wait()


def carry_out(work: Callable[[Owner], Coroutine[Any, Any, None]], **options: Any) -> Owner:
    async def whole() -> Owner:
        owner = Owner(**options)
        owner.consumers.start()
        try:
            await work(owner)
        finally:
            owner.close()
        return owner

    return run(whole())


async def frames_of(end: Channel, count: int) -> list[Frame]:
    """What a consumer was told, once it is so much."""
    heard: list[Frame] = []
    await until(lambda: heard.extend(end.receive()) or len(heard) >= count)
    return heard


# Started.


def test_a_consumer_is_forked_with_what_its_settings_say() -> None:
    """Its own limits count over the one that the supervisor had before it raised its own."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        settings = replace(EMAILS, nice=5, log_level="DEBUG", limits=(("as", 1 << 30),))
        owner.consumers.want(7, server.generation, settings)
        (spawn,) = await server.asked()
        assert (spawn.child, spawn.entry, spawn.title) == (7, consumers.CONSUMER_ENTRY, "squids: emails main")
        assert spawn.args == {
            "name": "emails",
            "options": {"queue": "emails", "workers": 2, "app": "shop:app"},
            "log_level": "DEBUG",
            "fresh": False,
            "unforkable": False,
        }
        assert (spawn.owns_children, spawn.program, spawn.nice) == (True, "emails", 5)
        assert spawn.limits == {"nofile": 1024, "as": 1 << 30}
        assert spawn.orphan_grace == settings.shutdown_timeout + consumers.ORPHAN_MARGIN

    carry_out(work, soft_nofile=1024)


def test_its_program_is_told_how_far_it_has_come() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        (end,) = server.ends
        for frame in (Booted(None), Ready(), Figures(ConsumerFigures(done=3)), Stopping("SIGTERM")):
            end.send(frame)
        await owner.told_of(ev.ProcessDraining(1, "SIGTERM"))
        server.say(Exited(1, pid, 3))
        exited = await owner.exit_of(1)
        assert owner.heard[:-1] == [
            ev.ProcessSpawned(1, pid),
            ev.ProcessBooted(1),
            ev.ProcessReady(1),
            ev.ProcessBeat(1),
            ev.ProcessDraining(1, "SIGTERM"),
        ]
        assert (exited.status, exited.out_of_memory) == (3, False)
        assert not owner.consumers.all
        assert owner.gone == 1

    carry_out(work)


def test_what_it_said_before_its_fork_server_reported_it_is_heard_after_that() -> None:
    """On a busy machine it can receive before its fork server gets a CPU again. Its program knows no process
    without a pid, and could not have it drain."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        owner.consumers.want(1, server.generation, EMAILS)
        await server.asked()
        (end,) = server.ends
        for frame in (Booted(None), Ready()):
            end.send(frame)
        for _ in range(5):
            await asyncio.sleep(0)  # Turns of the loop, in which it would be read.
        pid = server.fork()
        server.say(Spawned(1, pid))
        await owner.told_of(ev.ProcessReady(1))
        assert owner.heard == [ev.ProcessSpawned(1, pid), ev.ProcessBooted(1), ev.ProcessReady(1)]

    carry_out(work)


def test_what_it_said_before_its_end_is_heard_before_it() -> None:
    """Its socket and its fork server's are two: the end may be read first."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        server.ends[0].send(Stopping("its queue is gone"))
        owner.consumers.on_report(server.generation, Exited(1, pid, 78))  # Before the loop looks at either.
        assert owner.heard[-2] == ev.ProcessDraining(1, "its queue is gone")
        assert isinstance(owner.heard[-1], ev.ProcessExited)

    carry_out(work)


def test_where_there_is_no_code_nothing_is_forked() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        server.generation.state = server.generation.state.FAILED
        server.generation.failure = Failure("SyntaxError", None, "in short", refused=True)
        owner.consumers.want(1, server.generation, EMAILS)
        await owner.told_of(ev.CodeUnavailable(1, "SyntaxError", None, True))
        assert not server.all_of(Spawn)
        assert not owner.consumers.all

    carry_out(work)


def test_no_more_boot_at_once_than_there_are_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn ends with the boot, or where the system refuses the process; the urgent ones come first."""
    monkeypatch.setattr(consumers, "usable_cpus", lambda: 1)

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server, named("first"), child=1)
        owner.consumers.want(2, server.generation, named("later", priority=9))
        owner.consumers.want(3, server.generation, named("urgent", priority=0))
        server.say(SpawnFailed(99, 11, "of one that is long forgotten"))
        server.ends[0].send(Degraded("no such queue"))
        await owner.told_of(ev.ProcessBeat(1))
        assert len(server.all_of(Spawn)) == 1, "the first has not booted yet"
        server.ends[0].send(Booted(None))
        assert [spawn.program for spawn in await server.asked(2)] == ["first", "urgent"]
        server.say(SpawnFailed(3, 11, "Resource temporarily unavailable"))
        assert [spawn.program for spawn in await server.asked(3)] == ["first", "urgent", "later"]
        assert ev.ProcessRefused(3, "Resource temporarily unavailable") in owner.heard

    carry_out(work)


def test_one_that_is_not_wanted_any_more_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was asked for cannot be taken back: it is told to leave once it is there."""
    monkeypatch.setattr(consumers, "usable_cpus", lambda: 1)

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        owner.consumers.want(1, server.generation, named("a"))
        await server.asked()
        owner.consumers.want(2, server.generation, named("b"))
        owner.consumers.want(3, server.generation, named("c"))
        owner.consumers.cancel(1)
        owner.consumers.cancel(2)
        assert owner.heard == [], "whoever cancels is in the midst of deciding"
        await owner.told_of(ev.ProcessCancelled(2))
        server.say(SpawnFailed(1, 11, "again"))
        assert [spawn.program for spawn in await server.asked(2)] == ["a", "c"]
        assert ev.ProcessCancelled(1) not in owner.heard

    carry_out(work)


def test_one_whose_fork_server_died_while_it_waited_for_its_turn_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumers, "usable_cpus", lambda: 1)

    async def work(owner: Owner) -> None:
        first, second = owner.fork_server(), owner.fork_server(OTHER_APP)
        await owner.start(first, named("a"), child=1)
        owner.consumers.want(2, second.generation, named("b"))
        second.process.kill()
        await owner.event(EventKind.FORK_SERVER_DIED)
        first.ends[0].send(Booted(None))
        await owner.told_of(ev.ProcessCancelled(2))

    carry_out(work)


def test_a_consumer_is_refused_where_the_supervisor_could_not_answer_others_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of descriptors: its pipes and sockets, those of its workers, and some for the control socket."""
    in_use = len(os.listdir("/proc/self/fd"))

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        monkeypatch.setattr(procfs.resource, "getrlimit", lambda _: (in_use, in_use))
        owner.consumers.want(1, server.generation, EMAILS)
        await owner.told_of(ev.ProcessRefused(1, "Too many open files"))
        assert not server.all_of(Spawn)

    carry_out(work)


# Told, and signalled.


def test_jobs_are_logged_while_anybody_wants_it() -> None:
    """Two who follow are one; and who follows wants them whatever the log's level."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        await owner.start(server, named("quiet", log_level="WARNING"), child=2)
        mine, quiet = server.ends
        jobs = owner.consumers.job_log
        with jobs.following("emails".__eq__, ignore), jobs.following("emails".__eq__, ignore):
            pass
        jobs.set_all(True)
        both, neither = Follow(logs=True, reports=True), Follow(logs=False, reports=False)
        assert await frames_of(mine, 5) == [both, both, both, neither, Follow(logs=True, reports=False)]
        with jobs.following("quiet".__eq__, ignore):
            assert await frames_of(quiet, 2) == [neither, both]

    carry_out(work)


def ignore(program: str, changes: list[list[str]]) -> None:
    """A follower that looks away."""


def test_one_that_starts_while_its_program_is_followed_reports_its_jobs_from_the_first_one() -> None:
    """It is told before it is ready: it may have run a short job before it could be told after that."""

    async def work(owner: Owner) -> None:
        with owner.consumers.job_log.following("emails".__eq__, ignore):
            server = owner.fork_server()
            await owner.start(server)
            assert await frames_of(server.ends[0], 1) == [Follow(logs=True, reports=True)]

    carry_out(work)


def test_what_a_consumer_reports_of_its_jobs_reaches_who_follows_it() -> None:
    """Also what it reported just before it died."""
    told: list[Any] = []

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        with owner.consumers.job_log.following("emails".__eq__, lambda *what: told.append(what)):
            server.ends[0].send(JobsChanged([["m1", "started"]]))
            await until(lambda: bool(told))
            server.ends[0].send(JobsChanged([["m1", "done"]]))
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not alive(pid))
            server.say(Exited(1, pid, -signal.SIGKILL))
            await until(lambda: 1 not in owner.consumers.all)
        assert told == [("emails", [["m1", "started"]]), ("emails", [["m1", "done"]])]

    carry_out(work)


def test_a_signal_goes_to_the_process_itself_and_words_to_its_socket() -> None:
    """A fork server may hang: a signal does not need it where the system holds processes by descriptors."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        owner.consumers.send(1, Drain(2.0))
        owner.consumers.send(99, Drain(2.0))
        assert await frames_of(server.ends[0], 1) == [Drain(2.0)]
        owner.consumers.signal(1, signal.SIGTERM)
        owner.consumers.signal(99, signal.SIGTERM)
        await until(lambda: not alive(pid))
        assert not server.all_of(Kill)

    carry_out(work)


def test_stacks_are_asked_of_workers_too() -> None:
    """By their fork server, which knows them; what has no process is nobody to ask."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        assert not owner.consumers.ask_for_stacks("reports")
        assert owner.consumers.ask_for_stacks("emails")
        assert await server.told_to_kill() == [Kill(1, signal.SIGUSR2, group=False, tree=True)]

    carry_out(work)


def test_a_fork_server_that_does_not_kill_is_killed() -> None:
    """The second request for the same process says that the first did nothing."""

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        owner.consumers.kill(1)
        assert await server.told_to_kill() == [Kill(1, signal.SIGKILL, group=True, tree=True)]
        assert alive(server.process.pid)
        owner.consumers.kill(1)
        hangs = await owner.event(EventKind.FORK_SERVER_HANGS)
        assert hangs.text == "the fork server of shop:app did not kill; killing it"
        await owner.told_of(ev.ForkServerLost(1))

    carry_out(work)


def test_what_is_no_frame_is_killed_and_not_listened_to_any_more() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        server.ends[0]._socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
        garbage = await owner.event(EventKind.GARBAGE)
        assert (garbage.program, garbage.level) == ("emails", "ERROR")
        await server.told_to_kill()
        server.ends[0]._socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
        server.say(SpawnFailed(99, 11, "to be read after it"))
        await owner.start(server, named("other"), child=2)
        assert len(server.all_of(Kill)) == 1

    carry_out(work)


def test_trouble_is_noted_and_a_sign_of_life_all_the_same() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        server.ends[0].send(Degraded("no such queue"))
        await owner.told_of(ev.ProcessBeat(1))
        degraded = await owner.event(EventKind.DEGRADED)
        assert (degraded.program, degraded.text) == ("emails", "no such queue")

    carry_out(work)


# Fork servers that lie, hang or die.


def test_a_fork_server_that_names_a_pid_which_cannot_be_its_childs_is_killed() -> None:
    """Else whoever can change an app had the supervisor kill any process of its user."""

    async def work(owner: Owner) -> None:
        server, other = owner.fork_server(), owner.fork_server(OTHER_APP)
        owner.consumers.want(1, server.generation, EMAILS)
        await server.asked()
        server.say(Spawned(1, os.getppid()))
        broken = await owner.event(EventKind.FORK_SERVER_BROKEN)
        assert f"reported pid {os.getppid()} as that of emails, but it is" in broken.text
        await owner.told_of(ev.ProcessCancelled(1))
        await until(lambda: not alive(server.process.pid))
        assert alive(other.process.pid)

    carry_out(work)


@pytest.mark.parametrize("lie", [Exited(1, 4711, 0), SpawnFailed(1, 11, "no room"), Spawned(1, 4711)])
def test_a_fork_server_that_reports_on_anothers_consumer_is_killed(lie: Any) -> None:
    async def work(owner: Owner) -> None:
        server, liar = owner.fork_server(), owner.fork_server(OTHER_APP)
        pid = await owner.start(server)
        liar.say(lie)
        broken = await owner.event(EventKind.FORK_SERVER_BROKEN)
        assert "bank:app reported on emails, which is not its own" in broken.text
        await until(lambda: not alive(liar.process.pid))
        assert owner.heard == [ev.ProcessSpawned(1, pid)]

    carry_out(work)


def test_an_end_of_another_pid_is_not_that_of_the_consumer() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        server.say(Exited(1, pid + 1, 0), Exited(1, pid, 5))
        assert (await owner.exit_of(1)).status == 5
        assert len(owner.heard) == 2

    carry_out(work)


def test_a_fork_server_that_does_not_fork_in_time_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "FORK_SECONDS", 0.01)

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        owner.consumers.want(1, server.generation, EMAILS)
        hangs = await owner.event(EventKind.FORK_SERVER_HANGS)
        assert hangs.text == "the fork server of shop:app does not answer; killing it"
        await owner.told_of(ev.ProcessCancelled(1))

    carry_out(work)


def test_a_fork_server_that_does_not_report_an_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is seen to be dead; how it ended nobody tells."""
    monkeypatch.setattr(consumers, "REPORT_SECONDS", 0.01)

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        pid = await owner.start(server)
        os.kill(pid, signal.SIGKILL)
        hangs = await owner.event(EventKind.FORK_SERVER_HANGS)
        assert "did not report the end of a consumer" in hangs.text
        assert (await owner.exit_of(1)).status is None

    carry_out(work)


def test_a_consumer_that_closed_its_socket_and_lives_is_its_programs_to_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumers, "REPORT_SECONDS", 0.0)

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        server.ends[0].send(Booted(None))
        await owner.told_of(ev.ProcessBooted(1))
        server.ends[0].close()
        await owner.start(server, named("other"), child=2)  # Takes longer than to look at the first.
        assert owner.events == []
        assert list(owner.consumers.all) == [1, 2]

    carry_out(work)


def test_a_consumer_may_say_that_its_fork_server_hangs() -> None:
    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        await owner.start(server)
        server.ends[0].send(ForkServerHangs("did not fork a worker"))
        hangs = await owner.event(EventKind.FORK_SERVER_HANGS)
        assert hangs.text == "the fork server of shop:app did not fork a worker; killing it"
        died = await owner.event(EventKind.FORK_SERVER_DIED)
        assert died.text == "the fork server of shop:app died: signal 9"

    carry_out(work)


def test_when_a_fork_server_dies_its_consumers_are_told_and_others_are_not() -> None:
    """Those that were asked for and not forked never come."""

    async def work(owner: Owner) -> None:
        server, other = owner.fork_server(), owner.fork_server(OTHER_APP)
        await owner.start(server, named("a"), child=1)
        server.ends[0].send(Booted(None))
        await owner.start(other, named("b"), child=2)
        other.ends[0].send(Booted(None))
        owner.consumers.want(3, server.generation, named("c"))
        await server.asked(2)
        del owner.heard[:]
        server.process.kill()
        await owner.told_of(ev.ProcessCancelled(3))
        assert [event for event in owner.heard if not isinstance(event, ev.ProcessBooted)] == [
            ev.ForkServerLost(1),
            ev.ProcessCancelled(3),
        ]
        assert list(owner.consumers.all) == [1, 2]

    carry_out(work)


async def orphan_of(owner: Owner) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], Channel]:
    """A consumer and its worker whose fork server is dead, so that they are children of this process."""
    server = owner.fork_server()
    await owner.start_as(server, lambda: owner.adopted().pid)
    worker = owner.adopted()
    server.ends[0].send(Figures(ConsumerFigures(workers=1, pids=(worker.pid,))))
    await owner.told_of(ev.ProcessBeat(1))
    server.process.kill()
    await owner.told_of(ev.ForkServerLost(1))
    return owner.own[0], worker, server.ends[0]


def test_an_orphans_end_is_this_process_to_know_and_its_workers_end_with_it() -> None:
    """Its status comes from the kernel, and nothing of it is left behind."""

    async def work(owner: Owner) -> None:
        consumer, worker, _ = await orphan_of(owner)
        consumer.send_signal(signal.SIGTERM)
        assert (await owner.exit_of(1)).status == -signal.SIGTERM
        await until(lambda: not alive(worker.pid))

    carry_out(work)


def test_an_orphan_is_killed_with_its_workers() -> None:
    async def work(owner: Owner) -> None:
        consumer, worker, _ = await orphan_of(owner)
        owner.consumers.kill(1)
        assert (await owner.exit_of(1)).status == -signal.SIGKILL
        await until(lambda: not alive(worker.pid))
        assert not alive(consumer.pid)

    carry_out(work)


def test_a_pid_that_a_consumer_calls_its_workers_is_verified_before_it_is_killed() -> None:
    """It may name another consumer, a fork server, or what is no child of this process."""

    async def work(owner: Owner) -> None:
        consumer, _, end = await orphan_of(owner)
        other = owner.fork_server(OTHER_APP)
        named_other = await owner.start_as(other, lambda: owner.adopted().pid, named("other"), child=2)
        stranger = other.fork()
        beats = owner.heard.count(ev.ProcessBeat(1))
        pids = (named_other, other.process.pid, stranger)
        end.send(Figures(ConsumerFigures(workers=3, pids=pids)))
        await until(lambda: owner.heard.count(ev.ProcessBeat(1)) > beats)
        owner.consumers.kill(1)
        await owner.exit_of(1)
        assert [alive(pid) for pid in pids] == [True, True, True]
        assert not alive(consumer.pid)

    carry_out(work)


def test_a_sigkill_that_the_kernel_sent_for_want_of_memory_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One look for each end: the kills that were there before are another's."""
    kills = [3]
    monkeypatch.setattr(consumers, "out_of_memory_kills", lambda: kills[0])

    async def work(owner: Owner) -> None:
        server = owner.fork_server()
        for child, (more, status) in enumerate(((0, -9), (1, -9), (0, -9), (1, -15)), 1):
            pid = await owner.start(server, child=child)
            kills[0] += more
            server.say(Exited(child, pid, status))
            await owner.exit_of(child)
        found = [event.out_of_memory for event in owner.heard if isinstance(event, ev.ProcessExited)]
        assert found == [False, True, False, False]

    carry_out(work)


def test_dead_children_that_are_nobodys_are_reaped_and_known_ones_are_asked_about() -> None:
    """This process adopts what its children leave behind: it must not become a heap of zombies."""

    async def work(owner: Owner) -> None:
        stranger = owner.adopted()
        stranger.kill()
        await until(lambda: not os.path.exists(f"/proc/{stranger.pid}"))
        assert owner.heard == []

    carry_out(work)
    carry_out(work)
