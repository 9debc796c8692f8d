"""Write bits of locked files: taken, given back exactly, and never against somebody's own choice."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

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
    """A new file with the rights we left gets its write bits; one with rights of its own keeps them."""
    bits = place.apply("a", "src/run", "group")
    for name, mode in {"a": 0o444, "src/run": 0o444, "group": 0o640}.items():
        (place.root / f"{name}.new").write_text("saved by renaming")
        (place.root / f"{name}.new").chmod(mode)
        (place.root / f"{name}.new").replace(place.root / name)
    bits.give_back(WID)
    assert place.modes() == {**place.before, "src/run": 0o644, "group": 0o640} and place.is_clean()


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
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o444 and place.is_clean()


def test_what_goes_and_moves(place: Place) -> None:
    """A file that is gone needs nothing; those of a worktree that has moved are at the new place."""
    bits = place.apply("a", "group")
    (place.root / "a").unlink()
    place.root.rename(place.root.with_name("moved"))
    place.root = place.root.with_name("moved")
    place.apply("src/run", bits=bits)
    assert place.modes() == {"group": 0o664, "src/run": 0o555, "read": 0o444}
    place.root = place.root.rename(place.root.with_name("again"))
    bits.give_back(WID, os.fsencode(place.root))
    assert place.modes()["src/run"] == 0o755 and place.is_clean()


def test_a_journal_that_cannot_be_written_takes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gitsessiond.store.writebits.write_durably", full)
    with pytest.raises(OSError, match="No space"):
        place.apply("a")
    assert place.modes() == place.before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2}', '{"format": 1, "worktrees": {"k": 1}}'])
def test_a_journal_that_is_none(place: Place, text: str) -> None:
    (place.state / JOURNAL).write_text(text)
    assert WriteBits(str(place.state)).worktrees == []
