"""What holds of every session, whatever was saved, committed and assigned in it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings

from gitsessiond.model.encoding import decode_file, encode_file
from gitsessiond.model.graph import derive, graph_of
from gitsessiond.model.ownership import Sorted, judge, unassigned_rows, versions
from gitsessiond.model.values import is_unassigned
from tests.model.any_session import BASE, Player, Step, held_versions, steps
from tests.model.many_files import Change, Desk
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
    labels = {fact for file in desk.owners.files.values() for fact in encode_labels(file) if is_unassigned(fact)}
    if not labels:
        assert desk.version(desk.patches) == desk.disk
        assert unassigned_rows(desk.owners) == []


def encode_labels(file: object) -> set[str]:
    from gitsessiond.model.encoding import owners_in
    from gitsessiond.model.files import File

    assert isinstance(file, File)
    return owners_in(file)


__all__ = ["Change"]
