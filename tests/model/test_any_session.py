"""What holds of every session, whatever was saved, committed and assigned in it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from gitsessiond.model.encoding import decode_file, encode_file
from gitsessiond.model.files import marks_of
from gitsessiond.model.graph import derive, graph_of
from gitsessiond.model.ownership import Sorted, judge, unassigned_rows, versions
from gitsessiond.model.values import is_unassigned
from tests.model.any_session import BASE, Player, Step, held_versions, steps
from tests.model.many_files import Desk
from tests.model.test_encoding import same


class Watched(Desk):
    """A desk on which no save may change the version of a patch that got no edit."""

    def save(self, *given: object, **named: object) -> Sorted:  # type: ignore[override]
        before = held_versions(self)
        done = super().save(*given, **named)  # type: ignore[arg-type]
        edited = {placed.owner for placed in done.placed}
        for patch, (who, version) in before.items():
            if not who & edited:
                assert versions(self.owners, who, self.tools) == version, patch
        return done


@settings(max_examples=150, deadline=None)
@given(steps)
def test_disk_commits_and_versions_hold(played: Sequence[Step]) -> None:
    """Disk and commits are versions of the weave, a save changes no other patch's version, no patch needs itself."""
    desk = Watched(BASE, "pqr")
    player = Player(desk)
    for step in played:
        player.play(step)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_record_is_the_whole_truth(played: Sequence[Step]) -> None:
    """Files read back from their stored form make the same graph, rows and versions."""
    desk = Desk(BASE, "pqr")
    player = Player(desk)
    for step in played:
        player.play(step)
    again = {}
    for fid, file in desk.owners.files.items():
        again[fid] = decode_file(*encode_file(file), desk.blobs.__getitem__)
        assert same(again[fid], file)
    owners = desk.owners.__class__(
        again, desk.owners.patches, desk.owners.declared, desk.owners.directions, desk.owners.judged
    )
    assert dict(derive(owners).edges) == dict(graph_of(desk.owners).edges)
    assert unassigned_rows(owners) == unassigned_rows(desk.owners)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_unassigned_is_what_no_patch_has(played: Sequence[Step]) -> None:
    """No rows means the patches together are the disk; the judge changes no version of all."""
    desk = Desk(BASE, "pqr")
    player = Player(desk)
    for step in played:
        player.play(step)
    desk.owners = judge(desk.owners, desk.tools)
    desk.check()
    labels = {label for file in desk.owners.files.values() for label in marks_of(file).labels}
    if not any(is_unassigned(label) for label in labels):
        assert desk.version(desk.patches) == desk.disk
        assert unassigned_rows(desk.owners) == []


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 10_000, 1000))
def test_thousands_of_long_sessions(start: int) -> None:
    """The same over many long sessions, with and without what returns, the judge at the end."""
    for seed in range(start, start + 1000):
        rnd = random.Random(seed)
        desk = Watched(BASE, "pqr")
        desk.remember = bool(seed % 2)
        player = Player(desk)
        for _ in range(25):
            player.play((rnd.randrange(12), rnd.randrange(12), rnd.randrange(12), rnd.randrange(12), rnd.randrange(12)))
        desk.owners = judge(desk.owners, desk.tools)
        desk.check()
