"""Frames: one JSON object a line (docs/protocol.md, "Frames"). Bytes in, values out; no socket here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from gitsessiond.model.errors import BadRequest

LIMIT = 64 << 20  # bytes of one frame with its newline
HINT = "see docs/protocol.md"
INFINITE = float("inf")
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # half a letter, or a stray byte of a text


def encode(message: dict[str, Any]) -> bytes:
    """One frame: ASCII (a stray byte of a text, a lone surrogate in memory, travels as ``\\udcXX``).

    Raises:
        BadRequest: it is longer than :data:`LIMIT`, nested too deeply, or holds NaN.
    """
    try:
        frame = "".join(WRITE(message, 0)).encode("ascii") + b"\n"
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"not to be sent: {exc}", hint=HINT) from exc
    if len(frame) > LIMIT:
        raise BadRequest(f"a message of {len(frame):,} bytes is too long", hint=f"{LIMIT:,} bytes are the most")
    return frame


def decode(line: bytes) -> dict[str, Any]:
    """The object of one line.

    Raises:
        BadRequest: no JSON, no object, or text in it that is none.
    """
    try:
        text = line.decode("utf-8")
        found, end = DECODER.raw_decode(text) if text[:1] == "{" else (None, -1)
        if end != len(text):
            found = DECODER.decode(text)  # white space around it, or more than one
        if SURROGATE.search(line):
            json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:  # half a letter, which no file or command could be given
        raise BadRequest("not a frame: text with half a letter (a lone surrogate)", hint=HINT) from exc
    except (ValueError, RecursionError) as exc:  # no JSON, no UTF-8, 5,000 digits; nested too deep
        raise BadRequest(f"not a frame: {exc}", hint=HINT) from exc
    if not isinstance(found, dict):
        raise BadRequest("not a frame: an object is needed", hint=HINT)
    return found


def _no_constant(name: str) -> float:
    """Refuse ``NaN`` and ``Infinity``, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    """A number with a point or an exponent; ``1e999``, which Python reads as infinite, is none to answer with."""
    number = float(digits)
    if abs(number) == INFINITE:
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _writer() -> Callable[[Any, int], Iterable[str]]:
    """The pieces of a value as JSON. Made once: ENCODER makes one for each value, which takes as long as the value."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: ENCODER.iterencode(value)
    quoted, colon, comma = json.encoder.encode_basestring_ascii, ENCODER.key_separator, ENCODER.item_separator
    written: Callable[[Any, int], Iterable[str]] = make(
        None, ENCODER.default, quoted, None, colon, comma, False, False, False
    )
    return written


WRITE = _writer()


class Decoder:
    """Cuts a stream into frames. A bad line becomes an error in its place; the lines after it are unharmed."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []  # of the line that has no end yet
        self._length = 0
        self._skipping = False  # the rest of a line that was too long

    def feed(self, data: bytes) -> list[dict[str, Any] | BadRequest]:
        """The frames that are whole now. Empty lines are no frames."""
        if not self._pieces and not self._skipping and 0 <= data.find(b"\n") == len(data) - 1 < self._limit:
            return [self._frame(data[:-1])] if data.strip() else []  # as nearly all that comes does
        frames: list[dict[str, Any] | BadRequest] = []
        *ends, rest = data.split(b"\n")
        for end in ends:
            line, skipped = self._close(end)
            if skipped or not line.strip():
                continue
            frames.append(self._too_long() if len(line) >= self._limit else self._frame(line))
        self._keep(rest)
        if self._length >= self._limit and not self._skipping:
            frames.append(self._too_long())
            self._pieces, self._length, self._skipping = [], 0, True
        return frames

    def _close(self, end: bytes) -> tuple[bytes, bool]:
        """The line that ends here, and whether its beginning was thrown away already."""
        line, skipped = b"".join([*self._pieces, end]), self._skipping
        self._pieces, self._length, self._skipping = [], 0, False
        return line, skipped

    def _keep(self, piece: bytes) -> None:
        """Wait with this piece for the end of its line."""
        if piece and not self._skipping:
            self._pieces.append(piece)
            self._length += len(piece)

    def _frame(self, line: bytes) -> dict[str, Any] | BadRequest:
        """The line's object, or what is wrong with it."""
        try:
            return decode(line)
        except BadRequest as bad:
            return bad

    def _too_long(self) -> BadRequest:
        """The error for a line without an end."""
        return BadRequest(f"a frame is longer than {self._limit:,} bytes", hint=HINT)
