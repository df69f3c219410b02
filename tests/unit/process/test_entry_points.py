"""Entry points by name."""

from __future__ import annotations

import os.path

import pytest

from squids.process.entry_points import resolve


def test_a_name_means_a_function():
    assert resolve("os.path:join") is os.path.join


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("no.such.module:run", ImportError),
        ("os.path:nothing", AttributeError),
        ("os.path:sep", AttributeError),
        ("os.path", AttributeError),
    ],
    ids=["no module", "no function", "no function but a text", "no function named"],
)
def test_what_means_none_is_told_by_name(entry, error):
    """The fork server answers with it, instead of ending over it."""
    with pytest.raises(error, match=r"no|os\.path"):
        resolve(entry)
