"""What a process of ours imports before it forks: the app, and boto3 with SQS's service model.

Importing is what costs; forking is cheap. What must not cross a fork is threads and
connections: an app that starts some at import is found here, and started the other way, in a
fresh interpreter for each process.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from squids.errors import SquidsError
from squids.loading import load_app
from squids.process import log_setup
from squids.process.figures import ImportFacts
from squids.process.forkable import sockets_open, unforkable_since
from squids.process.imported_files import files_imported, files_met, import_without_bytecode

if TYPE_CHECKING:
    from squids.app import App


def load(args: dict[str, Any]) -> App:
    """Import the app from `directory` and warm what its processes share.

    `write_bytecode` false: what changes often had better leave no caches, which are told from fresh ones by
    seconds and sizes only; and those that others left are not read, wherever they lie.
    """
    if not args.get("write_bytecode", True):
        import_without_bytecode()
    directory = str(args.get("directory") or os.getcwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    app = load_app(str(args["app"]))
    app.sqs.warm()
    return app


def load_shared(args: dict[str, Any]) -> tuple[App, str, ImportFacts]:
    """What a supervisor's zygote imports: the app; what of it no fork may cross; and what there is to know.

    `consumers` are the options of those that will be forked: their clients are made here, where nobody has to
    be asked for credentials.
    """
    log_setup.configure(args["log_level"], "record")
    sockets = sockets_open()
    imported_at = time.time()
    try:
        app = load(args)
    except SquidsError as error:
        error.files = files_met(error)
        raise
    unforkable = unforkable_since(sockets)
    if not unforkable:
        for module in SHARED:
            importlib.import_module(module)
        from squids.pool.warm_up import warm_up  # With all that a consumer imports.

        warm_up(app, args["consumers"])
    return app, str(unforkable) if unforkable else "", ImportFacts(imported_at, files_imported())


SHARED = ("squids.pool.consumer_main", "squids.pool.worker_main", "asyncio.selector_events")
"""What all children need."""
