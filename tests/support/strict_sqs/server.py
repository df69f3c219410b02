"""The server: HTTP as boto3 speaks it (AWS JSON 1.0), and what a test sees and does from its own process."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.strict_sqs import checks
from tests.support.strict_sqs.actions import ACTIONS
from tests.support.strict_sqs.checks import SQSError
from tests.support.strict_sqs.faults import (
    FLOOD,
    KINDS,
    TRICKLE,
    Fault,
    Faults,
    HttpAnswer,
    answer_of,
    answer_of_error,
)
from tests.support.strict_sqs.queue import Event, Message, Queue

ACCOUNT = "123456789012"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    """Of five, which is the default, the sixth of many consumers that connect at once tries again after a second."""


class StrictSQS:
    """The server and its memory. Tests use it in their own process; consumers over HTTP.

    `clock` is a queue's idea of time, in seconds; long polls wait in real time all the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.queues: dict[str, Queue] = {}
        self.calls: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.events: list[Event] = []
        self.requests: list[tuple[float, str, dict[str, Any]]] = []
        self.latency = 0.0
        self.faults = Faults()
        self.changed = threading.Condition(threading.RLock())
        self._holds: dict[str, threading.Event] = {}
        self._closed = False
        self.flooded = 0
        """Bytes of bodies without end that clients took, or that are on their way."""
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.05,), daemon=True)

    def start(self) -> StrictSQS:
        self._thread.start()
        return self

    def close(self) -> None:
        self._closed = True
        for hold in self._holds.values():
            hold.set()
        with self.changed:
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # For tests: queues and messages.

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, name: str) -> str:
        return f"{self.endpoint_url}/{ACCOUNT}/{name}"

    def create(
        self,
        name: str,
        *,
        visibility: int = 30,
        max_receive_count: int | None = None,
        dead_letter: Queue | None = None,
        delay: int = 0,
        content_deduplication: bool = False,
    ) -> Queue:
        """A queue; if it has a `max_receive_count`, with a dead-letter queue, NAME-dead if none is given."""
        with self.changed:
            queue = self.queues[name] = Queue(
                name,
                visibility,
                max_receive_count,
                dead_letter,
                delay,
                content_deduplication,
                clock=self.clock,
                events=self.events,
            )
            if max_receive_count is not None and dead_letter is None:
                stem, suffix = (name.removesuffix(".fifo"), ".fifo") if queue.fifo else (name, "")
                queue.dead_letter = self.create(f"{stem}-dead{suffix}")
            self.changed.notify_all()
            return queue

    def put(self, name: str, body: str, group: str | None = None) -> Message:
        """Send, without HTTP and without its checks."""
        with self.changed:
            message = self.queues[name].send(Message(body, group))
            self.changed.notify_all()
            return message

    def together(self) -> AbstractContextManager[object]:
        """What is done inside happens at once, for those who call over HTTP."""
        return self.changed

    # For tests: trouble.

    def fail(
        self, kind: str, *, action: str | None = None, times: int = 1, code: str = "", seconds: float = 0.0
    ) -> None:
        """Have the next `times` calls (of `action`) fail. The kinds are those of `faults`."""
        with self.changed:
            self.faults.add(Fault(kind, action, times, code, seconds))

    def hold(self, action: str) -> threading.Event:
        """Keep the answers of `action` back until the event is set. They have taken effect already."""
        self._holds[action] = threading.Event()
        return self._holds[action]

    # For tests: what happened.

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait for something to be true here."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                if time.monotonic() > deadline:
                    raise AssertionError(f"not within {seconds} s; calls so far: {dict(self.calls)}")
                self.changed.wait(0.05)

    def happened(self, action: str, message_id: str | None = None) -> list[Event]:
        return [e for e in self.events if e.action == action and message_id in (None, e.message_id)]

    def asked(self, action: str) -> list[dict[str, Any]]:
        """What the calls of an action asked for, in order."""
        return [data for _, named, data in self.requests if named == action]

    # For the API's actions.

    def named(self, name: str) -> Queue:
        if self._closed or name not in self.queues:
            raise checks.no_such_queue()
        return self.queues[name]

    def queue_of(self, data: dict[str, Any]) -> Queue:
        return self.named(data["QueueUrl"].rsplit("/", 1)[1])

    def answer(self, action: str, data: dict[str, Any]) -> HttpAnswer | None:
        """The answer to a call; None: cut the connection."""
        if self.latency:
            time.sleep(self.latency)
        with self.changed:
            self.calls[action] += 1
            self.requests.append((time.monotonic(), action, data))
            self.changed.notify_all()
            fault = self.faults.next(action, KINDS)
        if fault is not None and fault.kind == "delay":
            time.sleep(fault.seconds)
        elif fault is not None and fault.kind != "cut_after":
            return answer_of(fault)
        answer = self._carried_out(action, data)
        self._held_back(action)
        return None if fault is not None and fault.kind == "cut_after" else answer

    def _carried_out(self, action: str, data: dict[str, Any]) -> HttpAnswer:
        with self.changed:
            try:
                if action not in ACTIONS:
                    raise SQSError("InvalidAction", f"The action {action} is not valid for this endpoint.")
                return 200, {}, json.dumps(ACTIONS[action](self, data)).encode()
            except KeyError as missing:
                return answer_of_error(SQSError("MissingParameter", f"The request must contain {missing}."))
            except SQSError as error:
                return answer_of_error(error)
            finally:
                self.changed.notify_all()

    def _held_back(self, action: str) -> None:
        hold = self._holds.get(action)
        if hold is None or hold.is_set():
            return
        with self.changed:
            self.held[action] += 1
            self.changed.notify_all()
        hold.wait()


def _handler_of(server: StrictSQS) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # A client that was killed.

        def do_POST(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = server.answer(self.headers["X-Amz-Target"].partition(".")[2], data)
            if answer is None:
                self.close_connection = True
                return
            if answer is TRICKLE:
                self.trickle()
                return
            if answer is FLOOD:
                self.flood()
                return
            status, headers, body = answer
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/x-amz-json-1.0", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # The client is gone; what the call did is done.

        def trickle(self) -> None:
            """A header that never ends, until the client has had enough."""
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Never: ")
                while not server._closed:
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
            self.close_connection = True

        def flood(self) -> None:
            """A body that never ends, until the client has had enough."""
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            try:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while not server._closed:
                    self.wfile.write(chunk)
                    server.flooded += len(chunk)
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler
