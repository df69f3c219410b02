"""Integration tests talk to a real SQS server on loopback, and never to anybody's own account."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "differs(**servers): these servers are known to differ here, and why")


@pytest.fixture(autouse=True)
def _aws_environment(aws_environment: dict[str, str]) -> None:
    """The usual AWS environment, pointing at moto's server."""
