"""A marked text in parts: what merged by itself, and the places where both sides differ, each settled on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gitsessiond.model.values import Diff, Hunk

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


def every_change(
    base: bytes, ours: bytes, theirs: bytes, *, diff: Diff, labels: tuple[str, str, str], size: int
) -> bytes | None:
    """A text with markers wherever one side has something of its own, also where git would combine both sides.

    None: nowhere, or both sides have the same of their own. Between markers every line has an end.
    """
    sides = [split_lines(text) for text in (base, ours, theirs)]
    kept = [unchanged(diff(base, text), len(sides[0])) for text in (ours, theirs)]
    stable = [line for line in range(len(sides[0])) if line in kept[0] and line in kept[1]]
    ends = [(line, kept[0][line], kept[1][line]) for line in stable] + [tuple(len(side) for side in sides)]
    out: list[bytes] = []
    at = (0, 0, 0)
    asked = False
    names = [label.encode("utf-8", "surrogateescape") for label in labels]
    for end in ends:
        old, mine, other = (side[a:b] for side, a, b in zip(sides, at, end, strict=True))
        if mine == other:
            out += mine
        else:
            asked = True
            parts = ((b"<", names[1], mine), (b"|", names[0], old), (b"=", b"", other))
            for sign, name, lines in parts:
                out += [sign * size + (b" " + name if name else b"") + b"\n", *map(ended, lines)]
            out.append(b">" * size + b" " + names[2] + b"\n")
        out += sides[0][end[0] : end[0] + 1]
        at = (end[0] + 1, end[1] + 1, end[2] + 1)
    return b"".join(out) if asked else None


def unchanged(hunks: Sequence[Hunk], count: int) -> dict[int, int]:
    """Where each of the old lines is in the new text; those that are not there are left out."""
    out: dict[int, int] = {}
    at = shift = 0
    for hunk in hunks:
        out |= {line: line + shift for line in range(at, hunk.old_from)}
        at, shift = hunk.old_to, hunk.new_to - hunk.old_to
    return out | {line: line + shift for line in range(at, count)}


def ended(line: bytes) -> bytes:
    """A line with its end."""
    return line if line.endswith(b"\n") else line + b"\n"
