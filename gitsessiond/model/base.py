"""A file whose base moved: the target's new text under the session's edits.

Where the new base changes lines that no edit touches, they are exchanged. Where it touches edits - a
**contested region**, from one untouched line to the next - the owners' texts of the region are merged one by
one in the order of dependencies; the same edit in the new base leaves nothing to own. An owner whose text
does not merge keeps the text it had, and so do those above it; a conflict record says so.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from gitsessiond.model.place import save_as
from gitsessiond.model.values import BASE, UNASSIGNED, Diff, Merge3
from gitsessiond.model.weave import (
    EVERY_COMMIT,
    Run,
    Weave,
    is_patch,
    layer,
    live,
    owners_of,
    remap_bits,
    version,
    weave_from,
    weave_of,
)
from gitsessiond.model.zones import zones_of


class Contested(NamedTuple):
    """An owner whose edit the new base contradicts; ``lines`` (1-based, inclusive) of the file afterwards."""

    owner: str
    lines: tuple[int, int]


class _Part(NamedTuple):
    """A stretch of the weave, and the base's new lines there (None: as they were)."""

    runs: tuple[Run, ...]
    base: tuple[bytes, ...] | None


def fold(weave: Weave, landed: Container[str]) -> Weave:
    """Make the edits of patches that are in the new base a part of base; the live text stays."""
    return weave_from(
        run._replace(ins=BASE, ins_in=EVERY_COMMIT) if run.ins in landed else run
        for run in weave.runs
        if run.gone not in landed
    )


def move_base(
    weave: Weave, new_base: bytes, order: Sequence[str], diff: Diff, merge3: Merge3
) -> tuple[Weave, tuple[Contested, ...]]:
    """Put a new base under the edits; ``order`` names the patches, dependencies first.

    All commits of the chain change with their base, so all bits are dropped. Lines dead on disk stay where no
    region is contested: a commit may hold them, and stashed work may come back.
    """
    old_base = version(weave, ())
    if new_base == old_base:
        return weave, ()
    weave = remap_bits(weave, {})
    out: list[Run] = []
    contested: list[Contested] = []
    for runs, base in _regions(weave, new_base, diff):
        if base is None:
            out += runs
        elif all(run.ins == BASE and run.gone is None for run in runs):
            out.append(Run(BASE, None, EVERY_COMMIT, 0, base))
        else:
            part, losers = _merged(Weave(runs), base, order, diff, merge3)
            first = sum(len(run.lines) for run in out if run.gone is None) + 1
            size = sum(len(run.lines) for run in part.runs if run.gone is None)
            contested += [Contested(owner, (first, first + size - 1)) for owner in losers]
            out += part.runs
    return weave_from(out), tuple(contested)


def _regions(weave: Weave, new_base: bytes, diff: Diff) -> Iterable[_Part]:
    """The weave cut at every base line that neither the new base nor an edit changes."""
    cut, _ = zones_of(weave.runs, new_base, diff, lambda run: run.ins == BASE)
    runs: list[Run] = []  # of the region that is being collected
    base: list[bytes] = []
    changed = False
    for number, kept in enumerate(cut.kept):
        for run in kept:
            if run.ins == BASE and run.gone is None:
                yield _Part(tuple(runs), tuple(base) if changed else None)
                yield _Part((run,), None)
                runs, base, changed = [], [], False
            else:
                runs.append(run)
                base += run.lines if run.ins == BASE else ()
        if number < len(cut.zones):
            zone = cut.zones[number]
            runs += [piece.run for piece in zone.pieces]
            base += zone.new
            changed = True
    yield _Part(tuple(runs), tuple(base) if changed else None)


def _merged(
    region: Weave, base: tuple[bytes, ...], order: Sequence[str], diff: Diff, merge3: Merge3
) -> tuple[Weave, list[str]]:
    """A contested region over its new base lines, and the owners whose text did not merge."""
    after = weave_of(b"".join(base))
    under: list[str] = []
    losers: list[str] = []
    before, text = version(region, ()), live(after)
    others = sorted(owner for owner in owners_of(region) if is_patch(owner) and owner not in order)
    for owner in [*order, *others, UNASSIGNED]:
        under.append(owner)
        wanted = version(region, under)
        if wanted == before:
            continue
        found = merge3(before, text, wanted)
        if found.conflicts:
            losers.append(owner)
        text = wanted if found.conflicts else found.content
        after = save_as(after, text, _label(region) if owner == UNASSIGNED else owner, diff)
        before = wanted
    return after, losers


def _label(region: Weave) -> str:
    """The unassigned label of a region: its first, for what was unassigned there for several reasons."""
    labels = (label for run in region.runs for label in (run.ins, run.gone) if layer(label) == UNASSIGNED)
    return next((label for label in labels if label is not None), "~unknown")
