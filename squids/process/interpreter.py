"""Runs a module of squids in a fresh interpreter, and passes a specification to it.

Never with `-m`, which searches the working directory first: an app's own `queue.py` would replace the
standard library's.

The specification is not an argument, as an argument holds at most 128 KiB (MAX_ARG_STRLEN, execve(2)) and is
visible to every user in `ps`. It is in an unnamed file, which the child inherits and reads; the argument is
the descriptor's number. The file is complete before the child starts, so the parent never waits for the
child, as it would with a full pipe, and the child gets everything even if the parent is dead by then.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_THIS_COPY = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("squids", {package!r})
sys.modules["squids"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["squids"])
from {module} import main
main(sys.argv)
"""

_ITS_OWN = """\
import sys
try:
    from {module} import main
except ImportError as error:
    sys.exit(f"{{sys.executable}} cannot import {module}: install this version of squids there ({{error}})")
main(sys.argv)
"""


@contextmanager
def interpreter_of(
    module: str, spec: dict[str, Any], python: str | None = None
) -> Iterator[tuple[list[str], int]]:
    """Return the command that runs a module's `main`, and the descriptor that it must inherit (`pass_fds`).

    `python` None: this interpreter with this copy of squids, wherever it is from (PyPI has another `squids`).
    Otherwise that interpreter with its installed packages. Raises OSError if the system refuses the file.
    """
    program = _ITS_OWN.format(module=module)
    if python is None:
        package = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__init__.py")
        program = _THIS_COPY.format(package=package, module=module)
    descriptor = _written(json.dumps(spec).encode())
    try:
        yield [python or sys.executable, "-P", "-c", program, str(descriptor)], descriptor
    finally:
        os.close(descriptor)


def spec_of(argv: Sequence[str]) -> dict[str, Any]:
    """Read the specification in the child.

    This closes its descriptor, so that the child's children do not inherit it.
    """
    if not argv[1].isdecimal():  # JSON from a parent that was started before this version was installed.
        sys.exit(f"{sys.executable} has another version of squids: restart what started it")
    with open(int(argv[1]), "rb") as file:
        spec: dict[str, Any] = json.load(file)
    return spec


def _written(data: bytes) -> int:
    """Return a descriptor of an unnamed file with this data, at its start."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("squids", os.MFD_CLOEXEC)
    else:  # macOS.
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        with open(descriptor, "wb", closefd=False) as writer:
            writer.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
