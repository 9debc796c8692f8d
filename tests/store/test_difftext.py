"""The diff of two versions of a file is the one that git prints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsessiond.model.values import EXECUTABLE, GITLINK, REGULAR, SYMLINK, Entry
from gitsessiond.store.difftext import diff_text, gitlink_text
from tests.conftest import git

LINES = b"".join(b"line %d\n" % n for n in range(30))
NAMES = ["a.txt", "d/with space", "d/tab\there", 'quo"te', "ümlaut"]
CASES: dict[str, tuple[tuple[int, bytes] | None, tuple[int, bytes] | None]] = {
    "new": (None, (REGULAR, b"one\ntwo\n")),
    "new and empty": (None, (REGULAR, b"")),
    "new without newline": (None, (EXECUTABLE, b"one")),
    "deleted": ((REGULAR, LINES), None),
    "deleted and empty": ((REGULAR, b""), None),
    "changed": ((REGULAR, LINES), (REGULAR, LINES.replace(b"line 3\n", b"3\n").replace(b"line 20\n", b""))),
    "newline lost": ((REGULAR, b"a\nb\n"), (REGULAR, b"a\nb")),
    "emptied": ((REGULAR, b"a\n"), (REGULAR, b"")),
    "mode": ((REGULAR, b"a\n"), (EXECUTABLE, b"a\n")),
    "mode and content": ((REGULAR, b"a\n"), (EXECUTABLE, b"b\n")),
    "binary": ((REGULAR, b"a\0b"), (REGULAR, b"a\0c")),
    "new binary": (None, (REGULAR, b"a\0c")),
    "link": ((SYMLINK, b"there"), (SYMLINK, b"elsewhere")),
    "not utf-8": ((REGULAR, b"\xff\n"), (REGULAR, b"\xfe\n")),
}


@pytest.mark.parametrize("case", CASES)
def test_as_git_prints_it(repo: Path, case: str) -> None:
    """Byte for byte, under any name."""
    before, after = CASES[case]
    for name in NAMES if case == "changed" else NAMES[:1]:
        path = os.fsencode(name)
        trees, versions = [], []
        for side in (before, after):
            git(repo, "read-tree", "--empty")
            versions.append(None)
            if side is not None:
                oid = git(repo, "hash-object", "-w", "--stdin", stdin=side[1]).decode().strip()
                git(repo, "update-index", "--add", "--cacheinfo", b"%o,%s,%s" % (side[0], oid.encode(), path))
                versions[-1] = (path, Entry(side[0], oid))
            trees.append(git(repo, "write-tree").decode().strip())
        wanted = git(repo, "-c", "core.quotePath=false", "diff", "--no-color", *trees)
        contents = [side[1] if side else None for side in (before, after)]
        assert diff_text(versions[0], versions[1], contents[0], contents[1]) == wanted, name


def test_names_that_are_no_text_are_quoted() -> None:
    """As everywhere in what we print: the bytes of such a name are told in octal digits."""
    told = diff_text(None, (b"by\xfftes", Entry(REGULAR, "1" * 40)), None, b"x\n")
    assert told.startswith(b'diff --git "a/by\\377tes" "b/by\\377tes"\nnew file mode 100644\n')


def test_renames_and_submodules() -> None:
    """A rename says from where; a submodule's commits are its lines."""
    old, new = (b"old.txt", Entry(REGULAR, "1" * 40)), (b"new.txt", Entry(REGULAR, "1" * 40))
    told = b"diff --git a/old.txt b/new.txt\nrename from old.txt\nrename to new.txt\n"
    assert diff_text(old, new, b"x\n", b"x\n") == told
    one, two = Entry(GITLINK, "1" * 40), Entry(GITLINK, "2" * 40)
    text = diff_text((b"sub", one), (b"sub", two), gitlink_text(one), gitlink_text(two))
    assert b"-Subproject commit 1111" in text and b"+Subproject commit 2222" in text and b"160000" in text
