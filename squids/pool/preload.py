"""What a process imports before it forks: the app, and boto3 with SQS's service model.

Importing is expensive, forking is cheap. Threads and connections do not survive a fork: an app that starts
some at import is detected here, and each of its processes is a fresh interpreter instead.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from squids.errors import AppImportFailed, ConfigurationError, SquidsError
from squids.loading import load_app
from squids.process import log_config, log_setup, ports
from squids.process.figures import ImportFacts
from squids.process.forkable import sockets_open, unforkable_since
from squids.process.imported_files import (
    files_imported,
    files_met,
    import_without_bytecode,
    own_line_of,
)
from squids.reports import log

if TYPE_CHECKING:
    from squids.app import App


def load(args: dict[str, Any]) -> App:
    """Import the app from `directory`, and prepare what its processes share.

    `logging`: a configuration to apply before, or None.
    `write_bytecode` False: neither write nor read bytecode, which is validated by seconds and sizes only. For
    code that changes often. `shares_ports`: other processes of the app open the same ports at import.
    """
    if not args.get("write_bytecode", True):
        import_without_bytecode()
    directory = str(args.get("directory") or os.getcwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    log_config.apply(args.get("logging"))
    with ports.watched(share=bool(args.get("shares_ports"))) as binds:
        try:
            app = load_app(str(args["app"]))
        except AppImportFailed as error:
            in_use = binds.why_in_use(error.__cause__)
            if in_use is None:
                raise
            raise AppImportFailed(in_use) from error.__cause__
        except ConfigurationError as error:
            line = own_line_of(error)
            if not line:
                raise
            raise ConfigurationError(f"{line}: {error}") from error
    ports.opened = binds.still_open()
    if "django.db" in sys.modules:
        from squids.contrib.django import connections

        connections.install(app)
    app.sqs.warm()
    for task in app.tasks.values():
        _ = task.converter  # Made here, to be shared by forked processes.
    return app


def tell_ports() -> None:
    """Warn of the ports that the import of this process opened. Call in one process of an app."""
    for port in ports.opened:
        log.warning(ports.shared(port), extra={"action": "port_shared"})


def load_shared(args: dict[str, Any]) -> tuple[App, str, ImportFacts]:
    """Import the app for a supervisor's fork server, and warm up its consumers.

    Returns the app, what does not survive a fork ("" if nothing), and the facts of the import. `consumers`:
    options of the consumers that will be forked; their clients are made here if credentials are static.
    """
    log_setup.configure(args["log_level"], "record")
    sockets = sockets_open()
    imported_at = time.time()
    try:
        app = load(args)
    except SquidsError as error:
        error.files = files_met(error)
        raise
    log_setup.adopt_application(args["log_level"])
    unforkable = unforkable_since(sockets)
    tell_ports()
    if not unforkable:
        from squids.pool.warm_up import warm_up  # It imports all that a consumer does.

        warm_up(app, args["consumers"])
    return app, str(unforkable) if unforkable else "", ImportFacts(imported_at, files_imported())
