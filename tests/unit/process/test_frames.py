"""Bytes to frames and back, whatever pieces the kernel makes of them."""

from __future__ import annotations

import itertools
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.process import frames
from squids.process.frames import FrameError, FrameReader, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream, cut at these places."""
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(json_values, max_size=6), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_of_the_stream_gives_the_same_frames(payloads, cuts):
    """Where the kernel cuts the stream makes no difference: all frames, whole, in order."""
    reader = FrameReader()
    stream = b"".join(encode(payload) for payload in payloads)
    got = [payload for piece in pieces(stream, cuts) for payload in reader.feed(piece)]
    assert got == payloads


@given(st.lists(json_values, min_size=1, max_size=4))
def test_a_stream_by_single_bytes_gives_each_frame_with_its_last_byte(payloads):
    """A frame is given when it is whole, and not before."""
    reader = FrameReader()
    for payload in payloads:
        *before, last = (bytes([byte]) for byte in encode(payload))
        assert [reader.feed(byte) for byte in before] == [[]] * len(before)
        assert reader.feed(last) == [payload]


@given(json_values, st.integers(min_value=0))
def test_what_was_given_is_not_given_again(payload, cut):
    """A reader remembers only what is not whole yet."""
    reader = FrameReader()
    stream = encode(payload)
    cut %= len(stream)
    assert reader.feed(stream + stream[:cut]) == [payload]
    assert reader.feed(stream[cut:]) == [payload]
    assert reader.feed(b"") == []


def test_the_length_comes_first():
    """Four bytes, big endian, then that much JSON."""
    assert encode({"a": [1, "é"]}) == struct.pack(">I", 18) + rb'{"a":[1,"\u00e9"]}'


def test_lone_surrogates_survive():
    """A task's error may contain what UTF-8 cannot say."""
    assert FrameReader().feed(encode(["\ud800"])) == [["\ud800"]]


def test_a_length_over_the_limit_is_refused_at_once():
    """Garbage is not waited for as if it were a very long frame."""
    with pytest.raises(FrameError, match="over the limit"):
        FrameReader().feed(struct.pack(">I", frames.MAX_FRAME + 1))


def test_a_payload_over_the_limit_is_not_sent(monkeypatch):
    """The sender hears of it, not the receiver."""
    monkeypatch.setattr(frames, "MAX_FRAME", 10)
    with pytest.raises(FrameError, match="over the limit"):
        encode("x" * 20)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1] 2"])
def test_what_is_not_json_is_refused(body):
    """A frame's body is one JSON value in UTF-8."""
    with pytest.raises(FrameError, match="not JSON"):
        FrameReader().feed(struct.pack(">I", len(body)) + body)


def test_ten_messages_of_the_largest_size_fit():
    """The limit is above what ten messages of 1 MiB can become."""
    worst = 6 * 1024 * 1024  # One byte of a body becomes six at worst: \\u0001.
    assert len(json.dumps("\x01")) == 8
    assert 10 * worst < frames.MAX_FRAME
