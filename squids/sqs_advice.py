"""Words an error of boto3 or botocore: what was wrong, where, and what to do. Pure.

botocore words its errors for the author of a program. An operator needs the file, the profile and the command
that mends it. Some failures have no exception of botocore's own, such as a `credential_process` that prints
nothing; the frames of the traceback show where they came from.

Sources: the exceptions of https://github.com/boto/botocore/blob/develop/botocore/exceptions.py, and
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

SET_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, "
    "or give this machine a role"
)

SET_REGION = (
    "set AWS_REGION or AWS_DEFAULT_REGION, region_name in the App's config, or give the queue by URL or ARN"
)

CORRECT_IT = "correct it in the environment or the AWS config file"

_REGION_IN_HOST = re.compile(r"^(?:sqs|sts)\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")

CREDENTIALS_MODULES = frozenset({"botocore.credentials", "botocore.tokens"})
"""While a call runs in these, botocore gets credentials, and has not reached SQS yet."""


def advice(error: BaseException, profile: str = "") -> str | None:
    """Return a sentence for an error, or None if its own text must do.

    `profile`: the name of the profile in use, if it is known.
    """
    for base in type(error).__mro__:
        words = _WORDS.get(base.__name__)
        if words is not None and _is_botocores(base):
            return words(error, profile)
    return None


def of_credentials(error: BaseException, profile: str = "") -> str | None:
    """Return a sentence for an error without a name of its own that came while credentials were looked up.

    None if it came from elsewhere.
    """
    places = set(_places(error.__traceback__))
    whose = f"the credential_process of the profile {_name(profile)}"
    if ("botocore.credentials", "_retrieve_credentials_using") in places:
        return _of_process(error, whose)
    if ("botocore.utils", "__call__") in places and isinstance(error, OSError):
        return (
            f"the web identity token file {error.filename} cannot be read: {error.strerror}: "
            "check AWS_WEB_IDENTITY_TOKEN_FILE, and that the token is mounted"
        )
    if any(module in CREDENTIALS_MODULES for module, _ in places):
        return f"AWS credentials cannot be looked up: {type(error).__name__}: {error}"
    return None


def of_address(error: BaseException) -> str | None:
    """Return a sentence for an address that botocore refuses, or None if this is another error."""
    text = _sentence(error)
    if not isinstance(error, ValueError):
        return None
    if text.startswith("Invalid endpoint"):
        return f"{text}: write it as a URL, such as https://sqs.eu-west-1.amazonaws.com"
    if text.startswith("Unsupported host"):
        return f"{text}: correct AWS_CONTAINER_CREDENTIALS_FULL_URI"
    return None


def of_setting(error: BaseException) -> str | None:
    """Return a sentence for a setting that must be a number, and is none; None if this is another error."""
    if isinstance(error, ValueError | TypeError):
        for frame in _frames(error.__traceback__):
            if _place(frame) == ("botocore.configprovider", "get_config_variable"):
                name = frame.f_locals.get("logical_name")
                said = _sentence(error)
                return f"the AWS setting {name} is wrong: {said}: {CORRECT_IT}"
    return None


def while_fetching_credentials(error: BaseException) -> bool:
    """Whether botocore was getting credentials, and had not called SQS yet."""
    return any(module in CREDENTIALS_MODULES for module, _ in _places(error.__traceback__))


def _is_botocores(kind: type[BaseException]) -> bool:
    return kind.__module__.partition(".")[0] in ("botocore", "boto3")


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _place(frame: FrameType) -> tuple[str, str]:
    return str(frame.f_globals.get("__name__", "")), frame.f_code.co_name


def _places(traceback: TracebackType | None) -> Iterator[tuple[str, str]]:
    return map(_place, _frames(traceback))


def _of_process(error: BaseException, whose: str) -> str:
    if isinstance(error, OSError):
        return f"{whose} cannot be started: {error.filename}: {error.strerror}"
    document = getattr(error, "doc", None)  # Of json.JSONDecodeError. It may hold secrets.
    if document is not None and not document.strip():
        return f"{whose} printed nothing: run its command by hand to see why"
    if document is not None or isinstance(error, AttributeError | TypeError):
        return f"{whose} printed what is not a JSON object of credentials: run its command by hand"
    return f"{whose} is not a command: {error}: correct it in the AWS config file"


def _name(profile: str) -> str:
    return f'"{profile or "default"}"'


def _fields(error: Any) -> dict[str, Any]:
    """Return what a BotoCoreError was made with."""
    found = getattr(error, "kwargs", None)
    return found if isinstance(found, dict) else {}


# One function for each exception of botocore, or for some with one remedy.


def _profile_not_found(error: BaseException, profile: str) -> str:
    name = _fields(error).get("profile") or profile
    return (
        f"the AWS configuration has no profile {_name(name)}: correct AWS_PROFILE (`aws configure "
        f"list-profiles` shows what there is), or make it with `aws configure --profile {name}`"
    )


def _not_well_formed(error: BaseException, _: str) -> str:
    fields = _fields(error)
    return f"{fields.get('path')}{_line_of(fields.get('error'))} is not well-formed: correct the file"


def _line_of(error: Any) -> str:
    """Return the line of a mistake, never its text: it may be a secret."""
    line = getattr(error, "lineno", None)
    if line is None and getattr(error, "errors", None):
        line = error.errors[0][0]
    return f":{line}" if isinstance(line, int) else ""


def _no_region(*_: object) -> str:
    return f"no region: {SET_REGION}"


def _bad_region(error: BaseException, _: str) -> str:
    return f'"{_fields(error).get("region_name")}" cannot be a region: {SET_REGION}'


def _bad_config(error: BaseException, _: str) -> str:
    return f"the AWS configuration is wrong: {_sentence(_fields(error).get('error_msg') or error)}"


def _bad_setting(error: BaseException, _: str) -> str:
    text = _sentence(error)
    return f"a setting of AWS is wrong: {text}: {CORRECT_IT}"


def _bad_retries(error: BaseException, _: str) -> str:
    mode = _fields(error).get("provided_retry_mode") or _fields(error).get("mode")
    if type(error).__name__ != "InvalidRetryModeError" or mode is None:
        return _bad_setting(error, "")
    return (
        f'AWS has no retry mode "{mode}": correct AWS_RETRY_MODE, retry_mode in the AWS config file, or the '
        "App's Config"
    )


def _missing_library(error: BaseException, _: str) -> str:
    return f"a library for the AWS credentials is missing: {_sentence(error)}"


def _no_credentials(*_: object) -> str:
    return f"no AWS credentials were found: {SET_CREDENTIALS}"


def _partial_credentials(error: BaseException, _: str) -> str:
    fields = _fields(error)
    source = "the environment" if fields.get("provider") == "env" else fields.get("provider")
    return f"the AWS credentials of {source} are incomplete: {fields.get('cred_var')} is missing: set it"


def _not_retrieved(error: BaseException, profile: str) -> str:
    fields = _fields(error)
    said = _sentence(fields.get("error_msg") or "")
    if fields.get("provider") == "custom-process":
        whose = f"the credential_process of the profile {_name(profile)}"
        if not said:
            return f"{whose} failed, and printed nothing to say why: run its command by hand"
        return f"{whose} gave no credentials: {said}"
    return f"no AWS credentials from {fields.get('provider')}: {said or 'it did not say why'}"


def _sso(error: BaseException, profile: str) -> str:
    login = f"aws sso login --profile {profile}" if profile else "aws sso login"
    return f"the SSO session of the profile {_name(profile)} has ended, or never began: run `{login}`"


def _not_connected(error: BaseException, _: str) -> str:
    url = str(_fields(error).get("endpoint_url"))
    reason = _reason(error)
    region = _REGION_IN_HOST.match(urlsplit(url).hostname or "")
    todo = "check the endpoint, and that it is up"
    if region is not None:
        todo = f'check that "{region[1]}" is the right region, and that there is a way to the network'
    return f"cannot connect to {url}: {reason}: {todo}"


def _not_in_time(error: BaseException, _: str) -> str:
    url = _fields(error).get("endpoint_url")
    return f"cannot connect to {url} in time: check the endpoint, the network, and firewalls on the way"


def _no_proxy(error: BaseException, _: str) -> str:
    url = str(_fields(error).get("proxy_url"))
    if "socks" in url.partition("@")[0]:
        return (
            f"botocore cannot use a SOCKS proxy, {url.removeprefix('http://')}: name an HTTP proxy in "
            "HTTPS_PROXY, or the endpoint's host in NO_PROXY"
        )
    return (
        f"cannot connect through the proxy {url}: {_reason(error)}: check HTTPS_PROXY and HTTP_PROXY, or "
        "name the endpoint's host in NO_PROXY"
    )


def _not_sent(error: BaseException, _: str) -> str:
    inner = _fields(error).get("error")
    if type(inner).__name__ == "LocationParseError":
        return f"{_sentence(inner)}: correct HTTPS_PROXY and HTTP_PROXY: a proxy is http://HOST:PORT"
    return _sentence(error)


def _untrusted(error: BaseException, _: str) -> str:
    url = _fields(error).get("endpoint_url")
    inner = _fields(error).get("error")
    text = str(inner)
    if "FileNotFoundError" in repr(inner) or "Errno 2" in text or "NO_CERTIFICATE" in text:
        return (
            f"the certificates to check {url} with cannot be read: correct AWS_CA_BUNDLE, ca_bundle in the "
            "AWS config file, or verify in the App's config"
        )
    _, failed, reason = text.partition("certificate verify failed: ")
    if failed or "subjectAltName" in text or "match" in text:
        said = (reason or text).partition(" (_ssl")[0]
        return (
            f"the certificate of {url} is not trusted: {said}: name a file with its authority's certificate "
            "in AWS_CA_BUNDLE"
        )
    said = text.partition("] ")[2].partition(" (_ssl")[0] or text
    return f"TLS with {url} failed: {said}: check that the endpoint speaks https"


def _reason(error: BaseException) -> str:
    """Return what the system said, from the errors that this one was made of."""
    found: BaseException | None = error
    for _ in range(10):
        if isinstance(found, OSError) and not _is_botocores(type(found)):
            return found.strerror or _sentence(found)
        if found is None:
            break
        inner = _fields(found).get("error") or getattr(found, "original_error", None)
        found = inner if isinstance(inner, BaseException) else found.__cause__ or found.__context__
    return _sentence(_fields(error).get("error") or "refused")


def _sentence(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")


Words = Callable[[BaseException, str], str]

_WORDS: dict[str, Words] = {
    "ProfileNotFound": _profile_not_found,
    "ConfigParseError": _not_well_formed,
    "NoRegionError": _no_region,
    "InvalidRegionError": _bad_region,
    "InvalidConfigError": _bad_config,
    "MissingDependencyException": _missing_library,
    "InvalidDefaultsMode": _bad_setting,
    "InvalidRetryConfigurationError": _bad_retries,
    "InvalidSTSRegionalEndpointsConfigError": _bad_setting,
    "InvalidProxiesConfigError": _bad_setting,
    "InvalidEndpointConfigurationError": _bad_setting,
    "EndpointProviderError": _bad_setting,
    "EndpointVariantError": _bad_setting,
    "UnknownEndpointError": _bad_setting,
    "UnknownCredentialError": _bad_setting,
    "NoCredentialsError": _no_credentials,
    "PartialCredentialsError": _partial_credentials,
    "CredentialRetrievalError": _not_retrieved,
    "TokenRetrievalError": _sso,
    "UnauthorizedSSOTokenError": _sso,
    "SSOError": _sso,
    "LoginError": _sso,
    "SSLError": _untrusted,
    "ProxyConnectionError": _no_proxy,
    "ConnectTimeoutError": _not_in_time,
    "EndpointConnectionError": _not_connected,
    "HTTPClientError": _not_sent,
}
"""The exceptions of botocore that have words here. The nearest base class counts."""
