"""Finds out that a profile wants an MFA code, before botocore asks for it on the terminal.

Only a person at a terminal can answer, and botocore asks again whenever the credentials expire. A consumer
has no terminal, or must not read from it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3.session


class MfaCodeNeeded(Exception):
    """A profile wants an MFA code, and no one can be asked for it."""

    def __init__(self, profile: str, serial: str) -> None:
        super().__init__(
            f"the profile {profile} wants an MFA code ({serial}), and this process cannot ask for one: "
            'before the start, run eval "$(aws configure export-credentials --profile '
            f'{profile} --format env)" and unset AWS_PROFILE, or use a profile whose role needs no MFA'
        )


def mfa_of(profiles: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """Return the profile that wants an MFA code, and the device's serial; None if none does.

    A role's credentials may come from another profile, and so on (`source_profile`).
    """
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        profile = profiles.get(name)
        if not isinstance(profile, Mapping) or "role_arn" not in profile:
            return None
        if profile.get("mfa_serial"):
            return name, str(profile["mfa_serial"])
        name = str(profile.get("source_profile", name))
    return None


def refuse_to_ask(session: boto3.session.Session, *, asks: bool) -> None:
    """Raise MfaCodeNeeded if the session's credentials want a code that no one can be asked for.

    `asks`: a person may be asked, if there is a terminal.
    """
    if asks and _has_terminal():
        return
    credentials = session.get_credentials()
    if credentials is not None and credentials.method == "assume-role":
        wants = mfa_of(session._session.full_config.get("profiles", {}), session.profile_name)
        if wants is not None:
            raise MfaCodeNeeded(*wants)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
