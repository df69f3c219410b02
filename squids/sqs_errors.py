"""Classifies exceptions of boto3 for a consumer, each with one line of text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from squids.bounds import cut


class TroubleKind(Enum):
    """Why a call to SQS failed."""

    UNREACHABLE = "unreachable"
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

_EXCEPTIONS: tuple[tuple[TroubleKind, str], ...] = (
    (TroubleKind.CONFIG, "NoRegionError"),
    (TroubleKind.CONFIG, "InvalidRegionError"),
    (TroubleKind.CONFIG, "ProfileNotFound"),
    (TroubleKind.CONFIG, "ConfigParseError"),
    (TroubleKind.CONFIG, "InvalidConfigError"),
    (TroubleKind.CREDENTIALS, "NoCredentialsError"),
    (TroubleKind.CREDENTIALS, "PartialCredentialsError"),
    (TroubleKind.CREDENTIALS, "CredentialRetrievalError"),
    (TroubleKind.CREDENTIALS, "TokenRetrievalError"),
    (TroubleKind.CREDENTIALS, "MfaCodeNeeded"),
    (TroubleKind.CREDENTIALS, "UnauthorizedSSOTokenError"),
    (TroubleKind.CREDENTIALS, "SSOError"),
    (TroubleKind.TIMEOUT, "ReadTimeoutError"),
    (TroubleKind.TIMEOUT, "ConnectTimeoutError"),
    (TroubleKind.UNREACHABLE, "EndpointConnectionError"),
    (TroubleKind.UNREACHABLE, "ConnectionClosedError"),
    (TroubleKind.UNREACHABLE, "HTTPClientError"),
    (TroubleKind.SERVER, "ResponseParserError"),
    (TroubleKind.SERVER, "BadAnswer"),
    (TroubleKind.TIMEOUT, "Overdue"),
    (TroubleKind.OTHER, "ThreadRefused"),
)
"""The first match counts; subclasses come before their bases."""


def classify(error: BaseException) -> Trouble:
    """Classify an exception that a call to SQS raised."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return _of_answer(response)
    names = {base.__name__ for base in type(error).__mro__}
    for kind, name in _EXCEPTIONS:
        if name in names:
            return Trouble(kind, _one_line(_HELP.get(name) or str(error)))
    if isinstance(error, ValueError) and "Invalid endpoint" in str(error):
        return Trouble(TroubleKind.CONFIG, _one_line(str(error)))
    return Trouble(TroubleKind.OTHER, _one_line(f"{type(error).__name__}: {error}"))


_HELP = {
    "NoRegionError": "no region: set AWS_REGION or AWS_DEFAULT_REGION, region_name in the App's config, "
    "or give the queue by URL or ARN",
    "NoCredentialsError": "no AWS credentials were found",
}


def _of_answer(response: dict[str, Any]) -> Trouble:
    error = response["Error"]
    code = str(error.get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _CODES.get(code.rpartition(".")[2])
    if kind is None:
        kind = TroubleKind.SERVER if status >= 500 else TroubleKind.OTHER
    text = str(error.get("Message") or "").strip()
    if kind is TroubleKind.NO_QUEUE:
        text = text or "the queue does not exist"
    return Trouble(kind, _one_line(f"{code}: {text}" if text else f"{code} (HTTP {status})"))


MAX_CHARACTERS = 1000
"""Maximum characters of an error's text."""


def _one_line(text: str) -> str:
    return cut(" ".join(text[: 2 * MAX_CHARACTERS].split()), MAX_CHARACTERS)
