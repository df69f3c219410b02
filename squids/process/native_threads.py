"""Threads of compiled code, which Python's `threading` does not know, and no fork may cross. Linux only.

A thread is not there in a forked child, but the locks that it held are, and what waits for its work waits
for ever. Some libraries know about forks, and the system calls them before each one (pthread_atfork(3)).
OpenBLAS, whose threads start when numpy is imported, ends them then and starts them anew at the next use. So
what is still there after a fork belongs to a library that does nothing of the kind, or keeps its threads and
mends their state in the child, which few do: those are listed here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import warnings

SAFE = frozenset({"jemalloc_bg_thd"})
"""Names of threads that a fork may cross. jemalloc takes its locks before a fork, and the child starts
without them: background_thread_postfork_child in its source."""

TRIAL_SECONDS = 10.0
"""How long a child that does nothing may take to end."""


def native_threads() -> list[str]:
    """The names of those that outlive a fork. One that never got a name has that of the process.

    Forks once where there are any, so call it only where no thread of Python's runs.
    """
    if sys.platform != "linux" or not _unknown():
        return []
    survived = _fork_is_survived()
    return sorted(_unknown()) or ([] if survived else ["gone, but a fork hangs"])


def libraries_loaded() -> list[str]:
    """The packages whose compiled code is loaded, but for the interpreter's and the system's own."""
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
    """All but Python's and those that are safe."""
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
    """Fork a child that ends at once. False: a library's handler kept it from that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: this process has threads.
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
