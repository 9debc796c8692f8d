"""What is recorded of a worktree's paths, in memory and in the file that outlasts a start."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from gitsessiond.model.values import Entry
from gitsessiond.store.files import inode_of, signature
from gitsessiond.store.known import Known, KnownPaths, read_signatures, write_signatures

FILES = {b".gitignore": 0o100644, b"a.txt": 0o100644, b"run": 0o100755, b"link": 0o120000, b"sub": 0o160000}


def entry(mode: int) -> Entry:
    return Entry(mode, f"{mode:040x}")


def as_in_tree(name: bytes, found: Entry) -> bytes:
    return b"%o %s\0" % (found.mode, name) + bytes.fromhex(found.oid)


def test_a_directory_at_once_is_its_paths_one_by_one() -> None:
    """Directories as a tree has them are recorded as their paths would be."""
    at_once, one_by_one = KnownPaths(), KnownPaths()
    for directory in (b"", b"d", b"d/e"):
        at_once.put_directory(directory, {name: as_in_tree(name, entry(mode)) for name, mode in FILES.items()}, {})
        for name, mode in FILES.items():
            one_by_one.put(directory + b"/" + name if directory else name, Known(entry(mode)))
    assert dict(at_once) == dict(one_by_one)
    assert at_once.directories == one_by_one.directories == {b"d": 10, b"d/e": 5}
    assert at_once.rules == one_by_one.rules


def test_equal_paths_are_kept_once() -> None:
    """Ten worktrees of one repository have their paths in memory once."""
    first, second = KnownPaths(), KnownPaths()
    files = {name: as_in_tree(name, entry(mode)) for name, mode in FILES.items()}
    first.put_directory(b"d", files, {})
    second.put_directory(b"d", files, {path: path for path in first})
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_signatures_of_an_older_form_are_none(tmp_path: Path) -> None:
    """After an upgrade files are compared anew."""
    (tmp_path / "a").write_text("x")
    found = os.lstat(tmp_path / "a")
    assert inode_of(signature(found)) == found.st_ino
    known = KnownPaths()
    known.put(b"a", Known(entry(0o100644), None, signature(found)))
    kept = tmp_path / "cache" / "w"
    for form in (b"GSSTAT2", b"GSSTAT1"):
        write_signatures(str(kept), known)
        body = kept.read_bytes()[:-32].replace(b"GSSTAT2", form)
        kept.write_bytes(body + hashlib.sha256(body).digest())
        again = KnownPaths()
        again.put(b"a", Known(entry(0o100644)))
        read_signatures(str(kept), again)
        assert again[b"a"].sig == (signature(found) if form == b"GSSTAT2" else None)
