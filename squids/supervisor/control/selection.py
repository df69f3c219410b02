"""Interprets a request: which programs, how long to wait, which signal."""

from __future__ import annotations

import fnmatch
import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from squids.bounds import NAME, cut
from squids.exit_codes import NO_SUCH_NAME, USAGE
from squids.hints import as_word, did_you_mean
from squids.supervisor.control.verbs import LONGEST_TIMEOUT
from squids.supervisor.program.machine import Program

GLOB = re.compile(r"[*?[]")

MAX_GLOBS = 64
LONGEST_GLOB = 256
"""Characters. Globs are compiled and matched in the supervisor's loop."""

MAX_COMPARED = 500
"""Maximum names to which an unknown one is compared."""

MAX_NAMED = 20
"""Maximum known names in the error for an unknown one."""


class RequestRefused(Exception):
    """The request cannot be carried out. `code`: the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Request(NamedTuple):
    """A verb and its arguments. `uid`: the client's, if the kernel reports it."""

    verb: str
    queues: list[str]
    options: dict[str, Any]
    uid: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the client waits for the effect."""
        return bool(self.options.get("wait", True))

    def positive(self, name: str, default: int) -> int:
        """Return an option that is a positive number. Raises RequestRefused."""
        value = self.options.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or value < 1:
            raise RequestRefused(f"{name}: expected a number from 1", USAGE)
        return value

    def timeout(self) -> float | None:
        """Return the seconds that the client waits, or None for no limit. Raises RequestRefused."""
        value = self.options.get("timeout")
        if value is None:
            return None
        if not isinstance(value, int | float) or not 0 <= value < LONGEST_TIMEOUT:
            raise RequestRefused("timeout: expected a number of seconds", USAGE)
        return float(value)

    def signal(self) -> int:
        """Return the signal's number. Raises RequestRefused."""
        text = str(self.options.get("signal")).upper()
        if text in {str(int(number)) for number in signal.valid_signals()}:
            return int(text)
        try:
            return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
        except KeyError:
            name = as_word(str(self.options.get("signal")))
            raise RequestRefused(f"unknown signal {name}", USAGE) from None


def selected(programs: Mapping[str, Program], patterns: Iterable[str]) -> list[str]:
    """Return the programs that match names, keys of the file, or globs; without any, all.

    Raises RequestRefused.
    """
    patterns = list(dict.fromkeys(patterns))
    if not patterns:
        return list(programs)
    names_of: dict[str, list[str]] = {}
    for name, program in programs.items():
        for key in {name, program.settings.key}:
            names_of.setdefault(key, []).append(name)
    globs = [pattern for pattern in patterns if pattern not in names_of and GLOB.search(pattern)]
    if len(globs) > MAX_GLOBS or any(len(glob) > LONGEST_GLOB for glob in globs):
        raise RequestRefused(
            f"a request may have up to {MAX_GLOBS} globs, each of up to {LONGEST_GLOB} characters", USAGE
        )
    found: dict[str, None] = {}
    for pattern in patterns:
        keys = fnmatch.filter(names_of, pattern) if pattern in globs else [pattern]
        names = [name for key in keys for name in names_of.get(key, [])]
        if not names and not (pattern == "*" and not programs):
            raise RequestRefused(
                f"unknown queue {cut(as_word(pattern), NAME)}{_near(pattern, programs)}", NO_SUCH_NAME
            )
        found |= dict.fromkeys(names)
    return list(found)


def _near(pattern: str, names: Iterable[str]) -> str:
    known = list(names)
    otherwise = f"known queues: {', '.join(known[:MAX_NAMED])}"
    return f"; {did_you_mean(pattern[:LONGEST_GLOB], known[:MAX_COMPARED], otherwise)}"
