"""Saves of one file: who gets each edit (docs/ownership.md, the rules and the case table)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitsessiond.model.edges import hard_edges
from gitsessiond.model.place import PlacedSave, place_save
from gitsessiond.model.weave import Weave, live, owners_of, weave_of
from tests.model.one_file import RULES, OneFile, text

TEN = [f"line {number}" for number in range(1, 11)]


def ten(**changed: str | None) -> bytes:
    """Lines 1 to 10; ``l3="x"`` replaces a line (several after ``|``), ``l3=None`` deletes it."""
    lines: list[str] = []
    for number, line in enumerate(TEN, 1):
        new = changed.get(f"l{number}", line)
        lines += [] if new is None else new.split("|")
    return text(*lines)


def went(placed: PlacedSave) -> list[tuple[str, str]]:
    """Owner and reason of each edit of a save."""
    return [(edit.owner, edit.why) for edit in placed.edits]


@pytest.fixture
def file() -> OneFile:
    """Ten base lines; line 3 is p's, line 7 q's."""
    made = OneFile(ten())
    made.save(ten(l3="P"), current="p")
    made.save(ten(l3="P", l7="Q"), current="q")
    return made


def test_base_lines_go_to_the_patch_in_use(file: OneFile) -> None:
    """An edit away from all marks goes to the patch in use, with its lines in the new file."""
    placed = file.save(ten(l3="P", l5="x|y", l7="Q"), current="r")
    assert [tuple(edit) for edit in placed.edits] == [((5, 6), "r", "current")]
    assert file.of({"r"}) == ten(l5="x|y")


def test_an_edit_on_a_patchs_lines_stays_with_it(file: OneFile) -> None:
    """Lines of one patch, base lines beside them or not: that patch, whichever is in use."""
    assert went(file.save(ten(l3="P2", l7="Q"), current="q")) == [("p", "lines")]
    assert went(file.save(ten(l3="P3", l4="four", l7="Q"), current="q")) == [("p", "lines")]
    assert file.of({"p"}) == ten(l3="P3", l4="four")


def test_an_edit_over_two_patches_is_nobodys(file: OneFile) -> None:
    """Lines of p and q changed together are unassigned, whichever patch is in use."""
    new = text(*TEN[:2], "all of it", *TEN[7:])
    assert went(file.save(new, current="p")) == [("~over p q", "over p q")]
    assert file.of({"p", "q"}) == ten(l3="P", l7="Q")


def test_a_claim_over_two_patches_depends_on_both(file: OneFile) -> None:
    """A claimed edit goes to the claim, which then needs those whose lines it deletes."""
    placed = file.save(text(*TEN[:2], "all of it", *TEN[7:]), claim="r")
    assert went(placed) == [("r", "claim")]
    assert placed.edges == {("r", "p"), ("r", "q")} == set(hard_edges(file.weave))
    assert file.closures()["r"] == {"p", "q"}


def test_a_claim_that_closes_a_circle_is_nobodys(file: OneFile) -> None:
    """q needs p already: p cannot delete q's lines, and the text on disk is recorded all the same."""
    file.save(ten(l3="Q over P", l7="Q"), claim="q")
    placed = file.save(ten(l3="P over Q", l7="Q"), claim="p")
    assert went(placed) == [("~cycle q p", "cycle q p")]
    assert file.live == ten(l3="P over Q", l7="Q")
    assert file.of({"p", "q"}) == ten(l3="Q over P", l7="Q")


def test_an_insertion_between_two_lines_of_a_patch_is_its(file: OneFile) -> None:
    """Both lines beside an insertion are p's: p, although q is in use."""
    file.save(ten(l3="P|P2", l7="Q"), current="p")
    assert went(file.save(ten(l3="P|new|P2", l7="Q"), current="q")) == [("p", "between")]


def test_an_insertion_at_the_edge_of_a_patch_goes_to_the_patch_in_use(file: OneFile) -> None:
    """Below p's last line the patch in use is meant; it then needs p."""
    assert went(file.save(ten(l3="P|below", l7="Q"), current="q")) == [("q", "current")]
    assert file.closures()["q"] == {"p"}


def test_without_a_patch_in_use_the_neighbour_is_meant(file: OneFile) -> None:
    """Beside one patch: that patch; beside two: nobody; beside none, the one patch that changes the file."""
    assert went(file.save(ten(l3="P", l4="four", l7="Q"))) == [("p", "near")]
    assert went(file.save(ten(l3="P", l4="four", l5="five|six", l6=None, l7="Q"))) == [("~touches p q", "touches p q")]
    alone = OneFile(ten())
    alone.save(ten(l3="P"), current="p")
    assert went(alone.save(ten(l3="P", l9="x"))) == [("p", "file")]
    assert went(OneFile(ten()).save(ten(l9="x"))) == [("~none", "none")]


def test_the_only_open_patch_is_asked_before_nobody() -> None:
    """A committed edit of a file that no patch changes goes to the only open patch."""
    assert went(OneFile(ten()).save(ten(l9="x"), only="r")) == [("r", "only")]


def test_unassigned_lines_stay_unassigned_even_under_a_claim() -> None:
    """An edit on unassigned lines keeps their reason; over theirs and a patch's it is `on`; beside, `beside`."""
    file = OneFile(ten())
    file.save(ten(l3="n"), nobody="~before")
    assert went(file.save(ten(l3="n2"), claim="p")) == [("~before", "before")]
    assert went(file.save(ten(l3="n2", l4="four"), current="p")) == [("~beside", "beside")]
    assert went(file.save(ten(l3="n2|under", l4="four"), claim="p")) == [("p", "claim")]
    assert went(file.save(ten(l3="both", l4="four"), claim="p")) == [("~on", "on")]
    assert file.of({"p"}) == ten(l3="line 3|under")


def test_an_insertion_inside_an_unassigned_block_keeps_its_reason() -> None:
    """Typing on between two lines that are nobody's for one reason adds to them."""
    file = OneFile(b"")
    file.save(text("a", "b"))
    assert went(file.save(text("a", "new", "b"), current="p")) == [("~none", "none")]


def test_marks_of_an_abandoned_patch_count_as_nobodys(file: OneFile) -> None:
    """On p's lines: unassigned; beside them too; their label stays p's."""
    file.states["p"] = "abandoned"
    assert went(file.save(ten(l3="x", l7="Q"), current="q")) == [("~on", "on")]
    assert went(file.save(ten(l3="x", l4="y", l7="Q"), current="q")) == [("~beside", "beside")]
    assert "p" in owners_of(file.weave)


def test_marks_of_a_merged_patch_count_as_base(file: OneFile) -> None:
    """On p's lines the patch in use gets the edit; a merged patch gets none, not even what it once deleted."""
    file.save(ten(l3="P", l5=None, l7="Q"), current="p")
    file.states["p"] = "merged"
    assert went(file.save(ten(l3="x", l5=None, l7="Q"), current="q")) == [("q", "current")]
    assert went(file.save(ten(l3="x", l7="Q"), current="q")) == [("q", "current")]
    assert went(file.save(ten(l3="x", l5="y", l7="Q"), claim="r")) == [("r", "claim")]


def test_an_edit_of_a_merged_patchs_lines_says_so(file: OneFile) -> None:
    """With no patch to take it, the reason is the merged patch, not that none was in use."""
    file.save(ten(l3="P", l7="Q"), current="p")
    file.states |= {"p": "merged", "q": "abandoned"}
    assert went(file.save(ten(l3="x", l7="Q"))) == [("~merged p", "merged p")]


def test_a_patch_that_undoes_its_edit_has_none(file: OneFile) -> None:
    """Changing a line back un-deletes what stood there: no mark is left."""
    file.save(ten(l7="Q"), current="r")
    assert owners_of(file.weave) == {"q"}


def test_undone_text_comes_back_to_its_patch(file: OneFile) -> None:
    """An edit typed away and back is its patch's again, whichever is in use."""
    file.save(ten(l7="Q"), current="q")
    assert went(file.save(ten(l3="P", l7="Q"), current="q")) == [("p", "returned")]
    file.save(ten(l3="P", l5="one|two|three", l7="Q"), current="r")
    file.save(ten(l3="P", l5="one|three", l7="Q"), current="r")
    assert went(file.save(ten(l3="P", l5="one|two|three", l7="Q"), current="q")) == [("r", "returned")]


def test_lines_put_back_cancel_the_deletion(file: OneFile) -> None:
    """What p deleted and anybody puts back, returns to whoever wrote it; p's edit is gone."""
    file.save(ten(l3="P", l5=None, l7="Q"), current="p")
    assert went(file.save(ten(l3="P", l7="Q"), current="q")) == [("p", "returned")]
    assert file.of({"p"}) == ten(l3="P")


def test_a_claim_puts_back_on_top(file: OneFile) -> None:
    """Base text that p deleted, put back under a claim of q: q inserts, p keeps its deletion, q needs p."""
    file.save(ten(l3="P", l5=None, l7="Q"), current="p")
    assert went(file.save(ten(l3="P", l7="Q"), claim="q")) == [("q", "claim")]
    assert file.of({"p"}) == ten(l3="P", l5=None)
    assert file.closures()["q"] == {"p"}


def test_a_moved_block_stays_with_its_writer(file: OneFile) -> None:
    """q's block moved while p is in use: both halves are q's."""
    file.save(ten(l3="P", l7="Q|Q2|Q3"), current="q")
    moved = text("Q", "Q2", "Q3", "line 1", "line 2", "P", *TEN[3:6], *TEN[7:])
    assert went(file.save(moved, current="p")) == [("q", "moved"), ("q", "moved")]


def test_a_moved_block_of_base_lines_has_one_owner() -> None:
    """Base lines moved between two lines of p go there with both halves; elsewhere to the patch in use."""
    file = OneFile(ten())
    file.save(ten(l3="P|P2"), current="p")
    into = text("line 1", "line 2", "P", "line 8", "line 9", "P2", *TEN[3:7], "line 10")
    assert went(file.save(into, current="q")) == [("p", "between"), ("p", "between")]
    other = OneFile(ten())
    assert went(other.save(text(*TEN[4:], *TEN[:4]), current="q")) == [("q", "current"), ("q", "current")]


def test_a_moved_block_of_several_owners_is_nobodys(file: OneFile) -> None:
    """Lines of p and q moved as one: unassigned, both halves."""
    file.save(ten(l3="P", l4="Q2", l7="Q"), claim="q")
    moved = text(*TEN[:2], *TEN[4:6], "Q", *TEN[7:], "P", "Q2")
    assert went(file.save(moved, current="r")) == [("~moved", "moved"), ("~moved", "moved")]


def test_a_lone_bracket_is_not_a_moved_block() -> None:
    """Blank lines and brackets that vanish here and appear there are two edits."""
    file = OneFile(text("a", "}", "b", "c", "d"))
    file.save(text("a", "Q", "}", "b", "c", "d"), claim="q")
    assert went(file.save(text("a", "Q", "b", "c", "}", "d"), current="p")) == [("p", "current")] * 2


def test_a_formatter_leaves_each_line_with_its_patch(file: OneFile) -> None:
    """White space only, line by line: own lines stay, base lines go to the patch in use, or nobody."""
    indented = b"".join(b"  " + line for line in file.live.splitlines(keepends=True))
    placed = file.save(indented, current="r")
    assert went(placed) == [("r", "current"), ("p", "format"), ("r", "current"), ("q", "format"), ("r", "current")]
    assert [edit.lines for edit in placed.edits] == [(1, 2), (3, 3), (4, 6), (7, 7), (8, 10)]
    assert file.of({"p"}) == ten(l3="  P")
    again = file.save(file.live.replace(b"  ", b"\t"))
    assert [edit.owner for edit in again.edits] == ["r", "p", "r", "q", "r"]


def test_a_formatter_without_a_patch_in_use_leaves_base_lines_to_nobody(file: OneFile) -> None:
    """CRLF everywhere: patches keep their lines, the others are unassigned; a claim takes all."""
    crlf = file.live.replace(b"\n", b"\r\n")
    before = file.weave
    placed = file.save(crlf)
    assert [edit.owner for edit in placed.edits] == ["~none", "p", "~none", "q", "~none"]
    file.weave = before
    assert {edit.owner for edit in file.save(crlf, claim="r").edits} == {"r"}


def test_a_formatter_that_joins_lines_of_two_patches_is_nobodys(file: OneFile) -> None:
    """Lines of p and q joined into one: `rewrites lines of p, q`."""
    joined = text(*TEN[:2], " ".join(["P", *TEN[3:6], "Q"]), *TEN[7:])
    assert went(file.save(joined, current="p")) == [("~format p q", "format p q")]


def test_a_newline_at_the_end_is_an_edit_of_the_last_line() -> None:
    """Taking the final newline away, or adding one, changes the last line and nothing else."""
    file = OneFile(ten())
    assert went(file.save(ten()[:-1], current="p")) == [("p", "current")]
    assert file.of({"p"}) == ten()[:-1]
    assert went(file.save(ten() + b"more", current="q")) == [("p", "lines")]
    assert file.of({"p"}) == ten() + b"more"


def test_an_earlier_content_brings_its_record_back(file: OneFile) -> None:
    """Editor undo to a content seen before: the owners of then; under a claim it is an edit like any other."""
    then = file.weave
    file.save(ten(l3="x", l5="y", l7="z"), claim="r")

    def earlier(content: bytes) -> Weave | None:
        return then if content == live(then) else None

    after = file.weave
    placed = file.save(live(then), current="q", earlier=earlier)
    assert file.weave == then
    assert {why for _, why in went(placed)} == {"returned"}
    file.weave = after
    assert went(file.save(live(then), claim="r", earlier=earlier)) == [("r", "claim")] * 3


def test_an_earlier_record_that_would_close_a_circle_is_not_taken(file: OneFile) -> None:
    """The record of then has q over p, but p needs q meanwhile: the save is sorted by the rules."""
    file.save(ten(l3="Q over P", l7="Q"), claim="q")
    then = file.weave
    file.save(ten(l3="P", l7="Q"))
    rules = file.rules(earlier=lambda content: then, needs=lambda q, p: (q, p) == ("p", "q"))
    placed = place_save(file.weave, live(then), rules)
    assert placed.weave != then
    assert live(placed.weave) == live(then)


def test_a_save_without_a_difference_changes_nothing(file: OneFile) -> None:
    """The same content is no edit and the same weave."""
    placed = place_save(file.weave, file.live, replace(RULES, claim="r"))
    assert placed.weave is file.weave
    assert placed.edits == ()


@pytest.mark.parametrize("back", [False, True])
def test_line_ends_change_beside_an_edit(file: OneFile, back: bool) -> None:
    """One save turns all line ends and adds lines: each line stays with its patch, what is new is the one in use's."""
    plain, more = file.live, ten(l1="first|line 1", l3="P", l7="Q", l10="line 10|last")
    if back:
        file.save(plain.replace(b"\n", b"\r\n"), current="q")
        placed = file.save(more, current="r")
    else:
        placed = file.save(more.replace(b"\n", b"\r\n"), current="r")
    found = {number: edit.owner for edit in placed.edits for number in range(edit.lines[0], edit.lines[1] + 1)}
    assert (found[1], found[4], found[8], found[12]) == ("r", "p", "q", "r")
    assert b"first" not in file.of({"p", "q"}) and b"last" not in file.of({"p", "q"})
    assert b"first" in file.of({"r"}) and b"P" not in file.of({"r"})


def test_line_ends_change_where_lines_go(file: OneFile) -> None:
    """What is told of a save names lines of the new text, also where the edit took the lines that were turned."""
    new = ten(l1="l", l2=None, l3=None, l4=None, l7="Q", l9=None, l10=None).replace(b"\n", b"\r\n")
    placed = file.save(new, current="r")
    count = new.count(b"\n")
    assert all(
        1 <= first <= count + 1 and first - 1 <= last <= count for first, last in (e.lines for e in placed.edits)
    )
    assert file.live == new


def test_some_line_ends_change_beside_an_edit(file: OneFile) -> None:
    """Where both kinds are in the text, before or after, it is an edit like any other."""
    lines = file.live.splitlines(keepends=True)
    most = [line.replace(b"\n", b"\r\n") for line in lines[:9]]
    mixed = b"".join([*most[:5], b"more\r\n", *most[5:], *lines[9:]])
    assert went(file.save(mixed, current="r")) == [("~over p q", "over p q")]


@pytest.mark.parametrize("new", [b"", b"x", b"\n", b"\x00\xff\r\n\r"])
def test_any_bytes_are_lines(new: bytes) -> None:
    """Whatever is on disk is recorded byte for byte, from and to an empty file too."""
    file = OneFile(b"")
    file.save(new, current="p")
    assert file.live == new
    file.save(ten(), current="q")
    file.save(b"", claim="r")
    assert file.live == b""
    assert file.of(()) == b""


def test_typing_leaves_few_ghosts() -> None:
    """A line typed a thousand times over does not make the weave grow without end."""
    weave = weave_of(ten())
    for number in range(1000):
        weave = place_save(weave, ten(l5=f"typing {number}"), replace(RULES, current="p")).weave
    assert sum(len(run.lines) for run in weave.runs) < 250
