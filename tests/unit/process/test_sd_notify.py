"""Datagrams to a service manager, read as it reads them."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, closing, suppress

import pytest

from squids.process.sd_notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """A socket as systemd's, and how it is called in the environment."""
    name = f"/squids-test-{os.getpid()}"
    address = str(tmp_path / "notify") if request.param == "file" else f"\0{name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5)
        yield listening, address.replace("\0", "@")


def _heard(manager) -> list[str]:
    return manager[0].recv(65536).decode().split("\n")


@pytest.fixture
def service(manager):
    """Make a service's end."""
    with ExitStack() as stack:

        def make(**more: str) -> Notifier:
            made = Notifier.take({"NOTIFY_SOCKET": manager[1], **more})
            assert made is not None
            return stack.enter_context(closing(made))

        yield make


def test_each_word_is_one_datagram(manager, service):
    notifier = service()
    notifier.ready("7/8 queues running")
    assert _heard(manager) == ["READY=1", "STATUS=7/8 queues running"]
    notifier.status("two\nlines   of it")
    assert _heard(manager) == ["STATUS=two lines of it"]
    notifier.stopping("draining")
    assert _heard(manager) == ["STOPPING=1", "STATUS=draining"]
    notifier.alive()
    assert _heard(manager) == ["WATCHDOG=1"]
    notifier.extend(2.5)
    assert _heard(manager) == ["EXTEND_TIMEOUT_USEC=2500000"]


def test_a_reload_has_its_time_in_the_same_datagram(manager, service):
    """systemd.service(5), Type=notify-reload: the clock is CLOCK_MONOTONIC, in microseconds."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    service().reloading("reading")
    first, at, status = _heard(manager)
    assert (first, status) == ("RELOADING=1", "STATUS=reading")
    assert (
        before
        <= int(at.removeprefix("MONOTONIC_USEC="))
        <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    )


def test_the_environment_is_taken_away_from_children(manager):
    environment = {
        "NOTIFY_SOCKET": manager[1],
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    notifier = Notifier.take(environment)
    assert notifier is not None
    assert notifier.watchdog == 30.0
    assert environment == {"HOME": "/"}
    notifier.close()


@pytest.mark.parametrize(
    "variables",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}],
)
def test_no_sign_of_life_is_wanted_where_none_was_asked_for(service, variables):
    """Also where it is asked of another process: sd_watchdog_enabled(3)."""
    assert service(**variables).watchdog is None


@pytest.mark.parametrize("path", ["", "relative", "vsock:2:1234"])
def test_nobody_is_told_where_there_is_nobody(path):
    environment = {"NOTIFY_SOCKET": path}
    assert Notifier.take(environment) is None
    assert Notifier.take({}) is None
    assert environment == {}


def test_a_manager_that_is_gone_disturbs_nobody(manager, service):
    notifier = service()
    manager[0].close()
    notifier.ready("up")


def test_what_decides_over_a_service_waits_until_the_manager_reads(manager, service):
    """Systemd that reloads itself does not read, and READY=1 is said once. Signs of life are for their moment."""
    other = service()
    for _ in range(10_000):
        other.alive()
    notifier = service()
    notifier.ready("up")
    notifier.alive()
    notifier.stopping("draining")
    manager[0].setblocking(False)
    with suppress(BlockingIOError):
        while True:
            assert _heard(manager) == ["WATCHDOG=1"]
    notifier.status("draining 1 queue")
    words = [_heard(manager) for _ in range(3)]
    assert [word[-1] for word in words] == ["STATUS=up", "STATUS=draining", "STATUS=draining 1 queue"]


def test_a_manager_that_does_not_read_delays_nobody(manager, service):
    notifier = service()
    for _ in range(10_000):
        notifier.status("x" * 1000)
