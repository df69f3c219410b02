"""What operators ask for, carried out: each verb waits for its effect, and says what happened.

What is already so is a success. A verb is an async generator of answers (`control_protocol`), the last of
which is the end, with an exit code.
"""

from __future__ import annotations

import asyncio
import fnmatch
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from squids.supervisor import control_protocol as say
from squids.supervisor import program_events as ev
from squids.supervisor.history import Happening
from squids.supervisor.lines import Line, as_text, iso, program_of
from squids.supervisor.procfs import Meter
from squids.supervisor.program import Program
from squids.supervisor.program_events import State, Wanted
from squids.supervisor.rollout import Reloaded, Rollout
from squids.supervisor.status import pids_of, status_of, zygotes_of
from squids.supervisor.supervisor import Supervisor

Answer = dict[str, Any]
Answers = AsyncIterator[Answer]

QUIET_SECONDS = 0.5
"""How long nothing is printed before a dump counts as written."""

DUMP_SECONDS = 5.0
MOST_WORKERS = 10_000


class OrderError(Exception):
    """The order cannot be carried out as it stands."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Orders:
    """The verbs. `reload` reads the file again."""

    def __init__(self, supervisor: Supervisor, rollout: Rollout) -> None:
        self._supervisor = supervisor
        self._rollout = rollout
        self._meter = Meter()
        self._verbs: dict[str, Callable[[list[str], dict[str, Any]], Answers]] = {
            "status": self._status,
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "pause": self._pause,
            "resume": self._resume,
            "scale": self._scale,
            "reload": self._reload,
            "logs": self._logs,
            "events": self._events,
            "why": self._why,
            "reset": self._reset,
            "dump": self._dump,
            "signal": self._signal,
            "pid": self._pid,
            "wait": self._wait,
            "shutdown": self._shutdown,
        }

    async def run(self, verb: str, queues: list[str], options: dict[str, Any], peer: int | None) -> Answers:
        """Carry out one order. Never raises for what was asked."""
        order = self._verbs.get(verb)
        if order is None:
            yield _end(say.USAGE, f"there is no verb {verb}")
            return
        if verb not in ("status", "logs", "events", "why", "pid", "wait"):
            self._supervisor.happened("", "order", f"{verb} {' '.join(queues)}".strip(), uid=peer)
        try:
            async for answer in order(queues, options):
                yield answer
        except OrderError as error:
            yield _end(error.code, str(error))
        except (TypeError, ValueError) as error:
            yield _end(say.USAGE, str(error))

    # Looking.

    async def _status(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        pids = pids_of(self._supervisor, names)
        usage = await asyncio.to_thread(self._meter.measure, pids)
        codes = list(self._supervisor.zygotes.codes.values())
        stale = await asyncio.to_thread(lambda: {code.number: code.stale_files() for code in codes})
        entries = status_of(self._supervisor, names, usage, stale)
        yield {
            "type": "status",
            "supervisor": {
                "pid": os.getpid(),
                "started_at": iso(self._supervisor.started_at),
                "uptime": round(time.time() - self._supervisor.started_at, 1),
                "stopping": self._supervisor.stopping,
                "config": next(iter(self._supervisor.settings.files), None),
                "reload_failed": self._rollout.last_error,
            },
            "zygotes": zygotes_of(self._supervisor, stale),
            "programs": entries,
        }
        yield _end(say.OK if all(entry["as_wanted"] for entry in entries) else say.NOT_ALL)

    async def _pid(self, queues: list[str], options: dict[str, Any]) -> Answers:
        if not queues:
            yield {"type": "text", "text": str(os.getpid())}
            yield _end(say.OK)
            return
        code = say.OK
        for name in self._select(queues):
            process = self._supervisor.programs[name].current
            if process is None or process.pid is None:
                code = say.FAILED
                yield _result(name, False, "no process")
            else:
                yield {"type": "text", "text": str(process.pid), "queue": name}
        yield _end(code)

    async def _why(self, queues: list[str], options: dict[str, Any]) -> Answers:
        for name in self._select(queues):
            program = self._supervisor.programs[name]
            deaths = self._supervisor.history.deaths(name)
            yield {
                "type": "why",
                "queue": name,
                "state": program.state.value,
                "reason": program.reason,
                "deaths": [{**death.as_dict(), "at": iso(death.at)} for death in deaths],
            }
        yield _end(say.OK)

    async def _logs(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = set(self._select(queues)) if queues else None
        found = [line for line in self._supervisor.output.kept if _is_of(line, names)]
        for line in found[-_number(options, "lines", 50) :]:
            yield _line(line)
        if options.get("follow"):
            async for line in self._follow(self._supervisor.output.followers, lambda x: _is_of(x, names)):
                yield _line(line)
        yield _end(say.OK)

    async def _events(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = set(self._select(queues)) if queues else None
        for event in self._supervisor.history.events(names)[-_number(options, "lines", 50) :]:
            yield _event(event)
        if options.get("follow"):

            def wanted(event: Happening) -> bool:
                return names is None or event.program in names

            async for event in self._follow(self._supervisor.watchers, wanted):
                yield _event(event)
        yield _end(say.OK)

    async def _follow(self, followers: set[Any], wanted: Callable[[Any], bool]) -> AsyncIterator[Any]:
        """What comes from now on; a client that is too slow loses some."""
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=1000)

        def follow(item: Any) -> None:
            if wanted(item) and not queue.full():
                queue.put_nowait(item)

        followers.add(follow)
        try:
            while True:
                yield await queue.get()
        finally:
            followers.discard(follow)

    async def _wait(self, queues: list[str], options: dict[str, Any]) -> Answers:
        what = options.get("for", "running")
        if what not in ("running", "stopped"):
            raise OrderError("wait --for takes running or stopped", say.USAGE)

        def outcome(program: Program) -> tuple[bool, str] | None:
            if what == "running":
                return (True, "running") if program.state is State.RUNNING else None
            down = program.gone and program.state in (State.STOPPED, State.EXITED, State.FATAL)
            return (True, program.state.value) if down else None

        async for answer in self._each(self._select(queues), outcome, options, wait=True):
            yield answer

    # Steering.

    async def _start(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        self._refuse_if_stopping()
        for name in names:
            program = self._supervisor.programs[name]
            if program.state in (State.STOPPED, State.EXITED, State.FATAL):
                await self._take_newest_code(program)
            self._supervisor.feed(program, ev.Start())
        async for answer in self._each(names, self._came_up, options):
            yield answer

    async def _reset(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        self._refuse_if_stopping()
        for name in names:
            program = self._supervisor.programs[name]
            code = self._supervisor.zygotes.codes[program.code]
            self._supervisor.zygotes.forget_failure(code)
            self._supervisor.feed(program, ev.Reset())
        async for answer in self._each(names, self._came_up, options):
            yield answer

    async def _take_newest_code(self, program: Program) -> None:
        """What is on disk now: where that has changed, or its import failed, a new import."""
        supervisor = self._supervisor
        code = supervisor.code_of(program.settings)
        stale = await asyncio.to_thread(code.stale_files)
        if code.failure is not None or stale:
            code = supervisor.zygotes.new(program.settings.ground)
        program.code = code.number

    async def _stop(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        for name in names:
            self._supervisor.feed(self._supervisor.programs[name], ev.Stop())

        def outcome(program: Program) -> tuple[bool, str] | None:
            if program.wanted is not Wanted.DOWN:
                return False, "somebody wants it up again"
            return (True, "stopped") if program.gone else None

        async for answer in self._each(names, outcome, options):
            yield answer

    async def _restart(self, queues: list[str], options: dict[str, Any]) -> Answers:
        self._refuse_if_stopping()
        names = self._select(queues)
        programs = [self._supervisor.programs[name] for name in names]
        rolling = bool(options.get("rolling"))
        outcomes = self._rollout.begin(
            self._rollout.restart(programs, rolling=rolling, timeout=_seconds(options))
        )
        async for answer in self._report(outcomes, options):
            yield answer

    async def _pause(self, queues: list[str], options: dict[str, Any]) -> Answers:
        async for answer in self._set_paused(queues, options, True):
            yield answer

    async def _resume(self, queues: list[str], options: dict[str, Any]) -> Answers:
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
            consumer = self._supervisor.consumers.get(process.child) if process is not None else None
            if program.state is not State.RUNNING or consumer is None:
                return True, f"is {program.state.value}, and will be {'paused' if on else 'receiving'}"
            if bool(consumer.figures.get("paused")) is on:
                return True, "paused" if on else "receiving"
            return None

        async for answer in self._each(names, outcome, options):
            yield answer

    async def _scale(self, queues: list[str], options: dict[str, Any]) -> Answers:
        wanted: dict[str, int] = {}
        for item in queues:
            pattern, _, number = item.rpartition("=")
            if not pattern or not number.isdigit() or not 1 <= int(number) <= MOST_WORKERS:
                raise OrderError(f"scale takes QUEUE=N with N from 1 to {MOST_WORKERS}: {item}", say.USAGE)
            for name in self._select([pattern]):
                wanted[name] = int(number)
        if not wanted:
            raise OrderError("scale takes QUEUE=N", say.USAGE)
        for name, workers in wanted.items():
            self._supervisor.scale(self._supervisor.programs[name], workers)

        def outcome(program: Program) -> tuple[bool, str] | None:
            workers = wanted[program.settings.name]
            process = program.current
            consumer = self._supervisor.consumers.get(process.child) if process is not None else None
            if consumer is None:
                return True, f"will start with {workers} workers"
            figures = consumer.figures
            if figures.get("workers") == workers and figures.get("ready") == workers:
                return True, f"{workers} workers"
            return None

        async for answer in self._each(list(wanted), outcome, options):
            yield answer

    async def _reload(self, queues: list[str], options: dict[str, Any]) -> Answers:
        self._refuse_if_stopping()
        plan = await self._rollout.plan()
        if isinstance(plan, list):
            for text in plan:
                yield {"type": "text", "text": text, "error": True}
            yield _end(say.FAILED, "the file is invalid: nothing was changed")
            return
        for text in plan.lines():
            yield {"type": "text", "text": text}
        if options.get("dry_run"):
            yield _end(say.OK)
            return
        outcomes = self._rollout.begin(self._rollout.apply(plan, timeout=_seconds(options)))
        async for answer in self._report(outcomes, options):
            yield answer

    async def _signal(self, queues: list[str], options: dict[str, Any]) -> Answers:
        number = _signal_number(options.get("signal"))
        code = say.OK
        for name in self._select(queues):
            process = self._supervisor.programs[name].current
            if process is None or process.pid is None:
                code = say.FAILED
                yield _result(name, False, "no process")
                continue
            self._supervisor.send_signal(process.child, number)
            yield _result(name, True, f"{signal.Signals(number).name} sent to {process.pid}")
        yield _end(code)

    async def _dump(self, queues: list[str], options: dict[str, Any]) -> Answers:
        names = self._select(queues)
        lines: list[Line] = []

        def take(line: Line) -> None:
            if not line.level and program_of(line) in names:
                lines.append(line)

        self._supervisor.output.followers.add(take)
        try:
            code = say.OK
            for name in names:
                if not self._supervisor.ask_for_stacks(name):
                    code = say.FAILED
                    yield _result(name, False, "no process")
            told, quiet_since, deadline = 0, time.monotonic(), time.monotonic() + DUMP_SECONDS
            while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS) or not (lines or code):
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.05)
                if len(lines) > told:
                    quiet_since = time.monotonic()
                for line in lines[told:]:
                    yield _line(line)
                told = len(lines)
        finally:
            self._supervisor.output.followers.discard(take)
        yield _end(code)

    async def _shutdown(self, queues: list[str], options: dict[str, Any]) -> Answers:
        if queues:
            raise OrderError("shutdown stops the supervisor; to stop queues, use stop", say.USAGE)
        if options.get("now") and not self._supervisor.stopping:
            self._supervisor.shut_down("shutdown --now")
        if not self._supervisor.stopping or options.get("now"):
            self._supervisor.shut_down("shutdown")
        yield {"type": "text", "text": "shutting down"}
        if options.get("wait", True) and not await self._supervisor.until(
            lambda: all(program.gone for program in self._supervisor.programs.values()), _seconds(options)
        ):
            yield _end(say.TIMED_OUT, "it goes on shutting down")
            return
        yield _end(say.OK)

    # Common to all.

    def _select(self, patterns: list[str]) -> list[str]:
        """The programs that are meant: names, keys of the file, globs. None given: all."""
        programs = self._supervisor.programs
        if not patterns:
            return list(programs)
        found: dict[str, None] = {}
        for pattern in patterns:
            names = [
                name
                for name, program in programs.items()
                if pattern in (name, program.settings.key)
                or fnmatch.fnmatchcase(name, pattern)
                or fnmatch.fnmatchcase(program.settings.key, pattern)
            ]
            if not names and not (pattern == "*" and not programs):
                raise OrderError(f"there is no queue {pattern}{_near(pattern, programs)}", say.NO_SUCH_NAME)
            found |= dict.fromkeys(names)
        return list(found)

    def _refuse_if_stopping(self) -> None:
        if self._supervisor.stopping:
            raise OrderError("the supervisor is shutting down", say.FAILED)

    def _came_up(self, program: Program) -> tuple[bool, str] | None:
        process = program.current
        pid = f", pid {process.pid}" if process is not None and process.pid else ""
        match program.state:
            case State.RUNNING:
                return True, f"running{pid}"
            case State.STARTING:
                consumer = self._supervisor.consumers.get(process.child) if process is not None else None
                if consumer is not None and consumer.degraded:
                    return False, f"started{pid}, but degraded: {consumer.degraded}"
                return None
            case State.STOPPING if program.wanted is not Wanted.DOWN:
                return None
            case _:
                return False, f"{program.state.value}: {program.reason}"

    async def _each(
        self,
        names: list[str],
        outcome: Callable[[Program], tuple[bool, str] | None],
        options: dict[str, Any],
        *,
        wait: bool = False,
    ) -> Answers:
        """Wait for each program's outcome, and tell of it."""
        if not (wait or options.get("wait", True)):
            for name in names:
                yield _result(name, True, "asked for")
            yield _end(say.OK)
            return
        deadline = None if (seconds := _seconds(options)) is None else time.monotonic() + seconds
        left, code = list(names), say.OK
        while left:

            def decided() -> list[tuple[str, tuple[bool, str]]]:
                found = []
                for name in left:
                    program = self._supervisor.programs.get(name)
                    result = (True, "removed") if program is None else outcome(program)
                    if result is not None:
                        found.append((name, result))
                return found

            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not await self._supervisor.until(lambda: bool(decided()), timeout):
                for name in left:
                    program = self._supervisor.programs[name]
                    yield _result(name, False, f"timed out; {program.state.value}: {program.reason}")
                yield _end(say.TIMED_OUT, f"not within {_seconds(options):g} s")
                return
            for name, (ok, text) in decided():
                left.remove(name)
                code = code if ok else say.FAILED
                yield _result(name, ok, text)
        yield _end(code)

    async def _report(self, outcomes: asyncio.Queue[Reloaded | None], options: dict[str, Any]) -> Answers:
        code = say.OK
        if not options.get("wait", True):
            yield {"type": "text", "text": "it goes on in the background; events and logs tell how"}
            yield _end(say.OK)
            return
        while (outcome := await outcomes.get()) is not None:
            if outcome.timed_out:
                code = say.TIMED_OUT
            elif not outcome.ok and code == say.OK:
                code = say.FAILED
            yield _result(outcome.name, outcome.ok, outcome.text)
        yield _end(code)


def _end(code: int, error: str | None = None) -> Answer:
    return {"type": "end", "code": code, "error": error}


def _result(name: str, ok: bool, text: str) -> Answer:
    return {"type": "result", "queue": name, "ok": ok, "text": text}


def _line(line: Line) -> Answer:
    return {
        "type": "line",
        "at": iso(line.at),
        "source": line.source,
        "level": line.level,
        "message": line.text,
        "text": as_text(line),
    }


def _event(event: Happening) -> Answer:
    return {"type": "event", **event.as_dict(), "at": iso(event.at)}


def _is_of(line: Line, names: set[str] | None) -> bool:
    return names is None or program_of(line) in names


def _near(pattern: str, names: Any) -> str:
    import difflib

    near = difflib.get_close_matches(pattern, list(names), 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(list(names)[:20])}"


def _number(options: dict[str, Any], name: str, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or value < 1:
        raise OrderError(f"{name} is a number from 1", say.USAGE)
    return value


def _seconds(options: dict[str, Any]) -> float | None:
    value = options.get("timeout")
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise OrderError("timeout is a number of seconds", say.USAGE)
    return float(value)


def _signal_number(name: object) -> int:
    text = str(name).upper()
    if text.isdigit() and int(text) in {*signal.valid_signals()}:
        return int(text)
    try:
        return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
    except KeyError:
        raise OrderError(f"there is no signal {name}", say.USAGE) from None
