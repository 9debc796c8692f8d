"""The diff and merge of texts: git's own results, exact bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitsessiond.model.values import Hunk
from gitsessiond.store.text import diff_lines, merge_text, union_text

LINES = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\n", b"a\r\n", b"x\ry\n", b"\xff\n", b"\n", b"\x0c\n"]), max_size=12
)
TEXTS = st.builds(lambda lines, tail: b"".join(lines) + tail, LINES, st.sampled_from([b"", b"", b"end"]))


def split(text: bytes) -> list[bytes]:
    """Lines end with LF only; the last may lack it."""
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@given(TEXTS, TEXTS)
def test_hunks_turn_the_old_text_into_the_new(old: bytes, new: bytes) -> None:
    """Replacing each hunk's old lines by its new ones gives the new text, and what lies between is equal."""
    before, after = split(old), split(new)
    built: list[bytes] = []
    at = new_at = 0
    for hunk in diff_lines(old, new):
        assert hunk.old_from >= at and (hunk.old_from > at or at == 0)
        assert before[at : hunk.old_from] == after[new_at : hunk.new_from]
        built += before[at : hunk.old_from] + after[hunk.new_from : hunk.new_to]
        at, new_at = hunk.old_to, hunk.new_to
    assert b"".join(built + before[at:]) == new


def test_a_hunk_names_half_open_lines() -> None:
    """Insertions and deletions have an empty side, at the place where the lines would be."""
    assert diff_lines(b"a\nb\n", b"a\nx\nb\n") == [Hunk(1, 1, 1, 2)]
    assert diff_lines(b"a\nb\n", b"b\n") == [Hunk(0, 1, 0, 0)]
    assert diff_lines(b"", b"a\rb\n") == [Hunk(0, 0, 0, 1)]
    assert diff_lines(b"a", b"a\n") == [Hunk(0, 1, 0, 1)]
    assert diff_lines(b"\0\n\xff\n", b"\0\n\xfe\n") == [Hunk(1, 2, 1, 2)]


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS)
def test_the_diff_is_gits(tmp_path_factory, old: bytes, new: bytes) -> None:  # type: ignore[no-untyped-def]
    """The hunks are those `git diff --no-index` prints without context."""
    home = tmp_path_factory.mktemp("diff")
    (home / "old").write_bytes(old)
    (home / "new").write_bytes(new)
    words = ["git", "diff", "--no-index", "--no-indent-heuristic", "-a", "-U0", "old", "new"]
    told = subprocess.run(words, cwd=home, capture_output=True).stdout
    spans = [line.split()[1:3] for line in told.split(b"\n") if line.startswith(b"@@ ")]
    assert [hunk_of(*pair) for pair in spans] == diff_lines(old, new)


def hunk_of(old: bytes, new: bytes) -> Hunk:
    """A hunk from its header's ``-from,count`` and ``+from,count``."""
    sides = []
    for part in (old, new):
        start, _, count = part[1:].partition(b",")
        lines = int(count or 1)
        first = int(start) - (1 if lines else 0)
        sides += [first, first + lines]
    return Hunk(*sides)


@settings(max_examples=80, deadline=None)
@given(base=TEXTS, ours=TEXTS, theirs=TEXTS)
def test_the_merge_is_gits(tmp_path_factory, base: bytes, ours: bytes, theirs: bytes) -> None:  # type: ignore[no-untyped-def]
    """A clean merge has git's bytes; with a conflict, the diff3 markers are where git puts them."""
    home: Path = tmp_path_factory.mktemp("merge")
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        (home / name).write_bytes(text)
    names = ["ours", "base", "theirs"]
    words = ["git", "merge-file", "-p", "--diff3", *(word for name in names for word in ("-L", name)), *names]
    told = subprocess.run(words, cwd=home, capture_output=True)
    found = merge_text(base, ours, theirs)
    if told.returncode == 0 or found.conflicts:
        assert found.content == told.stdout


def test_a_merge_keeps_bytes_that_are_no_utf8() -> None:
    """Latin-1 content merges like any other."""
    merged = merge_text(b"\xe4\nb\nc\n", b"\xf6\nb\nc\n", b"\xe4\nb\n\xfc\n")
    assert merged == (b"\xf6\nb\n\xfc\n", False)


def test_markers_carry_labels_and_size() -> None:
    """Labels and marker size are the caller's, labels with any bytes."""
    merged = merge_text(b"a\n", b"b\n", b"c\n", labels=("then", "main", "patch \udcff"), marker_size=9)
    assert merged.conflicts
    assert merged.content == (b"<<<<<<<<< main\nb\n||||||||| then\na\n=========\nc\n>>>>>>>>> patch \xff\n")


def test_binary_sides_merge_only_when_one_changed() -> None:
    """Two changes of binary content are a conflict without markers; one change is simply taken."""
    assert merge_text(b"\0a", b"\0a", b"\0b") == (b"\0b", False)
    assert merge_text(b"\0a", b"\0c", b"\0b") == (b"\0c", True)


def test_union_keeps_both_sides_lines() -> None:
    """Lines both changed are ours, then theirs; a missing last newline glues nothing."""
    assert union_text(b"a\n", b"a\nb\n", b"a\nc\n") == b"a\nb\nc\n"
    assert union_text(b"", b"x", b"y") == b"x\ny"
