"""Markers can always be told from text, and left-over ones are found."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.model.conflicts import (
    chosen_side,
    clash_in,
    control_path,
    is_marked,
    left_over,
    marker_size,
    resolved,
    same_clash,
    written_mode,
)
from gitsessiond.model.records import Conflict, ConflictSide
from gitsessiond.store.text import merge_text

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OIDS = ["1" * 40, "2" * 40, "3" * 40]
LINES = st.lists(
    st.sampled_from(
        [b"a", b"b", b"", b"=======", b"<<<<<<< HEAD", b"|||||||", b">>>>>>> x", b"========", b"====", b"x\r"]
    ),
    max_size=8,
)
TEXTS = LINES.map(lambda lines: b"".join(line + b"\n" for line in lines))


def conflict(**more: object) -> Conflict:
    facts: dict[str, object] = {
        "id": "k" * 12,
        "kind": "git_merge",
        "shape": "content",
        "path": "a.txt",
        "patch": "l" * 12,
        "base": ConflictSide(oid=OIDS[0], mode=0o100644),
        "ours": ConflictSide(oid=OIDS[1], mode=0o100644),
        "theirs": ConflictSide(oid=OIDS[2], mode=0o100644),
        "created_at": NOW,
    }
    return Conflict.model_validate(facts | more)


@given(base=TEXTS, ours=TEXTS, theirs=TEXTS)
def test_markers_are_found_and_texts_are_not_taken_for_them(base: bytes, ours: bytes, theirs: bytes) -> None:
    """A marked text is seen as such at any content; its sides, which may hold look-alikes, never are."""
    sides = [base, ours, theirs]
    merged = merge_text(base, ours, theirs, marker_size=marker_size(sides))
    assert (left_over(merged.content, sides) is not None) == merged.conflicts
    for side in sides:
        assert left_over(side, sides) is None


def test_markers_are_git_s_size_unless_a_line_looks_like_one() -> None:
    """Seven, which editors know; one more than the longest look-alike otherwise."""
    assert marker_size([b"a\n====\n"]) == 7
    assert marker_size([b"a\n", b"=========\nb\n"]) == 10


def test_any_one_marker_line_that_stayed_is_found() -> None:
    """Also a separator alone, and markers of other tools; headings of other lengths are text."""
    sides = [b"a\n", b"b\n", b"c\n"]
    assert left_over(b"b\n=======\nc\n", sides) == 2
    assert left_over(b"b\n>>>>>>> x", sides) == 2
    assert left_over(b"||||||||||| base\r\nb\n", sides) == 1
    assert left_over(b"Title\n==========\n", sides) is None
    assert left_over(b"<<<<<<<x\n", sides) is None


def test_a_side_is_taken_whole_with_its_path_and_mode() -> None:
    """A side that has no such path means deletion."""
    moved = conflict(theirs=ConflictSide(oid=OIDS[2], mode=0o100755, path="b.txt"))
    assert chosen_side(moved, "theirs") == moved.theirs
    assert chosen_side(conflict(ours=ConflictSide()), "ours") is None


def test_a_written_resolution_has_the_mode_a_side_changed() -> None:
    """As git merges modes; without a mode on either side it is a plain file."""
    executable = ConflictSide(oid=OIDS[2], mode=0o100755)
    assert written_mode(conflict()) == 0o100644
    assert written_mode(conflict(theirs=executable)) == 0o100755
    assert written_mode(conflict(base=ConflictSide(), ours=executable)) == 0o100755
    assert written_mode(conflict(ours=ConflictSide(), theirs=executable)) == 0o100755


def test_only_files_are_shown_with_markers() -> None:
    """Links, submodules and binary content have no lines."""
    assert is_marked(conflict()) and is_marked(conflict(ours=ConflictSide()))
    assert not is_marked(conflict(shape="binary"))
    assert not is_marked(conflict(ours=ConflictSide(oid=OIDS[1], mode=0o120000)))


def test_a_resolution_fits_while_the_three_sides_are_the_same() -> None:
    """Another blob, mode or path on any side is another clash; who resolved it and when is not looked at."""
    done = resolved(conflict(), "ours", chosen_side(conflict(), "ours"), NOW, "Ann <ann@example.org>")
    assert done.status == "resolved" and same_clash(done, conflict(id="m" * 12))
    assert not same_clash(done, conflict(base=ConflictSide(oid=OIDS[2], mode=0o100644)))


@given(st.binary(min_size=1).filter(lambda path: not path.startswith(b"/")))
def test_control_paths_lead_back(path: bytes) -> None:
    """The id and path of a conflict are read from where its marked file lies."""
    assert clash_in(control_path(conflict(), path)) == ("k" * 12, path)
    assert clash_in(b".gitsession/status") is None and clash_in(b"src/.gitsession/conflicts/k/a") is None
