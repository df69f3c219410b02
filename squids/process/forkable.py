"""Finds what an import left behind that does not survive a fork: threads, sockets and event loops."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from squids.hints import count
from squids.process import ports
from squids.process.native_threads import NativeThread, libraries_loaded, native_threads


@dataclass(frozen=True, slots=True)
class Unforkable:
    """What an import left behind that does not survive a fork."""

    threads: tuple[str, ...]
    sockets: int
    native: tuple[NativeThread, ...] = ()
    libraries: tuple[str, ...] = ()
    """Packages whose compiled code these may run, if it is not known of all."""
    ports: tuple[ports.Port, ...] = ()
    """Those of the sockets that listen, or could."""
    loops: int = 0

    def __bool__(self) -> bool:
        return bool(self.threads or self.sockets or self.native or self.loops)

    def __str__(self) -> str:
        parts = []
        if self.threads:
            parts.append(f"threads ({', '.join(self.threads)})")
        if self.native:
            parts.append(self._natively())
        if self.sockets:
            named = f" ({'; '.join(map(str, self.ports))})" if self.ports else ""
            parts.append(count(self.sockets, "open socket") + named)
        if self.loops:
            parts.append(count(self.loops, "event loop"))
        return " and ".join(parts)

    def _natively(self) -> str:
        by_library: dict[str, dict[str, None]] = {}
        for thread in self.native:
            by_library.setdefault(thread.library, {})[thread.name] = None
        named = [
            f"{', '.join(names)} of {library}" if library else ", ".join(names)
            for library, names in by_library.items()
        ]
        text = f"{count(len(self.native), 'thread')} of compiled code ({'; '.join(named)}"
        if self.libraries:
            text += f"; compiled code is loaded from: {', '.join(self.libraries)}"
        return text + ")"


LOOPS = ("anon_inode:[eventpoll]", "anon_inode:[io_uring]")
"""What event loops wait on. A fork does not copy it, so all processes would take each other's events."""


def sockets_open() -> frozenset[str]:
    """Return this process's open sockets and event loops; empty if the system does not list them."""
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
        elif target in LOOPS:
            found.add(f"{target} {descriptor}")
    return frozenset(found)


def unforkable_since(sockets_before: frozenset[str]) -> Unforkable:
    """Return the current threads, and the sockets that were opened since."""
    threads = tuple(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    # With a Python thread running, not even the trial fork for native threads is safe.
    native = () if threads else tuple(native_threads())
    libraries = () if all(thread.library for thread in native) else tuple(libraries_loaded())
    opened = sockets_open() - sockets_before
    loops = sum(one.startswith(LOOPS) for one in opened)
    return Unforkable(threads, len(opened) - loops, native, libraries, ports.opened, loops)
