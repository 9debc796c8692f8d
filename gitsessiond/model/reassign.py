"""Give edits to another owner, or take a patch's edits out of the file. Nothing else about the text changes.

An edit goes as a whole; only a pure insertion can be cut at any line. What would make the graph a circle, or
would leave a patch's edit on a line that is nobody's, stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from gitsessiond.model.deciding import Rules
from gitsessiond.model.edges import touching
from gitsessiond.model.place import Decided
from gitsessiond.model.values import BASE, UNASSIGNED, alike, is_unassigned
from gitsessiond.model.weave import (
    Row,
    Run,
    Weave,
    edit_rows,
    is_patch,
    layer,
    live,
    owners_of,
    version,
    weave_from,
)

Lines = tuple[int, int]


class Refusal(NamedTuple):
    """Edits that stay: a code of :mod:`gitsessiond.model.reasons`, and the owners it speaks of."""

    why: str
    owners: tuple[str, ...] = ()
    lines: Lines | None = None


class Reassigned(NamedTuple):
    """The weave afterwards, the edits that moved, with their new owner, and those of a row that could not."""

    weave: Weave
    moved: tuple[Decided, ...]
    refused: tuple[Refusal, ...] = ()


def reassign(
    weave: Weave,
    lines: Lines | None,
    to: str,
    rules: Rules,
    *,
    committed_bit: int | None = None,
    among: Callable[[str], bool] | None = None,
) -> Reassigned | Refusal:
    """Give the edits in some live lines (1-based, inclusive), or all of the file, to a patch or a label.

    Edits of one owner only, else refused; but with ``committed_bit`` all edits that this commit of the chain
    brought are meant, and with ``among`` all whose owner it accepts: each then moves or is refused by itself.
    """
    if committed_bit is not None:
        rows = _brought(weave, committed_bit)
    elif lines is not None:
        weave = _cut(weave, lines)
        rows = _in_range(weave, lines)
    else:
        rows = edit_rows(weave, None)
    rows = [row for row in rows if not alike(row.edit.owner, to) and (among is None or among(row.edit.owner))]
    if not rows:
        return Refusal("nothing", (), lines)
    each = committed_bit is not None or among is not None
    owners = dict.fromkeys(layer(row.edit.owner) or "" for row in rows)
    if len(owners) > 1 and not each:
        return Refusal("several", tuple(owners), lines)
    staying = _staying(weave, rows, to, rules)
    if staying and (not each or len(staying) == len(rows)):
        return next(iter(staying.values()))
    going = [row for number, row in enumerate(rows) if number not in staying]
    return Reassigned(
        _relabelled(weave, {mark for row in going for mark in row.marks}, to),
        tuple(Decided(_live_lines(weave, row), to, "assign") for row in going),
        tuple(staying.values()),
    )


def _brought(weave: Weave, bit: int) -> list[Row]:
    """The edits that one commit holds and its parent does not."""
    return edit_rows(Weave(tuple(_as_brought(run, bit) for run in weave.runs)), None)


def _as_brought(run: Run, bit: int) -> Run:
    """A run with those of its marks that a commit brought; what the commit does not show is made a ghost."""
    new = 1 << bit if bit == 0 else 3 << (bit - 1)  # set in the commit, not in its parent
    inserted = run.ins != BASE and run.ins_in & new == 1 << bit
    deleted = run.gone_in & new == 1 << bit
    shown = run.ins_in >> bit & 1 and not run.gone_in >> bit & 1
    if not (inserted or deleted or shown):
        return Run(UNASSIGNED, UNASSIGNED, 0, 0, run.lines)
    return Run(run.ins if inserted else BASE, run.gone if deleted else None, 0, 0, run.lines)


def _cut(weave: Weave, lines: Lines) -> Weave:
    """The weave with its live insertions cut at both ends of a range, so that a part of one can be named."""
    out: list[Run] = []
    before = 0
    for run in weave.runs:
        if run.gone is not None or run.ins == BASE:
            out.append(run)
        else:
            ends = sorted({min(max(end - before, 0), len(run.lines)) for end in (lines[0] - 1, lines[1])})
            starts = [0, *ends, len(run.lines)]
            out += [run._replace(lines=run.lines[a:b]) for a, b in pairwise(starts) if a < b]
        before += len(run.lines) if run.gone is None else 0
    return Weave(tuple(out))


def _in_range(weave: Weave, lines: Lines) -> list[Row]:
    """The edits in some live lines: those with just these, else those showing a line there, else deletions.

    A pure insertion is cut to its part in the range.
    """
    first, last = lines
    rows = edit_rows(weave, None)
    exact = [row for row in rows if row.edit.lines == lines]
    if exact:
        return exact
    shown = [row for row in rows if row.edit.lines[0] <= row.edit.lines[1]]
    inside = [row for row in shown if row.edit.lines[0] <= last and row.edit.lines[1] >= first]
    deletions = [row for row in rows if row.edit.lines[1] < row.edit.lines[0]]
    between = [row for row in deletions if first < row.edit.lines[0] <= last]
    at_edge = [row for row in deletions if row.edit.lines[0] == first]
    return [_part_of(weave, row, lines) for row in inside] + between or at_edge


def _part_of(weave: Weave, row: Row, lines: Lines) -> Row:
    """A pure insertion's part in a range; another edit whole."""
    if row.edit.deleted:
        return row
    marks: list[tuple[int, bool]] = []
    at = row.edit.lines[0]
    for number, added in row.marks:
        run = weave.runs[number]
        end = at + (len(run.lines) if run.gone is None else 0)
        if lines[0] <= at and end - 1 <= lines[1]:
            marks.append((number, added))
        at = end
    return Row(row.edit, tuple(marks))


def _live_lines(weave: Weave, row: Row) -> Lines:
    """Where an edit's marks are in the live file."""
    sizes = [len(run.lines) if run.gone is None else 0 for run in weave.runs[: row.marks[-1][0] + 1]]
    first = sum(sizes[: row.marks[0][0]]) + 1
    return first, first + sum(sizes[number] for number, added in row.marks if added) - 1


def _staying(weave: Weave, rows: Sequence[Row], to: str, rules: Rules) -> dict[int, Refusal]:
    """The edits that cannot move, by number; one that stays may hold others that lie on it or under it."""
    staying: dict[int, Refusal] = {}
    while True:
        moving = {number: row for number, row in enumerate(rows) if number not in staying}
        going = {mark for row in moving.values() for mark in row.marks}
        pairs = {number: _new_pairs(weave, row, going, to) for number, row in moving.items()}
        over_to = {above for found in pairs.values() for above, below in found if below == to}
        found = {
            number: why._replace(lines=_live_lines(weave, row))
            for number, row in moving.items()
            if (why := _why_not(row, pairs[number], over_to, rules)) is not None
        }
        if not found:
            return staying
        staying |= found


def _new_pairs(weave: Weave, row: Row, going: set[tuple[int, bool]], to: str) -> list[tuple[str, str]]:
    """``(above, below)`` for each mark that would lie on, or under, a mark of another owner that stays."""
    pairs: list[tuple[str, str]] = []
    for number, added in row.marks:
        run = weave.runs[number]
        other = run.gone if added else run.ins
        if other is not None and other != BASE and (number, not added) not in going and layer(other) != layer(to):
            pairs.append((other, to) if added else (to, other))
    return pairs


def _why_not(row: Row, pairs: Sequence[tuple[str, str]], over_to: set[str], rules: Rules) -> Refusal | None:
    """Why an edit cannot move; ``over_to`` are the owners that would lie on the new owner's lines."""
    if is_patch(row.edit.owner) and rules.state(row.edit.owner) == "merged":
        return Refusal("ended", (row.edit.owner,))
    for above, below in pairs:
        if not is_patch(above):
            continue  # an unassigned edit may lie on anything
        if is_unassigned(below):
            return Refusal("builds", (above,)) if above in over_to else Refusal("on")
        if rules.standing(below) == UNASSIGNED:
            return Refusal("on")
        if rules.standing(below) == BASE:
            continue
        if rules.needs(below, above):
            return Refusal("cycle", (below, above))
        if above not in over_to:  # the new owner on another's line: that one must need none of those on his
            for upper in sorted(over_to):
                if upper == below or (is_patch(upper) and rules.needs(below, upper)):
                    return Refusal("cycle", (below, above))
    return None


def _relabelled(weave: Weave, going: set[tuple[int, bool]], to: str) -> Weave:
    return weave_from(
        run._replace(ins=to if (number, True) in going else run.ins, gone=to if (number, False) in going else run.gone)
        for number, run in enumerate(weave.runs)
    )


def discard(weave: Weave, patch: str, rules: Rules, closure: Callable[[str], frozenset[str]]) -> Weave | Refusal:
    """The file without a patch's edits; refused while an edit not below the patch lies on or beside one.

    What the chain's commits hold stays in the weave: the patch itself deletes such lines, or puts them back.
    """
    others = dict.fromkeys(layer(owner) or "" for owner in sorted(owners_of(weave)))
    below = closure(patch)
    everyone = frozenset(others)

    def under(owner: str) -> frozenset[str]:
        return everyone if owner == UNASSIGNED else closure(owner)

    resting = [
        other
        for other in others
        if other not in (patch, *below)
        and (other == UNASSIGNED or rules.standing(other) != BASE)
        and touching(weave, patch, other, under)
    ]
    if resting:
        return Refusal("builds", tuple(resting))
    after = weave_from(part for run in weave.runs for part in _without(run, patch))
    assert live(after) == version(weave, everyone - {patch}), "discarding must leave all but the patch"
    return after


def _without(run: Run, patch: str) -> Iterable[Run]:
    if run.ins == patch:
        if not run.ins_in:
            return ()
        return (run if run.gone is not None else run._replace(gone=patch),)
    if run.gone != patch:
        return (run,)
    if run.gone_in:
        return run, Run(patch, None, 0, 0, run.lines)
    return (run._replace(gone=None),)
