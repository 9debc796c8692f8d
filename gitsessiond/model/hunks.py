"""A marked text in parts: what merged by itself, and the places where both sides differ, each settled on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gitsessiond.model.values import Diff

Choice = Literal["ours", "theirs", "both", "base"]
CHOICES: tuple[Choice, ...] = ("ours", "theirs", "both", "base")


class Place(NamedTuple):
    """One place where both sides differ, with the lines each has there; ``line``: of its first marker, from 1."""

    ours: bytes
    base: bytes
    theirs: bytes
    line: int
    whole: bytes  # as it stands in the text, markers included


Part = bytes | Place


def parts_of(marked: bytes, size: int) -> list[Part] | None:
    """The parts of a text with diff3 markers of this size, in order; None: its markers are not in order."""
    out: list[Part] = []
    text: list[bytes] = []
    sides: list[list[bytes]] = []
    begun = 0
    for number, line in enumerate(split_lines(marked), 1):
        sign = sign_of(line, size)
        if sign == b"<" and not sides:
            begun, sides = number, [[]]
            out.append(b"".join(text))
            text = [line]
            continue
        wanted = {1: b"|", 2: b"=", 3: b">"}.get(len(sides))
        if sign is not None and sign != wanted:
            return None
        text.append(line)
        if not sides:
            continue
        if sign is None:
            sides[-1].append(line)
        elif sign == b">":
            ours, base, theirs = (b"".join(side) for side in sides)
            out.append(Place(ours, base, theirs, begun, b"".join(text)))
            text, sides = [], []
        else:
            sides.append([])
    if sides:
        return None
    out.append(b"".join(text))
    return [part for part in out if part]


def split_lines(text: bytes) -> list[bytes]:
    """The lines with their ends; only ``\\n`` ends one."""
    lines = text.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def sign_of(line: bytes, size: int) -> bytes | None:
    """The sign of a marker line of this size; None: it is text."""
    sign = line[:1]
    if sign not in (b"<", b"|", b"=", b">") or line[:size] != sign * size:
        return None
    after = line[size : size + 1]
    return sign if after in (b"", b"\n", b"\r") or (after == b" " and sign != b"=") else None


def places_in(parts: Sequence[Part]) -> list[Place]:
    """The places where both sides differ."""
    return [part for part in parts if isinstance(part, Place)]


def taken(place: Place, choice: Choice) -> bytes:
    """What a place becomes by a choice; both: ours, then theirs."""
    if choice == "both":
        return place.ours + place.theirs
    return {"ours": place.ours, "theirs": place.theirs, "base": place.base}[choice]


def composed(parts: Sequence[Part], settled: Sequence[bytes | None]) -> bytes:
    """The text with each place as it was settled; None leaves its markers."""
    answers = iter(settled)
    out = []
    for part in parts:
        if isinstance(part, Place):
            answer = next(answers)
            out.append(part.whole if answer is None else answer)
        else:
            out.append(part)
    return b"".join(out)


def ended_as(text: bytes, parts: Sequence[Part], side: bytes) -> bytes:
    """A composed text whose last place was settled by a side that does not end in a newline: nor does it then.

    Between markers every line has an end, as in git.
    """
    if not parts or not isinstance(parts[-1], Place) or side.endswith(b"\n") or not side:
        return text
    return text.removesuffix(b"\n").removesuffix(b"\r")


def answers_in(parts: Sequence[Part], result: bytes, diff: Diff) -> list[bytes | None]:
    """What each place became in a result; None for all where that does not explain the whole of it.

    Lines beside the places that became something else, or that look like those of an answer, leave it open which of
    them were the answer.
    """
    lines: list[bytes] = []
    at: list[int] = []
    for part in parts:
        if isinstance(part, Place):
            at.append(len(lines))
            lines.append(b"\0%d\n" % len(at))  # a line that no text has
        else:
            lines += split_lines(part)
    hunks = diff(b"".join(lines), result)
    there = split_lines(result)
    out: list[bytes | None] = []
    for line in at:
        exact = [hunk for hunk in hunks if (hunk.old_from, hunk.old_to) == (line, line + 1)]
        out.append(b"".join(there[exact[0].new_from : exact[0].new_to]) if exact else None)
    if None in out or composed(parts, out) != result:
        return [None] * len(out)
    return out


def same_place(one: Place, other: Place) -> bool:
    """Whether two places hold the same two texts, whichever side has which; what was there before does not count."""
    return {one.ours, one.theirs} == {other.ours, other.theirs}
