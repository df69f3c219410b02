"""System tests start whole processes, each with an AWS environment of its own."""

import pytest


@pytest.fixture(autouse=True)
def _no_aws_environment(no_aws_environment: None) -> None:
    """What a test does not give to a process is not there."""
