"""Signals to anybody and orders of every kind, in a random order: afterwards all work is done, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress

import pytest

from tests.support.processes import call
from tests.support.waiting import wait_until

NAMES = ("tests", "two", "three")
STEPS = 35

QUICK = {
    "workers": 2,
    "visibility_timeout": 4,
    "shutdown_timeout": 3,
    "retry_delay": 0,
    "backoff": {"first": "200ms", "max": "1s"},
    "heartbeat_timeout": 10,
}


def an_order(chance):
    """A verb with its arguments."""
    name = chance.choice(NAMES)
    return chance.choice(
        [
            ["stop", name],
            ["start"],
            ["restart", name],
            ["restart", "--rolling"],
            ["pause", name],
            ["resume"],
            ["scale", f"{name}={chance.randint(1, 4)}"],
            ["reload"],
            ["reset"],
        ]
    )


def hurt_somebody(process, chance):
    """A signal to any process below the supervisor."""
    victims = [pid for pid in process.processes() if pid != process.pid]
    if not victims:
        return
    pid = chance.choice(sorted(victims))
    number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV])
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_left_whatever_is_done(strict_sqs, supervisor, seed):
    """At least once, each; one consumer for each program; no process after the stop."""
    chance = random.Random(seed)
    queues = [strict_sqs.create(name) for name in NAMES]
    process = supervisor(strict_sqs.endpoint_url).write({name: {} for name in NAMES}, defaults=QUICK).up()
    sent, orders = [], []
    for step in range(STEPS):
        for name in NAMES:
            sent.append(f"{name}-{step}")
            strict_sqs.put(name, call("work", sent[-1], chance.choice([0, 0.01, 0.5, 1.5])))
        if chance.random() < 0.4:
            hurt_somebody(process, chance)
        else:
            arguments = [*an_order(chance), *chance.choice([["--no-wait"], ["--timeout", "5"]])]
            orders.append(threading.Thread(target=process.verb, args=arguments))
            orders[-1].start()
        time.sleep(chance.random() * 0.3)  # Not to wait for anything: so that things meet at odd moments.
    for order in orders:
        order.join()
    for pid, title in process.processes().items():
        if "worker" in title:
            with suppress(ProcessLookupError):  # One that drains may leave meanwhile.
                os.kill(pid, signal.SIGCONT)  # A worker that is stopped is a task that takes long.
    assert process.verb("resume").returncode in (0, 1), "a program that is down cannot be resumed"
    wait_until(lambda: process.verb("start", "--timeout", "30").returncode == 0, seconds=60)
    wait_until(
        lambda: not any(queue.messages for queue in queues),
        seconds=90,
        what=lambda: f"all is done\n{process.text}",
    )
    process.journal.assert_each_ran(sent)
    wait_until(lambda: all(len(process.mains(name)) == 1 for name in NAMES), what="one consumer each")
    assert "Traceback" not in process.text
    assert process.stop() == 0
    process.nothing_left()
