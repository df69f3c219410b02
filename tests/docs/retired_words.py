"""The words that the glossary retires: where they still stand, and how many of them are allowed.

`retired_words.txt` has the allowance: for each room and word how often it stands there today. It may only
shrink. After a clean-up, `.venv/bin/python -m tests.docs.retired_words` lowers it; it never raises one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import PAGES, ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
ALLOWANCE = Path(__file__).with_name("retired_words.txt")
BEGIN, END = "<!-- retired words: read by tests/docs -->\n", "<!-- end of retired words -->\n"
ROOMS = ("squids/process", "squids/pool", "squids/supervisor", "squids/cli", "squids/testing", "squids")

_FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(r"<!-- (\w+): made by .*?<!-- end of \1 -->", re.DOTALL)
_INLINE = re.compile(r"`[^`]*`|\]\([^)]*\)")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class Retired(NamedTuple):
    """A retired word or phrase. `but`: phrases with it that are good English. `docs_only`: code may use it."""

    word: str
    instead: str
    but: tuple[str, ...]
    docs_only: bool

    def pattern(self) -> re.Pattern[str]:
        """Finds it as whole words, whatever its case, and over a line's end."""
        before = "".join(rf"(?<!\b{_head(phrase, self.word)})" for phrase in self.but if _leads(phrase, self))
        after = "".join(
            rf"(?!{_tail(phrase, self.word)}\b)" for phrase in self.but if not _leads(phrase, self)
        )
        return re.compile(rf"{before}\b{_spaced(self.word)}\b{after}", re.IGNORECASE)


def _leads(phrase: str, retired: Retired) -> bool:
    return not phrase.startswith(retired.word)


def _head(phrase: str, word: str) -> str:
    return re.escape(phrase.partition(word)[0])


def _tail(phrase: str, word: str) -> str:
    return _spaced(phrase.partition(word)[2])


def _spaced(text: str) -> str:
    return re.escape(text).replace(r"\ ", r"\s+")


class Text(NamedTuple):
    """A piece of prose, or an identifier as words, with the line that it begins on."""

    line: int
    text: str


@dataclass(frozen=True)
class Found:
    """One retired word where it stands."""

    room: str
    word: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def retired() -> list[Retired]:
    """The table of the glossary."""
    _, begin, rest = GLOSSARY.read_text().partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert begin and end, "the glossary has no table of retired words"
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")] for line in table.splitlines() if "|" in line
    ]
    return [
        Retired(word, instead, tuple(filter(None, (p.strip() for p in but.split(";")))), where == "docs")
        for word, instead, where, but in ((*row, "", "")[:4] for row in rows[2:])
    ]


def found() -> list[Found]:
    """Each retired word in the pages and in `squids/`."""
    words = [(entry, entry.pattern()) for entry in retired()]
    return [
        Found(
            room,
            entry.word,
            str(path.relative_to(ROOT)),
            piece.line + piece.text[: match.start()].count("\n"),
        )
        for room, path, pieces in _sources()
        for piece in pieces
        for entry, pattern in words
        if room == "docs" or not entry.docs_only
        for match in pattern.finditer(piece.text)
    ]


def counts() -> dict[tuple[str, str], int]:
    """How often each word stands in each room."""
    counted: dict[tuple[str, str], int] = {}
    for one in found():
        counted[one.room, one.word] = counted.get((one.room, one.word), 0) + 1
    return counted


def allowance() -> dict[tuple[str, str], int]:
    """How often each word may stand in each room: lines of `room | word | count`."""
    lines = [line.split("|") for line in ALLOWANCE.read_text().splitlines() if line and line[0] != "#"]
    return {(room.strip(), word.strip()): int(count) for room, word, count in lines}


def _sources() -> Iterator[tuple[str, Path, list[Text]]]:
    for page in (*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"):
        yield "docs", page, [Text(1, prose(page.read_text()))]
    for path in sorted((ROOT / "squids").rglob("*")):
        room = next(room for room in ROOMS if path.is_relative_to(ROOT / room))
        if path.suffix == ".py":
            yield (
                room,
                path,
                [*names(path.read_text()), *strings(path.read_text()), Text(1, _words(path.stem))],
            )
        elif path.parent.name == "template":
            yield room, path, [Text(1, path.read_text())]


def prose(page: str) -> str:
    """A page without its code, its generated tables and its own list of retired words, on the same lines."""
    if BEGIN in page:
        before, _, rest = page.partition(BEGIN)
        page = before + "\n" * (rest.partition(END)[0].count("\n") + 2) + rest.partition(END)[2]
    for pattern in (_FENCED, _GENERATED):
        page = pattern.sub(lambda match: "\n" * match[0].count("\n"), page)
    return _INLINE.sub(lambda match: "\n" * match[0].count("\n"), page)


def names(code: str) -> list[Text]:
    """The identifiers that a module defines, each once, as words."""
    lines: dict[str, int] = {}
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                pass
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                pass
            case _:
                continue
        lines.setdefault(name, node.lineno)
    return [Text(line, _words(name)) for name, line in lines.items()]


def strings(code: str) -> list[Text]:
    """A module's string literals: messages and docstrings."""
    return [
        Text(node.lineno, node.value)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _words(identifier: str) -> str:
    return " ".join(_PARTS.findall(identifier)).lower()


def _lower() -> int:
    now, allowed = counts(), allowance()
    more = sorted(key for key in now if now[key] > allowed.get(key, 0))
    for room, word in more:
        print(f"{room}: {word!r} stands {now[room, word]} times: more than is allowed", file=sys.stderr)
    head = [line for line in ALLOWANCE.read_text().splitlines() if line.startswith("#")]
    rows = [f"{room} | {word} | {min(n, now.get((room, word), 0))}" for (room, word), n in allowed.items()]
    ALLOWANCE.write_text("\n".join([*head, *(row for row in rows if not row.endswith(" 0"))]) + "\n")
    return 1 if more else 0


if __name__ == "__main__":
    sys.exit(_lower())
