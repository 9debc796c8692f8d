"""A base that moves under a file's edits."""

from __future__ import annotations

import pytest

from gitsessiond.model.base import fold, move_base
from gitsessiond.model.values import Merged3
from gitsessiond.model.weave import edits, live, owners_of, version
from gitsessiond.store.text import diff_lines, merge_text
from tests.model.one_file import OneFile
from tests.model.test_place import ten


def merge3(base: bytes, ours: bytes, theirs: bytes) -> Merged3:
    return merge_text(base, ours, theirs)


def moved(file: OneFile, new_base: bytes, order: str = "pqr") -> list[tuple[str, tuple[int, int]]]:
    """Move the base; returns who is contested, and where."""
    file.weave, contested = move_base(file.weave, new_base, order, diff_lines, merge3)
    return [tuple(one) for one in contested]  # type: ignore[misc]


@pytest.fixture
def file() -> OneFile:
    """Ten base lines; line 3 is p's, line 7 q's."""
    made = OneFile(ten())
    made.save(ten(l3="P"), current="p")
    made.save(ten(l3="P", l7="Q"), current="q")
    return made


def test_changes_away_from_edits_are_exchanged(file: OneFile) -> None:
    """New base text where no edit touches it: every version has it, every edit stays."""
    assert moved(file, ten(l1="one|and a half", l5=None, l10="ten")) == []
    assert file.of(()) == ten(l1="one|and a half", l5=None, l10="ten")
    assert file.of("p") == ten(l1="one|and a half", l3="P", l5=None, l10="ten")
    assert file.live == ten(l1="one|and a half", l3="P", l5=None, l7="Q", l10="ten")


def test_the_same_edit_in_the_new_base_is_the_bases(file: OneFile) -> None:
    """What p did is in the new base already: p has no edit left, nothing is contested."""
    assert moved(file, ten(l3="P")) == []
    assert owners_of(file.weave) == {"q"}
    assert file.live == ten(l3="P", l7="Q")


def test_a_contradiction_keeps_the_text_on_disk_and_names_the_owner(file: OneFile) -> None:
    """The new base changes p's line otherwise: the disk's text stays p's, over the new base line."""
    assert moved(file, ten(l1="one", l3="theirs")) == [("p", (3, 3))]
    assert file.live == ten(l1="one", l3="P", l7="Q")
    assert file.of(()) == ten(l1="one", l3="theirs")
    assert file.of("q") == ten(l1="one", l3="theirs", l7="Q")


def test_a_change_beside_an_edit_is_gits_to_judge(file: OneFile) -> None:
    """Touching changes conflict in git's merge; here too."""
    assert moved(file, ten(l4="theirs")) == [("p", (3, 4))]
    assert file.live == ten(l3="P", l7="Q")


def test_layers_are_rebuilt_in_the_order_of_dependencies(file: OneFile) -> None:
    """q over p's line, the base has p's edit: p is empty, q lies on the base; r's own region is left alone."""
    file.save(ten(l3="Q over P", l7="Q", l9="R"), claim="q")
    assert moved(file, ten(l3="P")) == []
    assert owners_of(file.weave) == {"q"}
    assert file.of("q") == ten(l3="Q over P", l7="Q", l9="R")
    assert file.closures()["q"] == frozenset()


def test_unassigned_edits_stay_on_top(file: OneFile) -> None:
    """Edits of nobody are contested as those of patches are, and stay on disk."""
    file.save(ten(l3="n", l7="Q"), claim="~none")
    assert moved(file, ten(l3="P")) == []
    assert file.live == ten(l3="n", l7="Q")
    assert owners_of(file.weave) == {"~none", "q"}
    assert moved(file, ten(l3="theirs")) == [("~", (3, 3))]
    assert file.live == ten(l3="n", l7="Q")


def test_a_patch_that_the_order_leaves_out_keeps_its_edit(file: OneFile) -> None:
    """An owner that is not in the order comes after those that are; nothing on disk is lost."""
    assert moved(file, ten(l3="theirs", l7="theirs"), order="") == [("p", (3, 3)), ("q", (7, 7))]
    assert file.live == ten(l3="P", l7="Q")


def test_the_same_base_changes_nothing(file: OneFile) -> None:
    """Same text, same weave, bits too."""
    file.commit(file.live)
    before = file.weave
    assert moved(file, ten()) == []
    assert file.weave is before


def test_bits_go_with_the_old_base(file: OneFile) -> None:
    """Over a new base no commit is known."""
    file.commit(file.live)
    moved(file, ten(l1="one"))
    assert not any(edit.committed for edit in edits(file.weave, 0))


@pytest.mark.parametrize(
    ("old", "new", "mine"),
    [
        (b"a\nb", b"a\nb\nc", b"A\nb"),
        (b"", b"x\n", b""),
        (b"a\n", b"", b"a\nb\n"),
        (b"a\nb\nc", b"a\nb\nC", b"A\nb\nc"),
    ],
)
def test_ends_without_newlines_move_too(old: bytes, new: bytes, mine: bytes) -> None:
    """Every version over the new base is what git's merge gives, or the owner is named."""
    file = OneFile(old)
    file.save(mine, current="p")
    contested = moved(file, new)
    assert file.of(()) == new
    merged = merge3(old, new, mine)
    assert contested or file.of("p") == merged.content
    assert bool(contested) or not merged.conflicts


def test_folding_makes_a_merged_patch_part_of_base(file: OneFile) -> None:
    """What landed is base from now on; what others did to it stays theirs; the disk stays."""
    file.save(ten(l3="Q over P", l7="Q", l9="R"), claim="q")
    folded = fold(file.weave, {"p"})
    assert version(folded, ()) == ten(l3="P")
    assert live(folded) == file.live
    assert owners_of(folded) == {"q"}
