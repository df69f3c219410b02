"""Verbs that steer: start, stop, restart, reset, pause, resume, scale, reload, signal, shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

from squids.supervisor.control import protocol as say
from squids.supervisor.control.order_base import (
    Answers,
    OrderBase,
    OrderError,
    end_of,
    result_of,
    seconds_of,
    signal_name,
    signal_number,
)
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import State, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.rollout import Reloaded, Rollout
from squids.supervisor.supervisor import Supervisor
from squids.supervisor.threads import NoThread, in_thread


class Steering(OrderBase):
    """Each waits for its effect, if it is to."""

    def __init__(self, supervisor: Supervisor, rollout: Rollout) -> None:
        super().__init__(supervisor)
        self._rollout = rollout

    def _select_to_run(self, queues: list[str]) -> list[str]:
        """Less those that are not in the file any more, and drain."""
        names = self._select(queues)
        kept = [name for name in names if name not in self._rollout.removing]
        if names and not kept:
            raise OrderError(f"not in the file any more: {', '.join(names)}", say.NO_SUCH_NAME)
        return kept

    async def start(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select_to_run(queues)
        self._refuse_if_stopping()
        for name in names:
            program = self._supervisor.programs.get(name)
            if program is None:
                continue  # Meanwhile the file was read again.
            if program.state in (State.STOPPED, State.EXITED, State.FATAL):
                await self._take_newest_generation(program)
            if self._supervisor.programs.get(name) is program and name not in self._rollout.removing:
                self._supervisor.feed(program, ev.Start())
        async for answer in self._each(names, self._came_up, options):
            yield answer

    async def reset(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select_to_run(queues)
        self._refuse_if_stopping()
        for name in names:
            program = self._supervisor.programs[name]
            generation = self._supervisor.fork_servers.generations[program.generation]
            self._supervisor.fork_servers.forget_failure(generation)
            self._supervisor.feed(program, ev.Reset())
        async for answer in self._each(names, self._came_up, options):
            yield answer

    async def _take_newest_generation(self, program: Program) -> None:
        """What is on disk now: where that has changed, or its import failed, a new import."""
        supervisor = self._supervisor
        generation = supervisor.generation_of(program.settings)
        try:
            stale = await in_thread(generation.stale_files)
        except NoThread as error:
            raise OrderError(str(error), say.FAILED) from error
        if generation.failure is not None or stale:
            generation = supervisor.fork_servers.new(program.settings.app_spec)
        program.generation = generation.number

    async def stop(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        for name in names:
            self._supervisor.feed(self._supervisor.programs[name], ev.Stop())

        def outcome(program: Program) -> tuple[bool, str] | None:
            if program.wanted is not Wanted.DOWN:
                return False, "somebody wants it up again"
            return (True, "stopped") if program.gone else None

        async for answer in self._each(names, outcome, options):
            yield answer

    async def restart(self, queues: list[str], options: dict[str, Any]) -> Answers:
        self._refuse_if_stopping()
        names = self._select_to_run(queues)
        programs = [self._supervisor.programs[name] for name in names]
        rolling = bool(options.get("rolling"))
        outcomes = self._rollout.begin(
            self._rollout.restart(programs, rolling=rolling, timeout=seconds_of(options))
        )
        async for answer in self._report(outcomes, options):
            yield answer

    async def pause(self, queues: list[str], options: dict[str, Any]) -> Answers:
        async for answer in self._set_paused(queues, options, True):
            yield answer

    async def resume(self, queues: list[str], options: dict[str, Any]) -> Answers:
        async for answer in self._set_paused(queues, options, False):
            yield answer

    async def _set_paused(self, queues: list[str], options: dict[str, Any], on: bool) -> Answers:
        names = self._select(queues)
        for name in names:
            self._supervisor.feed(self._supervisor.programs[name], ev.Pause() if on else ev.Resume())

        def outcome(program: Program) -> tuple[bool, str] | None:
            if program.wanted is Wanted.DOWN or program.state in (State.EXITED, State.FATAL):
                return False, f"is {program.state.value}"
            if program.wanted is not (Wanted.PAUSED if on else Wanted.UP):
                return False, "somebody wants something else"
            process = program.current
            consumer = self._supervisor.consumers.all.get(process.child) if process is not None else None
            if program.state is not State.RUNNING or consumer is None:
                return True, f"is {program.state.value}, and will be {'paused' if on else 'receiving'}"
            if bool(consumer.figures.get("paused")) is on:
                return True, "paused" if on else "receiving"
            return None

        async for answer in self._each(names, outcome, options):
            yield answer

    async def scale(self, queues: list[str], options: dict[str, Any]) -> Answers:
        wanted: dict[str, int] = {}
        for item in queues:
            pattern, _, number = item.rpartition("=")
            most = self._supervisor.settings.supervisor.max_workers
            is_number = number.isascii() and number.isdigit() and len(number) < 9
            if not (pattern and is_number and 1 <= int(number) <= most):
                text = f"scale takes QUEUE=N with N from 1 to {most} (max_workers): {item}"
                raise OrderError(text, say.USAGE)
            for name in self._select([pattern]):
                wanted[name] = int(number)
        if not wanted:
            raise OrderError("scale takes QUEUE=N", say.USAGE)
        for name, workers in wanted.items():
            self._supervisor.scale(self._supervisor.programs[name], workers)

        def outcome(program: Program) -> tuple[bool, str] | None:
            workers = wanted[program.settings.name]
            process = program.current
            consumer = self._supervisor.consumers.all.get(process.child) if process is not None else None
            if consumer is None:
                return True, f"will start with {workers} workers"
            figures = consumer.figures
            if figures.get("workers") == workers and figures.get("ready") == workers:
                return True, f"{workers} workers"
            return None

        async for answer in self._each(list(wanted), outcome, options):
            yield answer

    async def reload(self, queues: list[str], options: dict[str, Any]) -> Answers:
        self._refuse_if_stopping()
        plan = await self._rollout.plan()
        if isinstance(plan, list):
            for text in plan:
                yield {"type": "text", "text": text, "error": True}
            yield end_of(say.FAILED, "the file is invalid: nothing was changed")
            return
        for text in plan.lines():
            yield {"type": "text", "text": text}
        if options.get("dry_run"):
            yield end_of(say.OK)
            return
        outcomes = self._rollout.begin(self._rollout.apply(plan, timeout=seconds_of(options)))
        async for answer in self._report(outcomes, options):
            yield answer

    async def signal(self, queues: list[str], options: dict[str, Any]) -> Answers:
        number = signal_number(options.get("signal"))
        code = say.OK
        for name in self._select(queues):
            process = self._supervisor.programs[name].current
            if process is None or process.pid is None:
                code = say.FAILED
                yield result_of(name, False, "no process")
                continue
            self._supervisor.consumers.signal(process.child, number)
            yield result_of(name, True, f"{signal_name(number)} sent to {process.pid}")
        yield end_of(code)

    async def shutdown(self, queues: list[str], options: dict[str, Any]) -> Answers:
        if queues:
            raise OrderError("shutdown stops the supervisor; to stop queues, use stop", say.USAGE)
        if options.get("now") and not self._supervisor.stopping:
            self._supervisor.shut_down("shutdown --now")
        if not self._supervisor.stopping or options.get("now"):
            self._supervisor.shut_down("shutdown")
        yield {"type": "text", "text": "shutting down"}
        if options.get("wait", True) and not await self._supervisor.until(
            lambda: all(program.gone for program in self._supervisor.programs.values()), seconds_of(options)
        ):
            yield end_of(say.TIMED_OUT, "it goes on shutting down")
            return
        yield end_of(say.OK)

    def _came_up(self, program: Program) -> tuple[bool, str] | None:
        process = program.current
        pid = f", pid {process.pid}" if process is not None and process.pid else ""
        match program.state:
            case State.RUNNING:
                return True, f"running{pid}"
            case State.STARTING:
                consumer = self._supervisor.consumers.all.get(process.child) if process is not None else None
                if consumer is not None and consumer.degraded:
                    return False, f"started{pid}, but degraded: {consumer.degraded}"
                return None
            case State.STOPPING if program.wanted is not Wanted.DOWN:
                return None
            case _:
                return False, f"{program.state.value}: {program.reason}"

    async def _report(self, outcomes: asyncio.Queue[Reloaded | None], options: dict[str, Any]) -> Answers:
        code = say.OK
        if not options.get("wait", True):
            yield {"type": "text", "text": "it goes on in the background; events and logs tell how"}
            yield end_of(say.OK)
            return
        while (outcome := await outcomes.get()) is not None:
            if outcome.timed_out:
                code = say.TIMED_OUT
            elif not outcome.ok and code == say.OK:
                code = say.FAILED
            yield result_of(outcome.name, outcome.ok, outcome.text)
        yield end_of(code)
