"""Keeps exit handlers to the process that registered them.

What an import registers (with `atexit`, `multiprocessing`, or `weakref.finalize`, which removes a
`tempfile.TemporaryDirectory`) is there once, for all processes: a child that ends must not run it. So before
a fork server forks, it sets aside what is registered so far, and takes it back when it exits, after all its
children. In a child its own handlers run, in reverse order as always, down to a boundary, which ends the
process. As with `multiprocessing.util.Finalize`, an inherited finalizer does nothing in a child, even if its
object is dropped.

Nothing is removed from `atexit`: that could drop the last reference to an object, and so run its `__del__`.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Aside:
    """What was registered before the first fork."""

    owner: int | None = None
    """The pid of the process that runs it when it exits; None: another process does."""
    finalizers: dict[Any, Any] = field(default_factory=dict)
    registered: bool = False
    """Whether `weakref.finalize` had a handler with `atexit`."""
    multiprocessing: dict[Any, Any] = field(default_factory=dict)
    processes: set[Any] = field(default_factory=set)
    end: Callable[[], object] | None = None
    """Ends this process, once it exits."""


_aside = _Aside()


def set_aside(*, owner: bool) -> None:
    """Keep what is registered so far from the processes that this one forks.

    `owner`: this process imported it, and runs it when it exits.
    """
    finalize: Any = weakref.finalize
    finalizers, processes = _of_multiprocessing()
    _aside.owner = os.getpid() if owner else None
    _aside.finalizers = dict(finalize._registry)
    _aside.registered = finalize._registered_with_atexit
    _aside.multiprocessing, _aside.processes = dict(finalizers), set(processes)
    for registry in (finalize._registry, finalizers, processes):
        registry.clear()  # In place, as other modules refer to them.
    finalize._registered_with_atexit = False  # The next finalizer registers it again, above the boundary.
    atexit.register(_boundary)


def run_own(end: Callable[[], object]) -> None:
    """Run the exit handlers of this process. Calls `end`, which ends it, before those of another one."""
    _aside.end = end
    atexit._run_exitfuncs()


def _boundary() -> None:
    if _aside.owner == os.getpid():
        _take_back()
    elif _aside.end is not None:
        try:
            _run_shared_handlers()
        finally:
            _aside.end()


def _take_back() -> None:
    finalize: Any = weakref.finalize
    finalizers, processes = _of_multiprocessing()
    finalize._registry.update(_aside.finalizers)
    finalize._registered_with_atexit |= _aside.registered
    finalize._dirty, finalize._shutdown = True, False  # It may have run already, for finalizers made since.
    finalizers.update(_aside.multiprocessing)
    processes.update(_aside.processes)


def _run_shared_handlers() -> None:
    """Run handlers that the import registered, but that serve what a child makes: processes, log records."""
    util: Any = sys.modules.get("multiprocessing.util")
    try:
        if util is not None:
            util._exit_function()
    finally:
        logging.shutdown()


def _of_multiprocessing() -> tuple[dict[Any, Any], set[Any]]:
    """Return its finalizers and this process's children, if it is imported."""
    util: Any = sys.modules.get("multiprocessing.util")
    process: Any = sys.modules.get("multiprocessing.process")
    return (
        {} if util is None else util._finalizer_registry,
        set() if process is None else process._children,
    )
