"""What makes forked processes small: what is alive now is shared by all of them, and nobody writes to it.

A page of memory is shared until somebody writes to it. Who only uses what is there writes too: the
collector of cycles; malloc, which puts what is new into the holes between what is old; and whoever counts a
reference, of which `immortal` takes care where the interpreter can.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from squids.process.immortal import make_programs_immortal

M_ARENA_MAX = -8
"""mallopt(3)."""


def share_what_is_alive() -> None:
    """Just before a process begins to fork, when all is imported.

    Children have a few threads each; with one arena for all of them instead of one each, malloc dirties fewer
    pages.
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (AttributeError, OSError):
        pass  # Another libc than glibc.
    gc.collect()
    if not os.environ.get("SQUIDS_MORTAL"):  # In case that it disagrees with somebody's extension module.
        make_programs_immortal()
    _fill_holes()
    gc.freeze()


EMPTY_BYTES = sys.getsizeof(b"")

_filling: list[list[object]] = []


def _fill_holes() -> None:
    """Take what Python's allocator has free between what is alive: else each child's first objects of each
    size would lie there, one to a page. A heap has some 1.5 % of small ones free, and few of others.
    """
    alive = len(gc.get_objects())
    small, others = alive // 50, alive // 400
    _filling.append([object() for _ in range(small)])  # 16 bytes.
    _filling.append([float(number) for number in range(small)])  # 32, as all that follows in steps of 16.
    _filling.extend(
        [bytes(size - EMPTY_BYTES) for _ in range(small if size <= 64 else others)]
        for size in range(48, 512 + 1, 16)
    )
