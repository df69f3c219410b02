"""Short texts for exit statuses: the exit code, or minus the signal. Pure."""

from __future__ import annotations


def exit_text(status: int | None) -> str:
    """Return "exit 3" or "signal 9". None: the status is unknown."""
    if status is None:
        return "exit status unknown"
    return f"exit {status}" if status >= 0 else f"signal {-status}"
