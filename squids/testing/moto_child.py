"""Runs moto's server in a process that exits with its owner. Only `local_sqs` starts it."""

from __future__ import annotations

import logging
import os
import sys
import threading

from squids.process.interpreter import spec_of
from squids.process.owner_death import end_with


def main(argv: list[str]) -> None:
    """Print the port, and serve until standard input closes."""
    spec = spec_of(argv)
    end_with(spec["owner"])
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
