"""Keeps forked processes small: all share the current memory, and none writes to it.

A page is shared until a process writes to it. Even mere use writes: by the garbage collector; by malloc,
which puts new objects into the gaps between old ones; and by reference counting, which `immortal` avoids
where the interpreter permits.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from squids.process.immortal import make_programs_immortal

M_ARENA_MAX = -8
"""From mallopt(3)."""


def share_what_is_alive() -> None:
    """Prepare memory for sharing. Call just before the first fork, when everything is imported.

    Children have few threads; with one malloc arena instead of one per thread, fewer pages get dirty.
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (AttributeError, OSError):
        pass  # Not glibc.
    gc.collect()
    if not os.environ.get("SQUIDS_MORTAL"):  # An escape hatch, for extension modules that do not tolerate it.
        make_programs_immortal()
    _fill_holes()
    gc.freeze()


EMPTY_BYTES = sys.getsizeof(b"")

_filling: list[list[object]] = []


def _fill_holes() -> None:
    """Fill the free slots of Python's allocator between living objects.

    Otherwise, each child's first objects of each size would go there, one to a page. About 1.5 % of a heap's
    small slots are free, and few of the others.
    """
    alive = len(gc.get_objects())
    small, others = alive // 50, alive // 400
    _filling.append([object() for _ in range(small)])  # 16 bytes.
    _filling.append([float(number) for number in range(small)])  # 32 bytes; the following in steps of 16.
    _filling.extend(
        [bytes(size - EMPTY_BYTES) for _ in range(small if size <= 64 else others)]
        for size in range(48, 512 + 1, 16)
    )
