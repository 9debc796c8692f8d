"""Write bits of locked files: taken, given back exactly, and never against somebody's own choice."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gitsessiond.model.errors import NewerState
from gitsessiond.store import writebits
from gitsessiond.store.generation import generation
from gitsessiond.store.writebits import JOURNAL, WriteBits

WID = "kkkkkkkkkkkk"


class Place:
    """A worktree with files of all sorts, and the directory of the journal."""

    def __init__(self, tmp_path: Path) -> None:
        self.root, self.state = tmp_path / "work", tmp_path / "state"
        (self.root / "src").mkdir(parents=True)
        self.state.mkdir()
        for name, mode in {"a": 0o644, "src/run": 0o755, "group": 0o664, "read": 0o444}.items():
            (self.root / name).write_text(name)
            (self.root / name).chmod(mode)
        self.before = self.modes()

    def modes(self) -> dict[str, int]:
        found = sorted(path for path in self.root.rglob("*") if not path.is_dir())
        return {str(path.relative_to(self.root)): stat.S_IMODE(path.lstat().st_mode) for path in found}

    def apply(self, *wanted: str, bits: WriteBits | None = None) -> WriteBits:
        bits = bits or WriteBits(str(self.state))
        bits.apply(WID, os.fsencode(self.root), {os.fsencode(name) for name in wanted})
        return bits

    def is_clean(self) -> bool:
        return not list(self.state.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_they_come_back_exactly(place: Place) -> None:
    bits = place.apply("a", "src/run", "group", "read", "not/there")
    assert place.modes() == {"a": 0o444, "src/run": 0o555, "group": 0o444, "read": 0o444}
    place.apply("a", bits=bits)
    assert place.modes() == {**place.before, "a": 0o444}
    bits.give_back(WID)
    assert place.modes() == place.before and place.is_clean() and bits.worktrees == []


def test_the_next_daemon_gives_back_what_a_killed_one_took(place: Place) -> None:
    """Also what it had only meant to take."""
    place.apply("a", "group")
    (place.root / "group").chmod(0o664)  # as if it had been killed before
    bits = WriteBits(str(place.state))
    assert bits.worktrees == [WID]
    bits.give_back(WID)
    assert place.modes() == place.before and place.is_clean()


def test_whoever_changes_them_himself_has_the_last_word(place: Place) -> None:
    bits = place.apply("a", "src/run", "group")
    (place.root / "a").chmod(0o600)
    (place.root / "src/run").chmod(0o500)
    place.apply("a", "src/run", "group", bits=bits)  # is not taken anew
    assert place.modes()["a"] == 0o600
    bits.give_back(WID)
    assert place.modes() == {**place.before, "a": 0o600, "src/run": 0o500} and place.is_clean()


def test_what_an_editor_or_git_has_put_in_its_place(place: Place) -> None:
    """An editor that renames copies the rights, and its file gets the write bit; what has other rights keeps them."""
    bits = place.apply("a", "src/run", "group")
    for name, mode in {"a": 0o444, "src/run": 0o444, "group": 0o640}.items():
        (place.root / f"{name}.new").write_text("saved by renaming")
        (place.root / f"{name}.new").chmod(mode)
        (place.root / f"{name}.new").replace(place.root / name)
    bits.give_back(WID)
    assert place.modes() == {**place.before, "src/run": 0o444, "group": 0o640}
    assert list(WriteBits(str(place.state)).untold()) == []


def test_what_comes_in_its_place_while_it_is_locked(place: Place) -> None:
    """It is taken as the first was, which gets its write bits where it is now; what is without them stays as it is."""
    bits = place.apply("a", "src/run", "group")
    (place.root / "a").rename(place.root / "moved")
    for name, mode in {"a": 0o664, "src/run": 0o555}.items():
        (place.root / "new").write_text("checked out")
        (place.root / "new").chmod(mode)
        (place.root / "new").replace(place.root / name)
    (place.root / "group").chmod(0o664)  # the same file
    wanted = {b"a", b"src/run", b"group"}
    bits.apply(WID, os.fsencode(place.root), wanted, lambda inodes: [b"moved"])
    assert place.modes() == {**place.before, "a": 0o444, "src/run": 0o555, "moved": 0o644}
    bits = WriteBits(str(place.state))
    bits.give_back(WID)
    assert place.modes() == {**place.before, "a": 0o664, "src/run": 0o755, "moved": 0o644}


def test_what_is_put_there_later(place: Place) -> None:
    """It is not the file that was locked, but looks like it: told."""
    bits = place.apply("a")
    (place.root / "a").rename(place.root.parent / "elsewhere")
    bits.give_back(WID)
    (place.root / "a").write_text("copied")
    (place.root / "a").chmod(0o444)
    assert list(WriteBits(str(place.state)).untold()) == [os.fsencode(place.root / "a")]
    (place.root / "a").chmod(0o644)
    assert list(bits.untold()) == []


def test_a_second_name_of_another_file_put_in_its_place(place: Place, tmp_path: Path) -> None:
    bits = place.apply("a")
    precious = tmp_path / "precious"
    precious.write_text("x")
    precious.chmod(0o444)
    (place.root / "a").unlink()
    os.link(precious, place.root / "a")
    bits.give_back(WID)
    assert stat.S_IMODE(precious.stat().st_mode) == 0o444


def test_a_file_that_moved_is_found_by_its_inode(place: Place) -> None:
    """At once, or later, by the next daemon too; its directory may have moved; and one that came back to its path."""
    bits = place.apply("a", "src/run", "group")
    (place.root / "a").rename(place.root / "c")
    (place.root / "src").rename(place.root / "lib")
    (place.root / "group").rename(place.root / "aside")
    bits.give_back(WID, None, lambda inodes: [b"read", b"not/there", b"c", b"lib/run"])
    assert place.modes() == {"c": 0o644, "lib/run": 0o755, "aside": 0o444, "read": 0o444}
    assert bits.worktrees == [WID]
    (place.root / "aside").rename(place.root / "group")
    bits = WriteBits(str(place.state))
    bits.give_back(WID, None, lambda inodes: [b"group"])
    assert place.modes()["group"] == 0o664 and place.is_clean()


def test_a_file_that_may_be_another_is_not_taken_for_a_moved_one(place: Place) -> None:
    """An inode is used again: written at another time, or with rights of its own, it is not the file."""
    bits = place.apply("a", "group")
    for old, new in ("a", "written"), ("group", "allowed"):
        (place.root / old).rename(place.root / new)
    os.utime(place.root / "written", ns=(1, 1))
    (place.root / "allowed").chmod(0o400)
    bits.give_back(WID, None, lambda inodes: [b"written", b"allowed"])
    assert (place.modes()["written"], place.modes()["allowed"]) == (0o444, 0o400)


def test_what_is_not_there_now_does_not_hinder_a_new_lock(place: Place) -> None:
    bits = place.apply("a")
    (place.root / "a").rename(place.root / "old")
    bits.give_back(WID)
    (place.root / "a").write_text("new")
    (place.root / "a").chmod(0o640)
    place.apply("a", bits=bits)
    assert place.modes()["a"] == 0o440
    bits.give_back(WID, None, lambda inodes: [b"old"])
    assert (place.modes()["a"], place.modes()["old"]) == (0o640, 0o644) and place.is_clean()


def test_a_worktree_that_is_elsewhere_for_a_while(place: Place) -> None:
    """Moved with plain mv, or not mounted: its files get their rights when it is back."""
    bits = place.apply("a", "group")
    away = place.root.rename(place.root.with_name("away"))
    bits.give_back(WID)
    place.apply(bits=bits)
    assert bits.worktrees == [WID] and bits.waiting() == [os.fsencode(place.root)]
    away.rename(place.root)
    bits.give_back(WID)
    assert place.modes() == place.before and place.is_clean()


def test_links_and_what_lies_elsewhere_too_are_left_alone(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("another's")
    os.link(outside / "file", place.root / "hard")
    (place.root / "soft").symlink_to(outside / "file")
    (place.root / "dir").symlink_to(outside)
    os.mkfifo(place.root / "pipe")
    place.apply("hard", "soft", "dir/file", "pipe", "src")
    assert stat.S_IMODE((outside / "file").stat().st_mode) == 0o644 and place.is_clean()
    assert place.modes()["pipe"] == 0o644


def test_a_link_put_in_its_place_is_not_followed_back(place: Place, tmp_path: Path) -> None:
    bits = place.apply("a")
    (tmp_path / "other").write_text("x")
    (tmp_path / "other").chmod(0o444)
    (place.root / "a").unlink()
    (place.root / "a").symlink_to(tmp_path / "other")
    bits.give_back(WID)
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o444
    assert list(bits.untold()) == []


def test_what_goes_and_moves(place: Place) -> None:
    """A file that is gone is remembered; those of a worktree that has moved are at the new place."""
    bits = place.apply("a", "group")
    (place.root / "a").unlink()
    place.root.rename(place.root.with_name("moved"))
    place.root = place.root.with_name("moved")
    place.apply("src/run", bits=bits)
    assert place.modes() == {"group": 0o664, "src/run": 0o555, "read": 0o444}
    place.root = place.root.rename(place.root.with_name("again"))
    bits.give_back(WID, os.fsencode(place.root))
    assert place.modes()["src/run"] == 0o755 and list(bits.untold()) == []


def test_a_journal_that_cannot_be_written_takes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gitsessiond.store.writebits.write_durably", full)
    with pytest.raises(OSError, match="No space"):
        place.apply("a")
    assert place.modes() == place.before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "x"}', '{"format": 1, "worktrees": {"k": 1}}'])
def test_a_damaged_journal_stays_until_it_is_set_aside(place: Place, text: str) -> None:
    journal = place.state / JOURNAL
    journal.write_text(text)
    bits = place.apply("a")
    assert bits.trouble is not None and "damaged" in bits.trouble.message
    assert place.modes() == place.before and journal.read_text() == text
    aside = bits.begin_anew()
    assert aside is not None and Path(aside).read_text() == text
    place.apply("a", bits=bits)
    assert place.modes()["a"] == 0o444 and bits.trouble is None


def test_a_journal_of_a_newer_format_is_left_alone(place: Place) -> None:
    journal = place.state / JOURNAL
    journal.write_text('{"format": 2, "files": []}')
    bits = place.apply("a")
    assert isinstance(bits.trouble, NewerState) and bits.begin_anew() is None
    assert place.modes() == place.before and journal.read_text() == '{"format": 2, "files": []}'


def test_a_journal_as_it_was_before_moved_files_were_looked_for(place: Place) -> None:
    place.apply("a")
    journal = place.state / JOURNAL
    told = json.loads(journal.read_text())
    del told["worktrees"][WID]["lost"], told["worktrees"][WID]["files"]["a"][3]
    journal.write_text(json.dumps(told))
    WriteBits(str(place.state)).give_back(WID)
    assert place.modes() == place.before and place.is_clean()


def test_files_of_another_user_are_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is in the place of ours, with just its rights; nothing is noted that could not be undone."""
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    place.apply("a", "group")
    assert place.modes() == place.before and place.is_clean()
    monkeypatch.setattr(os, "geteuid", lambda: us)
    bits = place.apply("a")
    (place.root / "theirs").write_text("theirs")
    (place.root / "theirs").chmod(0o444)
    (place.root / "theirs").replace(place.root / "a")
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    bits.give_back(WID)
    assert place.modes() == {**place.before, "a": 0o444}


def test_a_file_in_place_of_one_whose_inode_it_got(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `git checkout FILE` makes it: removed, made anew, on most disks under the same number."""
    number = iter(range(100))
    monkeypatch.setattr(writebits, "generation", lambda handle: 1)
    bits = place.apply("a", "group")
    (place.root / "group").chmod(0o664)  # somebody means it
    place.apply("a", "group", bits=bits)
    assert place.modes() == {**place.before, "a": 0o444}
    monkeypatch.setattr(writebits, "generation", lambda handle: None)  # nobody can tell
    (place.root / "a").chmod(0o644)
    place.apply("a", "group", bits=bits)
    assert place.modes() == place.before
    monkeypatch.setattr(writebits, "generation", lambda handle: next(number) + 2)
    place.apply("a", "group", bits=bits)
    assert place.modes() == {**place.before, "a": 0o444, "group": 0o444}
    bits.give_back(WID)
    assert place.modes() == place.before and place.is_clean()


def test_a_file_made_anew_is_taken_whatever_its_inode(place: Place) -> None:
    bits = place.apply("a")
    for _ in range(3):
        (place.root / "a").unlink()
        (place.root / "a").write_text("anew")
        (place.root / "a").chmod(0o644)
        with open(place.root / "a") as file:
            if generation(file.fileno()) is None:
                pytest.skip("the file system tells no generations")
        place.apply("a", bits=bits)
        assert place.modes() == {**place.before, "a": 0o444} and list(bits.untold()) == []
    bits.give_back(WID)
    assert place.modes() == place.before
