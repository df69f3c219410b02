"""A local SQS for development and tests: moto's server as a child process, on loopback.

It exits with its owner, however that dies. This module calls it over plain HTTP, so that starting it does not
need boto3.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from squids.errors import SquidsError
from squids.process.interpreter import interpreter_of
from squids.queues import QueueRef
from squids.sqs import LOCAL, LOCAL_CREDENTIALS, LOCAL_RECEIVES

HOST = "127.0.0.1"

NO_PROXY = ("no_proxy", "NO_PROXY")
"""The variables that name the hosts that no proxy is used for. Programs differ in which one they read."""


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def port_of(url: str) -> int | None:
    """Return the port of a local SQS's URL, or None for any other URL."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= 5
    return int(port) if (scheme, host) == ("http", HOST) and is_port else None


def exports_of(port: int) -> dict[str, str]:
    """Return the environment variables that a program needs to use the local SQS at this port."""
    return {
        "AWS_ENDPOINT_URL_SQS": _url(port),
        "AWS_ACCESS_KEY_ID": LOCAL_CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": LOCAL_CREDENTIALS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": LOCAL_CREDENTIALS["region_name"],
        LOCAL: _url(port),
        **past_proxies(os.environ),
    }


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return NO_PROXY, in both its spellings, with what it names already and the host of a local SQS.

    https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies_environment
    """
    named = [host.strip() for name in NO_PROXY for host in environ.get(name, "").split(",")]
    text = ",".join(dict.fromkeys(host for host in (*named, HOST) if host))
    return dict.fromkeys(NO_PROXY, text)


class LocalSQSFailed(SquidsError):
    """The local SQS server did not start."""


class LocalSQS:
    """A server, whose queues are lost when it exits. `port` 0 picks a free port.

    Raises LocalSQSFailed if the server cannot start. It is a child of the thread that starts it, and dies
    with that thread: use one that lives as long as the process.
    """

    def __init__(self, port: int = 0) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("moto", "flask")):
            raise LocalSQSFailed(
                "a local SQS needs moto's server: pip install 'moto[server]' (squids' extra `local`)"
            )
        self.port = port
        self.process = self._begin()

    @classmethod
    def start(cls, port: int = 0) -> LocalSQS:
        """Start a server and wait until it is ready. Raises LocalSQSFailed."""
        server = cls(port)
        server.wait()
        return server

    def _begin(self) -> subprocess.Popen[bytes]:
        spec = {"port": self.port, "owner": os.getpid()}
        with interpreter_of("squids.testing.moto_child", spec) as (command, inherited):
            return subprocess.Popen(
                command,
                pass_fds=[inherited],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
                process_group=0,
            )

    def wait(self) -> None:
        """Wait until the server listens. Raises LocalSQSFailed if it does not start."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline().strip()
        if not line.isdigit():
            said = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            self.stop()
            raise LocalSQSFailed(f"the local SQS did not start: {said[-1] if said else 'it said nothing'}")
        self.port = int(line)

    def restart(self) -> None:
        """Start another server, without queues, on the same port after a crash. Then call `wait`."""
        self.stop()
        self.process = self._begin()

    @property
    def url(self) -> str:
        return _url(self.port)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make a process use this server and no other service of AWS."""
        return {**self.exports, **_ALONE, "AWS_ENDPOINT_URL": self.url}

    @property
    def exports(self) -> dict[str, str]:
        """Environment variables that another program needs to use this server."""
        return exports_of(self.port)

    @property
    def export_line(self) -> str:
        """A shell command that sets `exports`, to paste into another terminal."""
        return "export " + " ".join(f"{name}={shlex.quote(text)}" for name, text in self.exports.items())

    def use_here(self) -> None:
        """Make this process and its children use only this server."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(self.environment)

    def create(self, queues: Iterable[str]) -> None:
        """Create queues, by name, URL or ARN, each with a dead-letter queue. Existing ones are kept.

        Both are FIFO queues if the name ends in `.fifo`.
        """
        there = {url.rpartition("/")[2] for url in self.call("ListQueues", {}).get("QueueUrls", ())}
        for ref in map(QueueRef.parse, queues):
            if ref.name in there:
                continue
            there.add(ref.name)
            kind = {"FifoQueue": "true"} if ref.is_fifo else {}
            dead = self.call("CreateQueue", {"QueueName": ref.dead_letter_name, "Attributes": kind})
            url = dead["QueueUrl"]
            arn = self.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})
            policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": LOCAL_RECEIVES}
            attributes = {**kind, "RedrivePolicy": json.dumps(policy)}
            self.call("CreateQueue", {"QueueName": ref.name, "Attributes": attributes})

    def call(self, action: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make one call of SQS's JSON protocol. Raises LocalSQSFailed if it fails.

        Source:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
        """
        region = LOCAL_CREDENTIALS["region_name"]
        request = urllib.request.Request(
            self.url,
            json.dumps(arguments).encode(),
            {
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": f"AmazonSQS.{action}",
                "Authorization": "AWS4-HMAC-SHA256 "
                f"Credential=local/20260101/{region}/sqs/aws4_request, SignedHeaders=host, Signature=none",
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}") or {}
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise LocalSQSFailed(f"the local SQS refused {action}: {text}") from None
        except OSError as error:
            raise LocalSQSFailed(f"the local SQS at {self.url} does not answer: {error}") from None

    def stop(self) -> None:
        """Kill the server."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


_ALONE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
