"""`assign` and `discard` on the lines of one file."""

from __future__ import annotations

import pytest

from gitsessiond.model.reassign import Reassigned, Refusal, discard, reassign
from gitsessiond.model.weave import Weave, owners_of
from tests.model.one_file import OneFile, text
from tests.model.test_place import TEN, ten


@pytest.fixture
def file() -> OneFile:
    """Ten base lines; lines 3 and 4 are p's insertion of three and a replacement, line 8 q's."""
    made = OneFile(ten())
    made.save(ten(l2="line 2|a|b|c", l3="P"), current="p")
    made.save(ten(l2="line 2|a|b|c", l3="P", l7="Q"), current="q")
    return made


def give(file: OneFile, lines: tuple[int, int] | None, to: str, **given: object) -> Reassigned | Refusal:
    """Reassign in the file; what is given also goes to the rules or to the call."""
    bit = given.pop("committed_bit", None)
    among = given.pop("among", None)
    rules = file.rules(**given)
    found = reassign(file.weave, lines, to, rules, committed_bit=bit, among=among)  # type: ignore[arg-type]
    if isinstance(found, Reassigned):
        file.weave = found.weave
    return found


def moved(found: Reassigned | Refusal) -> list[tuple[int, int]]:
    assert isinstance(found, Reassigned), found
    return [edit.lines for edit in found.moved]


def test_an_edit_moves_to_another_patch(file: OneFile) -> None:
    """Named by its lines, an edit changes its patch; the file does not change."""
    disk = file.live
    assert moved(give(file, (10, 10), "r")) == [(10, 10)]
    assert file.of("r") == ten(l7="Q")
    assert file.of("q") == ten()
    assert file.live == disk


def test_a_replacement_goes_as_a_whole(file: OneFile) -> None:
    """One line of a replacement takes the others along; the reply says which lines went."""
    assert moved(give(file, (4, 4), "r")) == [(3, 6)]
    assert file.of("p") == ten()


def test_an_insertion_can_be_cut_at_any_line() -> None:
    """Some lines of a pure insertion move alone."""
    file = OneFile(ten())
    file.save(ten(l2="line 2|a|b|c|d"), current="p")
    assert moved(give(file, (4, 5), "r")) == [(4, 5)]
    assert file.of("r") == ten(l2="line 2|b|c")
    assert file.of("p") == ten(l2="line 2|a|d")
    assert moved(give(file, (1, 3), "q")) == [(3, 3)]
    assert file.of("q") == ten(l2="line 2|a")


def test_a_deletion_is_named_by_the_line_it_stands_before() -> None:
    """Nothing shows where lines are gone: the line behind names them, or the range around them."""
    for lines in ((5, 4), (5, 5), (3, 6)):
        file = OneFile(ten())
        file.save(ten(l5=None), current="p")
        assert moved(give(file, lines, "q")) == [(5, 4)]
        assert file.of("q") == ten(l5=None)
    assert give(OneFile(ten()), (5, 5), "q") == Refusal("nothing", (), (5, 5))


def test_edits_of_several_owners_are_listed(file: OneFile) -> None:
    """A range over edits of p and q moves neither."""
    assert give(file, (1, 10), "r") == Refusal("several", ("p", "q"), (1, 10))


def test_all_of_some_owners_go_one_by_one(file: OneFile) -> None:
    """With a choice of owners their edits move wherever they are, those of others stay."""
    file.save(ten(l2="line 2|a|b|c", l3="P", l7="Q", l9="n"), nobody="~none", editors=frozenset())
    file.save(ten(l1="first", l2="line 2|a|b|c", l3="P", l7="Q", l9="n"), nobody="~before", editors=frozenset())
    found = give(file, None, "r", among=lambda owner: owner == "~none")
    assert moved(found) == [(12, 12)]
    assert file.of("r") == ten(l9="n")
    assert owners_of(file.weave) == {"p", "q", "r", "~before"}


def test_a_circle_is_refused(file: OneFile) -> None:
    """r's line lies on q's; q's edit cannot go to a patch that needs r."""
    file.save(ten(l2="line 2|a|b|c", l3="P", l7="R over Q"), claim="r")
    found = give(file, (10, 10), "p", needs=lambda q, p: (q, p) == ("q", "p"))
    assert found == Refusal("cycle", ("q", "p"), (10, 10))
    assert moved(give(file, (10, 10), "p")) == [(10, 10)]
    assert file.of({"p", "q"}) == ten(l2="line 2|a|b|c", l3="P", l7="R over Q")


def test_what_a_patch_builds_on_cannot_become_nobodys(file: OneFile) -> None:
    """p deletes r's line: it stays r's; with p's edit unassigned it can go."""
    file.save(ten(l2="line 2|a|b|c", l3="P", l5="R", l7="Q"), claim="r")
    file.save(ten(l2="line 2|a|b|c", l3="P", l5="P over R", l7="Q"), claim="p")
    assert give(file, None, "~none", among=lambda owner: owner == "r") == Refusal("builds", ("p",), (8, 7))
    assert moved(give(file, (8, 8), "~none")) == [(8, 8)]
    assert moved(give(file, None, "~none", among=lambda owner: owner == "r")) == [(8, 7)]


def test_no_patch_gets_an_edit_on_what_is_nobodys() -> None:
    """An edit of a line that is nobody's, or an abandoned patch's, stays unassigned."""
    file = OneFile(ten())
    file.save(ten(l5="R|R2"), claim="r")
    file.save(ten(l5="n|R2"), claim="q")
    assert isinstance(give(file, None, "~none", among=lambda owner: owner == "q"), Reassigned)
    assert isinstance(give(file, (5, 5), "p"), Reassigned)
    file.states["r"] = "abandoned"
    assert isinstance(give(file, (5, 5), "~none"), Reassigned)
    assert give(file, (5, 5), "p") == Refusal("on", (), (5, 5))


def test_edits_of_a_merged_patch_stay(file: OneFile) -> None:
    """What is merged is in the target: it cannot be another's."""
    file.states["q"] = "merged"
    assert give(file, (10, 10), "r") == Refusal("ended", ("q",), (10, 10))


def test_a_commits_edits_move_together(file: OneFile) -> None:
    """`assign COMMIT`: what that commit brought, returning edits too, and nothing that came before or after."""
    file.commit(file.live)
    file.save(ten(l2="line 2|a|b|c", l3="P", l5="five", l7="Q2"), current="q")
    file.commit(file.live)
    file.save(ten(l1="one", l2="line 2|a|b|c", l3="P", l5="five", l7="Q2"), current="q")
    found = give(file, None, "r", committed_bit=1)
    assert moved(found) == [(8, 8), (10, 10)]
    assert file.closures()["r"] == {"q"}
    assert file.part("qr", 1) == ten(l5="five", l7="Q2")
    assert file.of("qr") == ten(l1="one", l5="five", l7="Q2")
    assert file.part("q", 1) == file.part("q", 0) == ten(l7="Q")
    assert file.of("q") == ten(l1="one", l7="Q")


def test_moving_a_commit_leaves_what_cannot_move(file: OneFile) -> None:
    """Each edit of the commit is moved or refused for itself."""
    file.commit(file.live)
    file.states["q"] = "merged"
    found = give(file, None, "r", committed_bit=0)
    assert moved(found) == [(3, 6)]
    assert isinstance(found, Reassigned)
    assert found.refused == (Refusal("ended", ("q",), (10, 10)),)


def test_a_discarded_patch_leaves_the_others(file: OneFile) -> None:
    """Its lines leave the file, what it deleted comes back."""
    after = discard(file.weave, "p", file.rules(), lambda owner: frozenset())
    assert isinstance(after, Weave)
    file.weave = after
    assert file.live == ten(l7="Q")
    assert owners_of(after) == {"q"}


def test_a_patch_that_others_rest_on_is_not_discarded(file: OneFile) -> None:
    """On its lines or beside them, of a patch or of nobody: the list is told; what lies below it is no hindrance."""
    file.save(ten(l2="line 2|a|b|c", l3="P|beside", l7="Q"), current="r")
    file.save(ten(l2="line 2|a|b|c", l3="P|beside", l6="n", l7="Q"), claim="~none")
    under = file.closures()
    assert under["r"] == {"p"}
    assert discard(file.weave, "p", file.rules(), under.__getitem__) == Refusal("builds", ("r",))
    assert discard(file.weave, "q", file.rules(), under.__getitem__) == Refusal("builds", ("~",))
    after = discard(file.weave, "r", file.rules(), under.__getitem__)
    assert isinstance(after, Weave)
    assert b"beside" not in file.of("pq~")


def test_a_commit_keeps_what_is_discarded(file: OneFile) -> None:
    """Committed edits of a discarded patch are undone on disk, not in the commit that holds them."""
    file.commit(file.live)
    blob = file.live
    after = discard(file.weave, "p", file.rules(), lambda owner: frozenset())
    assert isinstance(after, Weave)
    file.weave = after
    assert file.live == ten(l7="Q") == file.of("q")
    assert file.part("pq", 0) == blob
    assert file.part("p", 0) == text(*TEN[:2], "a", "b", "c", "P", *TEN[3:])
    file.commit(file.live)
    assert file.part("p", 1) == ten()
