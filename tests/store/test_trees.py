"""Trees: edited and compared as git itself would."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.values import EMPTY_TREE, EXECUTABLE, GITLINK, REGULAR, SYMLINK, Change, Entry
from gitsessiond.store.store import Store
from gitsessiond.store.trees import TREE, diff_trees, edit_tree, entry_at, list_tree, read_tree
from tests.conftest import git
from tests.store.kit import oid_at, opened

BLOBS = [f"{number:040x}" for number in range(1, 4)]

# Names around git's order: "a" the directory sorts after "a.b" and "a-b", "a" the file before them.
NAMES = [b"a", b"a.b", b"a-b", b"a0", b"ab", b"b", b"\xff\xfe", b"A", b".git x", b"\xc3\xa9", b"z\n"]


@pytest.fixture
def store(repo: Path) -> Iterator[Store]:
    with opened(repo) as found:
        yield found


def fits(files: Mapping[bytes, Entry]) -> bool:
    """Whether no path is a directory of another."""
    return not any(path[:at] in files for path in files for at, letter in enumerate(path) if letter == ord("/"))


paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
entries = st.builds(Entry, st.sampled_from([REGULAR, EXECUTABLE, SYMLINK, GITLINK]), st.sampled_from(BLOBS))
trees = st.dictionaries(paths, entries, max_size=12).filter(fits)


def git_tree(repo: Path, files: Mapping[bytes, Entry]) -> str:
    """The tree git itself makes of these files."""
    index = repo / ".git" / "other-index"
    index.unlink(missing_ok=True)
    told = b"".join(b"%06o %s\t%s\0" % (mode, oid.encode(), path) for path, (mode, oid) in files.items())
    git_words = ["git", "-c", "core.protectHFS=false", "-c", "core.protectNTFS=false"]
    env = os.environ | {"GIT_INDEX_FILE": str(index)}
    subprocess.run([*git_words, "update-index", "-z", "--index-info"], cwd=repo, env=env, input=told, check=True)
    made = subprocess.run(
        [*git_words, "write-tree", "--missing-ok"], cwd=repo, env=env, capture_output=True, check=True
    )
    return made.stdout.decode().strip()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=trees, after=trees)
def test_edited_trees_are_the_ones_git_writes(
    store: Store, repo: Path, before: dict[bytes, Entry], after: dict[bytes, Entry]
) -> None:
    """From any files to any others: same tree as git's, and the difference found is exactly the edits."""
    one = edit_tree(store, None, before)
    assert one == git_tree(repo, before)
    assert dict(list_tree(store, one)) == before
    edits: dict[bytes, Entry | None] = {path: None for path in before if path not in after}
    edits |= {path: entry for path, entry in after.items() if before.get(path) != entry}
    two = edit_tree(store, one, edits)
    assert two == git_tree(repo, after)
    wanted = [Change(path, before.get(path), after.get(path)) for path in sorted(edits)]
    assert diff_trees(store, one, two) == wanted
    assert diff_trees(store, None, two) == [Change(path, None, after[path]) for path in sorted(after)]
    for path in {*before, *after}:
        found = entry_at(store, two, path)
        assert found == after.get(path) or (path not in after and found is not None and found.mode == TREE)


def test_a_file_and_a_directory_replace_each_other(store: Store, repo: Path) -> None:
    """A file put where a directory is takes its place, and the other way round; emptied directories
    vanish.
    """
    blob = Entry(REGULAR, BLOBS[0])
    tree = edit_tree(store, None, {b"a/b/c": blob, b"a/d": blob, b"e": blob})
    assert dict(list_tree(store, edit_tree(store, tree, {b"a": blob}))) == {b"a": blob, b"e": blob}
    assert dict(list_tree(store, edit_tree(store, tree, {b"e/f": blob, b"a": None}))) == {b"e/f": blob}
    assert dict(list_tree(store, edit_tree(store, tree, {b"e": None, b"e/f": blob}))) == {
        b"a/b/c": blob, b"a/d": blob, b"e/f": blob,
    }  # fmt: skip
    assert dict(list_tree(store, edit_tree(store, tree, {b"a": blob, b"a/b/c": None, b"a/d": None}))) == {
        b"a": blob, b"e": blob,
    }  # fmt: skip
    assert dict(list_tree(store, edit_tree(store, tree, {b"a/b/c": None, b"a/d": None}))) == {b"e": blob}
    assert edit_tree(store, tree, {b"a": None, b"e": None}) == EMPTY_TREE
    assert edit_tree(store, tree, {b"e/x": None, b"no/such": None}) == tree
    with pytest.raises(ValueError, match="file"):
        edit_tree(store, tree, {b"x": blob, b"x/y": blob})
    with pytest.raises(ValueError, match="file"):
        edit_tree(store, tree, {b"x/y": blob, b"x": blob})
    with pytest.raises(ValueError, match="empty part"):
        edit_tree(store, tree, {b"x//y": blob})


def test_a_whole_tree_can_be_put_somewhere(store: Store, repo: Path) -> None:
    """An entry of mode TREE puts a tree there, also one that only the repository has, also the empty one."""
    inner = oid_at(repo, "HEAD^{tree}")
    tree = edit_tree(store, None, {b"work/x": Entry(TREE, inner), b"work/y": Entry(TREE, EMPTY_TREE)})
    assert read_tree(store, entry_at(store, tree, b"work").oid).keys() == {b"x", b"y"}  # type: ignore[union-attr]
    assert entry_at(store, tree, b"work/x/a.txt") == Entry(REGULAR, oid_at(repo, "HEAD:a.txt"))
    assert entry_at(store, tree, b"work/x/a.txt/b") is None


def test_edits_are_kept_even_where_the_repository_has_the_same_tree(store: Store, repo: Path) -> None:
    """A tree that exists in the repository by chance is written to the store all the same."""
    tree = oid_at(repo, "HEAD:src")
    assert not store.own_has(tree)
    assert edit_tree(store, None, {b"b.txt": Entry(REGULAR, oid_at(repo, "HEAD:src/b.txt"))}) == tree
    assert store.own_has(tree)


def test_damaged_trees_are_named(store: Store, repo: Path) -> None:
    """What is no tree is unreadable state, never an empty directory."""
    bad = store.put("tree", b"100644 name-without-end")
    for oid in (bad, oid_at(repo, "HEAD:a.txt"), "1" * 40):
        with pytest.raises(StateUnreadable):
            read_tree(store, oid)


@pytest.mark.alone
def test_one_edit_in_a_large_tree_is_fast(store: Store, repo: Path) -> None:
    """One path at depth 3 among 30,000 files costs well under a millisecond, in a directory of 1,000 too."""
    files = {b"d%d/e%d/f%d" % (n % 30, n // 30 % 10, n): Entry(REGULAR, BLOBS[n % 3]) for n in range(30_000)}
    files |= {b"wide/f%d" % n: Entry(REGULAR, BLOBS[0]) for n in range(1000)}
    tree = edit_tree(store, None, files)
    for path, limit in ((b"d3/e4/f123", 0.002), (b"wide/f77", 0.005)):
        times = []
        for number in range(40):
            begun = time.perf_counter()
            tree = edit_tree(store, tree, {path: Entry(REGULAR, f"{number:040x}")})
            times.append(time.perf_counter() - begun)
        assert sorted(times)[20] < limit
    assert git(repo, "hash-object", "-t", "tree", "/dev/null").decode().strip() == EMPTY_TREE


def test_a_mode_with_a_zero_before_it_is_a_directory_all_the_same(store: Store) -> None:
    """As some tools of old wrote it (fsck: zeroPaddedFilemode): read as git reads it, written as git writes it."""
    blob = store.put("blob", b"x\n")
    inner = edit_tree(store, None, {b"b": Entry(REGULAR, blob)})
    odd = store.put("tree", b"040000 a\0" + bytes.fromhex(inner))
    assert list(list_tree(store, odd)) == [(b"a/b", Entry(REGULAR, blob))]
    assert edit_tree(store, odd, {b"c": Entry(REGULAR, blob)}) == edit_tree(
        store, None, {b"a/b": Entry(REGULAR, blob), b"c": Entry(REGULAR, blob)}
    )
