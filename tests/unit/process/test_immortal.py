"""What is made immortal before a fork, where the interpreter can: in interpreters of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from squids.process import immortal

CAN = immortal._is_known()
"""Whether this interpreter is one of those."""

HEAD = """\
import enum, gc, json, sys, weakref
from squids.process.immortal import make_programs_immortal

class Color(enum.Enum):
    RED = "red"

class Thing:
    def method(self): return ("a constant of mine", 12345.678)

def function(): return Thing().method()

instance, things, pair = Thing(), [Thing()], (Thing(), 1)
gc.collect()
made = make_programs_immortal()
gc.freeze()
"""


def told_by(code: str) -> object:
    """What a program prints as JSON, once it has ended as programs do."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_says_whether_this_interpreter_can():
    """Where it is not known to work, nothing is done."""
    assert told_by("print(json.dumps(made))") is CAN


@pytest.mark.parametrize(
    "found",
    [
        "function",
        "function.__code__",
        "Thing",
        "Thing.__mro__",
        "Color.RED",
        "json",
        "vars(json)",
        "Thing.method.__code__.co_consts",
        "Thing.method.__code__.co_consts[-1]",
    ],
)
def test_references_to_a_program_are_not_counted(found):
    """So that whoever runs it writes nothing to it."""
    code = f"before = sys.getrefcount({found}); many = [{found}] * 10\n"
    more = told_by(f"{code}print(json.dumps(sys.getrefcount({found}) - before))")
    assert more == (0 if CAN else 10)


def test_what_variables_hold_dies_as_ever():
    """Instances, lists and dicts are the application's, files and connections with them."""
    code = """
died = []
weakref.finalize(instance, died.append, "instance"); weakref.finalize(things[0], died.append, "in a list")
weakref.finalize(pair[0], died.append, "in a tuple")
del instance, pair
things.clear()
print(json.dumps(died))"""
    assert told_by(code) == ["instance", "in a tuple", "in a list"]


def test_a_program_goes_on_and_ends_as_ever():
    """It runs, changes, is collected, and the interpreter is taken down without complaint."""
    code = """
gc.unfreeze()
Thing.method = lambda self: 2
Thing.other = function
del function, Color
gc.collect()
print(json.dumps(Thing().method()))"""
    assert told_by(code) == 2


def test_what_is_lazy_is_not_woken():
    """Proxies that pretend to be of another class work it out when they are asked."""
    code = """
class Lazy:
    @property
    def __class__(self): raise SystemExit("woken")

lazy = [Lazy()]
print(json.dumps(make_programs_immortal()))"""
    assert told_by(code) is CAN


def test_an_interpreter_that_counts_in_another_way_is_left_alone(monkeypatch):
    """What is known of a version is looked at once more before anything is written."""
    monkeypatch.setattr(immortal, "_is_known", lambda: True)
    monkeypatch.setattr(immortal, "IMMORTAL", 12345)
    monkeypatch.setattr(immortal, "_make_immortal", lambda found: pytest.fail("it was written to"))
    assert not immortal.make_programs_immortal()
