"""What tasks write down, so that a test knows what ran, in which order and in which process.

A task writes one line with one `write` to a file opened with O_APPEND: lines of many processes do not mix, and a
process that is killed has written its line or has not. A reader may see a part of a line: Linux shows a write that
crosses a page of the file page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SOURCE = """
def note(*words):
    import os
    line = " ".join(str(word) for word in (*words, os.getpid())) + "\\n"
    descriptor = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)
"""
"""For the app's module: `note("start", name)` adds a line of these words and the process's id."""


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that others append to, without one that is only partly there; none, if it is not there."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return whole.splitlines()


class Journal:
    """The lines: words, of which the first says what happened and the last is the process's id."""

    SOURCE = SOURCE

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[list[str]]:
        """All whole lines so far, in the order in which they were written."""
        return [line.split() for line in whole_lines(self.path)]

    def words(self, first: str) -> list[str]:
        """The second words of the lines with this first word, in order."""
        return [line[1] for line in self.lines() if line[0] == first]

    def pids(self, first: str) -> list[int]:
        """The processes that wrote the lines with this first word, in order."""
        return [int(line[-1]) for line in self.lines() if line[0] == first]

    def spans(self) -> dict[str, tuple[int, int | None]]:
        """For each name, the numbers of the lines of its last start and of its end (None: it has not ended)."""
        found: dict[str, tuple[int, int | None]] = {}
        for number, line in enumerate(self.lines()):
            if line[0] == "start":
                found[line[1]] = (number, None)
            elif line[0] == "done" and line[1] in found:
                found[line[1]] = (found[line[1]][0], number)
        return found

    def assert_each_ran_once(self, names: Iterable[str]) -> None:
        """Exactly these were done, each started once and done once."""
        wanted = Counter(names)
        for word in ("start", "done"):
            found = Counter(self.words(word))
            assert found == wanted, f"{word}: missing {wanted - found}, too many {found - wanted}"

    def assert_each_ran(self, names: Iterable[str]) -> None:
        """Each of these, and nothing else, was done at least once."""
        wanted, found = set(names), set(self.words("done"))
        assert found == wanted, f"missing {sorted(wanted - found)}, not asked for {sorted(found - wanted)}"

    def assert_one_at_a_time(self, names: Iterable[str]) -> None:
        """These ran in this order, and each ended before the next began."""
        spans = self.spans()
        ended = -1
        for name in names:
            start, end = spans[name]
            assert start > ended, f"{name} began before the one before it had ended"
            assert end is not None, f"{name} has not ended"
            ended = end
