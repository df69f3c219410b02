"""Starts a fork server in its own interpreter.

It imports what its children share, reports the result to its owner, and serves. If each child is to be a
fresh interpreter, it serves at once.
"""

from __future__ import annotations

import faulthandler
import socket
import sys
from typing import Any, NoReturn

from squids.errors import ConfigurationError, SquidsError
from squids.process.channel import Channel
from squids.process.child import exit_now, print_lines_at_once, set_title
from squids.process.entry_points import resolve
from squids.process.exit_handlers import set_aside
from squids.process.interpreter import spec_of
from squids.process.no_terminal import refuse_breakpoints
from squids.process.outlet import records_to
from squids.process.owner_death import end_with, outlive_owner
from squids.process.protocol import PROTOCOL, Preloaded, PreloadFailed
from squids.process.sharing import share_what_is_alive
from squids.process.signals import restore_defaults
from squids.process.zygote_main import Fresh, Zygote


def main(argv: list[str]) -> NoReturn:
    """Run the fork server. `argv` has the descriptor of its specification. Called by `zygote_handle` only."""
    spec = spec_of(argv)
    if spec["path"] is not None:
        sys.path[:] = spec["path"]
    restore_defaults()
    faulthandler.enable()
    refuse_breakpoints()
    if spec["records"] is not None:
        records_to(spec["records"])
    set_title(spec["title"])
    print_lines_at_once()
    sock = socket.socket(fileno=spec["descriptor"])
    sock.set_inheritable(False)
    if not spec["preload"]:
        fresh = Fresh(spec["preload_entry"], spec["preload_args"])
        _report_version(sock, spec)
        Zygote(sock, None, fresh).serve()
        exit_now(0)
    end_with(spec["owner"])
    preloaded = _preload(sock, spec)
    if preloaded is not None:
        outlive_owner()
        set_aside(owner=True)
        share_what_is_alive()
        Zygote(sock, preloaded, None).serve()
    exit_now(0)


def _report_version(sock: socket.socket, spec: dict[str, Any]) -> None:
    if spec.get("protocol") is not None:
        _report(sock, _wrong_version(spec) or Preloaded("", None))


def _preload(sock: socket.socket, spec: dict[str, Any]) -> Any:
    """Return what children share, or None if the fork server must exit, which the owner was told."""
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
    _report(sock, answer)
    return preloaded if isinstance(answer, Preloaded) and not answer.unforkable else None


def _wrong_version(spec: dict[str, Any]) -> PreloadFailed | None:
    if spec["protocol"] == PROTOCOL:
        return None
    return PreloadFailed(True, f"{sys.executable} has another version of squids: restart the supervisor")


def _report(sock: socket.socket, frame: Preloaded | PreloadFailed) -> None:
    sock.setblocking(True)
    channel = Channel(sock)
    sock.setblocking(True)
    channel.send(frame)
    channel.flush()
