"""Integration tests talk to a real SQS server on loopback, and never to anybody's own account."""

import pytest


@pytest.fixture(autouse=True)
def _aws_environment(aws_environment: dict[str, str]) -> None:
    """The usual AWS environment, pointing at moto's server."""
