"""What an import left behind, and what of it crosses a fork: with real processes, by both commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until

SCRATCH = (
    APP
    + """
import atexit, tempfile
scratch = tempfile.TemporaryDirectory()
atexit.register(note, "end", "import")

@app.task("tests")
def look(name):
    atexit.register(note, "end", "worker")
    note("exists" if os.path.isdir(scratch.name) else "is gone", scratch.name)
"""
)


@pytest.fixture
def sqs(strict_sqs):
    for queue in ("tests", "two"):
        strict_sqs.create(queue)
    return strict_sqs


def test_what_the_import_registered_for_the_exit_waits_for_the_last_process(sqs, supervisor):
    """One queue is stopped by its operator: the other one still has what the import made. At the end it is gone."""
    process = supervisor(sqs.endpoint_url, app=SCRATCH).write({"tests": {}, "two": {}}).up()
    assert process.verb("stop", "two").returncode == 0
    sqs.put("tests", call("look", "a"))
    (directory,) = wait_until(lambda: process.journal.words("exists"))
    assert process.journal.words("end") == []
    assert process.stop() == 0
    process.nothing_left()
    assert process.journal.words("end") == ["worker", "import"]
    assert not Path(directory).exists()


def test_the_main_process_runs_what_its_import_registered(sqs, squids_process):
    """Its fork server and its workers run none of it."""
    process = squids_process(sqs.endpoint_url, SCRATCH).start("--workers", "1").ready()
    sqs.put("tests", call("look", "a"))
    (directory,) = wait_until(lambda: process.journal.words("exists"))
    assert process.stop() == 0
    process.nothing_left()
    assert process.journal.words("end") == ["worker", "import"]
    assert not Path(directory).exists()


DRAWS = (
    APP
    + """
import numpy.random
numpy.random.seed(7)

@app.task("tests")
def draw(name):
    note("drawn", numpy.random.randint(10**9))
    while len(open(os.environ["JOURNAL"]).readlines()) < 2:
        time.sleep(0.005)
"""
)


def test_workers_draw_random_numbers_of_their_own(sqs, squids_process):
    """From NumPy's global generator, even if the import sets its seed."""
    process = squids_process(sqs.endpoint_url, DRAWS).start("--workers", "2").ready()
    sqs.put("tests", call("draw", "a"))
    sqs.put("tests", call("draw", "b"))
    one, other = wait_until(lambda: len(drawn := process.journal.words("drawn")) == 2 and drawn)
    assert one != other
    assert len(set(process.journal.pids("drawn"))) == 2
    assert process.stop() == 0
