"""Runs moto's server in a process that exits with its owner. Only `local_sqs` starts it."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading

from squids.process.interpreter import spec_of

PR_SET_PDEATHSIG = 1
"""From prctl(2)."""


def main(argv: list[str]) -> None:
    """Print the port, and serve until standard input closes."""
    spec = spec_of(argv)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != spec["owner"]:
            os._exit(1)
    from moto.server import ThreadedMotoServer

    logging.disable()
    server = ThreadedMotoServer("127.0.0.1", port=spec["port"], verbose=False)
    fail = threading.excepthook

    def on_failure(args: threading.ExceptHookArgs) -> None:
        fail(args)
        os._exit(1)  # It cannot listen.

    threading.excepthook = on_failure
    server.start()
    sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv)
