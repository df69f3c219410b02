"""Runs in a fresh interpreter for `debug`: imports the app, and runs one queue in the foreground."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import Any

from squids.cli.entry import print_error, run_command
from squids.cli.start import guarded
from squids.errors import AppImportFailed, ConfigurationError
from squids.exit_codes import ExitCode
from squids.options import ConsumerOptions
from squids.pool import foreground, preload
from squids.pool.consumer_main import client_of, settings_of
from squids.process import log_setup
from squids.process.child import apply_limits, set_title
from squids.process.interpreter import spec_of
from squids.process.owner_death import end_with
from squids.queues import QueueRef


def main(argv: list[str]) -> None:
    """Run the queue of the specification until it is stopped, and exit."""
    spec = spec_of(argv)
    end_with(spec["owner"], signal.SIGTERM)  # Nobody passes on the signals of the terminal any more.
    sys.exit(guarded(lambda: run_command("squids-supervisor", lambda: _run(spec))))


def _run(spec: dict[str, Any]) -> int:
    faulthandler.enable(2)
    set_title(f"squids: {spec['name']} debug")
    log_setup.configure(spec["log_level"], "text")
    try:
        apply_limits(spec["nice"], spec["limits"])
        where = {"app": spec["app"], "logging": spec.get("logging"), "directory": os.getcwd()}
        app = preload.load({**where, "write_bytecode": False})
        ours = {"app": spec["app"], "workers": 0, "prefetch": None, "exit_when_empty": False}
        options = ConsumerOptions(**{**spec["options"], **ours})
        settings = settings_of(options, QueueRef.parse(options.queue))
        return foreground.run(app, options, settings, client_of(app, settings))
    except AppImportFailed as error:
        print_error(f"squids-supervisor: importing the app failed:\n{error}")
        return ExitCode.FAILURE
    except ConfigurationError as error:
        print_error(f"squids-supervisor: {error}")
        return ExitCode.CONFIG
    except (OSError, ValueError) as error:  # Limits that the system refuses.
        print_error(f"squids-supervisor: {spec['name']} cannot start: {error}")
        return ExitCode.FAILURE
