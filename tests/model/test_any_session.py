"""What holds of every session, whatever was saved, committed and assigned in it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings

from gitsessiond.model import fileset
from gitsessiond.model.encoding import decode_file, encode_file
from gitsessiond.model.files import marks_of
from gitsessiond.model.fileset import Files
from gitsessiond.model.graph import derive, graph_of
from gitsessiond.model.owners import changed_files
from gitsessiond.model.ownership import Sorted, judge, ops_of, unassigned_rows, versions
from gitsessiond.model.values import is_unassigned
from gitsessiond.model.versions import OpCount, Overlay, after_step, count_ops, version_step
from tests.model.any_session import BASE, Commander, Player, Step, held_versions, steps
from tests.model.many_files import Desk
from tests.model.test_encoding import same

# Sessions in which patches once needed each other, or two files had one path.
SEEN_TO_FAIL = (70, 90, 108, 175, 196, 217, 223, 238, 242, 281, 330, 357, 368, 551, 750)


class Watched(Desk):
    """A desk on which no save may change the version of a patch that got no edit, and no commit that of any."""

    def save(self, *given: object, **named: object) -> Sorted:  # type: ignore[override]
        before = held_versions(self)
        done = super().save(*given, **named)  # type: ignore[arg-type]
        edited = {placed.owner for placed in done.placed}
        for patch, (who, version) in before.items():
            if not who & edited:
                assert versions(self.owners, who, self.tools) == version, patch
        return done

    def commit(self, *given: object, **named: object) -> Sorted:  # type: ignore[override]
        before = held_versions(self)
        done = super().commit(*given, **named)  # type: ignore[arg-type]
        for patch, (who, version) in before.items():
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
    again = Files()
    for fid, file in desk.owners.files.items():
        again[fid] = decode_file(*encode_file(file), desk.blobs.__getitem__)
        assert same(again[fid], file)
    owners = desk.owners.__class__(
        again, desk.owners.patches, desk.owners.declared, desk.owners.directions, desk.owners.judged
    )
    assert dict(derive(owners).edges) == dict(graph_of(desk.owners).edges)
    assert unassigned_rows(owners) == unassigned_rows(desk.owners)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_what_is_carried_on_is_what_is_computed_anew(played: Sequence[Step]) -> None:
    """Lookups, paths taken and versions that follow each change equal those of Files that never changed."""
    desk = Desk(BASE, "pqr")
    player = Player(desk)
    keys = [fileset.on_disk, fileset.deleted, fileset.shared, fileset.moved, fileset.leaving]
    keys += [fileset.changed_path, fileset.loose_path]
    before, shown, counts = desk.owners, dict[str, Overlay](), dict[str, OpCount]()
    for step in played:
        if step[0] % 2:
            for key in keys:
                assert desk.owners.files.by(key) == Files(desk.owners.files).by(key), key
            assert desk.owners.files.labelled == Files(desk.owners.files).labelled
        player.play(step)
        files = desk.owners.files
        anew = replace(desk.owners, files=Files(files))
        assert set(files.moves.needs) == set(anew.files.moves.needs)
        assert changed_files(before, desk.owners) == {
            fid for fid in files.keys() | before.files.keys() if files.get(fid) is not before.files.get(fid)
        }
        for patch, (who, version) in held_versions(desk).items():
            known = version_step(shown[patch], before, desk.owners, who, desk.tools) if patch in shown else None
            was = graph_of(before).closure(patch) | {patch}
            assert known is None or was != who or after_step(shown[patch], known) == version, patch
            shown[patch] = version
            counts[patch] = count_ops(desk.owners, patch, desk.tools, counts.get(patch))
            assert counts[patch].ops == len(ops_of(desk.owners, patch, desk.tools)), patch
        before = desk.owners


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


def with_commands(seed: int, length: int = 25) -> None:
    """A session of saves, commits and every command that moves edits or the base."""
    rnd = random.Random(seed)
    desk = Desk(BASE, "pqrs")
    desk.remember = bool(seed % 2)
    player = Commander(desk)
    for _ in range(length):
        player.play((rnd.randrange(12), rnd.randrange(12), rnd.randrange(12), rnd.randrange(12), rnd.randrange(12)))
    desk.owners = judge(desk.owners, desk.tools)
    desk.check()


@pytest.mark.parametrize("seed", SEEN_TO_FAIL)
def test_no_command_makes_a_circle_or_two_files_of_one_path(seed: int) -> None:
    """No patches need each other and no version has two files at one path; each of these sessions once broke it."""
    with_commands(seed)


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 10_000, 1000))
def test_thousands_of_sessions_with_commands(start: int) -> None:
    """The same over many sessions."""
    for seed in range(start, start + 1000):
        try:
            with_commands(seed)
        except BaseException:
            print(f"seed {seed}")
            raise
