"""Ends a process when its owner dies, at times when it reads no socket of the owner. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From prctl(2)."""


def end_with(owner: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this signal when the owner, the parent of this process, dies."""
    _set(number)
    if sys.platform == "linux" and os.getppid() != owner:
        os._exit(1)  # It died before this call.


def outlive_owner() -> None:
    """Undo `end_with`."""
    _set(0)


def _set(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
