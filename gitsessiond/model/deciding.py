"""Which owner an edit goes to: the rules of docs/ownership.md, first that answers.

1. a claim (never over unassigned lines)   2. a moved block: one owner for both halves
3. a formatter's piece, line by line   4. lines that were here return: whoever deleted them
5. the one patch whose lines it changes; those of several, or unassigned ones: nobody
6. an insertion between two lines of one patch: that patch   7. beside unassigned lines: nobody
8. the patch in use   9. the one patch beside it; beside several: nobody
10. the one open patch that changes this file   11. nobody

All zones of a save are judged on the weave before the save: judged one after the other, ownership would creep
from line to line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gitsessiond.model.values import BASE, UNASSIGNED, Diff, awaits_proof, is_unassigned
from gitsessiond.model.weave import Run, Weave, is_ghost, is_patch
from gitsessiond.model.zones import Zone


@dataclass(frozen=True)
class Rules:
    """What the rules need to know beside the file.

    ``claim``: the patch all edits of this file are declared to be for. ``needs(q, p)``: q depends on p
    already, over all files. ``editors``: the open patches that change this file. ``nobody``: the label when
    no rule answers. ``only``: the only open patch, asked before nobody (committed edits). ``earlier``: the
    weave that held this very content since the path's last command, if one did.
    """

    current: str | None
    claim: str | None
    state: Callable[[str], Literal["open", "merged", "abandoned"]]
    needs: Callable[[str, str], bool]
    editors: frozenset[str]
    diff: Diff
    nobody: str = "~none"
    only: str | None = None
    earlier: Callable[[bytes], Weave | None] = lambda _: None
    makers: frozenset[str] = frozenset()  # patches that every patch with an edit in this file comes to need

    def standing(self, owner: str) -> str:
        """What an owner counts as: a merged patch as base, an abandoned one and every label as unassigned."""
        if owner == BASE or is_unassigned(owner):
            return owner[:1] if owner != BASE else BASE
        return {"open": owner, "merged": BASE, "abandoned": UNASSIGNED}[self.state(owner)]


class Verdict(NamedTuple):
    """Who gets an edit and why; for an unassigned owner ``why`` is its label without the ``~``."""

    owner: str
    why: str


class Parties(NamedTuple):
    """The owners that count at one place: open patches, and what counts as nobody's."""

    patches: tuple[str, ...]
    nobodies: tuple[str, ...]


def nobody(label: str) -> Verdict:
    """The verdict that leaves an edit unassigned."""
    return Verdict(label, label[1:])


def decide(zones: Sequence[Zone], rules: Rules) -> list[tuple[Verdict, ...]]:
    """The verdicts of all zones of one save: one each, or for a formatter's zone one for each of its hits."""
    moved = {} if rules.claim else _moved_blocks(zones)
    verdicts: list[tuple[Verdict, ...]] = []
    for number, zone in enumerate(zones):
        if number in moved:
            verdicts.append((_moved(zone, zones[moved[number]], rules),))
        elif by_line(zone):
            verdicts.append(tuple(_formatted(run, rules) for run in zone.hits))
        else:
            verdicts.append((_one(zone, rules),))
    return [
        tuple(_uncircled(verdict, zone, rules) for verdict in found)
        for zone, found in zip(zones, verdicts, strict=True)
    ]


def by_line(zone: Zone) -> bool:
    """Whether a zone's old and new lines are equal one by one but for white space."""
    old = [line for run in zone.hits for line in run.lines]
    if not old or len(old) != len(zone.new):
        return False
    return all(a.split() == b.split() for a, b in zip(old, zone.new, strict=True))


def _one(zone: Zone, rules: Rules) -> Verdict:
    over = _parties((run.ins for run in zone.hits), rules)
    if over.nobodies:
        return nobody(_same_label(over))
    if rules.claim:
        return Verdict(rules.claim, "claim")
    if not over.patches and (returning := _returning(zone, rules) or _beside_returned(zone, rules)) is not None:
        return Verdict(returning, "returned")
    if not over.patches:
        over = _parties(_replaced_already(zone), rules)
    if len(over.patches) == 1:
        return Verdict(over.patches[0], "lines")
    if over.patches:
        return nobody(_several("~format" if _reflowed(zone) else "~over", over.patches))
    return _beside([zone], rules)


def _moved(zone: Zone, other: Zone, rules: Rules) -> Verdict:
    over = _parties((run.ins for run in zone.hits + other.hits), rules)
    if len(over.patches) + len(over.nobodies) > 1:
        return nobody("~moved")
    if over.nobodies:
        return nobody(_same_label(over))
    if over.patches:
        return Verdict(over.patches[0], "moved")
    return _beside([zone, other], rules)


def _formatted(run: Run, rules: Rules) -> Verdict:
    over = _parties([run.ins], rules)
    if over.nobodies:
        return nobody(_same_label(over))
    if rules.claim and not (over.patches and awaits_proof(rules.claim)):  # white space needs no proof
        return Verdict(rules.claim, "claim")
    if over.patches:
        return Verdict(over.patches[0], "format")
    if rules.current:
        return Verdict(rules.current, "current")
    return Verdict(rules.only, "only") if rules.only else nobody(_merged_label([run], rules))


def _beside(zones: Sequence[Zone], rules: Rules) -> Verdict:
    """Rules 6 to 11, for an edit of base lines only; a moved block asks for both its halves at once."""
    for zone in zones:
        if not zone.hits and zone.left and zone.right and zone.left.ins == zone.right.ins:
            between = _parties([zone.left.ins], rules)
            if between.patches:
                return Verdict(between.patches[0], "between")
            if between.nobodies:
                return nobody(_same_label(between, "~beside"))
    near = _parties((owner for zone in zones for owner in _near(zone)), rules)
    if near.nobodies:
        return nobody("~beside")
    if rules.current:
        return Verdict(rules.current, "current")
    if len(near.patches) == 1:
        return Verdict(near.patches[0], "near")
    if near.patches:
        return nobody(_several("~touches", near.patches))
    if len(rules.editors) == 1:
        return Verdict(next(iter(rules.editors)), "file")
    hits = [run for zone in zones for run in zone.hits]
    return Verdict(rules.only, "only") if rules.only else nobody(_merged_label(hits, rules))


def _merged_label(hits: Iterable[Run], rules: Rules) -> str:
    """The label of an edit that no patch may have: over the lines of one merged patch, that it is."""
    merged = {run.ins for run in hits if is_patch(run.ins) and rules.state(run.ins) == "merged"}
    return f"~merged {merged.pop()}" if len(merged) == 1 and rules.nobody == "~none" else rules.nobody


def _uncircled(verdict: Verdict, zone: Zone, rules: Rules) -> Verdict:
    """The verdict, or nobody where the patch would depend on one that depends on it already."""
    if not is_patch(verdict.owner):
        return verdict
    for below in sorted(rules.makers):
        if below != verdict.owner and rules.needs(below, verdict.owner):
            return nobody(f"~cycle {below} {verdict.owner}")
    if not rules.claim:
        return verdict  # without a claim an edit goes over another patch's lines in no case
    for below in _parties((run.ins for run in zone.hits), rules).patches:
        if below != verdict.owner and rules.needs(below, verdict.owner):
            return nobody(f"~cycle {below} {verdict.owner}")
    return verdict


def _parties(owners: Iterable[str], rules: Rules) -> Parties:
    patches: dict[str, None] = {}
    nobodies: dict[str, None] = {}
    for owner in dict.fromkeys(owners):
        standing = rules.standing(owner)
        if standing == UNASSIGNED:
            nobodies[owner] = None
        elif standing != BASE:
            patches[owner] = None
    return Parties(tuple(patches), tuple(nobodies))


def _same_label(over: Parties, other: str = "~on") -> str:
    """The one label that all lines of an edit carry: an edit of unassigned lines keeps their reason."""
    if len(over.nobodies) == 1 and not over.patches and is_unassigned(over.nobodies[0]):
        return over.nobodies[0]
    return other


def _several(code: str, patches: Collection[str]) -> str:
    return " ".join([code, *sorted(patches)])


def _near(zone: Zone) -> list[str]:
    """Owners of the marks that touch a zone's edges or lie dead in its gap."""
    owners: list[str] = []
    for run in (zone.left, zone.right, *zone.gap):
        if run is not None and not is_ghost(run):
            owners += [run.ins] if run.gone is None else [run.ins, run.gone]
    return owners


def _replaced_already(zone: Zone) -> list[str]:
    """Who deleted the lines in whose place a commit puts text that was never seen on disk."""
    return [piece.run.gone for piece in zone.pieces if piece.stood and piece.run.gone is not None]


def _reflowed(zone: Zone) -> bool:
    """Whether old and new text are equal but for white space, lines joined or split."""
    return b"".join(b"".join(run.lines) for run in zone.hits).split() == b"".join(zone.new).split()


def _returning(zone: Zone, rules: Rules) -> str | None:
    """The one owner who deleted, in this gap, a row of lines equal to the inserted ones.

    In place of other lines only an owner's own lines return: the edit as it was before a reset or stash.
    """
    if not zone.new:
        return None
    rows: dict[str, list[bytes]] = {}
    for run in zone.gap:
        if zone.hits and run.ins != run.gone:
            continue
        if run.gone is not None and rules.standing(run.gone) != BASE:
            rows.setdefault(run.gone, []).extend(run.lines)
    found = [owner for owner, row in rows.items() if _holds(row, zone.new)]
    return found[0] if len(found) == 1 else None


def _beside_returned(zone: Zone, rules: Rules) -> str | None:
    """Who replaced the lines a commit deletes: the one owner of a line beside them that only the commit shows.

    Such a line is back from a reset or stash; that it once stood in place of these, it does not say itself.
    """
    if zone.new:
        return None
    beside = [run for run in (zone.left, zone.right) if run is not None and run.gone is not None]
    owners = {run.ins for run in beside if run.ins == run.gone and rules.standing(run.ins) != BASE}
    return owners.pop() if len(owners) == 1 else None


def _holds(row: list[bytes], part: Sequence[bytes]) -> bool:
    """Whether a row of lines has these lines in it, one after the other."""
    width, wanted = len(part), list(part)
    ends = (wanted[0], wanted[-1])
    return any(
        (row[i], row[i + width - 1]) == ends and row[i : i + width] == wanted for i in range(len(row) - width + 1)
    )


def _moved_blocks(zones: Sequence[Zone]) -> dict[int, int]:
    """Pure deletions and the pure insertions of the same bytes, where each is the only one of its text.

    A block without a letter or digit is none: blank lines and lone brackets are not moved, they are typed.
    """
    taken: dict[bytes, list[int]] = {}
    put: dict[bytes, list[int]] = {}
    for number, zone in enumerate(zones):
        hits = zone.hits
        if not zone.new:
            taken.setdefault(b"".join(b"".join(run.lines) for run in hits), []).append(number)
        elif not hits:
            put.setdefault(b"".join(zone.new), []).append(number)
    pairs: dict[int, int] = {}
    for block in taken.keys() & put.keys():
        if len(taken[block]) == len(put[block]) == 1 and any(byte >= 128 or chr(byte).isalnum() for byte in block):
            pairs[taken[block][0]] = put[block][0]
            pairs[put[block][0]] = taken[block][0]
    return pairs
