"""Exit codes of the commands. Those above 64 are sysexits.h's."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the end of a process says to whoever started it."""

    OK = 0
    """Drained: all that ran has ended, all else was given back."""
    FAILURE = 1
    """A failure of squids or of the app's import. A restart may heal it."""
    USAGE = 2
    """The command line is wrong."""
    UNAVAILABLE = 69
    """What the process is for cannot be had (EX_UNAVAILABLE)."""
    LOCKED = 75
    """Somebody else does this already (EX_TEMPFAIL)."""
    CONFIG = 78
    """A configuration that a restart cannot heal (EX_CONFIG)."""


OK, FAILED, USAGE, NOT_ALL, UNREACHABLE, NO_SUCH_NAME, TIMED_OUT = 0, 1, 2, 3, 4, 5, 124
"""Exit codes of the verbs. NOT_ALL is of `status`: some program is not as wanted."""
