"""What all orders have in common: which programs are meant, how to wait for them, the shapes of answers."""

from __future__ import annotations

import difflib
import fnmatch
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from squids.bounds import NAME, cut
from squids.process.record import shown
from squids.supervisor.control import protocol as say
from squids.supervisor.history import NotedEvent
from squids.supervisor.output.lines import Line, as_text, iso, program_of
from squids.supervisor.program.machine import Program
from squids.supervisor.supervisor import Supervisor

GLOB = re.compile(r"[*?[]")

MOST_GLOBS = 64
LONGEST_GLOB = 256
"""Characters. Globs are compiled and matched between other work of the supervisor."""

MOST_COMPARED = 500
"""Names that a name which is not there is compared with."""

Answer = dict[str, Any]
Answers = AsyncIterator[Answer]


class OrderError(Exception):
    """The order cannot be carried out as it stands."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class OrderBase:
    """The supervisor, and how orders select its programs and wait for them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def _select(self, patterns: list[str]) -> list[str]:
        """The programs that are meant: names, keys of the file, globs. None given: all."""
        programs = self._supervisor.programs
        if not patterns:
            return list(programs)
        names_of: dict[str, list[str]] = {}
        for name, program in programs.items():
            for key in {name, program.settings.key}:
                names_of.setdefault(key, []).append(name)
        found: dict[str, None] = {}
        globs = 0
        for pattern in dict.fromkeys(patterns):
            names = names_of.get(pattern, [])
            if not names and GLOB.search(pattern):
                globs += 1
                if globs > MOST_GLOBS or len(pattern) > LONGEST_GLOB:
                    text = f"up to {MOST_GLOBS} globs, each of up to {LONGEST_GLOB} characters"
                    raise OrderError(f"a request may have {text}", say.USAGE)
                matching = fnmatch.filter(names_of, pattern)
                names = [name for key in matching for name in names_of[key]]
            if not names and not (pattern == "*" and not programs):
                text = f"there is no queue {cut(pattern, NAME)}{_near(pattern, programs)}"
                raise OrderError(text, say.NO_SUCH_NAME)
            found |= dict.fromkeys(names)
        return list(found)

    def _refuse_if_stopping(self) -> None:
        if self._supervisor.stopping:
            raise OrderError("the supervisor is shutting down", say.FAILED)

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
                yield result_of(name, True, "asked for")
            yield end_of(say.OK)
            return
        deadline = None if (seconds := seconds_of(options)) is None else time.monotonic() + seconds
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
                    yield result_of(name, False, f"timed out; {program.state.value}: {program.reason}")
                yield end_of(say.TIMED_OUT, f"not within {seconds_of(options):g} s")
                return
            for name, (ok, text) in decided():
                left.remove(name)
                code = code if ok else say.FAILED
                yield result_of(name, ok, text)
        yield end_of(code)


def end_of(code: int, error: str | None = None) -> Answer:
    return {"type": "end", "code": code, "error": error}


def result_of(name: str, ok: bool, text: str) -> Answer:
    return {"type": "result", "queue": name, "ok": ok, "text": text}


def line_answer(line: Line) -> Answer:
    return {
        "type": "line",
        "at": iso(line.at),
        "source": line.source,
        "level": line.level,
        "message": line.text,
        "details": {key: shown(value) for key, value in line.details.items()},
        "text": as_text(line),
    }


def event_answer(event: NotedEvent) -> Answer:
    return {"type": "event", **event.as_dict(), "at": iso(event.at)}


def is_of(line: Line, names: set[str] | None) -> bool:
    return names is None or program_of(line) in names


def _near(pattern: str, names: Any) -> str:

    near = difflib.get_close_matches(pattern[:LONGEST_GLOB], list(names)[:MOST_COMPARED], 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(list(names)[:20])}"


def number_of(options: dict[str, Any], name: str, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or value < 1:
        raise OrderError(f"{name} is a number from 1", say.USAGE)
    return value


def seconds_of(options: dict[str, Any]) -> float | None:
    value = options.get("timeout")
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise OrderError("timeout is a number of seconds", say.USAGE)
    return float(value)


def signal_number(name: object) -> int:
    text = str(name).upper()
    if text.isdigit() and int(text) in {*signal.valid_signals()}:
        return int(text)
    try:
        return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
    except KeyError:
        raise OrderError(f"there is no signal {name}", say.USAGE) from None


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # One of the real-time signals.
        return f"signal {number}"
