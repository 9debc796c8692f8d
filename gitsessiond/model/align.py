"""A commit of the chain: find its text in the weave, and put in what the weave has never seen.

A commit does not change whose an edit is; it says which edits it holds. Its blob is aligned to every line the
weave knows: lines on disk, lines of the parent commit, dead lines and ghosts. That sets the commit's two bits
of every line (:class:`~gitsessiond.model.weave.Run`). Only lines without a match, and lines on disk that the
parent had and the commit lacks, are edits, decided together as one save made before what is on disk. What is on
disk stays: a new line is deleted again at once, a deleted one put back, by the owner of the commit's edit and not
committed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from itertools import chain, combinations
from typing import NamedTuple

from gitsessiond.model.deciding import Rules, Verdict, decide
from gitsessiond.model.place import PlacedSave, new_edges, zone_edits, zone_parts
from gitsessiond.model.values import BASE, Diff
from gitsessiond.model.weave import Run, Weave, as_of, is_ghost, join_runs, layer, live, weave_from
from gitsessiond.model.zones import Piece, Zone, is_live, matches, zones_of

OWNERS = 5  # so many in one file, and every choice among them is tried
CLUSTER = 64  # runs on either side that are looked at for signs of an edit


class _Spot(NamedTuple):
    """Lines of the weave that the commit shows or does not, or (``run`` None) lines the weave has never seen.

    Unseen lines lie somewhere in the row of hidden ones around them.
    """

    run: Run | None
    shown: bool
    new: tuple[bytes, ...] = ()


def place_commit(weave: Weave, blob: bytes, bit: int, rules: Rules) -> PlacedSave:
    """Set the bits of one commit, whose parent's are those of ``bit - 1`` (of base, when ``bit`` is 0).

    Afterwards ``version_at`` over all owners is ``blob``, byte for byte, and the live text is what it was. The
    edits' lines are the blob's.
    """
    one = 1 << bit
    weave = weave_from(
        run._replace(ins_in=run.ins_in if run.ins == BASE else run.ins_in & ~one, gone_in=run.gone_in & ~one)
        for run in weave.runs
    )
    if (whole := _whole_owners(weave, blob, bit)) is not None:
        return PlacedSave(weave_from(_held_of(run, whole, bit) for run in weave.runs), ())
    spots = _aligned(weave, blob, bit, rules.diff)
    rows = _rows([_with_bits(spots, number, bit) for number in range(len(spots))])
    zones, places = _zones(rows, bit)
    verdicts = decide(zones, rules)
    decided = dict(zip(places, zip(zones, verdicts, strict=True), strict=True))
    after = weave_from(run for number, row in enumerate(rows) for run in _placed(row, decided.get(number), bit))
    assert live(as_of(after, bit)) == blob, "a commit's marks must make exactly its blob"
    assert live(after) == live(weave), "a commit must leave what is on disk"
    return PlacedSave(after, zone_edits(zones, verdicts), new_edges(zones, verdicts))


def _held_before(run: Run, bit: int) -> bool:
    """Whether the commit's parent holds the insertion."""
    return run.ins == BASE or bool(bit and run.ins_in >> (bit - 1) & 1)


def _dropped_before(run: Run, bit: int) -> bool:
    """Whether the commit's parent holds the deletion."""
    return bool(bit and run.gone_in >> (bit - 1) & 1)


def _stood(run: Run, bit: int) -> bool:
    """Whether the commit's parent shows these lines."""
    return _held_before(run, bit) and not _dropped_before(run, bit)


def _held(run: Run, one: int, gone: bool) -> Run:
    """The run with its insertion, and perhaps its deletion, held by a commit; a ghost is held by none."""
    if is_ghost(run):
        return run
    return run._replace(ins_in=run.ins_in | one, gone_in=run.gone_in | one if gone else run.gone_in)


def _whole_owners(weave: Weave, blob: bytes, bit: int) -> frozenset[str | None] | None:
    """The owners (layers) all of whose edits, put on the parent, make the blob; None: it is not that simple.

    Everyone's is a commit of all that is on disk, nobody's one that leaves the file as it was.
    """
    new: set[str | None] = set()
    for run in weave.runs:
        if not is_ghost(run):
            new |= set() if _held_before(run, bit) else {layer(run.ins)}
            new |= set() if _dropped_before(run, bit) else {layer(run.gone)}
    names = sorted(filter(None, new))
    sizes = range(len(names) if len(names) <= OWNERS else 2)
    for owners in (names, *(some for size in sizes for some in combinations(names, size))):
        if join_runs([run.lines for run in weave.runs if _shown_with(run, owners, bit)]) == blob:
            return frozenset(owners)
    return None


def _held_of(run: Run, owners: Container[str | None], bit: int) -> Run:
    """The run in a commit that adds to its parent all edits of some owners."""
    inserted = _held_before(run, bit) or layer(run.ins) in owners
    return _held(run, 1 << bit, not _shown_with(run, owners, bit)) if inserted else run


def _shown_with(run: Run, owners: Container[str | None], bit: int) -> bool:
    """Whether the commit's parent with all edits of some owners shows these lines."""
    if _dropped_before(run, bit) or (run.gone is not None and layer(run.gone) in owners):
        return False
    return _held_before(run, bit) or layer(run.ins) in owners


def _aligned(weave: Weave, blob: bytes, bit: int, diff: Diff) -> list[_Spot]:
    """Every line of the weave and every unseen line of the blob, in one order.

    First against the lines that are on disk or were in the parent: any choice among recorded edits is made of
    these alone. What is left over is looked for among the dead lines of its gap.
    """

    def known(run: Run) -> bool:
        return run.gone is None or _stood(run, bit)

    cut, _ = zones_of(weave.runs, blob, diff, known)
    spots: list[_Spot] = []
    for number, kept in enumerate(cut.kept):
        spots += [_Spot(run, known(run)) for run in kept]
        if number < len(cut.zones):
            zone = cut.zones[number]
            spots.append(_Spot(None, False, zone.new))
            spots += [_Spot(piece.run, False) for piece in zone.pieces]
    spots = _whole_edits(spots, bit)
    return [spot for row in _rows(spots) for spot in _with_the_dead(row, known, diff)]


def _rows(spots: Iterable[_Spot]) -> list[list[_Spot]]:
    """The spots in rows: shown ones one by one, hidden and unseen ones together."""
    rows: list[list[_Spot]] = []
    hidden = False
    for spot in spots:
        if spot.shown or not hidden:
            rows.append([])
        rows[-1].append(spot)
        hidden = not spot.shown
    return rows


def _whole_edits(spots: Sequence[_Spot], bit: int) -> list[_Spot]:
    """Prefer edits that are in the commit as a whole or not at all, where equal lines allow both readings.

    Between two lines that disk, parent and commit share, its text is mostly the parent's or the disk's.
    """
    out: list[_Spot] = []
    row: list[_Spot] = []
    for spot in [*spots, None]:
        if spot is not None and not (spot.run and spot.shown and is_live(spot.run) and _stood(spot.run, bit)):
            row.append(spot)
            continue
        text = [line for part in row if part.run is None or part.shown for line in _lines(part)]
        for state in (lambda run: _stood(run, bit), is_live):
            if row and text == [line for part in row if part.run and state(part.run) for line in part.run.lines]:
                row = [_Spot(part.run, state(part.run)) for part in row if part.run]
                break
        out += row if spot is None else [*row, spot]
        row = []
    return out


def _lines(spot: _Spot) -> tuple[bytes, ...]:
    return spot.new if spot.run is None else spot.run.lines


def _with_the_dead(row: list[_Spot], known: Callable[[Run], bool], diff: Diff) -> list[_Spot]:
    """A row of hidden and unseen lines, with the unseen found again among those that were dead before."""
    new = [line for spot in row for line in spot.new]
    dead = [line for spot in row if spot.run and not known(spot.run) for line in spot.run.lines]
    back = dict(matches(dead, new, diff)) if not row[0].shown else {}
    if not back:
        return row
    out: list[_Spot] = []
    done = number = 0
    for spot in row:
        if spot.run is None:
            continue
        if known(spot.run):
            out.append(spot)
            continue
        for line in spot.run.lines:
            if number in back:
                out.append(_Spot(None, False, tuple(new[done : back[number]])))
                done = back[number] + 1
            out.append(_Spot(spot.run._replace(lines=(line,)), number in back))
            number += 1
    return [*out, _Spot(None, False, tuple(new[done:]))]


def _zones(rows: Sequence[Sequence[_Spot]], bit: int) -> tuple[list[Zone], list[int]]:
    """The commit's own edits as zones, and for each the number of its row."""
    zones: list[Zone] = []
    places: list[int] = []
    at = 0
    for number, row in enumerate(rows):
        if row[0].shown:
            at += len(_lines(row[0]))
            continue
        new = tuple(line for spot in row for line in spot.new)
        pieces = tuple(
            Piece(spot.run, is_live(spot.run) and _stood(spot.run, bit), _stood(spot.run, bit))
            for spot in row
            if spot.run
        )
        if new or any(piece.hit for piece in pieces):
            left = rows[number - 1][0].run if number else None
            right = rows[number + 1][0].run if number + 1 < len(rows) else None
            zones.append(Zone(left, right, pieces, new, at))
            places.append(number)
        at += len(new)
    return zones, places


def _placed(row: Sequence[_Spot], decided: tuple[Zone, tuple[Verdict, ...]] | None, bit: int) -> Iterable[Run]:
    """The runs of a row with the commit's own edit, if it has one there."""
    if decided is None:
        yield from (spot.run for spot in row if spot.run)
        return
    zone, found = decided
    for part, verdict in zip(zone_parts(zone, len(found)), found, strict=True):
        yield from _edited(part, verdict.owner, 1 << bit)


def _edited(zone: Zone, owner: str, one: int) -> Iterable[Run]:
    """A zone with its edit: the new lines go after those they replace, on disk or in the parent."""
    last = max((i for i, piece in enumerate(zone.pieces) if piece.hit), default=-1)
    if last < 0:
        last = max((i for i, piece in enumerate(zone.pieces) if piece.stood), default=len(zone.pieces) - 1)
    out: list[list[Run]] = [[]]  # one list for each piece, after what goes before all of them
    for run, hit, _ in zone.pieces:
        if hit:
            deleted = run._replace(gone=owner, ins_in=run.ins_in | one, gone_in=one)
            out.append([deleted, Run(owner, None, 0, 0, run.lines)])
        else:
            out.append([run])
    out[last + 1].append(Run(owner, owner, one, 0, zone.new))
    return chain.from_iterable(out)


def _with_bits(spots: Sequence[_Spot], number: int, bit: int) -> _Spot:
    """A spot with the commit's bits; of what it hides: not inserted in it yet, or inserted and deleted."""
    spot, one = spots[number], 1 << bit
    run = spot.run
    if run is None:
        return spot
    if spot.shown:
        return spot._replace(run=run._replace(ins_in=run.ins_in | one))
    if run.gone is None or is_ghost(run):
        return spot
    if _held_before(run, bit) or not _visibly_missing(spots, number):
        return spot._replace(run=_held(run, one, gone=True))
    return spot


def _visibly_missing(spots: Sequence[_Spot], number: int) -> bool:
    """Whether the lines around show that a dead line's insertion is not in the commit.

    Its edit is not there when the text it replaced is, or the text it was replaced by is not, or its writer's
    other lines beside it are not. Else the line was committed together with its deletion.
    """
    run = spots[number].run
    assert run is not None
    others = _cluster(spots, number)
    if any(spot.shown and spot.run and layer(spot.run.gone) == layer(run.ins) for spot in others):
        return True
    instead = [spot.shown for spot in others if _tells(spot, run.gone)]
    beside = [spot.shown for spot in others if _tells(spot, run.ins)]
    return (bool(instead) and not any(instead)) or (bool(beside) and not any(beside))


def _tells(spot: _Spot, owner: str | None) -> bool:
    """Whether a spot is an insertion of this owner that the commit shows if it holds it."""
    return spot.run is not None and layer(spot.run.ins) == layer(owner) and (spot.shown or is_live(spot.run))


def _cluster(spots: Sequence[_Spot], number: int) -> list[_Spot]:
    """The spots around one, up to the nearest line without a mark on either side, and not far."""
    found: list[_Spot] = []
    for step in (-1, 1):
        for i in range(number + step, number + step * CLUSTER, step):
            run = spots[i].run if 0 <= i < len(spots) else None
            if not 0 <= i < len(spots) or (run and run.ins == BASE and run.gone is None):
                break
            found.append(spots[i])
    return found
