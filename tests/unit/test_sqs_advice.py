"""Each error of AWS's configuration is a sentence that says what to do.

The errors are botocore's own: each is provoked by a configuration that has the mistake, not made by hand.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import squids
from squids.queues import QueueRef
from squids.sqs import TroubleKind, classify
from squids.sqs_advice import advice, of_credentials
from tests.support.certificates import self_signed

QUEUE = QueueRef.parse("emails")

REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
NOWHERE = "http://127.0.0.1:9"

SSO = """
[profile a]
sso_session = s
sso_account_id = 1
sso_role_name = r
"""
SESSION = """
[sso-session s]
sso_start_url = https://x.invalid/start
sso_region = eu-west-1
"""
ROLE = "[profile a]\nrole_arn = arn:aws:iam::1:role/x\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, no_aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a configuration of AWS, on a machine without a role."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".aws").mkdir()
    return tmp_path


def trouble_of(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> tuple[TroubleKind, str]:
    """What the first call to SQS fails with, as a consumer, `check` and `send` say it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = squids.App("shop")
    client = app.sqs.queue_client(QUEUE, wait_seconds=0, connections=1)
    with pytest.raises(Exception) as caught:
        client.receive(1, 0, 1, None)
    trouble = classify(caught.value)
    assert "\n" not in trouble.text
    return trouble.kind, trouble.text


CONFIG, CREDENTIALS = TroubleKind.CONFIG, TroubleKind.CREDENTIALS
UNREACHABLE, TLS = TroubleKind.UNREACHABLE, TroubleKind.TLS


@pytest.mark.parametrize(
    ("config", "environment", "kind", "words"),
    [
        ("", REGION | {"AWS_PROFILE": "p"}, CONFIG, ['no profile "p"', "AWS_PROFILE", "--profile p"]),
        ("garbage [", REGION, CONFIG, [".aws/config:1 is not well-formed"]),
        ("[default]\nregion=a\nregion=b\n", REGION, CONFIG, [".aws/config:3 is not well-formed"]),
        ("", KEYS, CONFIG, ["no region", "AWS_DEFAULT_REGION"]),
        ("", KEYS | {"AWS_DEFAULT_REGION": "eu west"}, CONFIG, ['"eu west" cannot be a region']),
        ("", REGION, CREDENTIALS, ["no AWS credentials were found", "AWS_PROFILE"]),
        ("", REGION | {"AWS_ACCESS_KEY_ID": "x"}, CREDENTIALS, ["AWS_SECRET_ACCESS_KEY is missing"]),
        ("[default]\ncredential_process=false", REGION, CREDENTIALS, ["credential_process", "failed"]),
        (
            '[default]\ncredential_process=sh -c "echo no way >&2; exit 3"',
            REGION,
            CREDENTIALS,
            ["no credentials: no way"],
        ),
        ("[default]\ncredential_process=true", REGION, CREDENTIALS, ['profile "default" printed nothing']),
        ("[default]\ncredential_process=echo hm", REGION, CREDENTIALS, ["not a JSON object", "by hand"]),
        ("[default]\ncredential_process=echo []", REGION, CREDENTIALS, ["not a JSON object"]),
        ("[default]\ncredential_process=echo {}", REGION, CREDENTIALS, ["version"]),
        ("[default]\ncredential_process=/no/such", REGION, CREDENTIALS, ["cannot be started: /no/such"]),
        ("[default]\ncredential_process=/etc/passwd", REGION, CREDENTIALS, ["/etc/passwd: Permission"]),
        ('[default]\ncredential_process=sh -c "', REGION, CREDENTIALS, ["is not a command"]),
        (
            "",
            REGION | {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such"},
            CREDENTIALS,
            ["web identity token file /no/such", "AWS_WEB_IDENTITY_TOKEN_FILE"],
        ),
        (ROLE + "source_profile = b", REGION | {"AWS_PROFILE": "a"}, CONFIG, ['"b"', "does not exist"]),
        (
            ROLE + "source_profile = b\n" + ROLE.replace("a]", "b]") + "source_profile = a",
            REGION | {"AWS_PROFILE": "a"},
            CONFIG,
            ["Infinite loop"],
        ),
        (ROLE, REGION | {"AWS_PROFILE": "a"}, CREDENTIALS, ["source_profile or credential_source"]),
        (SSO + SESSION, REGION | {"AWS_PROFILE": "a"}, CREDENTIALS, ["`aws sso login --profile a`"]),
        (SSO, REGION | {"AWS_PROFILE": "a"}, CONFIG, ["sso-session", '"s"']),
        ("", KEYS | REGION | {"AWS_ENDPOINT_URL_SQS": NOWHERE}, UNREACHABLE, ["refused", "endpoint"]),
        ("", KEYS | REGION | {"AWS_ENDPOINT_URL_SQS": "localhost:1"}, CONFIG, ["write it as a URL"]),
        (
            "",
            REGION | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/x"},
            CONFIG,
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        ),
        ("", KEYS | REGION | {"HTTPS_PROXY": NOWHERE}, UNREACHABLE, ["proxy http://127.0.0.1:9", "NO_PROXY"]),
        (
            ROLE + "source_profile = b\n[profile b]\naws_access_key_id = x\naws_secret_access_key = y",
            REGION | {"AWS_PROFILE": "a", "AWS_ENDPOINT_URL_STS": NOWHERE},
            UNREACHABLE,
            ["no AWS credentials: cannot connect to http://127.0.0.1:9"],
        ),
        (
            "",
            KEYS | REGION | {"HTTPS_PROXY": "127.0.0.1:x"},
            UNREACHABLE,
            ["127.0.0.1:x", "correct HTTPS_PROXY"],
        ),
        (
            "",
            KEYS | REGION | {"HTTPS_PROXY": "socks5://127.0.0.1:9"},
            UNREACHABLE,
            ["SOCKS proxy, socks5://127"],
        ),
        (
            "[default]\nmetadata_service_timeout = soon",
            REGION,
            CONFIG,
            ["the AWS setting metadata_service_timeout is wrong", "'soon'", "config file"],
        ),
        ("", KEYS | REGION | {"AWS_DEFAULTS_MODE": "fast"}, CONFIG, ["setting of AWS is wrong", "fast"]),
    ],
)
def test_each_mistake_is_said_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    config: str,
    environment: dict[str, str],
    kind: TroubleKind,
    words: list[str],
) -> None:
    (home / ".aws/config").write_text(config)
    found, text = trouble_of(monkeypatch, environment)
    assert (found, [word for word in words if word not in text]) == (kind, []), text


def test_the_text_of_a_file_of_secrets_is_not_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line number is enough."""
    (home / ".aws/credentials").write_text("aws_secret_access_key = hush\n")
    kind, text = trouble_of(monkeypatch, REGION)
    assert kind is TroubleKind.CONFIG
    assert "credentials:1 is not well-formed" in text
    assert "hush" not in text


@pytest.fixture
def https(tmp_path: Path) -> Iterator[str]:
    """A server whose certificate no authority has signed; its URL."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["is not trusted", "self-signed", "AWS_CA_BUNDLE"]),
        ({"AWS_CA_BUNDLE": "/no/such.pem"}, ["cannot be read", "AWS_CA_BUNDLE"]),
        ({"AWS_CA_BUNDLE": "/etc/passwd"}, ["cannot be read", "AWS_CA_BUNDLE"]),
    ],
)
def test_a_certificate_that_is_not_trusted_names_the_bundle(
    monkeypatch: pytest.MonkeyPatch, https: str, environment: dict[str, str], words: list[str]
) -> None:
    kind, text = trouble_of(monkeypatch, {**KEYS, **REGION, "AWS_ENDPOINT_URL_SQS": https, **environment})
    assert (kind, [word for word in words if word not in text]) == (TLS, []), text


def test_an_error_of_others_has_no_words_here() -> None:
    class SSOError(Exception):
        """Somebody's own, of the same name."""

    assert advice(SSOError("x")) is None
    assert of_credentials(ValueError("x")) is None
