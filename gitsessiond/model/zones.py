"""Where a save differs from a weave: the stretch of the weave around each hunk, between two lines that stay.

A **zone** holds the live lines its hunk replaces and every dead line in the gap around them. Zones never
overlap, so they can be judged on the weave as it was and changed one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from gitsessiond.model.values import Diff, Hunk
from gitsessiond.model.weave import Run, join_lines, split_lines

NO_NEWLINE = b"\0\\ No newline at end of file\n"  # git's words, after a byte that no text holds


class Piece(NamedTuple):
    """A part of a zone: lines that its hunk replaces (``hit``), or lines that its old text did not show.

    ``stood``: a commit lacks lines that its parent had, and they are deleted on disk already.
    """

    run: Run
    hit: bool
    stood: bool = False


class Zone(NamedTuple):
    """One hunk in the weave.

    ``left`` and ``right`` are the runs with the last line before and the first line after it that stay, None
    at the file's ends. ``at`` is the 0-based number, in the new text, of the first of its ``new`` lines.
    """

    left: Run | None
    right: Run | None
    pieces: tuple[Piece, ...]
    new: tuple[bytes, ...]
    at: int

    @property
    def hits(self) -> list[Run]:
        """What the hunk replaces."""
        return [piece.run for piece in self.pieces if piece.hit]

    @property
    def gap(self) -> list[Run]:
        """What else lies there."""
        return [piece.run for piece in self.pieces if not piece.hit]

    @property
    def lines(self) -> tuple[int, int]:
        """The edit's lines of the new text: 1-based, inclusive, ``(k, k - 1)``: a deletion before line k."""
        return self.at + 1, self.at + len(self.new)


class Cut(NamedTuple):
    """A weave cut at the hunks: ``kept[i]`` are the runs before zone i, the last those after all."""

    kept: tuple[tuple[Run, ...], ...]
    zones: tuple[Zone, ...]


def common_head(old: bytes, new: bytes) -> int:
    """How many bytes of whole lines both texts begin with."""
    low, high = 0, min(len(old), len(new))
    step = 256
    while low < high:  # gallop while it matches, then halve: each byte is compared about twice
        end = min(low + step, high)
        if old.startswith(new[low:end], low):
            low, step = end, step * 2
        elif end - low == 1:
            break
        else:
            high, step = end - 1, max(1, (end - low) // 2)
    return old.rfind(b"\n", 0, low) + 1


def common_tail(old: bytes, new: bytes, head: int) -> int:
    """How many bytes of whole lines both texts end with, the first ``head`` bytes left out."""
    low, high = 0, min(len(old), len(new)) - head
    step = 256
    while low < high:
        end = min(low + step, high)
        if old.endswith(new[len(new) - end : len(new) - low], 0, len(old) - low):
            low, step = end, step * 2
        elif end - low == 1:
            break
        else:
            high, step = end - 1, max(1, (end - low) // 2)
    if all(len(text) - low == head or text[len(text) - low - 1] == 10 for text in (old, new)):
        return low
    line_end = new.find(b"\n", len(new) - low)
    return len(new) - line_end - 1 if line_end >= 0 else 0


def hunks_of(old: bytes, new: bytes, diff: Diff) -> tuple[list[Hunk], int, list[bytes]]:
    """The hunks of two texts, and the new lines from the first to the last hunk with the first one's number.

    Equal lines at both ends are cut off first: a small save of a large file must cost little.
    """
    head = common_head(old, new)
    tail = common_tail(old, new, head)
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    first = new.count(b"\n", 0, head)
    if before and after:
        hunks = diff(before, after)
    else:
        hunks = [Hunk(0, _count(before), 0, _count(after))] if before or after else []
    return [Hunk(*(number + first for number in hunk)) for hunk in hunks], first, split_lines(after)


def _count(text: bytes) -> int:
    """How many lines a text has."""
    return text.count(b"\n") + (text[-1:] not in (b"", b"\n"))


def is_live(run: Run) -> bool:
    """Whether these lines are on disk."""
    return run.gone is None


def zones_of(
    runs: Sequence[Run], new: bytes, diff: Diff, shown: Callable[[Run], bool] = is_live
) -> tuple[Cut, list[Hunk]]:
    """A weave cut where a text differs from the one its ``shown`` runs make; and the hunks."""
    rows = [run.lines for run in runs if shown(run)]
    if all(row[-1].endswith(b"\n") for row in rows[:-1]):
        hunks, first, lines = hunks_of(b"".join(chain.from_iterable(rows)), new, diff)
    elif join_lines(chain.from_iterable(rows)) == new:
        hunks, first, lines = [], 0, []
    else:
        first, lines = 0, split_lines(new)
        hunks, _, _ = hunks_of(marked_text(chain.from_iterable(rows)), marked_text(lines), diff)
    return cut_zones(runs, hunks, lines, first, shown), hunks


def cut_zones(
    runs: Sequence[Run],
    hunks: Sequence[Hunk],
    lines: Sequence[bytes] = (),
    first: int = 0,
    shown: Callable[[Run], bool] = is_live,
) -> Cut:
    """Cut a weave at the hunks between the text its ``shown`` runs make and a new one.

    ``lines`` are the new one's from number ``first`` on; without them the zones have no new lines.
    """
    kept: list[list[Run]] = [[]]
    pieces: list[list[Piece]] = [[] for _ in hunks]
    rights: list[Run | None] = [None for _ in hunks]
    at, nth = 0, 0
    for number, run in enumerate(runs):
        if nth == len(hunks):
            kept[-1] += runs[number:]
            break
        if not shown(run):
            if at >= hunks[nth].old_from:
                pieces[nth].append(Piece(run, hit=False))
            else:
                kept[-1].append(run)
            continue
        left = run
        while left.lines:
            if nth == len(hunks) or at < hunks[nth].old_from:
                take = len(left.lines) if nth == len(hunks) else min(len(left.lines), hunks[nth].old_from - at)
                kept[-1].append(_part(left, 0, take))
            elif at < hunks[nth].old_to:
                take = min(len(left.lines), hunks[nth].old_to - at)
                pieces[nth].append(Piece(_part(left, 0, take), hit=True))
            else:
                rights[nth] = run
                kept.append([])
                nth, take = nth + 1, 0
            at += take
            left = _part(left, take, len(left.lines))
    kept += [[] for _ in range(len(hunks) + 1 - len(kept))]
    zones = [
        Zone(
            kept[i][-1] if kept[i] else None,
            rights[i],
            tuple(pieces[i]),
            tuple(lines[hunk.new_from - first : hunk.new_to - first]),
            hunk.new_from,
        )
        for i, hunk in enumerate(hunks)
    ]
    return Cut(tuple(tuple(part) for part in kept), tuple(zones))


def _part(run: Run, start: int, end: int) -> Run:
    """Some lines of a run."""
    return run if start == 0 and end == len(run.lines) else run._replace(lines=run.lines[start:end])


def matches(old: Sequence[bytes], new: Sequence[bytes], diff: Diff) -> list[tuple[int, int]]:
    """Pairs of equal lines of two texts, as many as the diff finds, in order."""
    if not old or not new:
        return []
    pairs: list[tuple[int, int]] = []
    i = j = 0
    for hunk in [*diff(marked_text(old), marked_text(new)), Hunk(len(old), len(old), len(new), len(new))]:
        pairs += zip(range(i, hunk.old_from), range(j, hunk.new_from), strict=True)
        i, j = hunk.old_to, hunk.new_to
    return pairs


def marked_text(lines: Iterable[bytes]) -> bytes:
    """Lines as a text in which one without its ``\\n`` may stand anywhere, and equals no line that has it."""
    return b"".join([line if line.endswith(b"\n") else line + NO_NEWLINE for line in lines])
