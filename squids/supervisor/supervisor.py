"""The shell of the supervisor: one loop that carries out what the programs ask for.

It owns processes, sockets, timers and output. `program` decides about a program, `fleet` across programs.
Operators' requests are in `control`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

from squids.exit_codes import ExitCode
from squids.process.channel import close_all
from squids.process.figures import ConsumerFigures
from squids.process.log_lines import Line, Origin, Source
from squids.process.protocol import Drain, Pause, Scale
from squids.process.stops import StopBy, Stops
from squids.process.zygote_main import become_subreaper
from squids.supervisor import events
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.consumer_handle import ConsumerHandle
from squids.supervisor.consumers import ConsumerProcesses
from squids.supervisor.events import Event, EventKind
from squids.supervisor.fleet import gives_up, kinds_of_consumers, start_order, stop_order
from squids.supervisor.fork_servers import ForkServers
from squids.supervisor.generation import Generation
from squids.supervisor.history import Death, History, NotedEvent
from squids.supervisor.output.relay import Relay
from squids.supervisor.output.sinks import LogOutput
from squids.supervisor.program import events as ev
from squids.supervisor.program.machine import Program
from squids.supervisor.program.rules import handle
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings
from squids.supervisor.waiters import Waiters

STALLED_SECONDS = 2.0
"""Seconds that a timer may be late before the supervisor counts as stalled."""

FORK_SERVERS_EXIT_SECONDS = 5.0
"""How long fork servers may take to exit at the end."""

STARTING = (ev.StartProgram, ev.RestartProgram, ev.ResetProgram, ev.ResumeProgram)
"""Commands that may start a process."""

SPARE_OUTPUTS = 64
"""Pipes and sockets that each fork server may have open beyond those that its children need."""

LEVELS = {logging.getLevelName(number): number for number in (10, 20, 30, 40, 50)}


class Supervisor:
    """Keeps the programs of a file in their desired states. `run` returns the exit code."""

    def __init__(self, settings: Settings, soft_nofile: int | None = None) -> None:
        self.settings = settings
        self.programs: dict[str, Program] = {}
        self.history = History()
        self.output = LogOutput(settings.supervisor.log_format, self._output_trouble)
        self.started_at = time.time()
        self.stopping = False
        self._stops = Stops()
        self.exit_reason: str | None = None
        self.stale: dict[AppSpec, str] = {}
        """Why the code on disk cannot be imported, by app spec. Older code keeps running."""
        self._last_failure: dict[AppSpec, Event] = {}
        self.fork_servers = ForkServers(
            on_report=lambda generation, frame: self.consumers.on_report(generation, frame),
            on_output=self._on_output,
            has_program=self._has_program,
            on_lost=lambda generation, status: self.consumers.on_fork_server_lost(generation, status),
            on_lie=lambda generation, what: self.consumers.distrust(generation, what),
            on_event=self._on_import_event,
            consumers_of=self._consumers_of,
            log_level=lambda: self.settings.supervisor.log_level,
        )
        self.consumers = ConsumerProcesses(
            self.fork_servers,
            on_event=self._on_process_event,
            say=self.say,
            note=self.note,
            on_gone=self.release_generations,
            soft_nofile=soft_nofile,
            log_jobs=bool(settings.supervisor.log_jobs),
        )
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self.background = BackgroundTasks(lambda name, error: self.say(events.internal_error(name, error)))
        self.waiters = Waiters()
        self._relay = Relay(self.changed)
        self._overflowed: set[int] = set()
        """Generations whose fork server has too many outputs open."""
        self.watchers: set[Callable[[NotedEvent], None]] = set()
        self._done = asyncio.Event()
        self.local_endpoint: str | None = None
        """The endpoint of the local SQS, if there is one."""

    # Start and end.

    def start(self) -> None:
        """Attach to the running loop, and start the programs that start automatically."""
        self._loop = asyncio.get_running_loop()
        become_subreaper()
        self.consumers.start()
        if self.stopping:
            return  # It was already told to stop.
        for settings in start_order(self.settings.programs):
            self.add(settings)

    async def run(self, close: Callable[[], Awaitable[None]]) -> ExitCode:
        """Run until told to stop and all programs are down. `close` closes the control socket."""
        await self._done.wait()
        await close()
        self.fork_servers.release(set())
        # Once they exit, their output and that of their children ends.
        await self.waiters.until(lambda: not self._relay.reading, FORK_SERVERS_EXIT_SECONDS)
        self.fork_servers.kill_dying()
        self.output.close()
        return ExitCode.UNAVAILABLE if self.exit_reason is not None else ExitCode.OK

    def add(self, settings: ProgramSettings, generation: Generation | None = None) -> Program:
        """Add a program of the file; start it if the file says so."""
        generation = generation or self.fork_servers.generations.for_start(settings.app_spec)
        program = Program(settings, generation.number, self._numbers)
        self.programs[settings.name] = program
        if settings.autostart:
            self.feed(program, ev.StartProgram())
        return program

    def remove(self, name: str) -> None:
        """Remove a program that is down and no longer in the file."""
        app_spec = self.programs.pop(name).settings.app_spec
        if all(program.settings.app_spec != app_spec for program in self.programs.values()):
            self.stale.pop(app_spec, None)
        self.history.forget(name)
        self.release_generations()
        self.changed()

    def shut_down(self, reason: str, by: StopBy = StopBy.SIGNAL) -> None:
        """Drain all programs and exit; if it is the sender's second request (`process.stops`), force."""
        forces = self._stops.forces(by, time.monotonic())
        if self.stopping:
            if forces:
                self.force(reason)
            return
        self.stopping = True
        up = [program for program in self.programs.values() if not program.gone]
        self.say(events.stopping(reason, len(up), by))
        for settings in stop_order(program.settings for program in self.programs.values()):
            self.feed(self.programs[settings.name], ev.StopProgram())
        self._end_if_done()

    def force(self, reason: str) -> None:
        """Do not wait for tasks any longer."""
        self.say(events.forcing(reason))
        for program in self.programs.values():
            self._act(program, program.force(time.monotonic()))

    def _end_if_done(self) -> None:
        if self.stopping and all(program.gone for program in self.programs.values()):
            self._done.set()

    # Programs: events in, actions out.

    def feed(self, program: Program, event: ev.Event) -> None:
        """Pass an event to a program and carry out its actions.

        Once the supervisor stops, commands that would start a process are dropped, including those of a
        restart or reload that is still importing.
        """
        if self.stopping and isinstance(event, STARTING):
            return
        self._act(program, handle(program, event, time.monotonic()))

    def _act(self, program: Program, actions: list[ev.Action]) -> None:
        for action in actions:
            self._carry_out(program, action)
        self._wake_by(program.wakes_at())
        if any(isinstance(action, ev.StateChanged | ev.ProcessDied | ev.HandOver) for action in actions):
            self.release_generations()
            self.changed()
            self._check_exit_on()

    def _carry_out(self, program: Program, action: ev.Action) -> None:
        name = program.settings.name
        match action:
            case ev.SpawnProcess(child, generation, settings):
                self.consumers.want(child, self.fork_servers.generations[generation], settings)
            case ev.CancelProcess(child):
                self.consumers.cancel(child)
            case ev.SendDrain(child, within):
                self.consumers.send(child, Drain(within))
            case ev.SendPause(child, on):
                self.consumers.send(child, Pause(on))
            case ev.TerminateProcess(child):
                self.consumers.signal(child, signal.SIGTERM)
            case ev.AbortProcess(child):
                self.consumers.signal(child, signal.SIGCONT)
                self.consumers.signal(child, signal.SIGABRT)
            case ev.KillProcess(child):
                self.consumers.kill(child)
            case ev.StateChanged(_, new, reason):
                self.say(events.state_changed(name, new, reason, program.retry_in(time.monotonic())))
            case ev.ProcessDied():
                self._record_death(name, action)
            case ev.HandOver(failure):
                self.say(events.handed_over(name, failure))

    def _check_exit_on(self) -> None:
        if not self.stopping:
            states = [(program.settings, program.state) for program in self.programs.values()]
            self.exit_reason = gives_up(self.settings.supervisor.exit_on, states)
            if self.exit_reason is not None:
                self.say(events.gave_up(self.exit_reason))
                self.shut_down(self.exit_reason, StopBy.ITSELF)
        self._end_if_done()

    # Time.

    def _wake_by(self, at: float | None) -> None:
        """Set the timer to check all programs by then.

        An early check is cheap; checking all programs after each sign of life of one is not.
        """
        if at is None or (self._timer is not None and self._timer.when() <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._tick, at)

    def _tick(self, planned: float) -> None:
        self._timer = None
        now = time.monotonic()
        if now - planned > STALLED_SECONDS:
            for program in self.programs.values():
                program.stalled(now - planned)
        for program in list(self.programs.values()):
            at = program.wakes_at()
            if at is not None and at <= now:
                self.feed(program, ev.Tick())
        times = [program.wakes_at() for program in self.programs.values()]
        self._wake_by(min((at for at in times if at is not None), default=None))

    def scale(self, program: Program, workers: int) -> None:
        """Change the number of workers until the next reload."""
        program.settings = program.settings.scaled(workers)
        for process in program.processes():
            if process in (program.current, program.replacement):
                process.settings = program.settings
                self.consumers.send(process.child, Scale(workers))

    def _on_process_event(self, consumer: ConsumerHandle, event: ev.Event) -> None:
        program = self.programs.get(consumer.program)
        if program is not None:
            self.feed(program, event)
        if self.waiters and isinstance(event, ev.ProcessBeat):
            self.changed()  # There may be new figures.

    # Fork servers.

    def _on_import_event(self, generation: Generation, event: Event) -> None:
        if event.kind is EventKind.IMPORT_FAILED:
            before = self._last_failure.get(generation.app_spec)
            self._last_failure[generation.app_spec] = event
            repeated = bool(event.traceback) and event == before
            self.say(events.import_failed_as_before(event) if repeated else event)
        else:
            self._last_failure.pop(generation.app_spec, None)
            self.say(event)

    def _consumers_of(self, generation: Generation) -> list[dict[str, Any]]:
        """Return the options of the consumers that will be forked from it, for its warm-up."""
        programs = (program.settings for program in self.programs.values())
        return kinds_of_consumers(program for program in programs if program.app_spec == generation.app_spec)

    def release_generations(self) -> None:
        """Close the fork servers of generations that no program uses or will use."""
        used = {program.generation for program in self.programs.values()}
        used |= {process.generation for program in self.programs.values() for process in program.processes()}
        used |= {consumer.generation.number for consumer in self.consumers.all.values()}
        self.fork_servers.release(used | self.fork_servers.generations.held)

    # Lines and events.

    def _has_program(self, generation: Generation, name: str) -> bool:
        """Whether this generation may have a process of this program, now or before a reload."""
        program = self.programs.get(name)
        return (program is not None and program.settings.app_spec == generation.app_spec) or any(
            consumer.program == name and consumer.generation.app_spec == generation.app_spec
            for consumer in self.consumers.all.values()
        )

    def _on_output(self, generation: Generation, source: Source, pid: int, descriptors: list[int]) -> None:
        """Read a child's output. Its lines also go to its consumer, for `why` and the program's log file."""
        consumer: ConsumerHandle | None = None
        for one in self.consumers.all.values():
            if one.program == source.program and (source.worker is not None or one.pid in (None, pid)):
                consumer = one
        opened = self._relay.open_of(generation.number)
        if opened >= SPARE_OUTPUTS and opened >= self._most_outputs(generation):
            close_all(descriptors)
            if generation.number not in self._overflowed:
                self._overflowed.add(generation.number)
                why = "its fork server has too many outputs open"
                self._on_import_event(generation, events.output_lost(str(source), why))
            return
        self._overflowed.discard(generation.number)
        self._relay.add(descriptors, source, lambda line: self._take_line(line, consumer), generation.number)

    def _most_outputs(self, generation: Generation) -> int:
        """Return twice what its consumers and workers need: processes left by tasks may hold some open."""
        default = os.cpu_count() or 1
        mine = [one.settings for one in self.consumers.all.values() if one.generation is generation]
        return SPARE_OUTPUTS + 4 * sum(1 + int(settings.option("workers") or default) for settings in mine)

    def _take_line(self, line: Line, consumer: ConsumerHandle | None) -> None:
        if consumer is not None:
            for text in (line.text, *line.traceback.split("\n")) if line.traceback else (line.text,):
                consumer.lines.add(text)
        settings = consumer.settings if consumer is not None else None
        file = settings.log_file if settings is not None else None
        self.output.line(
            line, (file, settings.app_spec) if settings is not None and file is not None else None
        )

    def report(self) -> None:
        """Log one line for each program."""
        for name, program in self.programs.items():
            process = program.current
            consumer = self.consumers.of(process)
            figures = (consumer.figures if consumer is not None else None) or ConsumerFigures()
            details = {
                "pid": process.pid if process is not None else None,
                "restarts": program.restarts,
                "workers": f"{figures.busy}/{figures.workers}",
                "held": figures.held,
                "done": figures.done,
                "failed": figures.failed,
            }
            self.say(events.state(name, f"{program.state.value}: {program.reason}", **details))

    def say(self, event: Event) -> None:
        """Log an event, and note it."""
        self.note(event)
        if LEVELS[event.level] >= LEVELS[self.settings.supervisor.log_level]:
            source = Source(Origin.SUPERVISOR, event.program)
            extras = {"action": event.kind.value, **event.details}
            self.output.line(
                Line(time.time(), source, event.level, event.text, "squids", extras, event.traceback)
            )

    def note(self, event: Event) -> None:
        """Keep an event for the `events` verb and notify watchers, without logging it."""
        noted = self.history.note(time.time(), event)
        for watcher in list(self.watchers):
            watcher(noted)

    def _output_trouble(self, text: str) -> None:
        """Called by a writer thread."""
        try:
            self._loop.call_soon_threadsafe(self.say, events.output_trouble(text))
        except (RuntimeError, AttributeError):
            pass  # The loop has not started, or is closed.

    def _record_death(self, name: str, died: ev.ProcessDied) -> None:
        consumer = self.consumers.all.get(died.child)
        if consumer is None:
            return
        figures = consumer.figures
        running = figures.running if figures is not None else ()
        death = Death(
            at=time.time(),
            pid=died.pid,
            status=died.status,
            cause=died.cause,
            asked=died.asked,
            uptime=died.uptime,
            lines=consumer.lines,
            running=running,
            held=figures.held if figures is not None else None,
        )
        self.history.died(name, death)
        if not died.asked:
            self.say(events.died(name, died.cause, died.uptime, len(running)))

    # Waiters.

    def changed(self) -> None:
        """Something changed: waiters check their conditions again."""
        self.waiters.look()

    def degraded(self, program: Program) -> str | None:
        """Return why a program's consumer cannot work, or None."""
        consumer = self.consumers.of(program.current)
        return consumer.degraded if consumer is not None else None
