"""The entry of a consumer that a supervisor's zygote starts."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from squids.options import ConsumerOptions
from squids.pool import consumer_main
from squids.pool.consumer_settings import client_of, settings_of
from squids.process import log_setup
from squids.process.channel import Channel
from squids.process.figures import ImportFacts
from squids.process.imported_files import files_imported
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef

if TYPE_CHECKING:
    from squids.app import App


def run(app: App, owner: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """`descriptors`: the socket to the zygote, which starts the workers. The process's exit status."""
    log_setup.configure(args["log_level"], "record")
    options = ConsumerOptions(**args["options"])
    settings = replace(
        settings_of(options, QueueRef.parse(options.queue)),
        label=args["name"],
        log_level=args["log_level"],
    )
    client = client_of(app, settings)
    zygote = ZygoteHandle.inherited(socket.socket(fileno=descriptors[0]))
    facts = ImportFacts(time.time(), files_imported()) if args.get("fresh") else None
    return consumer_main.run(app, options, settings, client, zygote, Channel(owner), facts=facts)
