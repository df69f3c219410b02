"""Small turns of phrase of messages to people."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that is most like this one; None if none is like it. `cutoff`: from 0 to 1, the same."""
    import difflib  # It is seldom needed, and a process that only sends starts without it.

    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), None)


def did_you_mean(
    word: str, known: Iterable[str], otherwise: str = "", *, quoted: bool = False, cutoff: float = 0.6
) -> str:
    """`did you mean emails?`, with a known word that is like this one; `otherwise` if none is."""
    near = nearest(word, known, cutoff)
    if near is None:
        return otherwise
    return f'did you mean "{near}"?' if quoted else f"did you mean {near}?"


def plural(number: int, noun: str) -> str:
    """ "task" for one, else "tasks"."""
    return noun if number == 1 else f"{noun}s"


def count(number: int, noun: str) -> str:
    """ "1 task", "3 tasks"."""
    return f"{number} {plural(number, noun)}"
