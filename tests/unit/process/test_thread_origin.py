"""Which library a thread of compiled code runs. Each test looks in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from squids.process.thread_origin import package_of
from tests.support.native import NATIVE_THREAD
from tests.support.servers import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where /proc tells of threads")

LOOK = """
import json, os
from squids.process.native_threads import _library_of, native_threads
others = [thread for thread in os.listdir("/proc/self/task") if int(thread) != os.getpid()]
print(json.dumps([
    [_library_of(thread) for thread in others],
    [[thread.name, thread.library] for thread in native_threads()],
]))
"""

LIBRARY = """
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>
static void *work(void *nothing) { for (;;) pause(); }
void start(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_setname_np(thread, "crunching");
}
"""


def seen_after(code):
    """The libraries of all other threads, and what is found to be in the way of a fork."""
    done = subprocess.run(
        [sys.executable, "-c", code + LOOK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="it starts none")
def test_the_threads_of_openblas_are_its_own_and_end_before_a_fork():
    """NumPy starts them at import, if there is more than one CPU."""
    (paths, found) = seen_after("import os; os.environ['OPENBLAS_NUM_THREADS'] = '2'\nimport numpy\n")
    assert [package_of(path).partition(" ")[0] for path in paths] == ["numpy"]
    assert "openblas" in paths[0]
    assert found == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler at hand")
@pytest.mark.parametrize(
    ("name", "found"), [("libcrunch-1.so", [["crunching", "libcrunch"]]), ("libarrow.so.2600", [])]
)
def test_a_thread_counts_unless_its_library_is_known_to_survive(tmp_path, name, found):
    source, library = tmp_path / "crunch.c", tmp_path / name
    source.write_text(LIBRARY)
    subprocess.run(["cc", "-shared", "-fPIC", "-pthread", "-o", library, source], check=True)
    paths, in_the_way = seen_after(f"import ctypes\nctypes.CDLL({str(library)!r}).start()\n")
    assert paths == [str(library)]
    assert in_the_way == found


def test_a_thread_of_the_system_s_own_code_has_no_library():
    assert seen_after(NATIVE_THREAD) == [[""], [["crunching", ""]]]


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/srv/v/lib/python3.11/site-packages/polars/polars.abi3.so", "polars"),
        ("/usr/lib/python3/dist-packages/_duckdb.cpython-311-x86_64-linux-gnu.so", "_duckdb"),
        ("/v/site-packages/scikit_learn.libs/libgomp-e985bcbb.so.1.0.0", "scikit_learn (libgomp)"),
        ("/usr/lib/x86_64-linux-gnu/libomp.so.5", "libomp"),
    ],
)
def test_a_library_is_named_by_its_package(path, package):
    assert package_of(path) == package
