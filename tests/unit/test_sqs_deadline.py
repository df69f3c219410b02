"""A send ends in its time, whatever the server does, over real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ReadTimeoutError,
)

import squids
from squids.sqs_deadline import TimeIsUp, seconds_left, within
from tests.support.certificates import self_signed
from tests.support.journal import whole_lines

SHORT = 0.6
"""The send_timeout of the tests."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"


def silent(connection: Any, ended: threading.Event) -> None:
    ended.wait()


def deaf(connection: Any, ended: threading.Event) -> None:
    """Reads nothing, so that a large request cannot be written."""
    ended.wait()


def drips_head(connection: Any, ended: threading.Event) -> None:
    """A byte of a header that never ends, often enough for each read to be in time."""
    connection.recv(65536)
    connection.sendall(HEAD + b"X: ")
    while not ended.wait(0.05):
        connection.sendall(b"x")


def drips_body(connection: Any, ended: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b" ")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a server whose connections go as `behave` says; its URL."""
    ended = threading.Event()
    with contextlib.ExitStack() as stack:

        def make(behave: Callable[[Any, threading.Event], None], *, tls: bool = False) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if tls:
                context.load_cert_chain(self_signed(tmp_path))

            def talk(connection: Any) -> None:
                with contextlib.suppress(OSError), connection:
                    if not tls:
                        behave(connection, ended)
                        return
                    with context.wrap_socket(connection, server_side=True) as wrapped:
                        behave(wrapped, ended)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        threads.append(threading.Thread(target=talk, args=(connection,), daemon=True))
                        threads[-1].start()

            threads = [threading.Thread(target=accept, daemon=True)]
            threads[0].start()
            stack.callback(lambda: [thread.join() for thread in threads])
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            stack.callback(ended.set)
            return f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"

        yield make


def app_of(url: str, **config: Any) -> squids.App:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "eu-west-1"}
    return squids.App("shop", {**keys, "endpoint_url": url, **config}, send_timeout=SHORT)


def send(url: str, text: str = "a", **config: Any) -> float:
    """Send to a server that never answers; the seconds that it took to give up."""
    app = app_of(url, **config)

    @app.task(f"{url}/1/emails")
    def mail(text: str) -> None: ...

    began = time.monotonic()
    with pytest.raises(BotoCoreError) as caught:
        mail.send(text)
    assert any("send_timeout" in note for note in caught.value.__notes__), caught.value.__notes__
    return time.monotonic() - began


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("behave", [silent, drips_head, drips_body, deaf])
def test_a_send_ends_in_its_time_whatever_the_server_does(serve, behave, tls, tmp_path):
    """It would take minutes without: the test would not end. It lasts no less than its time either."""
    text = "a" * 900_000 if behave is deaf else "a"
    assert (
        send(serve(behave, tls=tls), text, **({"verify": str(tmp_path / "self-signed.pem")} if tls else {}))
        >= SHORT - 0.1
    )


def test_it_also_ends_in_its_time_if_the_retries_are_the_users(serve):
    """Their tries are botocore's; none begins after the time is up."""
    retries = {"total_max_attempts": 1000, "mode": "legacy"}
    send(serve(silent), config=Config(retries=retries, read_timeout=0.1))


def test_a_queues_url_is_asked_for_in_that_time_too(serve):
    app = app_of(serve(silent))
    with pytest.raises(ReadTimeoutError):
        app.get_queue_by_name("emails")


HOST = "sqs.example"


@pytest.fixture
def slow_names(monkeypatch):
    """Names are looked up, as the address of a listener, once the test allows it."""
    asked, allowed = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slowly(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == HOST:
            asked.set()
            allowed.wait()
            host = "127.0.0.1"
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    yield asked, allowed
    allowed.set()


def test_a_name_that_is_not_found_in_time_ends_the_send(slow_names):
    """What connects after that is closed. On a busy machine, the time may be up before a name is looked up."""
    asked, allowed = slow_names
    with socket.create_server(("127.0.0.1", 0)) as listener:
        while not asked.is_set():
            assert send(f"http://{HOST}:{listener.getsockname()[1]}") >= SHORT - 0.1
        allowed.set()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""


def test_a_host_by_name_is_connected_to(serve, slow_names):
    """As by an address, and what goes wrong is told."""
    _, allowed = slow_names
    allowed.set()
    url = serve(silent)
    send(url.replace("127.0.0.1", HOST))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    app = app_of(f"http://{HOST}:{port}", config=Config(retries={"total_max_attempts": 1}))
    app.sqs.send_timeout = 60.0
    with pytest.raises(EndpointConnectionError, match=HOST):
        app.get_queue_by_name("emails")


PROFILES = """
[profile hangs]
region = eu-west-1
credential_process = {command}
[profile role]
region = eu-west-1
role_arn = arn:aws:iam::111122223333:role/shop
source_profile = hangs
"""


@pytest.mark.parametrize("profile", ["hangs", "role"])
def test_a_credential_process_that_hangs_is_killed(serve, tmp_path, monkeypatch, no_aws_environment, profile):
    """It would hold the send, and all others that wait for these credentials."""
    command = f"sh -c 'echo $$ >>{tmp_path}/pids; exec sleep 600'"
    (tmp_path / "config").write_text(PROFILES.replace("{command}", command))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", profile)
    app = squids.App("shop", {"endpoint_url": serve(silent)}, send_timeout=SHORT)
    while not whole_lines(tmp_path / "pids"):  # On a busy machine, it may be killed before it has begun.
        with pytest.raises(CredentialRetrievalError, match="did not end in time"):
            app.get_queue_by_name("emails")
    for pid in whole_lines(tmp_path / "pids"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_the_deadline_around_a_block_counts():
    """A send looks up the queue's URL first, in the same time."""
    assert seconds_left() is None
    with within(50.0):
        with within(5000.0):
            assert 0 < (seconds_left() or 0) <= 50.0
        assert seconds_left() is not None
    assert seconds_left() is None


def test_time_that_is_up_is_no_time_out_of_botocore():
    """botocore would retry that."""
    assert not issubclass(TimeIsUp, BotoCoreError)
