"""Fork servers: one real one, and some whose words the test says, with a test in the place of the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from squids.process.figures import ImportFacts
from squids.process.log_lines import Origin, Source
from squids.process.protocol import Frame, Output, Preloaded, PreloadFailed, Spawned
from squids.supervisor import fork_servers
from squids.supervisor.events import Event, EventKind
from squids.supervisor.fork_servers import ForkServers
from squids.supervisor.generation import Failure, Generation, GenerationState
from squids.supervisor.settings import AppSpec
from tests.support.loops import run, until
from tests.support.spoken import SpokenForkServer
from tests.support.zygotes import alive

APP = AppSpec("shop:app", "/srv")

Answer = Failure | None


class Owner:
    """What a supervisor is to its fork servers: it notes what it is told."""

    def __init__(self) -> None:
        self.reports: list[Frame] = []
        self.outputs: list[tuple[Source, list[int]]] = []
        self.lost: list[int | None] = []
        self.lies: list[str] = []
        self.events: list[Event] = []
        self.answers: list[Answer] = []
        self.all = ForkServers(
            on_report=lambda generation, frame: self.reports.append(frame),
            on_output=lambda generation, source, pid, descriptors: self.outputs.append((source, descriptors)),
            has_program=lambda generation, name: name == "emails",
            on_lost=lambda generation, status: self.lost.append(status),
            on_lie=self.on_lie,
            on_event=lambda generation, event: self.events.append(event),
            consumers_of=lambda generation: [],
            log_level=lambda: "INFO",
        )
        self.made: list[SpokenForkServer] = []

    def on_lie(self, generation: Generation, what: str) -> None:
        self.lies.append(what)
        if generation.handle is not None:
            generation.handle.distrust()

    def spoken(self, state: GenerationState = GenerationState.READY) -> SpokenForkServer:
        """One whose words the test says."""
        made = SpokenForkServer()
        made.serve(self.all, APP, state)
        self.made.append(made)
        return made

    def wait_for(self, generation: Generation, timeout: float = 60.0) -> None:
        self.all.when_ready(generation, self.answers.append, timeout)

    async def answer(self, count: int = 1) -> Answer:
        """The answer to the last of so many."""
        await until(lambda: len(self.answers) >= count)
        return self.answers[count - 1]

    def close(self) -> None:
        for generation in self.all.generations:
            if generation.handle is not None:
                generation.handle.kill_server()
        self.all.release(set())
        self.all.kill_dying()
        for _, descriptors in self.outputs:
            fork_servers.close_all(descriptors)
        for made in self.made:
            made.close()


def carry_out(work: Callable[[Owner], Coroutine[Any, Any, None]]) -> Owner:
    async def whole() -> Owner:
        owner = Owner()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, lambda: reap(owner))
        try:
            await work(owner)
        finally:
            owner.close()
            await until(lambda: reap(owner) or not owner.all.pids())
        return owner

    return run(whole())


def reap(owner: Owner) -> None:
    """As the supervisor does on SIGCHLD; what the test has waited for itself is dead, too."""
    for pid in owner.all.pids():
        try:
            dead = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            dead = True
        if dead:
            owner.all.reap(pid)


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> list[Generation]:
    """Imports that begin, and of which nothing comes."""
    begun: list[Generation] = []

    def start(self: ForkServers, generation: Generation, timeout: float) -> None:
        begun.append(generation)
        generation.state = GenerationState.IMPORTING
        self._time_out(generation, asyncio.get_running_loop().time() + timeout, timeout)

    monkeypatch.setattr(ForkServers, "_start", start)
    return begun


# Real ones.


def test_an_app_is_imported_once_for_all_who_wait_and_released_when_nobody_holds_on_to_it(
    tmp_path: Path,
) -> None:
    """It leaves by itself: its children may be draining."""
    (tmp_path / "shop.py").write_text("import squids\nprint('imported')\napp = squids.App('shop')\n")

    async def work(owner: Owner) -> None:
        generation = owner.all.generations.new(AppSpec("shop:app", str(tmp_path)))
        owner.wait_for(generation)
        owner.wait_for(generation)
        assert await owner.answer(2) is None
        owner.wait_for(generation)
        assert owner.answers == [None, None, None]
        assert generation.state is GenerationState.READY
        assert generation.imports == 1
        assert generation.facts is not None
        assert str(tmp_path / "shop.py") in [file.path for file in generation.facts.files]
        assert [event.kind for event in owner.events] == [EventKind.IMPORTED]
        ((source, (prints, _)),) = owner.outputs
        assert source == Source(Origin.FORK_SERVER, app="shop:app")
        assert os.read(prints, 100) == b"imported\n"
        (pid,) = owner.all.pids()
        owner.all.release({generation.number})
        assert owner.all.generations
        owner.all.release(set())
        assert not owner.all.generations
        assert owner.all.pids() == {pid}, "it is not reaped yet"
        await until(lambda: not owner.all.pids())
        assert owner.lost == []

    carry_out(work)


def test_an_import_that_fails_says_where_and_is_not_tried_again_at_once(tmp_path: Path) -> None:
    """The next who wants it within that time is told the same; a person who says that it is mended is not."""
    shop = tmp_path / "shop.py"
    shop.write_text("import squids\n1 / 0\n")

    async def work(owner: Owner) -> None:
        generation = owner.all.generations.new(
            AppSpec("shop:app", str(tmp_path), preload=False), on_trial=True
        )
        before = time.monotonic()
        owner.wait_for(generation)
        failure = await owner.answer()
        assert failure is not None
        assert failure.short == "ZeroDivisionError in shop.py:2"
        assert failure.retry_at is not None and failure.retry_at > before
        assert str(shop) in failure.files
        (event,) = owner.events
        assert (event.kind, event.level) == (EventKind.IMPORT_FAILED, "ERROR")
        assert event.text == "importing shop:app failed: ZeroDivisionError in shop.py:2"
        assert "ZeroDivisionError: division by zero" in event.traceback
        generation.failure = again = replace(failure, retry_at=time.monotonic() + 60)  # It may be due by now.
        owner.wait_for(generation)
        assert owner.answers == [failure, again]
        shop.write_text("import squids\n\napp = squids.App('shop')\n")
        owner.all.forget_failure(generation)
        owner.wait_for(generation)
        assert await owner.answer(3) is None
        assert generation.imports == 3, "once to see whether it can be, then as it is"
        assert not generation.shares

    carry_out(work)


def test_an_interpreter_that_is_not_there_is_a_failure_and_no_descriptor_is_left(tmp_path: Path) -> None:
    async def work(owner: Owner) -> None:
        generation = owner.all.generations.new(
            replace(APP, directory=str(tmp_path), python=str(tmp_path / "python"))
        )
        before = os.listdir("/proc/self/fd")
        owner.wait_for(generation)
        (failure,) = owner.answers
        assert failure is not None
        assert failure.text.startswith("its fork server could not be started: ")
        assert not failure.refused
        assert os.listdir("/proc/self/fd") == before

    carry_out(work)


def test_a_system_that_has_no_more_of_something_is_not_the_apps_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_pipe() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(fork_servers.Outlet, "make", no_pipe)

    async def work(owner: Owner) -> None:
        generation = owner.all.generations.new(APP)
        owner.wait_for(generation)
        (failure,) = owner.answers
        assert failure is not None
        assert (failure.refused, failure.retry_at is None) == (True, False)
        assert failure.text == "the system refused a pipe: Too many open files"

    carry_out(work)


# Time.


def test_one_import_for_all_takes_as_long_as_the_most_patient_has(no_start: list[Generation]) -> None:
    async def work(owner: Owner) -> None:
        generation = owner.all.generations.new(APP)
        owner.wait_for(generation, 60.0)
        assert generation.timer is not None
        before = generation.timer.when()
        owner.wait_for(generation, 30.0)
        assert generation.timer.when() == before
        owner.wait_for(generation, 100.0)
        assert generation.timer.when() == pytest.approx(before + 40.0)
        assert no_start == [generation]

    carry_out(work)


def test_an_import_that_takes_too_long_is_a_failure_and_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets a signal by which it writes where it hangs."""

    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        owner.all._time_out(server.generation, asyncio.get_running_loop().time(), 0.5)
        failure = await owner.answer()
        assert failure is not None
        assert failure.text == "the import of shop:app took over 0.5 s"
        assert failure.retry_at is not None
        await until(lambda: server.process.poll() is not None)
        assert server.process.returncode == -signal.SIGABRT

    carry_out(work)


def test_what_is_released_while_it_is_imported_is_killed_and_whoever_waits_is_told() -> None:
    """Nobody listens to its socket before its import is over."""

    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        owner.all.release(set())
        (failure,) = owner.answers
        assert failure is not None
        assert failure.text == "it is no longer needed"
        await until(lambda: server.process.poll() is not None)
        assert server.process.returncode == -signal.SIGKILL

    carry_out(work)


# What they say.


def test_what_it_reports_of_its_children_is_handed_on() -> None:
    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.say(Spawned(1, 4711), Spawned(2, 4712))
        await until(lambda: len(owner.reports) == 2)
        assert owner.reports == [Spawned(1, 4711), Spawned(2, 4712)]

    carry_out(work)


def test_an_app_that_cannot_be_forked_is_imported_by_each_process_instead(no_start: list[Generation]) -> None:
    """What was learned of it stays, although the fork server that told it leaves."""

    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        facts = ImportFacts(5.0, ())
        server.say(Preloaded("2 threads", facts))
        await until(lambda: no_start)
        generation = server.generation
        assert (generation.shares, generation.unforkable, generation.facts) == (False, "2 threads", facts)
        assert [event.kind for event in owner.events] == [EventKind.NOT_FORKABLE]
        assert owner.answers == [], "there is no code to run yet"

    carry_out(work)


@pytest.mark.parametrize("hopeless", [True, False])
def test_a_failure_that_a_restart_cannot_mend_is_never_tried_again(hopeless: bool) -> None:
    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        server.say(PreloadFailed(hopeless, "there is no app", ["/srv/shop.py"]))
        failure = await owner.answer()
        assert failure is not None
        assert (failure.text, failure.files) == ("there is no app", ("/srv/shop.py",))
        assert (failure.retry_at is None) is hopeless
        assert owner.events[0].text == "shop:app: there is no app"

    carry_out(work)


def test_an_exception_that_says_very_much_is_not_kept_whole() -> None:
    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        server.say(PreloadFailed(True, "\n".join(f"{number} {'x' * 1000}" for number in range(200))))
        failure = await owner.answer()
        assert failure is not None
        assert len(failure.text) < 40_000
        assert failure.text.splitlines()[-1].startswith("199 ")

    carry_out(work)


def test_what_a_child_prints_goes_to_its_program_and_not_to_anothers() -> None:
    """An app could else write lines in the name of any queue; what came with the lie is closed."""

    async def work(owner: Owner) -> None:
        server = owner.spoken()
        (mine, mine_records), (other, other_records) = os.pipe(), os.pipe()
        reading, writing = os.pipe()
        os.close(mine_records), os.close(other_records), os.close(writing)
        server.channel.send(Output("emails", 2, 4711), [mine, other])
        await until(lambda: owner.outputs)
        ((source, descriptors),) = owner.outputs
        assert (source, len(descriptors)) == (Source(Origin.WORKER, "emails", 2), 2)
        server.say(Output("emails", None, 4711))
        await until(lambda: owner.events)
        (event,) = owner.events
        assert event.kind is EventKind.OUTPUT_LOST
        assert event.text == "the output of emails is not read: Too many open files"
        before = len(os.listdir("/proc/self/fd"))
        server.channel.send(Output("reports", None, 4711), [reading, reading])
        await until(lambda: owner.lies)
        assert owner.lies == ["sent what reports prints, which is not its own"]
        assert len(os.listdir("/proc/self/fd")) <= before
        for one in (mine, other, reading):
            os.close(one)

    carry_out(work)


def test_one_that_lied_is_not_heard_any_more() -> None:
    """What came in the same read as the lie, neither."""

    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.say(Output("reports", None, 4711), Spawned(1, 4711))
        await until(lambda: owner.lost)
        assert owner.reports == []
        assert len(owner.lies) == 1

    carry_out(work)


def test_what_is_no_frame_is_a_lie() -> None:
    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.channel._socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
        await until(lambda: owner.lies)
        assert owner.lies[0].startswith("sent an invalid frame (")

    carry_out(work)


# How they end.


def test_the_first_death_of_one_is_answered_at_once_and_those_after_it_are_waited_for() -> None:
    """What it said before it died was heard before."""

    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.generation.ready_since = time.monotonic()
        server.process.terminate()
        os.waitid(os.P_PID, server.process.pid, os.WEXITED | os.WNOWAIT)
        server.say(Spawned(1, 4711))
        assert owner.all.reap(server.process.pid)  # Before the loop looks at its socket.
        assert owner.lost == [-signal.SIGTERM]
        assert owner.reports == [Spawned(1, 4711)]
        assert server.generation.state is GenerationState.LOST
        assert server.generation.failure is None
        again = owner.spoken()
        again.generation.ready_since = time.monotonic()
        again.generation.restarts = server.generation.restarts
        again.process.kill()
        await until(lambda: len(owner.lost) == 2)
        assert again.generation.failure is not None
        assert again.generation.failure.text == "its fork server keeps dying"
        assert again.generation.failure.retry_at > time.monotonic() - 60

    carry_out(work)


def test_a_death_after_a_long_life_is_no_crash_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_servers, "HEALTHY_AFTER", 0.0)

    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.generation.restarts.died(0.0, 0.5)
        server.process.kill()
        await until(lambda: owner.lost)
        assert server.generation.failure is None

    carry_out(work)


def test_an_import_that_ends_its_process_is_a_failure_that_says_how() -> None:
    async def work(owner: Owner) -> None:
        server = owner.spoken(GenerationState.IMPORTING)
        owner.wait_for(server.generation)
        server.process.kill()
        failure = await owner.answer()
        assert failure is not None
        assert failure.text == "the import of shop:app ended its process: signal 9"
        assert owner.lost == []

    carry_out(work)


def test_one_that_closed_its_socket_and_lives_on_counts_as_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment: most that close it are about to exit, and their status is worth waiting for."""
    monkeypatch.setattr(fork_servers, "EXIT_SECONDS", 0.01)
    monkeypatch.setattr(fork_servers, "FAILED_EXIT_SECONDS", 0.01)

    async def work(owner: Owner) -> None:
        server = owner.spoken()
        server.channel.close()
        await until(lambda: owner.lost)
        assert owner.lost == [None]
        await until(lambda: not owner.all.pids())
        assert not alive(server.process.pid)

    carry_out(work)


def test_the_newest_of_an_app_is_the_one_that_was_made_last() -> None:
    """Also where its import failed: an older one that runs is what others hold on to."""

    async def work(owner: Owner) -> None:
        assert owner.all.generations.newest(APP) is None
        owner.all.generations.new(APP)
        second = owner.all.generations.new(APP, on_trial=True)
        owner.all.generations.new(replace(APP, directory="/opt"))
        second.state = GenerationState.FAILED
        assert owner.all.generations.newest(APP) is second
        assert not second.on_trial, "one that is shared is tried by its import"

    carry_out(work)
