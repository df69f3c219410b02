"""A zygote in an interpreter of its own: what it does before it serves.

It imports what its children share, tells its owner how that went, and serves; or, where each
child is to be a fresh interpreter, serves at once.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from squids.errors import ConfigurationError, SquidsError
from squids.process.channel import Channel
from squids.process.child import exit_now, print_lines_at_once, set_title
from squids.process.entry_points import resolve
from squids.process.interpreter import spec_of
from squids.process.outlet import records_to
from squids.process.protocol import PROTOCOL, Preloaded, PreloadFailed
from squids.process.sharing import share_what_is_alive
from squids.process.signals import restore_defaults
from squids.process.zygote_main import Fresh, Zygote

PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def main(argv: list[str]) -> NoReturn:
    """`argv`: where the specification is. Started by `zygote_handle` only."""
    spec = spec_of(argv)
    if spec["path"] is not None:
        sys.path[:] = spec["path"]
    restore_defaults()
    faulthandler.enable()
    if spec["records"] is not None:
        records_to(spec["records"])
    set_title(spec["title"])
    print_lines_at_once()
    sock = socket.socket(fileno=spec["descriptor"])
    sock.set_inheritable(False)
    if not spec["preload"]:
        fresh = Fresh(spec["preload_entry"], spec["preload_args"])
        _tell_of_version(sock, spec)
        Zygote(sock, None, fresh).serve()
        exit_now(0)
    _die_with_owner(spec["owner"])
    preloaded = _preload(sock, spec)
    if preloaded is not None:
        _die_with_owner(None)
        share_what_is_alive()
        Zygote(sock, preloaded, None).serve()
    exit_now(0)


def _tell_of_version(sock: socket.socket, spec: dict[str, Any]) -> None:
    if spec.get("protocol") is not None:
        _tell(sock, _wrong_version(spec) or Preloaded("", None))


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
