"""Frames: what one end encodes the other decodes, however the stream is cut, and bad lines harm nobody."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.model.errors import BadRequest
from gitsessiond.wire import frames
from gitsessiond.wire.frames import Decoder, decode, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
messages = st.dictionaries(st.text(), values, max_size=4)


def fed(decoder: Decoder, data: bytes, cuts: list[int]) -> list[Any]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [frame for start, end in pairwise(places) for frame in decoder.feed(data[start:end])]


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_survive_any_cut(sent: list[dict[str, Any]], cuts: list[int]) -> None:
    """However a stream is cut into pieces, the frames that come out are those that went in."""
    assert fed(Decoder(), b"".join(encode(message) for message in sent), cuts) == sent


def test_letters_of_two_halves_travel() -> None:
    """What needs two escapes, and an escaped backslash before what looks like one, is text as any other."""
    assert decode(b'{"a":"\\ud83d\\ude00","b":"\\\\ud800"}') == {"a": "\U0001f600", "b": "\\ud800"}


def test_stray_bytes_travel() -> None:
    """Text with bytes that are not UTF-8 (surrogates) comes back the same."""
    text = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert decode(encode({"diff": text})) == {"diff": text}


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense", b"[]", b"3", b'"x"', b'{"a":', b"\xff\xfe", b'{"a":NaN}', b'{"a":Infinity}', b"{}{}",
        b'{"a":' + b"9" * 5000 + b"}", b"[" * 200_000, b'{"a":1e999}', b'{"a":-1E400}', b'{"a":["\\ud800"]}',
        b'{"\\uDBFF":1}', b'{"a":"\\udc7f"}', b'{"a":"\xed\xb3\xbf"}', b'\xef\xbb\xbf{"a":1}', b'{\0"\0a\0"\0:\x001\0}\0',
    ],
)  # fmt: skip
def test_bad_line_is_an_error_in_its_place(line: bytes) -> None:
    """A line that is no JSON object becomes an error; the frames before and after it are read."""
    before, bad, after = Decoder().feed(b'{"a":1}\n' + line + b'\n{"b":2}\n')
    assert (before, after) == ({"a": 1}, {"b": 2})
    assert isinstance(bad, BadRequest)
    assert bad.exit_code == 2


@given(st.lists(st.integers(0, 400), max_size=8))
def test_too_long_line_is_skipped(cuts: list[int]) -> None:
    """A line over the limit gives one error, its end is found, and what follows is read."""
    data = b'{"a":"' + b"x" * 200 + b'"}\n{"b":2}\n\n{"c":3}\n'
    found = fed(Decoder(limit=64), data, cuts)
    assert isinstance(found[0], BadRequest)
    assert found[1:] == [{"b": 2}, {"c": 3}]


def test_too_long_message_is_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message over the limit is refused by its sender, not cut."""
    monkeypatch.setattr(frames, "LIMIT", 100)
    with pytest.raises(BadRequest):
        encode({"a": "x" * 100})


def test_frame_is_one_line_of_ascii() -> None:
    """A frame has no newline but its last byte, whatever the texts hold."""
    frame = encode({"a": "line\nline\u2028\u00e9\x00"})
    assert frame.count(b"\n") == 1
    assert frame.isascii()
    assert json.loads(frame)["a"] == "line\nline\u2028\u00e9\x00"


BITS = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\\udcff", b"\\ud800", b"1", b"-", b"e9", b"1e999",
    b".", b"NaN", b"null", b"true", b'"a"', b'{"v":1}', b"\n", b"\r\n", b"\r", b" ", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3\xa9", b"\x1b",
    b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"[" * 2000, b"9" * 5000, b"x" * 70,
]  # fmt: skip


@given(
    st.lists(st.sampled_from(BITS) | st.binary(max_size=6), max_size=40),
    st.lists(st.integers(0, 9999), max_size=6),
    st.sampled_from([64, 1 << 20]),
)
def test_any_bytes_are_frames_or_errors(bits: list[bytes], cuts: list[int], limit: int) -> None:
    """One frame or one error for each line that is not blank, the same however they come in; frames can be sent on."""
    data = b"".join(bits) + b"\n"
    found = fed(Decoder(limit), data, cuts)
    assert len(found) == sum(bool(line.strip()) for line in data.split(b"\n"))
    assert [repr(one) for one in found] == [repr(one) for one in Decoder(limit).feed(data)]
    for one in found:
        if isinstance(one, dict):
            assert decode(encode(one)) == one
        else:
            assert isinstance(one, BadRequest) and one.hint
