"""Classifies exceptions of boto3 for a consumer, each with one line of text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from squids.bounds import cut
from squids.sqs_advice import advice, of_address, of_credentials, of_setting, while_fetching_credentials


class TroubleKind(Enum):
    """Why a call to SQS failed."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    SERVER = "server"
    NO_QUEUE = "no_queue"
    CREDENTIALS = "credentials"
    EXPIRED = "expired"
    DENIED = "denied"
    CONFIG = "config"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed call: its kind, and one line of text."""

    kind: TroubleKind
    text: str


STALE_CODES = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "AWS.SimpleQueueService.ReceiptHandleIsInvalid",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidReceiptHandle",
    }
)
"""Error codes of batch entries whose receipt is no longer valid."""

_CODES: dict[str, TroubleKind] = {
    code: kind
    for kind, codes in {
        TroubleKind.NO_QUEUE: "NonExistentQueue QueueDoesNotExist InvalidAddress QueueDeletedRecently",
        TroubleKind.THROTTLED: "ThrottlingException Throttling RequestThrottled RequestThrottledException "
        "OverLimit KmsThrottled RequestLimitExceeded TooManyRequestsException SlowDown",
        TroubleKind.EXPIRED: "ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId "
        "UnrecognizedClientException InvalidAccessKeyId SignatureDoesNotMatch InvalidSecurity "
        "InvalidSignatureException AuthFailure MissingAuthenticationToken",
        TroubleKind.DENIED: "AccessDenied AccessDeniedException KmsAccessDenied KmsDisabled KmsNotFound "
        "KmsInvalidState KmsOptInRequired KmsInvalidKeyUsage",
    }.items()
    for code in codes.split()
}

_EXCEPTIONS: dict[str, TroubleKind] = {
    name: kind
    for kind, names in {
        TroubleKind.CONFIG: "NoRegionError InvalidRegionError ProfileNotFound ConfigParseError "
        "InvalidConfigError MissingDependencyException InvalidDefaultsMode InvalidRetryConfigurationError "
        "InvalidProxiesConfigError InvalidSTSRegionalEndpointsConfigError InvalidEndpointConfigurationError "
        "EndpointProviderError EndpointVariantError UnknownEndpointError UnknownCredentialError",
        TroubleKind.CREDENTIALS: "NoCredentialsError PartialCredentialsError CredentialRetrievalError "
        "MetadataRetrievalError TokenRetrievalError SSOError LoginError RefreshWithMFAUnsupportedError "
        "MfaCodeNeeded",
        TroubleKind.TIMEOUT: "ReadTimeoutError ConnectTimeoutError Overdue",
        TroubleKind.TLS: "SSLError",
        TroubleKind.UNREACHABLE: "EndpointConnectionError ConnectionClosedError ProxyConnectionError "
        "HTTPClientError",
        TroubleKind.SERVER: "ResponseParserError BadAnswer",
        TroubleKind.OTHER: "ThreadRefused",
    }.items()
    for name in names.split()
}
"""By the name of the exception, or of its nearest base class that is here."""

NO_ANSWER = frozenset({TroubleKind.UNREACHABLE, TroubleKind.TLS, TroubleKind.TIMEOUT})

_REMEDIES = {
    "ExpiredToken": "get new credentials",
    "ExpiredTokenException": "get new credentials",
    "RequestExpired": "check the clock of this machine",
    "RequestTimeTooSkewed": "check the clock of this machine",
    "InvalidClientTokenId": "check AWS_ACCESS_KEY_ID, or the profile",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID, or the profile",
    "UnrecognizedClientException": "check AWS_ACCESS_KEY_ID, or the profile",
}
"""What to do about an error of AWS, by its code."""


def classify(error: BaseException, profile: str = "") -> Trouble:
    """Classify an exception that a call to SQS raised. `profile`: the name of the AWS profile, if known."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        trouble = _of_answer(response)
        if while_fetching_credentials(error):
            operation = getattr(error, "operation_name", "")
            return Trouble(trouble.kind, f"no AWS credentials from {operation}: {trouble.text}")
        return trouble
    kind = next(
        (_EXCEPTIONS[base.__name__] for base in type(error).__mro__ if base.__name__ in _EXCEPTIONS), None
    )
    if kind is not None:
        text = advice(error, profile) or str(error)
        if kind in (
            TroubleKind.UNREACHABLE,
            TroubleKind.TLS,
            TroubleKind.TIMEOUT,
        ) and while_fetching_credentials(error):
            text = f"no AWS credentials: {text}"
        return Trouble(kind, _one_line(text))
    if (mistake := of_address(error) or of_setting(error)) is not None:
        return Trouble(TroubleKind.CONFIG, _one_line(mistake))
    if (credentials := of_credentials(error, profile)) is not None:
        return Trouble(TroubleKind.CREDENTIALS, _one_line(credentials))
    return Trouble(TroubleKind.OTHER, _one_line(f"{type(error).__name__}: {error}"))


def _of_answer(response: dict[str, Any]) -> Trouble:
    error = response["Error"]
    code = str(error.get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _CODES.get(code.rpartition(".")[2])
    if kind is None:
        kind = TroubleKind.SERVER if status >= 500 else TroubleKind.OTHER
    text = str(error.get("Message") or "").strip()
    if text.startswith("<"):
        text = "the answer is a page of HTML, not of SQS: check the endpoint, and proxies on the way"
    if kind is TroubleKind.NO_QUEUE:
        text = text or "the queue does not exist"
    remedy = _REMEDIES.get(code.rpartition(".")[2])
    if remedy is None and text.startswith(("Signature expired", "Signature not yet current")):
        remedy = "check the clock of this machine"
    text = f"{code}: {text}" if text else f"{code} (HTTP {status})"
    return Trouble(kind, _one_line(f"{text}: {remedy}" if remedy else text))


MAX_CHARACTERS = 1000
"""Maximum characters of an error's text."""


def _one_line(text: str) -> str:
    return cut(" ".join(text[: 2 * MAX_CHARACTERS].split()), MAX_CHARACTERS)
