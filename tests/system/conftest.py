"""Fixtures of the tests of whole processes."""

from __future__ import annotations

import pytest

from tests.support.zygotes import Method, OwnedZygote


@pytest.fixture(params=list(Method), ids=lambda method: method.value)
def method(request):
    return request.param


@pytest.fixture
def zygote(method):
    with OwnedZygote(method) as made:
        yield made


@pytest.fixture
def forking():
    """For what does not depend on how children start."""
    with OwnedZygote(Method.FORK) as made:
        yield made
