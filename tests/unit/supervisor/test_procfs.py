"""CPU and memory, as the system says of this process and of what a test writes in its place."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import pytest

from squids.supervisor import procfs
from squids.supervisor.procfs import Meter, Usage, out_of_memory_kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is known")


class Machine:
    """Processes by pid: CPU seconds, start in seconds, bytes. The time is turned by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.cpu: dict[int, float] = {}
        self.memory: dict[int, int] = {}
        self.looks: list[int] = []
        monkeypatch.setattr(procfs.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(procfs, "_times", self.times)
        monkeypatch.setattr(procfs, "_pss", self.pss)

    def times(self, pid: int) -> tuple[float | None, float]:
        return self.cpu.get(pid), 900.0

    def pss(self, pid: int) -> int:
        self.looks.append(pid)
        return self.memory.get(pid, 0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_the_first_look_counts_from_the_start_and_the_next_from_the_last(machine: Machine) -> None:
    """A process that was busy for an hour and is idle now is idle."""
    meter = Meter()
    machine.cpu, machine.memory = {1: 50.0}, {1: 4096}
    assert meter.measure({"emails": [1]}) == {"emails": Usage(0.5, 4096)}
    machine.now, machine.cpu = 1002.0, {1: 54.0}
    assert meter.measure({"emails": [1]})["emails"].cpu == 2.0
    machine.now += procfs.FRESH_SECONDS
    assert meter.measure({"emails": [1]})["emails"].cpu == round(54.0 / 162.0, 4), "too long ago"


def test_two_looks_right_after_each_other_do_not_divide_by_nothing(machine: Machine) -> None:
    meter = Meter()
    machine.cpu = {1: 50.0}
    assert meter.measure({"emails": [1]}) == meter.measure({"emails": [1]})


def test_a_name_has_what_all_its_processes_use_and_those_that_are_gone_use_nothing(machine: Machine) -> None:
    machine.cpu, machine.memory = {1: 50.0, 2: 25.0}, {1: 10, 2: 20, 3: 40}
    found = Meter().measure({"emails": [1, 2, 3], "reports": [3], "payments": []})
    nothing = Usage(0.0, 0)
    assert found == {"emails": Usage(0.75, 30), "reports": nothing, "payments": nothing}


def test_memory_is_looked_at_less_often(machine: Machine) -> None:
    """It costs ten times as much as the rest."""
    meter = Meter()
    machine.cpu, machine.memory = {1: 1.0}, {1: 10}
    meter.measure({"emails": [1]})
    machine.now, machine.memory = machine.now + 5.0, {1: 20}
    assert meter.measure({"emails": [1]})["emails"].memory == 10
    machine.now += procfs.MEMORY_SECONDS
    assert meter.measure({"emails": [1]})["emails"].memory == 20
    assert machine.looks == [1, 1]


def test_processes_that_are_gone_are_forgotten_in_time(machine: Machine) -> None:
    meter = Meter()
    for first in range(0, 5000, 100):
        machine.cpu = dict.fromkeys(range(first, first + 100), 1.0)
        meter.measure({"emails": list(machine.cpu)})
    assert len(meter._last) < 1600 and len(meter._memory) < 1600


def test_the_system_is_read_as_it_is() -> None:
    """This process, and one that there is not."""
    usage = Meter().measure({"mine": [os.getpid()], "none": [2**22 + 1]})
    assert usage["mine"].cpu > 0.0
    assert 1 << 20 < usage["mine"].memory < 1 << 40
    assert usage["none"] == Usage(0.0, 0)


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        (
            {
                "/proc/self/cgroup": "1:cpu:/x\n0::/system.slice/squids.service\n",
                "/sys/fs/cgroup/system.slice/squids.service/memory.events": "oom 9\noom_kill 3\noom_group_kill 5\n",
            },
            3,
        ),
        ({"/proc/self/cgroup": "1:cpu:/x\n"}, None),
        ({"/proc/self/cgroup": "0::/\n"}, None),
        ({}, None),
    ],
)
def test_kills_for_want_of_memory_are_those_of_this_control_group(
    files: dict[str, str], kills: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, or its version is 1, nothing is known."""

    def read(path: str, *_: Any) -> io.StringIO:
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr(procfs, "open", read, raising=False)
    assert out_of_memory_kills() == kills
