"""Files are written back as they were, and never over what somebody else wrote."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import Moved, Refused
from gitsessiond.model.values import EXECUTABLE, GITLINK, REGULAR, SYMLINK, Entry
from gitsessiond.store import renaming, writing
from gitsessiond.store.writing import write_files
from tests.conftest import git
from tests.store.recorded import Recorded, as_git_adds, recorded

__all__ = ["recorded"]


def restore(recorded: Recorded, wanted: dict[bytes, Entry | None], raws: dict[bytes, str] | None = None) -> None:
    known = recorded.tree.known
    now = {path: known[path].entry if path in known else None for path in wanted}
    write_files(recorded.tree, wanted, now, raws or {}, recorded.store)


def text(recorded: Recorded, data: bytes, mode: int = REGULAR) -> Entry:
    return Entry(mode, recorded.store.put("blob", data))


def test_every_kind_of_path_is_written(recorded: Recorded, repo: Path) -> None:
    """Changed, new in a new directory, executable, a link, removed: as git would check them out."""
    wanted: dict[bytes, Entry | None] = {
        b"a.txt": text(recorded, b"restored\n"),
        b"new/deep/file": text(recorded, b"new\n"),
        b"run": text(recorded, b"#!/bin/sh\n", EXECUTABLE),
        b"link": text(recorded, b"a.txt", SYMLINK),
        b"src/b.txt": None,
    }
    restore(recorded, wanted)
    assert (repo / "a.txt").read_bytes() == b"restored\n"
    assert (repo / "link").readlink() == Path("a.txt")
    assert not (repo / "src").exists()
    recorded.read(*wanted)
    found = recorded.entries()
    assert {path: found.get(path) for path in wanted} == wanted
    assert found == as_git_adds(repo)
    assert not (repo / ".gitsession").exists()


@pytest.mark.parametrize("linked", [True, False])
def test_nothing_is_prepared_behind_a_link(recorded: Recorded, repo: Path, tmp_path: Path, linked: bool) -> None:
    """A ``.gitsession`` that is no directory is told of before anything is written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    os.utime(outside, (1, 1))
    control = repo / ".gitsession"
    control.symlink_to(outside) if linked else control.write_text("mine")
    before = (repo / "a.txt").read_bytes()
    with pytest.raises(Refused, match="symbolic link" if linked else "a file"):
        restore(recorded, {b"a.txt": text(recorded, b"restored\n")})
    assert (repo / "a.txt").read_bytes() == before and outside.stat().st_mtime == 1


def test_a_file_keeps_its_rights(recorded: Recorded, repo: Path) -> None:
    """Only the executable bit is recorded; who may read a file is not changed by a restore."""
    (repo / "a.txt").chmod(0o600)
    recorded.read(b"a.txt")
    restore(recorded, {b"a.txt": text(recorded, b"x\n", EXECUTABLE)})
    assert (repo / "a.txt").stat().st_mode & 0o777 == 0o700


def test_files_and_directories_take_each_others_place(recorded: Recorded, repo: Path) -> None:
    """A file where a directory was, and the other way round."""
    wanted: dict[bytes, Entry | None] = {
        b"src": text(recorded, b"file\n"),
        b"src/b.txt": None,
        b"a.txt": None,
        b"a.txt/inner": text(recorded, b"inner\n"),
    }
    restore(recorded, wanted)
    assert (repo / "src").read_bytes() == b"file\n"
    assert (repo / "a.txt" / "inner").read_bytes() == b"inner\n"


def test_raw_bytes_are_written_as_they_were(recorded: Recorded, repo: Path) -> None:
    """Recorded raw bytes win; without them git's filters make the file."""
    git(repo, "config", "core.autocrlf", "true")
    recorded.scan()
    entry = text(recorded, b"one\ntwo\n")
    raw = recorded.store.put("blob", b"one\r\ntwo\n")
    restore(recorded, {b"mixed.txt": entry, b"dos.txt": entry}, {b"mixed.txt": raw})
    assert (repo / "mixed.txt").read_bytes() == b"one\r\ntwo\n"
    assert (repo / "dos.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_a_save_in_between_is_never_lost(recorded: Recorded, repo: Path) -> None:
    """What was saved since it was recorded stays, and the command says so (exit 12)."""
    (repo / "a.txt").write_bytes(b"somebody's save\n")
    with pytest.raises(Moved) as caught:
        restore(recorded, {b"a.txt": text(recorded, b"restored\n")})
    assert caught.value.exit_code == 12
    with pytest.raises(Moved):
        restore(recorded, {b"a.txt": None})
    (repo / "fresh").write_bytes(b"new in between\n")
    with pytest.raises((Moved, Refused)):
        restore(recorded, {b"fresh": text(recorded, b"restored\n")})
    assert (repo / "a.txt").read_bytes() == b"somebody's save\n"
    assert (repo / "fresh").read_bytes() == b"new in between\n"


def test_a_save_at_the_last_moment_is_put_back(recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even between the last look and the exchange: the other's file is put back in its place."""
    real = renaming.rename

    def late(*where: Any) -> bool:
        if not done:
            done.append(True)
            (repo / "a.txt").write_bytes(b"saved just now\n")
        return real(*where)

    done: list[bool] = []
    monkeypatch.setattr(writing, "rename", late)
    with pytest.raises(Moved):
        restore(recorded, {b"a.txt": text(recorded, b"restored\n")})
    assert (repo / "a.txt").read_bytes() == b"saved just now\n"
    done.clear()
    with pytest.raises(Moved):
        restore(recorded, {b"a.txt": None})
    assert (repo / "a.txt").read_bytes() == b"saved just now\n"


@pytest.mark.parametrize("restored", [b"restored\n", None])
def test_a_save_that_cannot_be_put_back_is_kept_beside(
    recorded: Recorded, repo: Path, monkeypatch: pytest.MonkeyPatch, restored: bytes | None
) -> None:
    """Its name is taken or removed again before it is back: the bytes stay, under a name of their own."""
    real = renaming.rename
    calls: list[int] = []

    def late(*where: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            (repo / "a.txt").write_bytes(b"saved just now\n")
        if len(calls) == 2 and restored is None:
            (repo / "a.txt").write_bytes(b"and once more\n")
        elif len(calls) == 2:
            (repo / "a.txt").unlink()
        return real(*where)

    (repo / "a.txt.saved").write_bytes(b"somebody's own\n")
    monkeypatch.setattr(writing, "rename", late)
    with pytest.raises(Moved):
        restore(recorded, {b"a.txt": text(recorded, restored) if restored is not None else None})
    assert (repo / "a.txt.saved").read_bytes() == b"somebody's own\n"
    assert (repo / "a.txt.saved-2").read_bytes() == b"saved just now\n"
    assert restored is not None or (repo / "a.txt").read_bytes() == b"and once more\n"


def test_a_file_under_its_writer_is_left(recorded: Recorded, repo: Path) -> None:
    """A file that somebody has open for writing is not taken away from under them."""
    with (repo / "a.txt").open("r+b") as writer:
        with pytest.raises(Moved):
            restore(recorded, {b"a.txt": text(recorded, b"restored\n")})
        writer.write(b"mine")
    assert (repo / "a.txt").read_bytes().startswith(b"mine")


def test_nothing_is_written_through_a_link(recorded: Recorded, repo: Path, tmp_path: Path) -> None:
    """A directory that became a link leads out of the worktree: refused, before anything is written."""
    (tmp_path / "out").mkdir()
    (repo / "way").symlink_to(tmp_path / "out")
    with pytest.raises(Refused, match="symbolic link"):
        restore(recorded, {b"a.txt": text(recorded, b"x\n"), b"way/file": text(recorded, b"x\n")})
    assert list((tmp_path / "out").iterdir()) == []
    assert (repo / "a.txt").read_bytes().startswith(b"line 1")


def test_a_directory_comes_back_where_a_link_to_another_is(recorded: Recorded, repo: Path, tmp_path: Path) -> None:
    """The link goes; what it shows is neither in the way nor touched."""
    before = recorded.entries()[b"src/b.txt"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.txt").write_text("theirs\n")
    shutil.rmtree(repo / "src")
    (repo / "src").symlink_to(tmp_path / "out")
    recorded.read(b"src")
    restore(recorded, {b"src": None, b"src/b.txt": before})
    assert not (repo / "src").is_symlink() and (repo / "src" / "b.txt").read_text().startswith("b 1\n")
    assert (tmp_path / "out" / "b.txt").read_text() == "theirs\n"


def test_unrecorded_files_in_the_way_are_kept(recorded: Recorded, repo: Path) -> None:
    """An ignored file, or a directory with one in it, is nobody's to overwrite."""
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "x.log").write_text("ignored\n")
    (repo / "src" / "y.log").write_text("ignored\n")
    recorded.scan()
    with pytest.raises(Refused, match="not recorded") as refused:
        restore(recorded, {b"x.log": text(recorded, b"x\n")})
    assert refused.value.hint == f"mv -- {repo}/x.log {repo}/x.log.aside"
    with pytest.raises(Refused, match="in the way") as refused:
        restore(recorded, {b"src": text(recorded, b"x\n"), b"src/b.txt": None})
    assert refused.value.hint == f"mv -- {repo}/src/y.log {repo}/src/y.log.aside"
    assert (repo / "src" / "b.txt").exists() and (repo / "x.log").read_text() == "ignored\n"


def test_submodules_are_not_written(recorded: Recorded) -> None:
    """A submodule's commit is its own git's to check out."""
    with pytest.raises(Refused, match="submodule"):
        restore(recorded, {b"lib": Entry(GITLINK, "1" * 40)})


@pytest.mark.parametrize("name", [b"new\nline", b"caf\xe9", b"d\xff/f\xfe"])
def test_any_name_is_written(recorded: Recorded, repo: Path, name: bytes) -> None:
    """Bytes are bytes."""
    restore(recorded, {name: text(recorded, b"x\n")})
    with open(os.path.join(os.fsencode(repo), name), "rb") as file:
        assert file.read() == b"x\n"
