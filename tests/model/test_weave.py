"""The weave itself: filters, edges, edits, bits."""

from __future__ import annotations

import pytest

from gitsessiond.model.edges import hard_edges, touching
from gitsessiond.model.weave import (
    EVERY_COMMIT,
    Edit,
    Run,
    Weave,
    as_of,
    drop_ghosts,
    edits,
    join_lines,
    live,
    owners_of,
    relabel,
    remap_bits,
    split_lines,
    version,
    version_at,
    weave_from,
    weave_of,
)


def base(*lines: bytes, gone: str | None = None, gone_in: int = 0) -> Run:
    return Run("base", gone, EVERY_COMMIT, gone_in, lines)


def by(owner: str, *lines: bytes, gone: str | None = None, ins_in: int = 0, gone_in: int = 0) -> Run:
    return Run(owner, gone, ins_in, gone_in, lines)


def alone(owner: str) -> frozenset[str]:
    """No patch depends on another."""
    return frozenset()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a", b"a\n", b"a\r\nb\rc\r\n", b"a\n\nb", b"\x00\xff\n\x0b\x0c\x85\n"]
)
def test_lines_end_at_line_feeds_only(content: bytes) -> None:
    """A text is cut at line feeds and nowhere else, and the lines make it again."""
    lines = split_lines(content)
    assert b"".join(lines) == content
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines[:-1])


def test_a_line_without_newline_gets_one_only_when_another_follows() -> None:
    """The missing newline of a last line counts while it is last in that version."""
    weave = Weave((base(b"a\n"), base(b"b"), by("p", b"c\n")))
    assert version(weave, ()) == b"a\nb"
    assert version(weave, {"p"}) == b"a\nb\nc\n"
    assert join_lines([b"x", b"y"]) == b"x\ny"


def test_versions_are_filters_by_owner() -> None:
    """A version shows what its owners inserted and hides what they deleted; unassigned labels are one layer."""
    weave = Weave((base(b"a\n", gone="p"), by("p", b"A\n"), by("~none", b"n\n"), base(b"z\n", gone="~on")))
    assert live(weave) == b"A\nn\n"
    assert version(weave, ()) == b"a\nz\n"
    assert version(weave, {"p"}) == b"A\nz\n"
    assert version(weave, {"~"}) == b"a\nn\n"
    assert version(weave, {"p", "~"}) == live(weave)


def test_a_commits_version_shows_only_the_marks_it_holds() -> None:
    """What a commit holds is filtered by the owners of now."""
    weave = Weave((base(b"a\n", gone="p", gone_in=0b10), by("p", b"A\n", ins_in=0b10), by("q", b"n\n")))
    assert version_at(weave, {"p", "q"}, 0) == b"a\n"
    assert version_at(weave, {"p", "q"}, 1) == b"A\n"
    assert version_at(weave, {"q"}, 1) == b"a\n"
    assert live(as_of(weave, 1)) == b"A\n"


def test_ghosts_are_no_marks() -> None:
    """A line that its own writer deleted is in no version and counts for nobody; a committed one stays."""
    ghost, kept = by("p", b"x\n", gone="p"), by("q", b"y\n", gone="q", ins_in=1)
    weave = Weave((base(b"a\n"), ghost, kept))
    assert owners_of(weave) == {"q"}
    assert drop_ghosts(weave).runs == (base(b"a\n"), kept)
    assert owners_of(as_of(weave, 0)) == {"q"}
    assert not touching(weave, "p", "q", alone)


def test_labels_of_one_layer_make_ghosts_too() -> None:
    """A line that is nobody's for one reason and deleted for another is shown nowhere."""
    weave = Weave((by("~none", b"x\n", gone="~on"),))
    assert owners_of(weave) == frozenset()
    assert drop_ghosts(weave) == Weave()


def test_deleting_a_patchs_line_is_a_hard_edge() -> None:
    """p deletes a line of q: p needs q, said with the line beside it; nobody's deletions and base lines do not count."""
    weave = Weave(
        (base(b"1\n", b"2\n"), by("q", b"x\n", gone="p"), by("q", b"y\n", gone="~on"), base(b"3\n", gone="r"))
    )
    assert hard_edges(weave) == {("p", "q"): 2}
    assert hard_edges(Weave((by("q", b"x\n", gone="p"),))) == {("p", "q"): 1}


@pytest.mark.parametrize(
    ("between", "touch"),
    [
        ((), True),
        ((base(b"k\n"),), False),
        ((by("r", b"k\n"),), True),  # neither stands on it
        ((base(b"k\n", gone="r"),), False),  # both keep it
    ],
)
def test_edits_touch_when_no_line_that_both_keep_lies_between(between: tuple[Run, ...], touch: bool) -> None:
    """Touching is decided by the lines that both patches stand on."""
    weave = Weave((base(b"a\n", gone="p"), by("p", b"A\n"), *between, by("q", b"B\n"), base(b"z\n")))
    assert touching(weave, "p", "q", alone) is touch
    assert touching(weave, "q", "p", alone) is touch


def test_a_line_that_one_stands_on_keeps_edits_apart() -> None:
    """A line of r separates p and q where both depend on r; where only p does, q's view has no line there."""
    weave = Weave((base(b"a\n"), by("p", b"A\n"), by("r", b"k\n"), by("q", b"B\n"), base(b"z\n")))
    assert not touching(weave, "p", "q", lambda owner: frozenset({"r"}))
    assert touching(weave, "p", "q", lambda owner: frozenset({"r"} if owner == "p" else ()))


def test_edits_are_rows_of_marks_with_their_live_lines() -> None:
    """Neighbouring marks of one owner are one edit; a deletion is told by the line it stands before."""
    weave = Weave(
        (
            base(b"1\n", gone="p"),
            by("p", b"one\n", b"more\n"),
            base(b"2\n"),
            base(b"3\n", gone="~none"),
            by("q", b"g\n", gone="q"),
            by("q", b"x\n"),
            base(b"4\n"),
        )
    )
    assert edits(weave, None) == [
        Edit("p", (1, 2), 2, 1, False),
        Edit("~none", (4, 3), 0, 1, False),
        Edit("q", (4, 4), 1, 0, False),
    ]


def test_edits_tell_committed_from_not() -> None:
    """Marks in the tip are committed; a committed line that its patch deleted again is an edit to come."""
    weave = Weave(
        (
            base(b"1\n", gone="p", gone_in=1),
            by("p", b"one\n", ins_in=1),
            by("p", b"more\n"),
            base(b"2\n"),
            by("p", b"old\n", gone="p", ins_in=1),
        )
    )
    assert edits(weave, 0) == [
        Edit("p", (1, 1), 1, 1, True),
        Edit("p", (2, 2), 1, 0, False),
        Edit("p", (4, 3), 0, 1, False),
    ]


def test_relabel_moves_selected_marks_only() -> None:
    """Insertions and deletions are chosen one by one; base lines keep their writer."""
    weave = Weave((base(b"1\n", gone="p"), by("p", b"one\n", gone="q")))
    moved = relabel(weave, lambda run, mark: (run.ins if mark == "ins" else run.gone) == "p", "r")
    assert moved.runs == (base(b"1\n", gone="r"), by("r", b"one\n", gone="q"))


def test_remapped_bits_follow_their_commits() -> None:
    """Bits move with the mapping, bits left out are dropped, base lines stay in every commit."""
    weave = Weave((base(b"1\n", gone="p", gone_in=0b110), by("p", b"x\n", ins_in=0b101)))
    assert remap_bits(weave, {2: 0, 0: 3}).runs == (
        base(b"1\n", gone="p", gone_in=0b1),
        by("p", b"x\n", ins_in=0b1001),
    )
    assert remap_bits(weave, {}).runs == (base(b"1\n", gone="p"), by("p", b"x\n"))


def test_runs_join_but_never_behind_a_missing_newline() -> None:
    """Neighbours with the same marks are one run; a line without its newline ends a run."""
    joined = weave_from([base(b"1\n"), base(), base(b"2"), base(b"3\n"), by("p", b"x\n"), by("p", b"y\n")])
    assert joined.runs == (base(b"1\n", b"2"), base(b"3\n"), by("p", b"x\n", b"y\n"))
    assert weave_of(b"") == Weave()
