"""Reads the text of a file that a configuration names, if no one who is not trusted can change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from squids.supervisor.plain_files import NotPlain, read_plain, steps_to
from squids.supervisor.trust import PathStep

Distrusted = Callable[[Sequence[PathStep]], "str | None"]
"""Returns why a file with these steps must not be read, or None."""


class Unreadable(Exception):
    """Why a file was not read, as a sentence."""


def read_trusted(path: str, most: int, distrusted: Distrusted) -> str:
    """Return the text of a file of at most `most` bytes. Raises Unreadable."""
    try:
        *way, _ = steps_to(path)
        why = distrusted(way)
        if why is None:
            data, opened = read_plain(path, most)
            why = distrusted([*way, opened])
        if why is not None:
            raise Unreadable(why)
        return data.decode("utf-8-sig")
    except NotPlain as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8: byte {error.start}") from None
