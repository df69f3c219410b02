"""Finds threads of compiled code, unknown to `threading`, that do not survive a fork. Linux only.

A forked child lacks its parent's threads, but has their locks, and waits forever for their work. Some
libraries handle forks with pthread_atfork(3): OpenBLAS, whose threads start when numpy is imported, ends them
before a fork and starts them at the next use. So a thread that is still there after a fork belongs to a
library without such handlers, or to one that keeps its threads and repairs its state in the child. The latter
are few, and listed here. Any other is taken for one that does not survive.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
import warnings
from dataclasses import dataclass

from squids.process.thread_origin import Memory, package_of

SAFE_NAMES = frozenset({"jemalloc_bg_thd"})
"""Names of threads that tolerate a fork, in whatever library they are.

jemalloc takes its locks before a fork, and the child starts without such threads: see
background_thread_postfork_child in its source. Tried with forked workers under load (5.3).
"""

SURVIVORS = {
    "libopenblas": "OpenBLAS: fork handlers end its threads and start them again",
    "libscipy_openblas": "OpenBLAS, as NumPy and SciPy bring it",
    "libomp": "LLVM's OpenMP: a fork handler starts it again in the child",
    "libiomp5": "Intel's OpenMP: the same code",
    "libarrow": "Apache Arrow (pyarrow): fork handlers make new threads in the child",
    "tokenizers": "Hugging Face tokenizers: a fork handler lets the child work without threads",
    "_duckdb": "DuckDB: no handler, but the calling thread does the work of those that are missing",
    "duckdb": "DuckDB before 1.4: the same",
}
"""Libraries whose threads may be there at a fork, by the start of their file's name, and why.

Each was tried; libomp (LLVM 14) and libiomp5 (2026.2.0) with forked workers under load, in tasks that use all
their threads. GNU's OpenMP (libgomp) and polars were tried, too, and hang.
"""

TRIAL_SECONDS = 10.0
"""How long a child that does nothing may take to exit."""

SLEEP_SECONDS = 1.0
"""How long a thread may take to fall asleep. OpenMP's wait for work actively for 0.2 s."""


@dataclass(frozen=True, slots=True)
class NativeThread:
    """A thread of compiled code. `library`: its package, or "" if it is not known.

    An unnamed thread has the process's name.
    """

    name: str
    library: str = ""


def native_threads() -> list[NativeThread]:
    """Return the threads that are still there after a fork, and are not known to survive it.

    Forks once if there are candidates, so call it only if no Python thread runs.
    """
    if sys.platform != "linux" or not _unknown():
        return []
    survived = _fork_is_survived()
    found = []
    for thread, name in _unknown().items():
        path = _library_of(thread)
        if path is not None and not os.path.basename(path).startswith(tuple(SURVIVORS)):
            found.append(NativeThread(name, package_of(path)))
    found.sort(key=lambda thread: (thread.library, thread.name))
    return found or ([] if survived else [NativeThread("gone, but a fork hangs")])


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


def _unknown() -> dict[str, str]:
    """Return the ids and names of all threads except Python's and the safe ones."""
    known = {thread.native_id for thread in threading.enumerate()}
    names = {}
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return {}
    for thread in threads:
        try:
            with open(f"/proc/self/task/{thread}/comm", errors="replace") as file:
                name = file.read().strip()  # The first 15 characters, which may end with a space.
        except OSError:
            continue  # It has ended.
        if int(thread) not in known and name not in SAFE_NAMES:
            names[thread] = name
    return names


def _library_of(thread: str) -> str | None:
    """Return the path of the thread's library, "" if it cannot be found, None if the thread has ended."""
    deadline = time.monotonic() + SLEEP_SECONDS
    while os.path.exists(f"/proc/self/task/{thread}"):
        try:
            found = Memory().library_of(thread)
        except OSError:
            return ""
        if found is not None or time.monotonic() > deadline:
            return found or ""
        time.sleep(0.01)  # It runs: its stack can be read once it sleeps.
    return None


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
