"""Threads that Python's `threading` does not know. Each test looks in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from squids.process.native_threads import SAFE_NAMES, SURVIVORS
from tests.support.native import NATIVE_THREAD
from tests.support.servers import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where /proc tells of threads")


def seen_after(code):
    """What is found in a process that did this."""
    program = f"import json\nfrom squids.process.native_threads import *\n{code}\nprint(json.dumps([thread.name for thread in native_threads()]))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_process_without_threads_has_none():
    assert seen_after("") == []


def test_a_thread_of_compiled_code_is_found_by_its_name():
    assert seen_after(NATIVE_THREAD) == ["crunching"]


def test_a_name_that_the_system_cuts_ends_without_a_space():
    """Unnamed threads have the process's name, such as "squids: zygote shop"."""
    assert seen_after(NATIVE_THREAD.replace("crunching", "squids: zygote ")) == ["squids: zygote"]


def test_python_s_own_threads_are_not_among_them():
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    assert seen_after(code) == []


def test_those_that_are_known_to_be_safe_do_not_count():
    assert seen_after(NATIVE_THREAD.replace("crunching", "jemalloc_bg_thd")) == []


ENDS_BEFORE_A_FORK = """
import os
def end_it():
    libc.pthread_cancel(thread)
    libc.pthread_join(thread, None)
os.register_at_fork(before=end_it)
"""


def test_a_library_that_ends_its_threads_before_a_fork_may_be_forked():
    """As OpenBLAS does."""
    assert seen_after(NATIVE_THREAD + ENDS_BEFORE_A_FORK) == []


def test_a_handler_that_never_ends_in_the_child_is_found_out():
    """The fork that looks is waited for within bounds."""
    hangs = "import os, signal\nfrom squids.process import native_threads as own\nown.TRIAL_SECONDS = 0.2\n"
    hangs += "os.register_at_fork(after_in_child=signal.pause)\n"
    assert seen_after(NATIVE_THREAD + hangs) == ["crunching"]


def test_packages_with_compiled_code_are_named():
    """Where a thread comes from nobody knows, but from one of these. The interpreter's own are none."""
    code = "import json, pydantic_core\nfrom squids.process.native_threads import *\nprint(json.dumps(libraries_loaded()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert "pydantic_core" in found
    packages = [Path(path) for path in sys.path if path.endswith("-packages")]
    assert [name for name in found if not any((path / name).exists() for path in packages)] == []


def test_the_documentation_lists_what_survives():
    page = (ROOT / "docs" / "forking.md").read_text()
    assert [name for name in (*SURVIVORS, *SAFE_NAMES) if f"`{name}`" not in page] == []
