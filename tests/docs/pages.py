"""The documentation's pages as data: their fenced code blocks, with the lines they stand on."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]

_FENCE = re.compile(r"^```(?P<language>\S*)\s*$")
_FILE_NAME = re.compile(r"^# (?P<name>[\w/]+\.py)$")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page. `line` is that of its first line of code, from 1."""

    language: str
    line: int
    code: str

    @property
    def file_name(self) -> str | None:
        """The file that this block is, if its first line says so (`# shop/tasks.py`)."""
        found = _FILE_NAME.match(self.code.partition("\n")[0])
        return found["name"] if found else None


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page's text."""
    found: list[Block] = []
    start: tuple[str, int] | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if start is None and fence:
            start = (fence["language"], number + 1)
        elif start is not None and line == "```":
            language, first = start
            found.append(Block(language, first, "\n".join(lines[first - 1 : number - 1])))
            start = None
    assert start is None, f"a block opened before line {start and start[1]} is not closed"
    return found


def script(text: str) -> str:
    """The page's Python blocks that are not files, on the lines of the page, so that tracebacks fit it."""
    lines = [""] * len(text.splitlines())
    for block in blocks(text):
        if block.language == "python" and block.file_name is None:
            for offset, code in enumerate(block.code.splitlines()):
                lines[block.line - 1 + offset] = code
    return "\n".join(lines) + "\n"


def files(text: str) -> dict[str, str]:
    """The files that a page's Python blocks are, by name."""
    python = [block for block in blocks(text) if block.language == "python"]
    return {block.file_name: block.code + "\n" for block in python if block.file_name is not None}


def commands(text: str, program: str) -> list[str]:
    """The command lines of a page's console blocks that run `program`."""
    console = [
        line for block in blocks(text) if block.language == "console" for line in block.code.splitlines()
    ]
    return [line[2:] for line in console if line.startswith(f"$ {program} ")]
