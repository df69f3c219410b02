"""Formats exceptions as text of bounded size. Nothing here raises, whatever the exception is.

An exception's text may be a dump of 64 MiB, its `__str__` may raise, a group may have a million members, and
a recursion a million frames. `bounds` has the limits.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from squids.bounds import ERROR, TRACEBACK, cut

MAX_EXCEPTIONS = 100
"""With more causes, contexts and group members than this, only the outermost exception has a traceback."""

MAX_FRAMES = 300
"""Frames of one traceback, counted from the innermost."""

MAX_MEMBERS = 10
"""Members of a large group that are listed."""


def error_line(error: BaseException) -> str:
    """Return the exception's type and text as one line."""
    kind = type(error)
    try:
        name = kind.__qualname__
        if kind.__module__ not in ("__main__", "builtins"):
            name = f"{kind.__module__}.{name}"
        # `join` makes a plain str even if __str__ returned a subclass, whose methods are foreign code.
        text = cut("".join((str(error), "")), ERROR)
    except BaseException:
        return f"{cut(repr(kind), ERROR)}: its text cannot be shown"
    return cut(f"{name}: {text}" if text else name, ERROR).strip().replace("\n", " ")


def traceback_of(error: BaseException, frames: TracebackType | None) -> str:
    """Return the exception's traceback with these frames, and those of its causes and contexts."""
    try:
        if _reaches_over(error, MAX_EXCEPTIONS):
            text = _outermost(error, frames)
        else:
            text = "".join(traceback.format_exception(type(error), error, frames, limit=-MAX_FRAMES))
    except BaseException:
        text = error_line(error)
    return cut(text, TRACEBACK)


def users_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the leading frames of squids, which are of no use to the reader."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("squids."):
        frames = frames.tb_next
    return frames


def _outermost(error: BaseException, frames: TracebackType | None) -> str:
    parts = ["Traceback (most recent call last):\n", *traceback.format_tb(frames, limit=-MAX_FRAMES)]
    parts.append(f"{error_line(error)}\n")
    if isinstance(error, BaseExceptionGroup):
        members = error.exceptions
        parts += [f"  {number}: {error_line(one)}\n" for number, one in enumerate(members[:MAX_MEMBERS], 1)]
        if len(members) > MAX_MEMBERS:
            parts.append(f"  and {len(members) - MAX_MEMBERS} more exceptions\n")
    else:
        parts.append(f"(more than {MAX_EXCEPTIONS} exceptions led to it)\n")
    return "".join(parts)


def _reaches_over(error: BaseException, most: int) -> bool:
    """Whether the exception, its causes, contexts and members are more than `most`."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        if len(seen) + len(members) > most:
            return True
        waiting += [one.__cause__, one.__context__, *members]
    return False
