"""What does its work only later: a coroutine when it is awaited, a generator when it is read.

A task that is one, or returns one, has not run: its message must not count as done. Here is how that is seen:
at the definition from the function, as far as it shows, and after a call from what was returned. A wrapper
may await what it wraps, so a function is judged by what is called, not by what it wraps.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from types import CoroutineType
from typing import Any

from squids.errors import NeverRan
from squids.hints import count

LATER = (
    Awaitable,  # Coroutines, also Cython's; asyncio's futures and tasks.
    Generator,
    AsyncGenerator,
    # Each calls a function for an item when that item is read.
    map,
    filter,
    itertools.starmap,
    # What a function with contextlib.contextmanager returns.
    contextlib.ContextDecorator,
    contextlib.AsyncContextDecorator,
)

COLLECTIONS = (list, tuple, set)
"""A task may return several coroutines at once, as for asyncio.gather."""


def kind_of_function(func: Callable[..., Any]) -> str | None:
    """Return "async" or "a generator" if calling the function runs nothing of it, or None."""
    for called in (func, type(_without_partial(func)).__call__):
        if inspect.iscoroutinefunction(called):
            return "async"
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            return "a generator"
    return None


def _without_partial(func: Any) -> Any:
    while isinstance(func, functools.partial):
        func = func.func
    return func


def check_returned(returned: Any, task: str) -> None:
    """Raise NeverRan if a task returned what has not done its work. A coroutine is closed."""
    # Its type, for a proxy may answer for another object, or evaluate it.
    if type(returned) in COLLECTIONS:
        _check_items(returned, task)
    if not issubclass(type(returned), LATER) or _has_ended(returned):
        return
    kind, advice = _words(returned)
    error = NeverRan(f"{task} returned {kind}{_place_of(returned)}, which nothing {advice}")
    _close(returned)
    raise error


def _check_items(returned: Collection[Any], task: str) -> None:
    """Raise NeverRan if these are coroutines that have not begun. All of them are closed."""
    waiting = [one for one in returned if type(one) is CoroutineType and one.cr_frame is not None]
    if waiting:
        kind = f"a {type(returned).__name__} with {count(len(waiting), 'coroutine')}"
        error = NeverRan(
            f"{task} returned {kind}{_place_of(waiting[0])}, which nothing awaits, so its work was not done: "
            "await them in an async function, and return asyncio.run(...) of that"
        )
        for one in waiting:
            _close(one)
        raise error


def _words(returned: Any) -> tuple[str, str]:
    """Return what it is, and the end of the sentence: what nothing does with it, and what to write."""
    if isinstance(returned, AsyncGenerator):
        return "an async generator", "reads, so its work was not done: loop over it inside asyncio.run(...)"
    if isinstance(returned, Awaitable):
        name = "coroutine" if inspect.iscoroutine(returned) else type(returned).__name__
        return _with_article(name), "awaits, so its work was not done: return asyncio.run(...) of it instead"
    if isinstance(returned, contextlib.ContextDecorator | contextlib.AsyncContextDecorator):
        return "a context manager", "enters, so its work was not done: use `with` inside the task"
    name = "generator" if isinstance(returned, Generator) else type(returned).__name__
    return _with_article(name), "reads, so its work was not done: loop over it inside the task"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def _has_ended(returned: Any) -> bool:
    """Whether it did its work before it was returned, as a generator does that was read to its end."""
    for prefix in ("cr", "gi", "ag"):
        if hasattr(returned, f"{prefix}_frame"):
            return getattr(returned, f"{prefix}_frame") is None
    return _is_done_future(returned)


def _is_done_future(returned: Any) -> bool:
    if not hasattr(returned, "get_loop"):  # A future of asyncio: it keeps its result.
        return False
    return bool(returned.done()) and not returned.cancelled() and returned.exception() is None


def _place_of(returned: Any) -> str:
    """Return " of send (/srv/shop/tasks.py:12)", or "" if unknown."""
    for prefix in ("cr", "gi", "ag"):
        code = getattr(returned, f"{prefix}_code", None)
        if inspect.iscode(code):
            return f" of {code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"
    return ""


def _close(returned: Any) -> None:
    """Close a coroutine or generator, so that Python does not add a warning that it was never awaited."""
    if inspect.iscoroutine(returned) or inspect.isgenerator(returned):
        try:
            returned.close()
        except KeyboardInterrupt:
            raise
        except BaseException:
            return  # From a `finally` of it. That its work was not done is what matters.
