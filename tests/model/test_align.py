"""Commits of the chain in the weave: which edits each holds, and what in them was never on disk."""

from __future__ import annotations

import pytest

from gitsessiond.model.align import place_commit
from gitsessiond.model.place import place_save
from gitsessiond.model.weave import drop_ghosts, edits, live, remap_bits
from tests.model.one_file import EVERYONE, OneFile, text
from tests.model.test_place import TEN, ten, went


@pytest.fixture
def file() -> OneFile:
    """Ten base lines; line 3 is p's, line 7 q's; nothing is committed."""
    made = OneFile(ten())
    made.save(ten(l3="P"), current="p")
    made.save(ten(l3="P", l7="Q"), current="q")
    return made


def uncommitted(file: OneFile) -> list[tuple[str, tuple[int, int]]]:
    """Owner and lines of each edit that the last commit lacks."""
    return [(e.owner, e.lines) for e in edits(file.weave, len(file.blobs) - 2) if not e.committed]


def test_a_commit_of_all_holds_every_patchs_part(file: OneFile) -> None:
    """`commit -a` over two patches: each has its part, nothing is new, nothing is left."""
    assert file.commit(file.live).edits == ()
    assert file.part(EVERYONE, 0) == file.live
    assert file.part("p", 0) == ten(l3="P")
    assert file.part("q", 0) == ten(l7="Q")
    assert uncommitted(file) == []


def test_a_commit_of_one_hunk_holds_that_edit_only(file: OneFile) -> None:
    """`commit -p`: the hunk that was taken is committed, the other is not, owners are kept."""
    assert file.commit(ten(l7="Q")).edits == ()
    assert file.part("q", 0) == ten(l7="Q")
    assert file.part("p", 0) == ten()
    assert uncommitted(file) == [("p", (3, 3))]
    file.commit(file.live)
    assert file.part("p", 1) == ten(l3="P")
    assert file.part("p", 0) == ten()


def test_a_commit_that_leaves_the_file_alone_holds_what_its_parent_held(file: OneFile) -> None:
    """A commit of other files: the same edits are committed as before."""
    file.commit(ten(l7="Q"))
    file.commit(ten(l7="Q"))
    assert file.part("p", 1) == ten()
    assert uncommitted(file) == [("p", (3, 3))]


def test_a_staged_earlier_version_is_the_same_patchs(file: OneFile) -> None:
    """`add`, edit again, `commit`: what was committed was seen on disk; the later edit is not committed."""
    file.save(ten(l3="P", l5="staged", l7="Q"), current="q")
    blob = file.live
    file.save(ten(l3="P", l5="later", l7="Q"), current="p")
    assert file.commit(blob).edits == ()
    assert file.part("q", 0) == ten(l5="staged", l7="Q")
    assert file.of("q") == ten(l5="later", l7="Q")
    assert uncommitted(file) == [("q", (5, 5))]


def test_a_version_never_seen_on_disk_is_an_edit_made_before(file: OneFile) -> None:
    """Text that only the commit has replaces what the patch replaced: its, committed, deleted again on disk."""
    placed = file.commit(ten(l3="unseen", l7="Q"), current="q")
    assert went(placed) == [("p", "lines")]
    assert [edit.lines for edit in placed.edits] == [(3, 3)]
    assert file.part("p", 0) == ten(l3="unseen")
    assert file.of("p") == ten(l3="P")
    assert live(file.weave) == ten(l3="P", l7="Q")
    assert uncommitted(file) == [("p", (3, 3))]


def test_unseen_lines_elsewhere_go_by_the_rules(file: OneFile) -> None:
    """`apply --cached; commit`: the patch in use, a claim, or nobody; its lack on disk is the same patch's edit."""
    blob = ten(l3="P", l5="five", l7="Q", l10="line 10|more")
    before, blobs = file.weave, list(file.blobs)
    assert went(file.commit(blob, current="r")) == [("r", "current")] * 2
    assert file.part("r", 0) == ten(l5="five", l10="line 10|more")
    assert file.of("r") == ten()
    assert uncommitted(file) == [("r", (5, 5)), ("r", (11, 10))]
    file.weave, file.blobs = before, list(blobs)
    assert went(file.commit(blob, claim="q")) == [("q", "claim")] * 2
    file.weave, file.blobs = before, list(blobs)
    assert [edit.owner for edit in file.commit(blob).edits] == ["~none", "~none"]
    assert file.part({"p", "q"}, 0) == ten(l3="P", l7="Q")


def test_a_deletion_only_in_the_commit_is_put_back_by_its_owner(file: OneFile) -> None:
    """A line that the commit deleted and the disk has: deleted, committed, and put back, not committed."""
    file.commit(file.live)
    placed = file.commit(ten(l3="P", l5=None, l7="Q"), current="q")
    assert [(edit.lines, edit.owner) for edit in placed.edits] == [((5, 4), "q")]
    assert file.part("q", 1) == ten(l5=None, l7="Q")
    assert file.of("q") == ten(l7="Q")
    assert uncommitted(file) == [("q", (5, 5))]


def test_a_committed_deletion_is_never_undone(file: OneFile) -> None:
    """Text that comes back after its deletion was committed is new text of whoever deleted it."""
    file.save(ten(l3="P", l5=None, l7="Q"), current="q")
    file.commit(file.live)
    assert went(file.save(ten(l3="P", l7="Q"), current="p")) == [("q", "returned")]
    assert file.part("q", 0) == ten(l5=None, l7="Q")
    assert file.of("q") == ten(l7="Q")
    file.commit(file.live)
    assert file.part("q", 1) == ten(l7="Q")


def test_a_revert_keeps_the_patchs_net_empty(file: OneFile) -> None:
    """`revert` of p's commit: p's second part takes the first back."""
    file.commit(file.live)
    file.save(ten(l7="Q"), current="q")
    file.commit(ten(l7="Q"))
    assert file.part("p", 0) == ten(l3="P")
    assert file.part("p", 1) == ten() == file.of("p")


def test_committed_lines_are_no_ghosts(file: OneFile) -> None:
    """A committed line that its patch deletes stays in the weave until the commit leaves the chain."""
    file.commit(file.live)
    file.save(ten(l7="Q"), current="q")
    file.weave = drop_ghosts(file.weave)
    assert file.part("p", 0) == ten(l3="P")
    file.weave = drop_ghosts(remap_bits(file.weave, {}))
    assert [run.ins for run in file.weave.runs].count("p") == 0


def test_a_line_replaced_by_a_dependent_is_in_its_own_patchs_part(file: OneFile) -> None:
    """q over p's line, all committed: p's part has p's line, and the two together q's."""
    file.save(ten(l3="Q over P", l7="Q"), claim="q")
    file.commit(file.live)
    assert file.part("p", 0) == ten(l3="P")
    assert file.part("pq", 0) == ten(l3="Q over P", l7="Q")


def test_neither_is_committed_where_the_old_text_stands(file: OneFile) -> None:
    """q over p's line, none of it committed: the part of p is empty."""
    file.save(ten(l3="Q over P", l7="Q", l9="nine"), claim="q")
    file.commit(ten(l9="nine"))
    assert file.part("p", 0) == ten()
    assert file.part("q", 0) == ten(l9="nine")
    assert file.part("pq", 0) == ten(l9="nine")


def test_only_the_lower_of_two_edits_of_a_line_is_committed(file: OneFile) -> None:
    """q over p's line, the commit has p's text: p's edit is committed, q's is not."""
    file.save(ten(l3="Q over P", l7="Q", l9="nine"), claim="q")
    file.commit(ten(l3="P", l9="nine"))
    assert file.part("p", 0) == ten(l3="P")
    assert file.part("pq", 0) == ten(l3="P", l9="nine")


def test_one_patchs_commit_is_told_by_its_whole_text() -> None:
    """Equal lines everywhere: a commit of all of one patch's edits is known as just that."""
    file = OneFile(text("a", "}", "b", "}", "c", "}"))
    file.save(text("a", "}", "x", "}", "b", "}", "c", "}"), claim="p")
    file.save(text("a", "}", "x", "}", "b", "}", "x", "}", "c", "}"), claim="q")
    for patch in "pq":
        weave = place_commit(file.weave, file.of(patch), 0, file.rules()).weave
        kept = file.weave
        file.weave = weave
        assert file.part(patch, 0) == file.of(patch)
        assert file.part(set("pq") - {patch}, 0) == file.of(())
        file.weave = kept


def test_bits_are_set_anew_when_a_commit_is_learnt_again(file: OneFile) -> None:
    """The same bit for another commit: what the first held is forgotten."""
    file.commit(file.live)
    again = place_commit(file.weave, ten(l7="Q"), 0, file.rules())
    file.weave = again.weave
    assert again.edits == ()
    assert file.part("p", 0) == ten()
    assert file.part("q", 0) == ten(l7="Q")


def test_a_claim_that_closes_a_circle_leaves_the_commits_edit_to_nobody(file: OneFile) -> None:
    """A `Patch-Id:` of p over lines of q, which needs p: committed, unassigned."""
    file.save(ten(l3="Q over P", l7="Q"), claim="q")
    file.commit(file.live)
    placed = file.commit(ten(l3="P again", l7="Q"), claim="p")
    assert went(placed) == [("~cycle q p", "cycle q p")]
    assert file.part("pq", 1) == ten(l3="Q over P", l7="Q")


def test_a_block_moved_in_the_commit_only_stays_with_its_writer(file: OneFile) -> None:
    """Lines of p moved in a commit that the disk does not have: p's, both halves."""
    file.save(ten(l3="P|P2|P3", l7="Q"), current="p")
    file.commit(file.live)
    moved = text(*TEN[:2], *TEN[3:6], "Q", *TEN[7:9], "P", "P2", "P3", "line 10")
    assert went(file.commit(moved, current="q")) == [("p", "moved"), ("p", "moved")]


@pytest.mark.parametrize("blob", [b"", b"x", ten()[:-1], ten() + b"no newline", ten(l10=None)[:-1]])
def test_any_blob_is_held_byte_for_byte(file: OneFile, blob: bytes) -> None:
    """Empty files and missing newlines in a commit are as exact as anywhere; the disk stays."""
    disk = file.live
    file.commit(blob, current="r")
    assert file.part(EVERYONE, 0) == blob
    assert file.live == disk
    file.commit(file.live)
    assert file.part(EVERYONE, 1) == disk
    assert file.part(EVERYONE, 0) == blob


def test_lines_of_a_commit_come_back_to_their_patch(file: OneFile) -> None:
    """The daemon was dead while a commit was made: its lines, found on disk afterwards, stay the commit's owner's."""
    file.commit(ten(l3="P", l5="five", l7="Q"), current="r")
    placed = place_save(file.weave, ten(l3="P", l5="five", l7="Q"), file.rules(current="q"))
    assert [edit.owner for edit in placed.edits] == ["r"]
    file.weave = placed.weave
    assert file.of("r") == ten(l5="five")
    assert uncommitted(file) == []


def test_a_commit_that_leaves_the_chain_leaves_no_phantom_edits(file: OneFile) -> None:
    """p's edit was committed, taken back, and the commit dropped: p has no edit, the base lines are base again."""
    file.commit(file.live)
    file.save(ten(l7="Q"), current="q")
    file.weave = remap_bits(file.weave, {})
    assert edits(file.weave, None) == [("q", (7, 7), 1, 1, False)]
