"""How a process ended, in short: an exit status is the code, or minus the signal. Pure."""

from __future__ import annotations


def exit_text(status: int | None) -> str:
    """ "exit 3", "signal 9". None: it is not known how it ended."""
    if status is None:
        return "exit status unknown"
    return f"exit {status}" if status >= 0 else f"signal {-status}"
