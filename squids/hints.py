"""Phrases for messages to people."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word most like this one, or None. `cutoff`: the least similarity, 0 to 1."""
    import difflib  # Rarely needed; a process that only sends does without it.

    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), None)


def did_you_mean(
    word: str, known: Iterable[str], otherwise: str = "", *, quoted: bool = False, cutoff: float = 0.6
) -> str:
    """Return `did you mean emails?` with the most similar known word, or `otherwise` if none is."""
    near = nearest(word, known, cutoff)
    if near is None:
        return otherwise
    return f'did you mean "{near}"?' if quoted else f"did you mean {near}?"


def as_word(name: str) -> str:
    """Return a name for a sentence: in quotes if it is empty or has spaces, so that it reads as one word."""
    return f'"{name}"' if name.split() != [name] else name


def plural(number: int, noun: str) -> str:
    """Return the noun, with an "s" unless `number` is 1."""
    return noun if number == 1 else f"{noun}s"


def count(number: int, noun: str) -> str:
    """Return "1 task" or "3 tasks"."""
    return f"{number} {plural(number, noun)}"
