"""How many CPUs there are for us."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from squids.process.cpus import usable_cpus
from tests.support.servers import ROOT


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_those_that_this_process_may_not_use_do_not_count():
    """As in a container, or under taskset: a worker for each CPU of the machine would be too many."""
    program = "import os\nfrom squids.process.cpus import usable_cpus\n"
    program += "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\nprint(usable_cpus())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("known", "cpus"), [(6, 6), (None, 1)])
def test_where_there_is_no_affinity_all_count(monkeypatch, known, cpus):
    """And where the system does not say, there is at least one."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    assert usable_cpus() == cpus
