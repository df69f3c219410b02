from __future__ import annotations

import pytest

from squids.process.exit_status import exit_text


@pytest.mark.parametrize(
    ("status", "text"), [(0, "exit 0"), (3, "exit 3"), (-9, "signal 9"), (None, "exit status unknown")]
)
def test_an_exit_is_named_by_its_code_or_its_signal(status, text):
    assert exit_text(status) == text
