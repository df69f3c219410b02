"""What is done just before a process begins to fork, seen in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.servers import ROOT

SHARE = """
import ctypes, gc, json, sys, weakref
from squids.process import sharing

{before}
class Node:
    pass

gc.disable()
cycle = Node()
cycle.self = cycle
dead = weakref.ref(cycle)
del cycle
made = []
sharing.make_programs_immortal = lambda: made.append(True)
alive = len(gc.get_objects())
sharing.share_what_is_alive()
print(json.dumps({{
    "frozen": gc.get_freeze_count(),
    "collected_later": len(gc.get_objects()),
    "alive": alive,
    "dead_is_gone": dead() is None,
    "immortal": made == [True],
    "sizes": sorted({{sys.getsizeof(one) for filling in sharing._filling for one in filling}}),
}}))
"""


def shared(before: str = "", **environment: str) -> dict:
    """What was seen in a process after it shared what is alive."""
    done = subprocess.run(
        [sys.executable, "-c", SHARE.format(before=before)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_alive_is_nothing_that_the_collector_looks_at():
    """It would write to each of them. What was dead is gone before, or it would stay for ever."""
    seen = shared()
    assert seen["frozen"] > 0.5 * seen["alive"]
    assert seen["collected_later"] < 0.1 * seen["alive"]
    assert seen["dead_is_gone"] and seen["immortal"]


def test_the_holes_between_it_are_filled():
    """Objects of each small size, so that a child's first ones get pages of their own."""
    assert set(range(48, 512 + 1, 16)) <= set(shared()["sizes"])


def test_an_extension_that_does_not_bear_immortals_can_be_helped():
    """By a variable of the environment."""
    assert not shared(SQUIDS_MORTAL="1")["immortal"]


def test_another_libc_is_no_hindrance():
    """musl has no mallopt that does anything, and macOS has none at all."""
    without = "def cdll(name):\n    raise OSError(name)\nctypes.CDLL = cdll"
    assert shared(without)["frozen"] > 0
