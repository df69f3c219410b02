"""What a fork server does before it forks, so that what it forks is small: counted, never measured."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import squids
from squids.pool.warm_up import warm_up
from squids.process.forkable import sockets_open

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def consumer(queue: str) -> dict[str, str]:
    """The options of one, as a supervisor gives them."""
    return {"app": "rehearsed:app", "queue": queue}


@pytest.fixture
def server_of_nobody(monkeypatch):
    """A server to which nobody must connect, as the endpoint of SQS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server


@pytest.fixture
def answers(monkeypatch):
    """The answers that are read from connections."""
    read = []
    real = http.client.HTTPConnection.getresponse

    def getresponse(self):
        read.append(self)
        return real(self)

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", getresponse)
    return read


def test_a_warm_up_goes_to_the_end_of_the_http_client_but_over_no_network(server_of_nobody, answers):
    """Four calls, twice, over one connection; consumers alike are warmed up once."""
    warm_up(squids.App("rehearsed"), [consumer("emails"), consumer("reports")])
    assert len(answers) == 8
    assert len(set(map(id, answers))) == 1
    server_of_nobody.setblocking(False)
    with pytest.raises(BlockingIOError):
        server_of_nobody.accept()


def test_a_warm_up_leaves_no_socket_no_thread_and_no_loop(server_of_nobody):
    """None of them may cross a fork."""
    app = squids.App("rehearsed")
    sockets, threads = sockets_open(), set(threading.enumerate())
    warm_up(app, [consumer("emails")])
    assert sockets_open() <= sockets  # What tests before this one left may be closed now.
    assert set(threading.enumerate()) <= threads
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_without_credentials_at_hand_no_client_is_made(server_of_nobody, answers, monkeypatch):
    """To make one could mean to ask somebody for them, and each process has to do that itself."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    app = squids.App("rehearsed")
    warm_up(app, [consumer("emails")])
    assert (answers, app.sqs._prepared) == ([], {})


def test_a_call_that_cannot_be_rehearsed_to_the_end_hinders_nobody(server_of_nobody, monkeypatch):
    """Another urllib3 may make its connections in another way: then it is a shorter warm-up."""
    import squids.sqs_warm_up

    monkeypatch.setattr(squids.sqs_warm_up._Pool, "ConnectionCls", None)
    app = squids.App("rehearsed")
    warm_up(app, [consumer("emails")])
    assert len(app.sqs._prepared) == 1


FORKED = """\
import asyncio, json, os, sys
sys.path.insert(0, {directory!r})
from squids.options import ConsumerOptions
from squids.pool.consumer_main import client_of, settings_of
from squids.pool.preload import load_shared
from squids.process.sharing import share_what_is_alive
from squids.queues import QueueRef

options = {{"app": "small:app", "queue": {queue!r}}}
args = {{"app": "small:app", "directory": {directory!r}, "log_level": "WARNING", "consumers": [options]}}
app, unforkable, _ = load_shared(args)
assert not unforkable
share_what_is_alive()
before = set(sys.modules)
if not os.fork():
    async def consume():
        client = client_of(app, settings_of(ConsumerOptions(**options), QueueRef.parse({queue!r})))
        (message,) = client.receive(1, 0, 30, None)
        client.delete([(message.message_id, message.receipt)])
    asyncio.run(consume())
    print(json.dumps(sorted(set(sys.modules) - before)))
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def test_a_consumer_imports_nothing_after_the_fork(new_queue, sqs_client, tmp_path):
    """Each process would have what it imports to itself."""
    queue, url = new_queue()
    sqs_client.send_message(QueueUrl=url, MessageBody="{}")
    (tmp_path / "small.py").write_text("import squids\napp = squids.App('small')")
    script = FORKED.format(directory=str(tmp_path), queue=queue)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(squids.__file__).parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == []
