"""A zygote in an interpreter of its own: what it does before it serves.

It imports what its children share, tells its owner how that went, and serves; or, where each
child is to be a fresh interpreter, serves at once.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from squids.errors import ConfigurationError, SquidsError
from squids.process.channel import Channel
from squids.process.child import leave, set_title
from squids.process.entry_points import resolve
from squids.process.protocol import PROTOCOL, Preloaded, PreloadFailed
from squids.process.signals import restore_defaults
from squids.process.zygote_main import Fresh, Zygote

PR_SET_PDEATHSIG = 1
"""prctl(2)."""

M_ARENA_MAX = -8
"""mallopt(3)."""


def main(argv: list[str]) -> NoReturn:
    """`argv`: the specification as JSON. Started by `zygote_handle` only."""
    spec = json.loads(argv[1])
    if spec["path"] is not None:
        sys.path[:] = spec["path"]
    restore_defaults()
    faulthandler.enable()
    set_title(spec["title"])
    sock = socket.socket(fileno=spec["descriptor"])
    sock.set_inheritable(False)
    if not spec["preload"]:
        fresh = Fresh(spec["preload_entry"], spec["preload_args"])
        _tell_of_version(sock, spec)
        Zygote(sock, None, fresh).serve()
        leave(0)
    _die_with_owner(spec["owner"])
    preloaded = _preload(sock, spec)
    if preloaded is not None:
        _die_with_owner(None)
        _serve_many()
        Zygote(sock, preloaded, None).serve()
    leave(0)


def _tell_of_version(sock: socket.socket, spec: dict[str, Any]) -> None:
    if spec.get("protocol") is not None:
        _tell(sock, _wrong_version(spec) or Preloaded("", {}))


def _preload(sock: socket.socket, spec: dict[str, Any]) -> Any:
    """What children share; None where there is nothing to serve, which the owner was told."""
    answer: Preloaded | PreloadFailed | None = _wrong_version(spec)
    preloaded = None
    if answer is None:
        try:
            preloaded, unforkable, facts = resolve(spec["preload_entry"])(spec["preload_args"])
            answer = Preloaded(unforkable, facts)
        except SquidsError as error:
            files = list(getattr(error, "files", ()))
            answer = PreloadFailed(isinstance(error, ConfigurationError), str(error), files)
        except MemoryError:
            answer = PreloadFailed(False, "out of memory while the app was imported")
    _tell(sock, answer)
    return preloaded if isinstance(answer, Preloaded) and not answer.unforkable else None


def _wrong_version(spec: dict[str, Any]) -> PreloadFailed | None:
    if spec["protocol"] == PROTOCOL:
        return None
    return PreloadFailed(True, f"{sys.executable} has another version of squids: restart the supervisor")


def _tell(sock: socket.socket, frame: Preloaded | PreloadFailed) -> None:
    sock.setblocking(True)
    channel = Channel(sock)
    sock.setblocking(True)
    channel.send(frame)
    channel.flush()


def _die_with_owner(owner: int | None) -> None:
    """While the app is imported, nobody listens to the owner's end: the kernel does. Linux only."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, 0 if owner is None else int(signal.SIGKILL), 0, 0, 0)
    if owner is not None and os.getppid() != owner:
        os._exit(1)  # It died before this was asked for.


def _serve_many() -> None:
    """What makes a child small: what is alive now is shared, and nobody touches it.

    Children have a few threads each; with one arena for all of them instead of one each, malloc dirties fewer
    pages.
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (AttributeError, OSError):
        pass  # Another libc than glibc.
    gc.collect()
    gc.freeze()
