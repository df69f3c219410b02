"""A child of a fork server in a fresh interpreter.

It imports what a forked child would inherit. Only `zygote_main` starts it.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from squids.bounds import ERROR, cut
from squids.errors import ConfigurationError, SquidsError
from squids.exit_codes import ExitCode
from squids.process.channel import Channel
from squids.process.child import apply_limits, exit_now, run_and_exit, set_title
from squids.process.entry_points import resolve
from squids.process.interpreter import spec_of
from squids.process.no_terminal import refuse_breakpoints
from squids.process.outlet import records_to
from squids.process.output import complain
from squids.process.protocol import Degraded
from squids.process.signals import restore_defaults


def main(argv: list[str]) -> NoReturn:
    """Run the child. `argv` has the descriptor of its specification."""
    spec = spec_of(argv)
    sys.path[:] = spec["path"]
    restore_defaults()  # Ignored and blocked signals are inherited across exec.
    refuse_breakpoints()
    for descriptor in spec["descriptors"]:
        os.set_inheritable(descriptor, False)  # Programs of tasks must not inherit them.
    if spec["records"] is not None:
        records_to(spec["records"])
    set_title(spec["title"])
    try:
        apply_limits(spec["nice"], spec["limits"])
        preloaded = resolve(spec["preload_entry"])(spec["preload_args"])
    except (SquidsError, OSError, ValueError) as error:
        text = str(error)
        if not _told(spec["descriptors"][0], text) or "\n" in text:
            complain(f"squids: {spec['title'].removeprefix('squids: ')} cannot start: {text}\n")
        exit_now(ExitCode.CONFIG if isinstance(error, ConfigurationError) else ExitCode.FAILURE)
    entry = resolve(spec["entry"])
    run_and_exit(entry, preloaded, spec["descriptors"], spec["args"], spec["title"])


def _told(descriptor: int, text: str) -> bool:
    """Tell the owner why this process cannot start, in one line. Returns whether it was sent."""
    channel = Channel(socket.socket(fileno=descriptor))
    channel.send(Degraded(cut(text.rstrip().rpartition("\n")[2], ERROR)))
    channel.flush()
    return not (channel.closed or channel.wants_write)
