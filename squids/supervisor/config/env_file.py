"""Reads files of variables (`env_file`), by python-dotenv's rules.

https://saurabh-kumar.com/python-dotenv/#file-format
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from squids.printable import printable
from squids.supervisor.config.trusted_text import Distrusted, Unreadable, read_trusted

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a file. `line` 0: the file as a whole."""

    line: int
    text: str


@dataclass(slots=True)
class EnvFile:
    """What a file contains: its variables, and what is wrong with it."""

    variables: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read_env_file(path: str, environ: Mapping[str, str | None], distrusted: Distrusted) -> EnvFile:
    """Read a file. `${NAME}` in it are variables of the file itself, or else of `environ`. Never raises."""
    try:
        return parse_env_file(read_trusted(path, MAX_BYTES, distrusted), environ)
    except Unreadable as error:
        return EnvFile(mistakes=[Mistake(0, str(error))])


def parse_env_file(text: str, environ: Mapping[str, str | None]) -> EnvFile:
    """Parse the text of a file. A name without `=` sets nothing."""
    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    found = EnvFile()
    for binding in parse_stream(io.StringIO(text)):
        # The statement may have empty lines before it.
        source = binding.original.string
        line = binding.original.line + source[: len(source) - len(source.lstrip())].count("\n")
        if binding.error:
            found.mistakes.append(Mistake(line, "is not a variable such as NAME=value"))
        if binding.key is None or binding.value is None:
            continue
        if printable(binding.key) != binding.key:
            found.mistakes.append(Mistake(line, "the name of a variable contains a control character"))
            continue
        value = "".join(
            atom.resolve({**environ, **found.variables}) for atom in parse_variables(binding.value)
        )
        if "\x00" in value:
            found.mistakes.append(Mistake(line, f"the value of {binding.key} contains a NUL character"))
            continue
        found.variables[binding.key] = value
    return found
