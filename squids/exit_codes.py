"""Exit codes of the commands. Those of 64 and above are from sysexits.h. Pure."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Why a process exited."""

    OK = 0
    """Drained: running jobs finished, all other messages were given back."""
    FAILURE = 1
    """squids or the app's import failed. A restart may help."""
    USAGE = 2
    """The command line is wrong."""
    UNAVAILABLE = 69
    """Something that the process needs is not available (EX_UNAVAILABLE)."""
    LOCKED = 75
    """Another process already does this (EX_TEMPFAIL)."""
    CONFIG = 78
    """A configuration error that a restart cannot fix (EX_CONFIG)."""


OK, FAILED, USAGE, NOT_ALL, UNREACHABLE, NO_SUCH_NAME, TIMED_OUT = 0, 1, 2, 3, 4, 5, 124
"""Exit codes of the verbs. `status` exits NOT_ALL if a program is not in its desired state."""
