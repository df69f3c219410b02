"""How a user may refer to a queue: by name, URL or ARN. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_AWS_HOST = re.compile(
    r"(?:sqs\.(?P<region>[a-z0-9-]+)|(?P<legacy>[a-z0-9-]+)\.queue|vpce-[a-z0-9-]+\.sqs\.(?P<vpce>[a-z0-9-]+)\.vpce"
    r"|queue|sqs)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)


@dataclass(frozen=True, slots=True)
class QueueRef:
    """A queue as the user referred to it. What is None is left to SQS or the environment."""

    name: str
    url: str | None = None
    region: str | None = None
    account: str | None = None
    endpoint: str | None = None
    """Scheme, host and port of a URL that is not a regional endpoint of AWS."""

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def dead_letter_name(self) -> str:
        """The name of the dead-letter queue that a local SQS has for it."""
        return f"{self.name.removesuffix('.fifo')}-dead{'.fifo' if self.is_fifo else ''}"

    @classmethod
    def parse(cls, text: str) -> QueueRef:
        """Parse a name, a URL or an ARN. Raises ValueError if it is malformed."""
        if text.startswith(("http://", "https://")):
            return cls._from_url(text)
        if text.startswith("arn:"):
            return cls._from_arn(text)
        return cls(_checked_name(text))

    @classmethod
    def _from_url(cls, text: str) -> QueueRef:
        parts = urlsplit(text)
        path = [part for part in parts.path.split("/") if part]
        if not parts.hostname or not path:
            raise ValueError(f"{text} is not a queue's URL: https://HOST/ACCOUNT/NAME")
        account = path[-2] if len(path) > 1 and path[-2].isdigit() else None
        aws = _AWS_HOST.fullmatch(parts.hostname)
        region = None
        if aws:
            region = aws["region"] or aws["legacy"] or aws["vpce"] or "us-east-1"
        # A VPC endpoint belongs to AWS, but must be called by its own name.
        own_host = aws is None or aws["vpce"] is not None
        endpoint = f"{parts.scheme}://{parts.netloc}" if own_host else None
        return cls(_checked_name(path[-1]), text, region, account, endpoint)

    @classmethod
    def _from_arn(cls, text: str) -> QueueRef:
        parts = text.split(":")
        if len(parts) != 6 or parts[2] != "sqs" or not parts[3] or not parts[4].isdigit():
            raise ValueError(f"{text} is not a queue's ARN: arn:aws:sqs:REGION:ACCOUNT:NAME")
        return cls(_checked_name(parts[5]), None, parts[3], parts[4])


def _checked_name(name: str) -> str:
    """Check a queue's name. Raises ValueError.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f'"{name}" is not a queue\'s name: 1 to 80 letters, digits, hyphens and underscores, '
            'with ".fifo" at the end of a FIFO queue\'s'
        )
    return name
