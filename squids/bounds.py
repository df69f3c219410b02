"""How much is kept of a text that others wrote: in frames, in lines, in memory. Pure.

The length of a name in a message, of an exception's text or of a server's answer is up to its author. What
is over a bound keeps its head and its tail, and says how many characters are missing. No lone surrogate is
left, which would make an answer of ours impossible to encode.
"""

from __future__ import annotations

NAME = 256
"""Characters of a name or an id."""

ERROR = 4 * 1024
"""Characters of an error or a reason: one line."""

MESSAGE = 16 * 1024
"""Characters of the message of a log record."""

TRACEBACK = 32 * 1024
"""Characters of a traceback."""

DETAIL = 4 * 1024
"""Characters of one detail of a log record: `key=value`."""

DETAILS = 32 * 1024
"""Characters of all details of a log record together."""


def cut(text: str, most: int) -> str:
    """The text, or the head and the tail of one that has more than `most` characters.

    It can be encoded: lone surrogates, which JSON can carry and UTF-8 cannot, become escapes like `\\ud800`.
    """
    if len(text) > most:
        head = most - most // 3
        tail = most - head
        text = f"{text[:head]} ... ({len(text) - most} more characters) ... {text[len(text) - tail :]}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
