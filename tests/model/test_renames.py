"""Vanished and appeared paths are renames only where that is certain."""

from __future__ import annotations

from gitsessiond.model.renames import pair_renames
from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK, Change, Entry

ONE, TWO = Entry(REGULAR, "1" * 40), Entry(REGULAR, "2" * 40)


def test_the_same_inode_is_a_rename_whatever_the_content() -> None:
    """A file moved and saved in one go is followed."""
    assert pair_renames({b"a": (ONE, 7)}, {b"b": (TWO, 7)}) == [Change(b"b", ONE, TWO, b"a")]


def test_the_same_content_is_a_rename_where_it_is_the_only_pair() -> None:
    """Two candidates on either side: deleted and added, never a guess."""
    assert pair_renames({b"a": (ONE, None)}, {b"b": (ONE, None)}) == [Change(b"b", ONE, ONE, b"a")]
    assert pair_renames({b"a": (ONE, 1)}, {b"b": (ONE, 2), b"c": (ONE, 3)}) == [
        Change(b"a", ONE, None),
        Change(b"b", None, ONE),
        Change(b"c", None, ONE),
    ]


def test_content_is_not_compared_by_likeness() -> None:
    """Another content on another inode is another file; so is another kind of file."""
    assert pair_renames({b"a": (ONE, 1)}, {b"b": (TWO, 2)}) == [Change(b"a", ONE, None), Change(b"b", None, TWO)]
    link = Entry(SYMLINK, ONE.oid)
    assert pair_renames({b"a": (ONE, 1)}, {b"b": (link, 1)}) == [Change(b"a", ONE, None), Change(b"b", None, link)]


def test_a_mode_may_change_with_the_name() -> None:
    """chmod and mv together are one rename."""
    after = Entry(EXECUTABLE, ONE.oid)
    assert pair_renames({b"a": (ONE, None)}, {b"b": (after, None)}) == [Change(b"b", ONE, after, b"a")]


def test_swaps_and_chains_go_by_inode() -> None:
    """a and b swapped; a to b to c: every file is followed."""
    sides = {b"a": (ONE, 1), b"b": (TWO, 2)}
    assert pair_renames(sides, {b"a": (TWO, 2), b"b": (ONE, 1)}) == [
        Change(b"a", TWO, TWO, b"b"),
        Change(b"b", ONE, ONE, b"a"),
    ]
    assert pair_renames(sides, {b"b": (ONE, 1), b"c": (TWO, 2)}) == [
        Change(b"b", ONE, ONE, b"a"),
        Change(b"c", TWO, TWO, b"b"),
    ]


def test_a_file_replaced_in_place_is_only_modified() -> None:
    """An editor that saves by renaming a new file over the old one changes the content, no more."""
    assert pair_renames({b"a": (ONE, 1)}, {b"a": (TWO, 9)}) == [Change(b"a", ONE, TWO)]


def test_a_file_moved_over_another_is_a_deletion_and_a_modification() -> None:
    """``mv b a``: what was in a is not deleted as a file, its content changed; b is gone."""
    assert pair_renames({b"a": (ONE, 1), b"b": (TWO, 2)}, {b"a": (TWO, 2)}) == [
        Change(b"a", ONE, TWO),
        Change(b"b", TWO, None),
    ]


def test_a_new_file_in_a_moved_ones_place_is_new() -> None:
    """a became b, and another a was made."""
    assert pair_renames({b"a": (ONE, 1)}, {b"a": (TWO, 2), b"b": (ONE, 1)}) == [
        Change(b"a", None, TWO),
        Change(b"b", ONE, ONE, b"a"),
    ]


def test_a_backup_that_an_editor_kept_is_a_copy() -> None:
    """a was moved to a~ and saved anew (vim's `set backup`): a is modified; without the new a it was renamed."""
    assert pair_renames({b"a": (ONE, 1)}, {b"a": (TWO, 2), b"a~": (ONE, 1)}) == [
        Change(b"a", ONE, TWO),
        Change(b"a~", None, ONE),
    ]
    assert pair_renames({b"a": (ONE, 1)}, {b"a~": (ONE, 1)}) == [Change(b"a~", ONE, ONE, b"a")]
