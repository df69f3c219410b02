"""A thread of compiled code, as polars starts some at import: `threading` does not know it."""

from __future__ import annotations

NATIVE_THREAD = """
import ctypes
libc = ctypes.CDLL(None)
thread = ctypes.c_ulong()
pause = ctypes.cast(libc.pause, ctypes.c_void_p)  # No code of Python's runs in it.
libc.pthread_create.argtypes = [ctypes.c_void_p] * 4
libc.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
assert libc.pthread_create(ctypes.byref(thread), None, pause, None) == 0
assert libc.pthread_setname_np(thread, b"crunching") == 0
"""
