"""Notifies systemd: datagrams of KEY=VALUE lines to the socket in $NOTIFY_SOCKET.

Source: sd_notify(3), https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

MAX_STATUS = 400
"""In characters. systemd shows one line."""


class Notifier:
    """A service's connection to systemd. `watchdog`: seconds between required signs of life, or None.

    Nothing here raises or blocks: a service works even if systemd no longer reads. Meanwhile `ready`,
    `reloading` and `stopping` are kept, and sent before the next datagram.
    """

    def __init__(self, path: str, watchdog: float | None = None) -> None:
        self.watchdog = watchdog
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._kept: list[bytes] = []

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Notifier | None:
        """Return a notifier from the environment, or None if it names no usable socket.

        The variables are removed: children are not the service, and would be refused (NotifyAccess=main).
        """
        path = environment.pop("NOTIFY_SOCKET", "")
        seconds = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        if not path.startswith(("/", "@")):
            return None
        is_ours = pid in ("", str(os.getpid()))
        watchdog = int(seconds) / 1e6 if seconds.isdigit() and int(seconds) > 0 and is_ours else None
        return cls(path, watchdog)

    def close(self) -> None:
        """Stop notifying."""
        self._socket.close()

    def ready(self, status: str) -> None:
        """The service is up, or up again after `reloading`."""
        self._send("READY=1", _status(status), keep=True)

    def reloading(self, status: str) -> None:
        """The service rereads its configuration, until `ready`."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", _status(status), keep=True)

    def stopping(self, status: str) -> None:
        """The service is stopping."""
        self._send("STOPPING=1", _status(status), keep=True)

    def status(self, status: str) -> None:
        """Set the line of `systemctl status`."""
        self._send(_status(status))

    def alive(self) -> None:
        """Send the watchdog's sign of life."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Request `seconds` more for the start or stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, *lines: str, keep: bool = False) -> None:
        word = "\n".join(lines).encode("utf-8", "replace")
        while self._kept and self._has_room(self._kept[0]):
            del self._kept[0]
        if self._kept or not self._has_room(word):
            self._kept += [word] if keep else []

    def _has_room(self, word: bytes) -> bool:
        """Whether it was sent, or never can be."""
        try:
            self._socket.sendto(word, self._address)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:MAX_STATUS]}"
