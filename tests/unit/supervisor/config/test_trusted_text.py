"""A file is read if everyone who can change it is trusted, on its way and as it was opened."""

from __future__ import annotations

import pytest

from squids.supervisor.config.trusted_text import Unreadable, read_trusted


def test_its_text_is_read_and_each_step_to_it_was_looked_at(tmp_path):
    (tmp_path / "real").write_text("\ufefftext")
    (tmp_path / "link").symlink_to("real")
    asked = []
    assert read_trusted(str(tmp_path / "link"), 100, lambda steps: asked.append(list(steps))) == "text"
    way, opened = asked
    assert opened[: len(way)] == way
    assert str(tmp_path / "link") in [step.path for step in way]


@pytest.mark.parametrize("refused", [1, 2])
def test_one_that_is_distrusted_is_not(tmp_path, refused):
    (tmp_path / "file").write_text("text")
    asked = []

    def distrusted(steps):
        asked.append(steps)
        return "any user can write to it" if len(asked) == refused else None

    with pytest.raises(Unreadable, match="any user can write to it"):
        read_trusted(str(tmp_path / "file"), 100, distrusted)
