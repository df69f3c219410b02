"""Runs the hooks that must succeed before a process of the pool may work: `consumer_start`, `worker_start`.

What one raises becomes a log record and an exit code. Whether and when the process is started again is up to
its owner.
"""

from __future__ import annotations

from collections.abc import Callable

from squids.errors import ConfigurationError
from squids.exit_codes import ExitCode
from squids.reports import log
from squids.tracebacks import error_line, users_frames


def run_start_hooks(kind: str, process: str, run: Callable[[], None]) -> ExitCode:
    """Run the hooks of a `process` by `run`. Returns OK, or the code to exit with."""
    try:
        run()
    except KeyboardInterrupt:
        raise
    except ConfigurationError as error:
        _report(kind, process, error_line(error), None)
        return ExitCode.CONFIG
    except BaseException as error:  # sys.exit() in a hook must not look like a drained process.
        _report(kind, process, error_line(error), error.with_traceback(users_frames(error.__traceback__)))
        return ExitCode.FAILURE
    return ExitCode.OK


def _report(kind: str, process: str, error: str, exception: BaseException | None) -> None:
    log.error(
        "a %s hook raised, so the %s cannot start: %s",
        kind,
        process,
        error,
        exc_info=exception,
        extra={"action": "start_hook_failed"},
    )
