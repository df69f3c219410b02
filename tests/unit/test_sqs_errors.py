"""What exceptions of boto3 mean."""

import pytest
from botocore import exceptions

from squids.sqs_errors import TroubleKind, classify


def answer(code: str, status: int = 400, text: str = "text") -> exceptions.ClientError:
    return exceptions.ClientError(
        {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ReceiveMessage",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("AWS.SimpleQueueService.NonExistentQueue"), TroubleKind.NO_QUEUE),
        (answer("QueueDoesNotExist"), TroubleKind.NO_QUEUE),
        (answer("RequestThrottled"), TroubleKind.THROTTLED),
        (answer("ThrottlingException"), TroubleKind.THROTTLED),
        (answer("AWS.SimpleQueueService.OverLimit"), TroubleKind.THROTTLED),
        (answer("ExpiredToken", 403), TroubleKind.EXPIRED),
        (answer("InvalidClientTokenId", 403), TroubleKind.EXPIRED),
        (answer("AccessDenied", 403), TroubleKind.DENIED),
        (answer("KMS.AccessDeniedException", 400), TroubleKind.DENIED),
        (answer("InternalError", 500), TroubleKind.SERVER),
        (answer("503", 503, ""), TroubleKind.SERVER),
        (answer("SomethingNew", 400), TroubleKind.OTHER),
        (exceptions.NoRegionError(), TroubleKind.CONFIG),
        (exceptions.ProfileNotFound(profile="x"), TroubleKind.CONFIG),
        (exceptions.NoCredentialsError(), TroubleKind.CREDENTIALS),
        (exceptions.EndpointConnectionError(endpoint_url="http://x", error="e"), TroubleKind.UNREACHABLE),
        (exceptions.ReadTimeoutError(endpoint_url="http://x", error="e"), TroubleKind.TIMEOUT),
        (exceptions.ConnectTimeoutError(endpoint_url="http://x", error="e"), TroubleKind.TIMEOUT),
        (exceptions.ConnectionClosedError(endpoint_url="http://x", error="e"), TroubleKind.UNREACHABLE),
        (ValueError("Invalid endpoint: x"), TroubleKind.CONFIG),
        (RuntimeError("two\nlines"), TroubleKind.OTHER),
    ],
)
def test_each_has_its_kind_and_one_line(error, kind):
    """Troubles are told apart by what heals them, each in one line."""
    trouble = classify(error)
    assert trouble.kind is kind
    assert trouble.text
    assert "\n" not in trouble.text
