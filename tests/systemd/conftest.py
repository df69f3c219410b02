"""A server with squids on it: Debian, systemd, an SQS server, a shop. One boot for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import tree
from tests.support.machines.machine import Machine
from tests.support.machines.server import COMMAND, SHOP, SQS_UNIT, Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where no container can be booted, it is said why, once for each test."""
    reason = tree.missing()
    if reason is not None:
        for item in items:
            if Path(item.path).parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel of this checkout is built."""
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Iterator[Machine]:
    """Booted, with squids installed as `/opt/squids/current`, units and all, and with an SQS server."""
    place = tmp_path_factory.mktemp("machine")
    copy = place / "tree"
    subprocess.run(["cp", "-a", str(tree.server()), str(copy)], check=True)
    tree.prune()
    tree.install_squids(copy, wheels, "v1")
    (copy / "opt/squids/current").symlink_to("v1")
    made = Machine(copy, f"squids-{os.getpid()}", place / "console.log")
    made.write("/srv/shop/shop.py", SHOP)
    made.write("/etc/systemd/system/sqs.service", SQS_UNIT)
    try:
        made.boot()
        made.systemctl("enable", "--now", "sqs.service")
        assert made.run(COMMAND, "systemd", "install").stderr == ""
        yield made
    finally:
        made.close()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def server(machine: Machine) -> Iterator[Server]:
    """The machine, with nothing configured yet."""
    made = Server(machine)
    yield made
    made.clean()
