"""A profile that wants an MFA code, where no one can be asked for one."""

from __future__ import annotations

import pytest

from squids import sqs_mfa
from squids.queues import QueueRef
from squids.sqs import SQS, TroubleKind, classify
from squids.sqs_mfa import MfaCodeNeeded, mfa_of

ADA = "arn:aws:iam::111122223333:mfa/ada"
ROLE = {"role_arn": "arn:aws:iam::111122223333:role/dev"}
PROFILES = {
    "keys": {"aws_access_key_id": "a", "aws_secret_access_key": "s", "mfa_serial": ADA},
    "role": {**ROLE, "source_profile": "keys"},
    "dev": {**ROLE, "source_profile": "keys", "mfa_serial": ADA},
    "chained": {**ROLE, "source_profile": "dev"},
    "itself": {**ROLE, "source_profile": "itself"},
    "round": {**ROLE, "source_profile": "about"},
    "about": {**ROLE, "source_profile": "round"},
    "on_ec2": {**ROLE, "credential_source": "Ec2InstanceMetadata"},
}


@pytest.mark.parametrize(
    ("profile", "wants"),
    [
        ("dev", ("dev", ADA)),
        ("chained", ("dev", ADA)),
        ("role", None),
        ("keys", None),  # botocore asks for a role only.
        ("itself", None),
        ("round", None),
        ("on_ec2", None),
        ("missing", None),
    ],
)
def test_the_profile_that_wants_a_code_is_found(profile, wants):
    assert mfa_of(PROFILES, profile) == wants


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """Use this profile."""
    lines = []
    for name, values in PROFILES.items():
        lines += [f"[profile {name}]", "region = eu-west-1"]
        lines += [f"{key} = {value}" for key, value in values.items()]
    (tmp_path / "config").write_text("\n".join(lines))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return lambda name: monkeypatch.setenv("AWS_PROFILE", name)


def test_a_consumer_is_told_what_to_do_instead_of_asking(profile, monkeypatch):
    """Also in a terminal: it would read from a thread."""
    monkeypatch.setattr(sqs_mfa, "_has_terminal", lambda: True)
    profile("chained")
    client = SQS({}).queue_client(QueueRef.parse("emails"), wait_seconds=1, connections=1)
    with pytest.raises(MfaCodeNeeded) as caught:
        client.receive(1, 1, 60, None)
    trouble = classify(caught.value)
    assert trouble.kind is TroubleKind.CREDENTIALS
    assert trouble.text.startswith(f"the profile dev wants an MFA code ({ADA})")
    assert "aws configure export-credentials --profile dev" in trouble.text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_sender_may_be_asked_in_a_terminal_only(profile, monkeypatch, terminal):
    monkeypatch.setattr(sqs_mfa, "_has_terminal", lambda: terminal)
    profile("dev")
    if terminal:
        assert SQS({}).client() is not None
    else:
        with pytest.raises(MfaCodeNeeded):
            SQS({}).client()


def test_other_credentials_are_used_whatever_the_profile_wants(profile, monkeypatch):
    monkeypatch.setattr(sqs_mfa, "_has_terminal", lambda: False)
    profile("dev")
    assert SQS({"aws_access_key_id": "a", "aws_secret_access_key": "b"}).client() is not None
    profile("role")
    assert SQS({}).client() is not None
    profile("dev")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert SQS({}).client() is not None
