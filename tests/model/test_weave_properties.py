"""What must hold of a file's weave whatever is done to it; git's three-way merge is the judge."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsessiond.model.base import move_base
from gitsessiond.model.reassign import Reassigned, discard, reassign
from gitsessiond.model.values import BASE, Merged3, is_unassigned
from gitsessiond.model.weave import Weave, drop_ghosts, is_patch, layer, owners_of, remap_bits, version
from gitsessiond.store.text import diff_lines, merge_text
from tests.model.one_file import EVERYONE, PATCHES, OneFile, edited, new_line, picked

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
randoms = st.randoms(use_true_random=False)
repetitions = st.booleans()


def begun(rng: random.Random, repetitive: bool, lines: int = 16) -> OneFile:
    return OneFile(b"".join(new_line(rng, repetitive) for _ in range(lines)))


def saved(file: OneFile, rng: random.Random, repetitive: bool, newline: bool = True) -> set[str]:
    """A random save, claimed, with a patch in use, or with none; returns the owners who got an edit."""
    claim = rng.choice([*PATCHES, None])
    current = rng.choice([*PATCHES, None])
    new = edited(file.live, rng, repetitive, newline)
    placed = file.save(new, current=current, claim=claim)
    assert file.live == new
    return {edit.owner for edit in placed.edits}


def sound(weave: Weave) -> None:
    """What the runs of every weave look like."""
    for run in weave.runs:
        assert run.lines
        assert all(line.endswith(b"\n") for line in run.lines[:-1])
        assert run.ins == BASE or run.gone_in & ~run.ins_in == 0
        assert run.gone is not None or run.gone_in == 0
        assert run.gone != BASE
        assert not (is_unassigned(run.ins) and is_patch(run.gone)), "a patch deletes what is nobody's"


@quick
@given(randoms, repetitions, st.booleans())
def test_versions_change_only_for_owners_with_an_edit(rng: random.Random, repetitive: bool, newline: bool) -> None:
    """After every save the disk is exact, base is as ever, and no version without an edit has changed."""
    file = begun(rng, repetitive)
    base = file.live
    for _ in range(15):
        under = file.closures()
        before = {patch: file.of(under[patch] | {patch}) for patch in PATCHES}
        owners = saved(file, rng, repetitive, newline)
        sound(file.weave)
        assert file.of(EVERYONE) == file.live
        assert file.of(()) == base
        for patch in PATCHES:
            if not owners & (under[patch] | {patch}):
                assert file.of(under[patch] | {patch}) == before[patch]


@quick
@given(randoms, repetitions, st.booleans())
def test_patches_land_in_every_order(rng: random.Random, repetitive: bool, newline: bool) -> None:
    """Merged one by one in any order that respects dependencies, patches neither conflict nor change in meaning."""
    file = begun(rng, repetitive)
    for _ in range(10):
        saved(file, rng, repetitive, newline)
        file.judge()
        assert file.bad_landings() == []


@quick
@given(randoms, repetitions, st.booleans())
def test_every_commit_is_held_byte_for_byte(rng: random.Random, repetitive: bool, newline: bool) -> None:
    """Commits of all, of parts, of earlier and of unseen text stay exact through all later saves; the disk too."""
    file = begun(rng, repetitive)
    seen = [file.live]
    for _ in range(12):
        saved(file, rng, repetitive, newline)
        seen.append(file.live)
        if rng.random() < 0.5:
            disk = file.live
            part = picked(file.blobs[-1], disk, rng)
            alien = edited(part, rng, repetitive, newline)
            file.commit(rng.choice([disk, part, alien, rng.choice(seen)]), current=rng.choice(PATCHES))
            assert file.live == disk
            sound(file.weave)
        if rng.random() < 0.2:
            file.weave = drop_ghosts(file.weave)
        for number, blob in enumerate(file.blobs[1:]):
            assert file.part(EVERYONE, number) == blob


@quick
@given(randoms)
def test_a_commit_of_some_patches_holds_just_these(rng: random.Random) -> None:
    """All edits of some patches committed at once: each set of patches has its part, whatever else is on disk."""
    file = begun(rng, repetitive=False)
    for _ in range(8):
        saved(file, rng, repetitive=False)
    under = file.closures()
    chosen = closed(rng.sample(PATCHES, rng.randrange(4)), under)
    placed = file.commit(file.of(chosen))
    assert placed.edits == ()
    smaller = (set(some) for size in range(len(chosen)) for some in combinations(chosen, size))
    if any(file.of(some) == file.of(chosen) for some in smaller):
        return  # what one wrote another deleted again: the text does not say whether that is in the commit
    for patch in PATCHES:
        part = under[patch] | {patch}
        if part <= chosen:
            assert file.part(part, 0) == file.of(part)


@quick
@given(randoms, repetitions)
def test_dropping_a_commit_changes_no_version(rng: random.Random, repetitive: bool) -> None:
    """A commit that leaves the chain leaves the others exact and all versions as they were."""
    file = begun(rng, repetitive)
    for _ in range(4):
        saved(file, rng, repetitive)
        file.commit(picked(file.blobs[-1], file.live, rng), current="p")
    saved(file, rng, repetitive)
    under = file.closures()
    sets = [frozenset[str](), EVERYONE, *(under[patch] | {patch} for patch in PATCHES)]
    before = [file.of(owners) for owners in sets]
    file.weave = remap_bits(file.weave, {0: 0, 2: 1, 3: 2})
    sound(file.weave)
    assert [file.of(owners) for owners in sets] == before
    assert [file.part(EVERYONE, number) for number in range(3)] == [file.blobs[n] for n in (1, 3, 4)]


@quick
@given(randoms, repetitions)
def test_reassigning_moves_text_between_versions_only(rng: random.Random, repetitive: bool) -> None:
    """`assign` of any lines changes no byte on disk, closes no circle, leaves no patch on what is nobody's."""
    file = begun(rng, repetitive)
    for _ in range(8):
        saved(file, rng, repetitive)
        if rng.random() < 0.3:
            file.commit(picked(file.blobs[-1], file.live, rng), current="p")
        start = rng.randrange(1, 20)
        bit = rng.choice([None, None, *range(len(file.blobs) - 1)])
        lines = None if bit is not None or rng.random() < 0.3 else (start, start + rng.randrange(4))
        to = rng.choice([*PATCHES, "~none"])
        disk = file.live
        found = reassign(file.weave, lines, to, file.rules(), committed_bit=bit)
        if isinstance(found, Reassigned):
            file.weave = found.weave
        assert file.live == disk
        file.closures()
        sound(file.weave)
        for number, blob in enumerate(file.blobs[1:]):
            assert file.part(EVERYONE, number) == blob


@quick
@given(randoms, repetitions)
def test_discarding_is_reverting(rng: random.Random, repetitive: bool) -> None:
    """A patch nothing rests on goes without a trace: the file is git's revert of it, the others are as they were."""
    file = begun(rng, repetitive)
    for _ in range(6):
        saved(file, rng, repetitive)
        file.judge()
    under = file.closures()
    patch = rng.choice(PATCHES)
    after = discard(file.weave, patch, file.rules(), under.__getitem__)
    if not isinstance(after, Weave):
        return
    others = {layer(owner) or "" for owner in owners_of(file.weave)} - {patch}
    assert version(after, EVERYONE) == file.of(others)
    assert patch not in owners_of(after)
    for other in PATCHES:
        if other != patch and patch not in under[other]:
            assert version(after, under[other] | {other}) == file.of(under[other] | {other})


@quick
@given(randoms)
def test_a_moved_base_gives_what_git_merges(rng: random.Random) -> None:
    """Where nobody is contested, each version over the new base is git's merge of it, if git can merge it.

    Owner by owner more merges than all at once: what one did may be in the new base, and another's edit on it.
    """
    file = begun(rng, repetitive=False)
    for _ in range(5):
        saved(file, rng, repetitive=False)
        file.judge()
    under = file.closures()
    order = sorted(PATCHES, key=lambda patch: len(under[patch]))
    old, new = file.of(()), edited(file.of(()), rng, repetitive=False)
    sets = [under[patch] | {patch} for patch in PATCHES] + [EVERYONE]
    before = [file.of(owners) for owners in sets]
    file.weave, contested = move_base(file.weave, new, order, diff_lines, merge3)
    sound(file.weave)
    assert file.of(()) == new
    for owners, text in zip(sets, before, strict=True):
        merged = merge3(old, new, text)
        losers = {one.owner for one in contested} & owners
        assert losers or merged.conflicts or merged.content == file.of(owners)


def test_most_claimed_edits_are_accepted() -> None:
    """On small crowded files four of five claimed edits go where they are claimed for; the rest is told why."""
    rng = random.Random(2)
    claimed = accepted = 0
    for _ in range(30):
        file = begun(rng, repetitive=False, lines=30)
        for _ in range(12):
            claim = rng.choice([*PATCHES, *PATCHES, *PATCHES, None])
            placed = file.save(edited(file.live, rng, repetitive=False), claim=claim)
            if claim is not None:
                claimed += len(placed.edits)
                accepted += sum(edit.owner == claim for edit in placed.edits)
    assert accepted >= 0.8 * claimed


def test_undoing_an_edit_gives_every_line_back() -> None:
    """Text typed away and typed back has the owners it had, in all but a few of a hundred cases."""
    rng = random.Random(4)
    tried = exact = 0
    for _ in range(30):
        file = begun(rng, repetitive=False)
        for _ in range(6):
            saved(file, rng, repetitive=False)
        under = file.closures()
        sets = [under[patch] | {patch} for patch in PATCHES]
        for _ in range(5):
            then, before = file.live, [file.of(owners) for owners in sets]
            current = rng.choice(PATCHES)
            file.save(edited(then, rng, repetitive=False), current=current)
            file.save(then, current=rng.choice(PATCHES))
            tried += 1
            exact += [file.of(owners) for owners in sets] == before
    assert exact >= 0.95 * tried, f"{exact} of {tried}"


def closed(patches: Iterable[str], under: dict[str, frozenset[str]]) -> frozenset[str]:
    """These patches and all they depend on."""
    return frozenset(patches).union(*(under[patch] for patch in patches))


def merge3(base: bytes, ours: bytes, theirs: bytes) -> Merged3:
    return merge_text(base, ours, theirs)
