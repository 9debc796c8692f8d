"""A save: put what is new on disk into the weave, each edit with its owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.model.deciding import Rules, Verdict, decide
from gitsessiond.model.edges import hard_edges
from gitsessiond.model.values import BASE, Diff, Hunk
from gitsessiond.model.weave import (
    Run,
    Weave,
    is_ghost,
    is_patch,
    layer,
    live,
    weave_from,
)
from gitsessiond.model.zones import Cut, Piece, Zone, cut_zones, is_live, matches, zones_of

GHOSTS_KEPT = 200  # dead lines kept in one gap only for an editor's undo


class Decided(NamedTuple):
    """One edit of a save; ``lines`` of the new text, 1-based, inclusive; ``(k, k - 1)``: a deletion."""

    lines: tuple[int, int]
    owner: str
    why: str


class PlacedSave(NamedTuple):
    """A weave after a save, its edits in order, and the new ``(p, q)`` where p deletes lines of q."""

    weave: Weave
    edits: tuple[Decided, ...]
    edges: frozenset[tuple[str, str]] = frozenset()


def place_save(weave: Weave, new: bytes, rules: Rules) -> PlacedSave:
    """Sort one save of a file by the rules of :mod:`gitsessiond.model.deciding`.

    The live text of the result is ``new``, byte for byte. Where all line ends became others beside an edit, that is
    sorted first, by itself: else every line would be in one edit.
    """
    ended = with_ends_of(weave, new)
    if ended is None:
        return _place(weave, new, rules)
    first = _place(weave, ended, rules)
    then = _place(first.weave, new, rules)
    _, hunks = zones_of(first.weave.runs, new, rules.diff)
    edits = sorted([*(_seen_after(edit, hunks) for edit in first.edits), *then.edits])
    return PlacedSave(then.weave, tuple(edits), first.edges | then.edges)


def with_ends_of(weave: Weave, new: bytes) -> bytes | None:
    """The text on disk with the line ends of a new one, where all its own are others and more than that changed."""
    line = next((run.lines[0] for run in weave.runs if is_live(run)), b"")
    begin = new[: new.find(b"\n") + 1]
    if not line.endswith(b"\n") or not begin or line.endswith(b"\r\n") == begin.endswith(b"\r\n"):
        return None
    old = live(weave)
    crlf, lf = (new, old) if begin.endswith(b"\r\n") else (old, new)
    if b"\r\n" in lf or crlf.count(b"\r\n") != crlf.count(b"\n"):
        return None
    ended = old.replace(b"\r\n", b"\n") if crlf is old else old.replace(b"\n", b"\r\n")
    return None if ended == new else ended


def _seen_after(edit: Decided, hunks: Sequence[Hunk]) -> Decided:
    """An edit with its lines where they are after these hunks; what they replaced of it is left out."""
    start, end = edit.lines
    for hunk in hunks:
        if hunk.old_from < start <= hunk.old_to:
            start = hunk.old_to + 1
    for hunk in reversed(hunks):
        if hunk.old_from < end <= hunk.old_to:
            end = hunk.old_from
    start, end = _line_after(start, hunks), _line_after(end, hunks)
    return edit._replace(lines=(start, max(end, start - 1)))


def _line_after(line: int, hunks: Sequence[Hunk]) -> int:
    """The number that a line which stays has after these hunks."""
    return line + sum((h.new_to - h.new_from) - (h.old_to - h.old_from) for h in hunks if h.old_to < line)


def _place(weave: Weave, new: bytes, rules: Rules) -> PlacedSave:
    """:func:`place_save` of one kind of change."""
    cut, hunks = zones_of(weave.runs, new, rules.diff)
    if not hunks:
        return PlacedSave(weave, ())
    if rules.claim is None and (found := rules.earlier(new)) is not None and live(found) == new:
        edges = hard_edges(found).keys() - hard_edges(weave).keys()
        if not any(rules.needs(q, p) for p, q in edges):
            return PlacedSave(found, _returned(cut.zones, found, hunks), frozenset(edges))
    verdicts = decide(cut.zones, rules)
    after = apply_verdicts(cut, verdicts, rules.diff)
    assert live(after) == new, "a save must leave exactly the text on disk"
    return PlacedSave(after, zone_edits(cut.zones, verdicts), new_edges(cut.zones, verdicts))


def save_as(weave: Weave, new: bytes, owner: str, diff: Diff) -> Weave:
    """Put a save into the weave as one owner's, without asking the rules."""
    cut, hunks = zones_of(weave.runs, new, diff)
    if not hunks:
        return weave
    after = apply_verdicts(cut, [(Verdict(owner, "claim"),)] * len(cut.zones), diff)
    assert live(after) == new, "a save must leave exactly the text it brought"
    return after


def apply_verdicts(cut: Cut, verdicts: Sequence[tuple[Verdict, ...]], diff: Diff) -> Weave:
    """The weave with every zone changed by its owner."""
    out: list[Run] = []
    for kept, zone, found in zip(cut.kept[:-1], cut.zones, verdicts, strict=True):
        out += kept
        for part, verdict in zip(zone_parts(zone, len(found)), found, strict=True):
            out += _changed(part, verdict.owner, diff)
    return weave_from([*out, *cut.kept[-1]])


def zone_parts(zone: Zone, count: int) -> list[Zone]:
    """The zone itself, or a formatter's zone cut after each of its hits; the new lines go with theirs."""
    if count == 1:
        return [zone]
    parts: list[Zone] = []
    pieces: list[Piece] = []
    done = 0
    for piece in zone.pieces:
        pieces.append(piece)
        if piece.hit:
            size = len(piece.run.lines)
            parts.append(Zone(zone.left, zone.right, tuple(pieces), zone.new[done : done + size], zone.at + done))
            pieces, done = [], done + size
    parts[-1] = parts[-1]._replace(pieces=(*parts[-1].pieces, *pieces))
    return parts


def _changed(zone: Zone, owner: str, diff: Diff) -> list[Run]:
    """The runs of a zone after its owner's edit.

    New lines go after the lines they replace. Where they equal lines that this owner deleted in this gap, in
    order, those are un-deleted instead, unless a commit holds the deletion.
    """
    wanted = set(zone.new)
    back = [
        not piece.hit
        and piece.run.gone_in == 0
        and layer(piece.run.gone) == layer(owner)
        and not wanted.isdisjoint(piece.run.lines)
        for piece in zone.pieces
    ]
    if any(back):
        return _woven_back(zone, back, owner, diff)
    hit = max((i for i, piece in enumerate(zone.pieces) if piece.hit), default=None)
    out = [piece.run._replace(gone=owner) if piece.hit else piece.run for piece in zone.pieces]
    if zone.new:
        out.insert(_in_gap(zone) if hit is None else hit + 1, Run(owner, None, 0, 0, zone.new))
    return _fewer_ghosts(out, zone.gap)


def _in_gap(zone: Zone) -> int:
    """Where in its gap an insertion goes: behind the dead lines, but before those that the next line replaced."""
    number = len(zone.pieces)
    while zone.right and number and layer(zone.pieces[number - 1].run.gone) == layer(zone.right.ins):
        number -= 1
    return number


def _woven_back(zone: Zone, back: list[bool], owner: str, diff: Diff) -> list[Run]:
    """:func:`_changed` line by line, where ``back`` tells which pieces may be un-deleted."""
    items = [
        (piece, piece.run._replace(lines=(line,)), can)
        for piece, can in zip(zone.pieces, back, strict=True)
        for line in piece.run.lines
    ]
    dead = [i for i, (_, _, can) in enumerate(items) if can]
    matched = [(dead[i], j) for i, j in matches([items[i][1].lines[0] for i in dead], zone.new, diff)]
    last = max((i for i, (piece, _, _) in enumerate(items) if piece.hit), default=-1)
    put: dict[int, tuple[bytes, ...]] = {}  # new lines by the number of the item they go before
    before, done = -1, 0
    for item, new in [*matched, (len(items), len(zone.new))]:
        if zone.new[done:new]:
            put[last + 1 if before < last < item else item] = zone.new[done:new]
        before, done = item, new + 1
    returning = {item for item, _ in matched}
    out: list[Run] = []
    for number, (piece, run, _) in enumerate(items):
        if number in put:
            out.append(Run(owner, None, 0, 0, put[number]))
        gone = owner if piece.hit else None if number in returning else run.gone
        out.append(run._replace(gone=gone))
    if len(items) in put:
        out.append(Run(owner, None, 0, 0, put[len(items)]))
    return out


def _fewer_ghosts(runs: list[Run], old: Sequence[Run]) -> list[Run]:
    """Without the ghosts of earlier edits, where these are too many."""
    ghosts = [run for run in old if is_ghost(run)]
    if sum(len(run.lines) for run in ghosts) <= GHOSTS_KEPT:
        return runs
    return [run for run in runs if not any(run is ghost for ghost in ghosts)]


def zone_edits(zones: Sequence[Zone], verdicts: Sequence[tuple[Verdict, ...]]) -> tuple[Decided, ...]:
    """The edits that verdicts on some zones make, a formatter's piece by piece."""
    return tuple(
        Decided(part.lines, verdict.owner, verdict.why)
        for zone, found in zip(zones, verdicts, strict=True)
        for part, verdict in zip(zone_parts(zone, len(found)), found, strict=True)
    )


def new_edges(zones: Sequence[Zone], verdicts: Sequence[tuple[Verdict, ...]]) -> frozenset[tuple[str, str]]:
    """``(p, q)`` for each patch p that gets an edit over a line of patch q."""
    return frozenset(
        (verdict.owner, run.ins)
        for zone, found in zip(zones, verdicts, strict=True)
        for part, verdict in zip(zone_parts(zone, len(found)), found, strict=True)
        for run in part.hits
        if is_patch(verdict.owner) and is_patch(run.ins) and run.ins != verdict.owner
    )


def _returned(zones: Sequence[Zone], found: Weave, hunks: Sequence[Hunk]) -> tuple[Decided, ...]:
    """The edits of a save that brought an earlier record back: whose marks there came or went."""
    inverse = [Hunk(hunk.new_from, hunk.new_to, hunk.old_from, hunk.old_to) for hunk in hunks]
    edits: list[Decided] = []
    for zone, then in zip(zones, cut_zones(found.runs, inverse).zones, strict=True):
        owners = [run.ins for run in zone.hits + then.hits] + [run.gone for run in zone.gap + then.gap if run.gone]
        owner = next((owner for owner in owners if owner != BASE), BASE)
        edits.append(Decided(zone.lines, owner, "returned"))
    return tuple(edits)
