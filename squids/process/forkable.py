"""Finds what an import left behind that does not survive a fork: threads and sockets."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from squids.hints import count
from squids.process import ports
from squids.process.native_threads import libraries_loaded, native_threads


@dataclass(frozen=True, slots=True)
class Unforkable:
    """What an import left behind that does not survive a fork."""

    threads: tuple[str, ...]
    sockets: int
    native: tuple[str, ...] = ()
    """Names of threads of compiled code."""
    libraries: tuple[str, ...] = ()
    """Packages whose compiled code these may run."""
    ports: tuple[ports.Port, ...] = ()
    """Those of the sockets that listen, or could."""

    def __bool__(self) -> bool:
        return bool(self.threads or self.sockets or self.native)

    def __str__(self) -> str:
        parts = []
        if self.threads:
            parts.append(f"threads ({', '.join(self.threads)})")
        if self.native:
            parts.append(self._natively())
        if self.sockets:
            named = f" ({'; '.join(map(str, self.ports))})" if self.ports else ""
            parts.append(count(self.sockets, "open socket") + named)
        return " and ".join(parts)

    def _natively(self) -> str:
        text = f"{count(len(self.native), 'thread')} of compiled code ({', '.join(self.native)}"
        if self.libraries:
            text += f"; compiled code is loaded from: {', '.join(self.libraries)}"
        return text + ")"


def sockets_open() -> frozenset[str]:
    """Return this process's open sockets; empty if the system does not list them (not Linux)."""
    found = set()
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return frozenset()
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue  # The descriptor of this listing.
        if target.startswith("socket:"):
            found.add(target)
    return frozenset(found)


def unforkable_since(sockets_before: frozenset[str]) -> Unforkable:
    """Return the current threads, and the sockets that were opened since."""
    threads = tuple(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    # With a Python thread running, not even the trial fork for native threads is safe.
    native = () if threads else tuple(native_threads())
    libraries = tuple(libraries_loaded()) if native else ()
    return Unforkable(threads, len(sockets_open() - sockets_before), native, libraries, ports.opened)
