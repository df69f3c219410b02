"""A machine with squids on it, as its administrator and its producers use it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import yaml

from tests.support import servers
from tests.support.journal import Journal
from tests.support.machines.machine import Machine
from tests.support.processes import APP, call
from tests.support.waiting import wait_until

SQS_PORT = 4566
ENDPOINT = f"http://127.0.0.1:{SQS_PORT}"
UNIT = "squids-supervisor.service"
COMMAND = "/opt/squids/current/bin/squids-supervisor"
STATE = "/var/lib/squids"

SHOP = (
    APP
    + """
@app.task("tests")
def hog(name, megabytes):
    note("start", name)
    kept = [b"x" * 1024 * 1024 for _ in range(megabytes)]
    time.sleep(60)

@app.task("tests")
def tell(name, expression):
    note("told", name, repr(eval(expression)).replace(" ", ""))

@app.task("tests")
def attempt(name, code):
    try:
        exec(code, {})
    except Exception as error:
        note("told", name, repr(type(error).__name__))
    else:
        note("told", name, repr("done"))
"""
)

SQS_UNIT = f"""\
[Service]
ExecStart=/opt/squids/deps/bin/moto_server -H 127.0.0.1 -p {SQS_PORT}
ExecStartPost=/bin/bash -c 'until echo > /dev/tcp/127.0.0.1/{SQS_PORT}; do :; done'
Restart=always
[Install]
WantedBy=multi-user.target
"""


class Server:
    """What an administrator and a producer do with the machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.queues: dict[str, str] = {}

    @property
    def journal(self) -> Journal:
        """What tasks wrote down."""
        return Journal(self.machine.tree / STATE.lstrip("/") / "journal")

    def configure(self, queues: dict[str, Any], file: str = "/etc/squids/squids.yaml", **top: Any) -> None:
        """The file, and its queues in SQS."""
        for name in queues:
            self.make_queue(name)
        defaults = {"workers": 1, "polling_wait_time": 1, **top.pop("defaults", {})}
        data = {
            "app": "shop:app",
            "directory": "/srv/shop",
            "python": "/opt/squids/current/bin/python",
            "environment": {**self.environment, **top.pop("environment", {})},
            "defaults": defaults,
            **top,
            "queues": queues,
        }
        self.machine.write(file, yaml.safe_dump(data, sort_keys=False), 0o640)
        self.machine.run("chgrp", "squids", file)

    @property
    def environment(self) -> dict[str, str]:
        """What tasks and consumers need."""
        return {"JOURNAL": f"{STATE}/journal", "AWS_ENDPOINT_URL_SQS": ENDPOINT, **servers.CREDENTIALS}

    def drop_in(self, unit: str, text: str, name: str = "test") -> None:
        """As `systemctl edit` does."""
        self.machine.write(f"/etc/systemd/system/{unit}.d/{name}.conf", f"[Service]\n{text}\n")
        self.machine.systemctl("daemon-reload")

    def start(self, unit: str = UNIT) -> None:
        self.machine.systemctl("start", unit)

    def until_line(self, pattern: str, unit: str = UNIT) -> str:
        """The first line of a unit in the journal that has this, once there is one: it may be on its way."""
        expression = re.compile(pattern)
        return wait_until(
            lambda: next((line for line in self.machine.lines(unit) if expression.search(line)), ""),
            what=lambda: f"{pattern} in:\n" + "\n".join(self.machine.lines(unit)[-40:]),
        )

    def drains(self, name: str, unit: str = UNIT) -> int:
        """How often a consumer of this queue has said that it drains."""
        told = f"{name}: stopped by the supervisor: draining"
        return sum(told in line for line in self.machine.lines(unit))

    def main_pid(self, unit: str = UNIT) -> int:
        return int(self.machine.show(unit, "MainPID"))

    def until_back(self, pid: int, unit: str = UNIT, seconds: float = 60.0) -> None:
        """Active again, with another main process than this."""

        def back() -> bool:
            return self.main_pid(unit) not in (0, pid) and self.machine.is_active(unit) == "active"

        wait_until(back, seconds=seconds, what=lambda: "\n".join(self.machine.lines(unit)[-30:]))

    def until_alive(self, times: int, unit: str = UNIT) -> None:
        """It gave so many more signs of life to the watchdog."""
        seen: set[str] = set()

        def enough() -> bool:
            seen.add(self.machine.show(unit, "WatchdogTimestampMonotonic"))
            return len(seen) > times

        wait_until(enough, seconds=60, what=f"{times} signs of life of {unit}")

    def verb(self, *arguments: str, check: bool = True) -> str:
        """A verb of the supervisor, by root."""
        done = self.machine.run(COMMAND, *arguments, check=check)
        return done.stdout + done.stderr

    def status_line(self, unit: str = UNIT) -> str:
        return self.machine.show(unit, "StatusText")

    def until_status(self, *words: str, unit: str = UNIT, seconds: float = 30.0) -> str:
        """The STATUS line, once it has all these words at one moment."""

        def found() -> str:
            line = self.status_line(unit)
            return line if all(word in line for word in words) else ""

        return wait_until(
            found,
            seconds=seconds,
            what=lambda: f"{words} in: {self.status_line(unit)}",
        )

    # SQS.

    def _sqs(self, action: Callable[[Any], Any]) -> Any:
        with self.machine.network(), closing(servers.client(ENDPOINT)) as client:
            return action(client)

    def make_queue(self, name: str) -> None:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        made = self._sqs(lambda sqs: sqs.create_queue(QueueName=name, Attributes=attributes))
        self.queues[name] = made["QueueUrl"]

    def put(self, queue: str, task: str, *args: Any, module: str = "shop") -> None:
        """Send a call."""
        body = call(task, *args, module=module)
        self._sqs(lambda sqs: sqs.send_message(QueueUrl=self.queues[queue], MessageBody=body))

    def left(self, queue: str) -> int:
        """Messages in a queue, those in flight included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs(
            lambda sqs: sqs.get_queue_attributes(QueueUrl=self.queues[queue], AttributeNames=names)
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def until_empty(self, queue: str, seconds: float = 30.0) -> None:
        """Everything was run and deleted."""
        wait_until(lambda: self.left(queue) == 0, seconds=seconds, what=f"{queue} is empty")

    def until_started(self, name: str, times: int = 1, seconds: float = 30.0) -> None:
        wait_until(
            lambda: self.journal.words("start").count(name) >= times,
            seconds=seconds,
            what=lambda: f"{name} started {times} times: {self.journal.lines()}",
        )

    def until_done(self, name: str, seconds: float = 30.0) -> None:
        wait_until(
            lambda: name in self.journal.words("done"),
            seconds=seconds,
            what=lambda: f"{name} is done: {self.journal.lines()}",
        )

    def let_go(self) -> str:
        """The file for which `wait_for` waits: its path, and it is not there yet."""
        return f"{STATE}/go"

    def go(self) -> None:
        self.machine.write(self.let_go(), "")

    def told(self, name: str) -> str:
        """What `tell` saw, without its spaces."""
        return wait_until(
            lambda: next((line[2] for line in self.journal.lines() if line[:2] == ["told", name]), ""),
            what=f"{name} was told",
        )

    # The end of a test.

    def clean(self) -> None:
        """As it was after the installation."""
        machine = self.machine
        machine.run("systemctl", "stop", "squids-supervisor*", "squids@*", check=False)
        machine.run("systemctl", "reset-failed", check=False)
        machine.run(
            "sh",
            "-c",
            "rm -rf /etc/systemd/system/*.d/test.conf /etc/squids/* /var/lib/squids/* /var/log/squids/*",
        )
        machine.run("find", "/etc/systemd/system", "-name", "*.d", "-empty", "-delete")
        machine.systemctl("daemon-reload")
        for url in self.queues.values():
            self._sqs(lambda sqs, url=url: sqs.delete_queue(QueueUrl=url))
