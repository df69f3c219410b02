"""Finds threads of compiled code, unknown to `threading`, that do not survive a fork. Linux only.

A forked child lacks its parent's threads, but has their locks, and waits forever for their work. Some
libraries handle forks with pthread_atfork(3): OpenBLAS, whose threads start when numpy is imported, ends them
before a fork and starts them at the next use. So a thread that is still there after a fork belongs to a
library without such handlers, or to one that keeps its threads and repairs its state in the child. The latter
are few, and listed here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import warnings

SAFE = frozenset({"jemalloc_bg_thd"})
"""Names of threads that tolerate a fork.

jemalloc takes its locks before a fork, and the child starts without them: see
background_thread_postfork_child in its source.
"""

TRIAL_SECONDS = 10.0
"""How long a child that does nothing may take to exit."""


def native_threads() -> list[str]:
    """Return the names of threads that are still there after a fork. An unnamed one has the process's name.

    Forks once if there are candidates, so call it only if no Python thread runs.
    """
    if sys.platform != "linux" or not _unknown():
        return []
    survived = _fork_is_survived()
    return sorted(_unknown()) or ([] if survived else ["gone, but a fork hangs"])


def libraries_loaded() -> list[str]:
    """Return the packages whose compiled code is loaded, without the interpreter's and the system's."""
    found = set()
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[-1].strip() for line in maps if ".so" in line}
    except OSError:
        return []
    for path in paths:
        for folder in ("/site-packages/", "/dist-packages/"):
            if folder in path:
                found.add(path.rpartition(folder)[2].partition("/")[0])
    return sorted(found)


def _unknown() -> list[str]:
    """Return the names of all threads except Python's and the safe ones."""
    known = {thread.native_id for thread in threading.enumerate()}
    names = []
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/self/task/{thread}/comm", errors="replace") as file:
                name = file.read().rstrip("\n")
        except OSError:
            continue  # It has ended.
        if int(thread) not in known and name not in SAFE:
            names.append(name)
    return names


def _fork_is_survived() -> bool:
    """Fork a child that exits at once. Returns False if a library's fork handler made it hang."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads.
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    ended = os.pidfd_open(pid)
    try:
        if not select.select([ended], [], [], TRIAL_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(ended)
    return os.waitpid(pid, 0)[1] == 0
