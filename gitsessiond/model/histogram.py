"""git's merge of texts as ``git merge`` does it: over histogram diffs.

Since git 2.34 merges align lines by the histogram algorithm, which libgit2 does not offer; on repetitive
lines the two differ. Only what the judge asks is here: whether a merge is clean, and what it gives.

Source: git's xdiff/xhistogram.c, xdl_change_compact of xdiff/xdiffi.c, xdl_do_merge of xdiff/xmerge.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.model.values import Diff, Hunk
from gitsessiond.model.weave import join_lines, split_lines

LONGEST_CHAIN = 64  # lines that occur more often say nothing about where a text belongs

Lines = Sequence[bytes]


class Common(NamedTuple):
    """A stretch of equal lines, half-open; ``rarest``: how often its rarest line occurs in the old text."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int
    rarest: int


class Span(NamedTuple):
    """A part of both texts, half-open."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


def histogram_merge(base: bytes, ours: bytes, theirs: bytes, diff: Diff) -> bytes | None:
    """The merged text, or None where git would report a conflict. ``diff``: for what occurs too often."""
    lines = [split_lines(text) for text in (base, ours, theirs)]
    one = histogram_hunks(lines[0], lines[1], diff)
    two = histogram_hunks(lines[0], lines[2], diff)
    out: list[bytes] = []
    at = 0
    while one or two:
        if not two or (one and one[0].old_to < two[0].old_from):
            hunk, source = one.pop(0), lines[1]
        elif not one or two[0].old_to < one[0].old_from:
            hunk, source = two.pop(0), lines[2]
        else:
            hunk, other = one.pop(0), two.pop(0)
            mine = lines[1][hunk.new_from : hunk.new_to]
            if hunk[:2] != other[:2] or mine != lines[2][other.new_from : other.new_to]:
                return None
            source = lines[1]
        out += lines[0][at : hunk.old_from]
        out += source[hunk.new_from : hunk.new_to]
        at = hunk.old_to
    return join_lines([*out, *lines[0][at:]])


def histogram_hunks(old: Lines, new: Lines, diff: Diff) -> list[Hunk]:
    """The differing runs of lines, as ``git diff --histogram --no-indent-heuristic`` has them."""
    gone, came = bytearray(len(old)), bytearray(len(new))
    left = [Span(0, len(old), 0, len(new))]
    while left:
        span = left.pop()
        if span.old_from == span.old_to or span.new_from == span.new_to:
            mark(gone, span.old_from, span.old_to)
            mark(came, span.new_from, span.new_to)
            continue
        found = longest_rare(old, new, span)
        if found is None:
            classic(old, new, span, (gone, came), diff)
        elif found.old_from == found.old_to:
            mark(gone, span.old_from, span.old_to)
            mark(came, span.new_from, span.new_to)
        else:
            left.append(Span(found.old_to, span.old_to, found.new_to, span.new_to))
            left.append(Span(span.old_from, found.old_from, span.new_from, found.new_from))
    compact(old, gone, came)
    compact(new, came, gone)
    return hunks_of(gone, came)


def mark(changed: bytearray, start: int, end: int) -> None:
    """Mark lines as changed."""
    changed[start:end] = b"\1" * (end - start)


def longest_rare(old: Lines, new: Lines, span: Span) -> Common | None:
    """The longest stretch that both texts have around the rarest lines; empty: none, None: all occur too often."""
    places: dict[bytes, list[int]] = {}
    for number in range(span.old_from, span.old_to):
        places.setdefault(old[number], []).append(number)
    best = Common(0, 0, 0, 0, LONGEST_CHAIN + 1)
    common = False
    number = span.new_from
    while number < span.new_to:
        found = places.get(new[number], [])
        common = common or bool(found)
        after = number + 1
        end = -1
        for place in found if len(found) <= best.rarest else ():
            if place < end:
                continue  # inside the stretch just looked at
            stretch = stretched(old, new, span, (place, number), places)
            end = stretch.old_to
            after = max(after, stretch.new_to)
            if best.old_to - best.old_from < stretch.old_to - stretch.old_from or stretch.rarest < best.rarest:
                best = stretch
        number = after
    return None if common and best.rarest > LONGEST_CHAIN else best


def stretched(old: Lines, new: Lines, span: Span, at: tuple[int, int], places: dict[bytes, list[int]]) -> Common:
    """The stretch of equal lines around one pair of equal lines."""
    i, j = at
    rarest = len(places[old[i]])
    while i > span.old_from and j > span.new_from and old[i - 1] == new[j - 1]:
        i, j = i - 1, j - 1
        rarest = min(rarest, len(places[old[i]]))
    k, m = at[0] + 1, at[1] + 1
    while k < span.old_to and m < span.new_to and old[k] == new[m]:
        rarest = min(rarest, len(places[old[k]]))
        k, m = k + 1, m + 1
    return Common(i, k, j, m, rarest)


def classic(old: Lines, new: Lines, span: Span, marks: tuple[bytearray, bytearray], diff: Diff) -> None:
    """Mark a part's changes as the classic algorithm finds them."""
    before = b"".join(old[span.old_from : span.old_to])
    after = b"".join(new[span.new_from : span.new_to])
    for hunk in diff(before, after):
        mark(marks[0], span.old_from + hunk.old_from, span.old_from + hunk.old_to)
        mark(marks[1], span.new_from + hunk.new_from, span.new_from + hunk.new_to)


class Group:
    """A row of changed lines, perhaps empty, behind each unchanged line of a text; half-open."""

    def __init__(self, lines: Lines | None, changed: bytearray) -> None:
        self.lines, self.changed = lines, changed
        self.start = self.end = 0
        self.grow_down()

    def grow_down(self) -> None:
        """Take in the changed lines below."""
        while self.end < len(self.changed) and self.changed[self.end]:
            self.end += 1

    def grow_up(self) -> None:
        """Take in the changed lines above."""
        while self.start > 0 and self.changed[self.start - 1]:
            self.start -= 1

    def next(self) -> bool:
        """Go to the next group; False at the last."""
        if self.end == len(self.changed):
            return False
        self.start = self.end = self.end + 1
        self.grow_down()
        return True

    def previous(self) -> bool:
        """Go to the group before; False at the first."""
        if self.start == 0:
            return False
        self.start = self.end = self.start - 1
        self.grow_up()
        return True

    def slide_down(self) -> bool:
        """Move the group one line down if its first line equals the one behind it; it joins what it meets."""
        assert self.lines is not None, "only the text that is compacted slides"
        if self.end == len(self.changed) or self.lines[self.start] != self.lines[self.end]:
            return False
        self.changed[self.start], self.changed[self.end] = 0, 1
        self.start, self.end = self.start + 1, self.end + 1
        self.grow_down()
        return True

    def slide_up(self) -> bool:
        """Move the group one line up if its last line equals the one before it."""
        assert self.lines is not None, "only the text that is compacted slides"
        if self.start == 0 or self.lines[self.start - 1] != self.lines[self.end - 1]:
            return False
        self.start, self.end = self.start - 1, self.end - 1
        self.changed[self.start], self.changed[self.end] = 1, 0
        self.grow_up()
        return True


def compact(lines: Lines, changed: bytearray, other_changed: bytearray) -> None:
    """Slide each group of changes as far down as it goes, or to the last place beside a change of the other text."""
    group, other = Group(lines, changed), Group(None, other_changed)
    while True:
        if group.end > group.start:
            settle(group, other)
        if not group.next():
            return
        other.next()


def settle(group: Group, other: Group) -> None:
    """Put one group where it belongs; ``other`` is the group at the same place of the other text."""
    while True:
        size = group.end - group.start
        matching = False
        while group.slide_up():
            other.previous()
        first_end = group.end
        matching = other.end > other.start
        while group.slide_down():
            other.next()
            matching = matching or other.end > other.start
        if size == group.end - group.start:
            break
    if group.end != first_end and matching:
        while other.end == other.start:
            group.slide_up()
            other.previous()


def hunks_of(gone: bytearray, came: bytearray) -> list[Hunk]:
    """The changed rows of both texts, side by side."""
    hunks: list[Hunk] = []
    i = j = 0
    while i < len(gone) or j < len(came):
        start = i, j
        while i < len(gone) and gone[i]:
            i += 1
        while j < len(came) and came[j]:
            j += 1
        if (i, j) != start:
            hunks.append(Hunk(start[0], i, start[1], j))
        i, j = i + 1, j + 1
    return hunks
