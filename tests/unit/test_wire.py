"""The body of a message."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.errors import NotATaskMessage
from squids.wire import Call, decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What the SendMessage page does not list."""


@given(st.text(min_size=1), st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_what_is_encoded_is_decoded(task, args, kwargs):
    """A call survives the wire, and its body has only characters that SQS takes."""
    body = encode(task, args, kwargs)
    assert decode(body) == Call(task, args, kwargs)
    assert REFUSED.search(body) is None
    body.encode()


def test_the_body_is_what_the_original_writes():
    """The keys and their order are the original's."""
    assert encode("a.b", (1,), {"x": None}) == '{"task": "a.b", "args": [1], "kwargs": {"x": null}}'


ANY = st.text(st.characters(min_codepoint=0))
ODD = st.text(st.sampled_from('a\x00\x1f\x7f\x85\u2028\ud800\udc00\ufffe\uffff\U0001fffe"\\漢'))


@given(ANY | ODD)
def test_any_text_is_taken_by_sqs_and_read_by_json(text):
    """Also lone surrogates, which UTF-8 does not have, and what SQS refuses. The original reads JSON."""
    body = encode("a.b", (text,), {text: 1})
    assert REFUSED.search(body) is None
    body.encode()
    assert json.loads(body) == json.loads(json.dumps({"task": "a.b", "args": [text], "kwargs": {text: 1}}))


def test_text_takes_the_bytes_that_it_has():
    """As UTF-8, which is what SQS counts."""
    assert len(encode("a.b", ("漢" * 1000,), {}).encode()) < 3100


def test_unknown_keys_are_ignored():
    """What others add harms nobody; args and kwargs may be left out."""
    assert decode('{"task": "a", "more": [1], "v": 2}') == Call("a", [], {})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "null, not an object"),
        ("[1]", "array, not an object"),
        ('"x"', "string, not an object"),
        ("{}", 'no "task"'),
        ('{"task": 1}', "not a string"),
        ('{"task": "a", "args": {}}', '"args" is a JSON object'),
        ('{"task": "a", "kwargs": []}', '"kwargs" is a JSON array'),
    ],
)
def test_what_is_no_call_says_why(body, says):
    """Each malformed body has its reason."""
    with pytest.raises(NotATaskMessage, match=says):
        decode(body)


def test_the_argument_that_json_cannot_carry_is_named():
    """By its parameter's name where that is known, else by its place."""
    with pytest.raises(TypeError, match='argument "when"'):
        encode("a", [1, object()], {}, ["x", "when"])
    with pytest.raises(TypeError, match="number 2"):
        encode("a", [1, object()], {})
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(TypeError, match='argument "loop"'):
        encode("a", [], {"loop": loop})


def test_json_is_not_extended():
    """NaN is no JSON: another language could not read it."""
    with pytest.raises(TypeError):
        encode("a", [float("inf")], {})
    assert json.loads(encode("a", [1e308], {}))["args"] == [1e308]
