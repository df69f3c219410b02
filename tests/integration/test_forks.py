"""A client belongs to the process that made it."""

from __future__ import annotations

import os

import pytest

import squids

pytestmark = pytest.mark.usefixtures("aws_environment")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_makes_a_client_of_its_own(new_queue):
    """After a fork (gunicorn's preload) the child sends over its own client; a lock held at the fork by
    another thread stops nobody."""
    name, _ = new_queue()
    app = squids.App("forks")

    @app.task(name)
    def work(n):
        """Work."""

    work.send(0)
    ours = app.sqs.client()
    with app.sqs._lock:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                sent = work.send(1)["MessageId"]
                os.write(write, b"other" if app.sqs.client() is not ours and sent else b"same")
            finally:
                os._exit(0)
    os.close(write)
    assert os.read(read, 10) == b"other"
    os.close(read)
    os.waitpid(pid, 0)
    assert app.sqs.client() is ours
    assert work.send(2)["MessageId"]
