"""What is ignored is what git ignores, now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.config import Config
from gitsessiond.store.ignore import Ignore
from gitsessiond.store.repository import open_repository
from tests.conftest import git

NAMES = [
    b"a.log", b"keep.log", b"build/x", b"src/build/y", b"src/a.log", b"deep/er/a.tmp", b":(glob)a.log", b":x.log",
    b"new\nline.log", b"caf\xe9.log", b" space .log", b"docs/keep/a.tmp", b"-dash.log", b"\"quoted\".log", b"!x.log",
]  # fmt: skip


@pytest.fixture
def ignore(repo: Path) -> Iterator[Ignore]:
    repository = open_repository(str(repo))
    found = Ignore(repository, Config(repository))
    found.refresh()
    yield found
    found.close()


def by_git(repo: Path, names: list[bytes]) -> set[bytes]:
    """Those names that git itself leaves out of untracked files."""
    for name in names:
        path = Path(os.fsdecode(os.path.join(os.fsencode(repo), name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    others = git(repo, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
    return set(names) - set(others)


def answers(ignore: Ignore, names: list[bytes]) -> set[bytes]:
    return {name for name, is_ignored in zip(names, ignore.ignored(names), strict=True) if is_ignored}


def test_answers_are_gits(repo: Path, ignore: Ignore) -> None:
    """Patterns, negations, anchored and nested rules, directories, odd names: as `git ls-files --others`."""
    (repo / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n/deep/er/*.tmp\n")
    (repo / "docs").mkdir()
    (repo / "docs" / ".gitignore").write_text("*.tmp\n!/keep/*.tmp\n")
    ignored = by_git(repo, NAMES)
    assert answers(ignore, NAMES) == ignored
    assert b"build/x" in ignored and b"docs/keep/a.tmp" not in ignored and b":x.log" in ignored


def test_a_directory_is_asked_for_with_a_slash(repo: Path, ignore: Ignore) -> None:
    """A rule for directories matches neither a file nor a directory that is not named as one."""
    (repo / ".gitignore").write_text("out/\n")
    assert ignore.ignored([b"out/", b"out", b"sub/out/"]) == [True, False, True]


def test_many_names_in_one_question(repo: Path, ignore: Ignore) -> None:
    """Ten thousand names are answered in order, through pipes that hold a fraction of them."""
    (repo / ".gitignore").write_text("*7\n")
    names = [b"dir%d/name%d" % (number % 50, number) for number in range(10_000)]
    assert ignore.ignored(names) == [name.endswith(b"7") for name in names]


def test_changed_rules_are_seen(repo: Path, ignore: Ignore) -> None:
    """Rules in the worktree when told of the file, rules outside when looked at."""
    assert ignore.ignored([b"x.log"]) == [False]
    (repo / ".gitignore").write_text("*.log\n")
    assert ignore.saw(b".gitignore")
    assert ignore.ignored([b"x.log"]) == [True]
    assert not ignore.saw(b".gitignore")
    (repo / ".gitignore").unlink()
    assert ignore.saw(b".gitignore")
    assert ignore.ignored([b"x.log"]) == [False]
    assert not ignore.refresh()
    (repo / ".git" / "info" / "exclude").write_text("x.*\n")
    assert ignore.refresh()
    assert ignore.ignored([b"x.log"]) == [True]


def test_the_users_own_file_counts(repo: Path, ignore: Ignore, sealed: Path) -> None:
    """core.excludesFile, and git's default place for it."""
    default = sealed / ".config" / "git" / "ignore"
    default.parent.mkdir(parents=True)
    default.write_text("*.swp\n")
    assert ignore.refresh()
    assert ignore.ignored([b"a.swp", b"a.bak"]) == [True, False]
    (sealed / "mine").write_text("*.bak\n")
    git(repo, "config", "--global", "core.excludesFile", "~/mine")
    assert ignore.refresh()
    assert ignore.ignored([b"a.swp", b"a.bak"]) == [False, True]


def test_tracked_files_do_not_colour_the_answer(repo: Path, ignore: Ignore) -> None:
    """The child tells what the rules say; what is tracked is the caller's to know, as the index changes."""
    (repo / ".gitignore").write_text("a.txt\n")
    assert ignore.ignored([b"a.txt"]) == [True]


def test_a_path_behind_a_link_does_not_stop_the_others(repo: Path, ignore: Ignore) -> None:
    """git refuses to judge a path whose parent became a link; the other questions are answered all the same."""
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "real").mkdir()
    (repo / "link").symlink_to("real")
    assert ignore.ignored([b"a.log", b"link/x.log", b"b.log", b"c"]) == [True, False, True, False]


def test_a_git_that_cannot_answer_is_no_answer(repo: Path, ignore: Ignore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git itself fails nothing counts as not ignored: an ignored secret would be recorded."""
    (repo / ".gitignore").write_text("*.log\n")
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(repo))
        with pytest.raises(StoreFailed):
            ignore.ignored([b"secret.log", b"b.log"])
    assert ignore.ignored([b"secret.log", b"b.log", b"c"]) == [True, True, False]
