"""Length limits for foreign text: in frames, in lines, in memory. Pure.

Names in a message, exception texts and a server's answers can have any length. Longer ones keep their head
and tail, and say how many characters are missing. Lone surrogates, which would make the result impossible to
encode, are escaped.
"""

from __future__ import annotations

NAME = 256
"""Maximum characters of a name or an id."""

ERROR = 4 * 1024
"""Maximum characters of an error or a reason, which is one line."""

MESSAGE = 16 * 1024
"""Maximum characters of a log record's message."""

TRACEBACK = 32 * 1024
"""Maximum characters of a traceback."""

DETAIL = 4 * 1024
"""Maximum characters of one field of a log record: `key=value`."""

DETAILS = 32 * 1024
"""Maximum characters of all fields of a log record together."""


def cut(text: str, most: int) -> str:
    """Return the text, shortened to its head and tail if it has more than `most` characters.

    The result can be encoded: lone surrogates, which JSON allows and UTF-8 does not, become escapes like
    `\\ud800`.
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
