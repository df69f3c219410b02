"""What `breakpoint()` does in a process without a terminal: it fails, and says where a debugger can be used.

pdb would read the end of its input, and raise BdbQuit, which says nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

HELP = (
    "this process has no terminal for a debugger. Use `squids-supervisor debug QUEUE` or "
    "`squids --workers 0`; "
    "PYTHONBREAKPOINT=0 skips breakpoints, PYTHONBREAKPOINT=package.function calls another debugger"
)


def refuse_breakpoints() -> None:
    """Let `breakpoint()` fail from now on, here and in forks. What the user or the app has chosen stays."""
    if sys.breakpointhook is sys.__breakpointhook__:
        sys.breakpointhook = _refuse


def _refuse(*args: Any, **keywords: Any) -> Any:
    chosen = os.environ.get("PYTHONBREAKPOINT")  # Read at each call, as Python does.
    if chosen and chosen != "pdb.set_trace":
        return sys.__breakpointhook__(*args, **keywords)  # noqa: T100 (it calls what the user chose)
    raise RuntimeError(f"breakpoint(): {HELP}")


def explained(error: str, exception: BaseException | None) -> str:
    """Add what to do to a failure's text, if a debugger that was called directly met the end of input."""
    if type(exception).__name__ == "BdbQuit":
        return f"{error}: {HELP}"
    return error
