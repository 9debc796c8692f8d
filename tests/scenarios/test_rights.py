"""Rights: what is written for the user has those that git gives it without us."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import Workbench


@pytest.fixture
def umask() -> Iterator[int]:
    """The umask of the shell that starts the daemon."""
    former = os.umask(0o022)
    yield 0o022
    os.umask(former)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_merged_and_committed_files_have_the_rights_git_gives(bench: Workbench, umask: int) -> None:
    """A merge into a checked-out branch, a commit, a restore and what lies in the repository: others may read them."""
    main = bench.root.parent / "main"
    exclude_before = rights(bench.root / ".git/info/exclude")
    bench.run("start", "s")
    bench.git("worktree", "add", "-q", str(main), "main")
    bench.edit("a.txt", "line 3\n", "line three\n")
    bench.write("new.txt", "new\n")
    bench.run("patch", "new", "p")
    before = bench.status()["session"]["step"]
    os.unlink(bench.root / "new.txt")
    bench.status()
    bench.run("restore", "new.txt", "--at", str(before))
    bench.run("merge", "p", "--ready")

    git_dir = bench.root / ".git"
    plain = 0o666 & ~umask
    for path in (main / "a.txt", main / "new.txt", bench.root / "new.txt", git_dir / "index"):
        assert rights(path) == plain, path
    assert rights(git_dir / "refs/heads/main") == plain
    objects = [path for path in (git_dir / "objects").rglob("*") if path.is_file() and len(path.name) == 38]
    assert {rights(path) for path in objects} == {0o444}
    assert rights(git_dir / "info/exclude") == exclude_before
    assert rights(git_dir / "gitsession") == 0o700


@pytest.mark.soak
def test_a_linked_exclude_file_stays_a_link(bench: Workbench) -> None:
    """Some share `info/exclude` among their repositories by a link: it is written where it leads."""
    shared = bench.root.parent / "my-excludes"
    shared.write_text("# mine\n*/.gitsession/\n")
    shared.chmod(0o640)
    exclude = bench.root / ".git/info/exclude"
    exclude.unlink()
    exclude.symlink_to(shared)
    bench.run("start", "s")
    bench.write("a.txt", "mine\n")
    bench.run("patch", "new", "p")
    bench.git("branch", "old")
    bench.git("worktree", "add", "-q", str(bench.root.parent / "main"), "main")
    bench.at(bench.root.parent / "main").write("a.txt", "theirs\n")
    bench.git("-C", str(bench.root.parent / "main"), "commit", "-qam", "theirs")
    bench.run("merge", "p", "--ready", code=3)
    assert exclude.is_symlink()
    assert shared.read_text().startswith("# mine\n*/.gitsession/\n") and "\n/.gitsession/\n" in shared.read_text()
    assert rights(shared) == 0o640
    bench.run("uninstall")
    assert exclude.is_symlink() and shared.read_text() == "# mine\n*/.gitsession/\n"
