"""Makes functions, code, classes, modules and their constants immortal.

Calling a function changes its reference count and so writes to its memory page: each forked process would
soon have a copy of all the code that it runs. CPython 3.12 introduced immortal objects, whose references are
not counted (PEP 683); objects imported before the fork become immortal here. What variables hold (instances,
lists, dicts, files) is unchanged, and dies with its last reference.

There is no supported way to do this, so it is done only in interpreters where it is known, and checked, to
work. Elsewhere nothing happens, and each process costs a few MB more.
"""

from __future__ import annotations

import ctypes
import enum
import gc
import itertools
import re
import sys
import sysconfig
import types
from collections.abc import Iterator

KNOWN = ((3, 12), (3, 13))
"""Versions of CPython with the count in the object's first 32 bits, where all ones mean immortal."""

PROGRAM = frozenset(
    {
        types.FunctionType,
        types.CodeType,
        types.CellType,
        types.ModuleType,
        types.BuiltinFunctionType,
        types.MethodDescriptorType,
        types.WrapperDescriptorType,
        types.GetSetDescriptorType,
        types.MemberDescriptorType,
        types.ClassMethodDescriptorType,
        property,
        staticmethod,
        classmethod,
        re.Pattern,
    }
)
CONSTANT = frozenset({type(None), bool, str, bytes, int, float, complex, tuple, frozenset})
HOLDS = frozenset({tuple, frozenset})
"""Constants if their items are."""

BATCH = 1000
"""The number of objects per call of gc.get_referents."""


def make_programs_immortal() -> bool:
    """Make all living code and constants immortal. Returns False if this interpreter cannot.

    This covers several hundred thousand objects before the first job, so it is written for speed.
    """
    if not _is_known() or not _is_as_known():
        return False
    count_at, lasts, names = ctypes.c_uint32.from_address, _Lasting(), set[str]()
    alive = gc.get_objects()
    for start in range(0, len(alive), BATCH):
        some = alive[start : start + BATCH]
        for found in itertools.chain(some, gc.get_referents(*some)):
            if lasts[type(found)] and (type(found) not in HOLDS or all(lasts[type(part)] for part in found)):
                count_at(id(found)).value = IMMORTAL
                if type(found) is types.CodeType:
                    for part in _parts_of_code(found, names):
                        count_at(id(part)).value = IMMORTAL
                elif type(found) is types.ModuleType:
                    count_at(id(found.__dict__)).value = IMMORTAL
    for name in names:
        count_at(id(name)).value = IMMORTAL
    return True


class _Lasting(dict[type, bool]):
    """Whether instances of a type are parts of programs.

    Never uses isinstance, which would trigger lazy objects.
    """

    def __missing__(self, kind: type) -> bool:
        self[kind] = kind in PROGRAM or kind in CONSTANT or issubclass(kind, type | enum.Enum)
        return self[kind]


def _parts_of_code(code: types.CodeType, names: set[str]) -> Iterator[object]:
    """Yield the parts of code that the garbage collector does not track.

    Names, which are many and often repeated, are collected in `names`.
    """
    names.update(code.co_names)
    names.update((code.co_name, code.co_qualname, code.co_filename))
    yield code
    yield code.co_consts
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _parts_of_code(constant, names)
        else:
            yield constant


def _is_known() -> bool:
    """Whether this is a known build. Free-threaded and debug builds count differently."""
    return (
        sys.implementation.name == "cpython"
        and sys.version_info[:2] in KNOWN
        and sys.maxsize > 2**32
        and sys.byteorder == "little"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and not hasattr(sys, "gettotalrefcount")
    )


def _is_as_known() -> bool:
    """Whether the count is where it should be, and stays constant once immortal."""
    probe = [None]
    few = sys.getrefcount(probe) - 1
    if _count_of(probe).value != few or _count_of(None).value != IMMORTAL:
        return False
    _make_immortal(probe)
    many = [probe] * 3
    return len(many) == 3 and _count_of(probe).value == IMMORTAL


IMMORTAL = 0xFFFFFFFF


def _count_of(found: object) -> ctypes.c_uint32:
    return ctypes.c_uint32.from_address(id(found))


def _make_immortal(found: object) -> None:
    ctypes.c_uint32.from_address(id(found)).value = IMMORTAL
