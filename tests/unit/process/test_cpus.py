"""How many CPUs there are for us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from squids.process import cpus
from squids.process.cpus import usable_cpus
from squids.process.mountinfo import Mounted
from tests.support.servers import ROOT

V1 = Path("/sys/fs/cgroup/cpu")
CGROUP = V1 if V1.is_dir() else Path("/sys/fs/cgroup")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_those_that_this_process_may_not_use_do_not_count():
    """As in a container, or under taskset: a worker for each CPU of the machine would be too many."""
    program = "import os\nfrom squids.process.cpus import usable_cpus\n"
    program += "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\nprint(usable_cpus())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("known", "count"), [(6, 6), (None, 1)])
def test_where_there_is_no_affinity_all_count(monkeypatch, known, count):
    """And where the system does not say, there is at least one."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: known)
    monkeypatch.setattr(os, "process_cpu_count", lambda: known, raising=False)
    monkeypatch.setattr(cpus, "_limit", lambda: None)
    assert usable_cpus() == count


@pytest.mark.parametrize(("limit", "count"), [("1 8", 1), ("11 10", 2), ("100 1", None), ("max 1", None)])
def test_the_limit_of_a_container_counts_where_it_is_less(monkeypatch, limit, count):
    """Rounded up, and named as the source."""
    texts = {
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/cpu.max": limit,
    }
    monkeypatch.setattr(cpus, "_read", texts.get)
    monkeypatch.setattr(cpus, "read_mounts", lambda: [Mounted("/", "/sys/fs/cgroup", "cgroup2")])
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 4, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    found = cpus.find_cpus()
    expected = (4, "CPUs of the machine") if count is None else (count, "CPU limit of the cgroup")
    assert (found.count, found.source) == expected


@pytest.mark.skipif(not CGROUP.is_dir() or not os.access(CGROUP, os.W_OK), reason="no cgroup to make one in")
def test_a_process_in_a_real_control_group_finds_its_limit():
    group = CGROUP / f"squids-test-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text("20000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("20000")
        program = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')\n"
        program += "from squids.process.cpus import find_cpus\nprint(find_cpus())"
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine allows none: {error}")
    finally:
        group.rmdir()
    assert done.stdout == "Cpus(count=1, source='CPU limit of the cgroup')\n"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 has it")
def test_the_number_that_python_was_given_counts_as_it_is():
    program = "from squids.process.cpus import find_cpus\nprint(find_cpus())"
    environment = {**os.environ, "PYTHON_CPU_COUNT": "7"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "Cpus(count=7, source='PYTHON_CPU_COUNT')\n"
