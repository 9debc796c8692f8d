"""A marked text taken apart and put together: any choice for all of its places gives what that side, or git, has."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitsessiond.model.conflicts import left_over, marker_size
from gitsessiond.model.hunks import (
    CHOICES,
    Place,
    answers_in,
    composed,
    ended_as,
    parts_of,
    places_in,
    same_place,
    taken,
)
from gitsessiond.store.text import diff_lines, merge_text, union_text

LINES = st.lists(
    st.sampled_from([b"a", b"b", b"c", b"d", b"", b"=======", b"<<<<<<< HEAD", b"|||||||", b">>>>>>> x", b"x\r"]), max_size=8
)  # fmt: skip
TEXTS = st.builds(lambda lines, end: b"\n".join(lines) + end, LINES, st.sampled_from([b"\n", b""]))


def parts(base: bytes, ours: bytes, theirs: bytes) -> list[bytes | Place]:
    """The parts of a merge, none if it is clean."""
    sides = [base, ours, theirs]
    size = marker_size(sides)
    merged = merge_text(base, ours, theirs, labels=("base", "main", "one (x)"), marker_size=size)
    if not merged.conflicts:
        return []
    found = parts_of(merged.content, size)
    assert found is not None and places_in(found)
    assert composed(found, [None] * len(places_in(found))) == merged.content
    return found


@given(base=TEXTS, ours=TEXTS, theirs=TEXTS)
@settings(max_examples=40)
def test_any_answers_leave_a_text_without_markers(base: bytes, ours: bytes, theirs: bytes) -> None:
    """Whatever is chosen; and what each place became is read from the result again, or nothing is said of it."""
    found = parts(base, ours, theirs)
    assume(found)
    places = places_in(found)
    for choice in CHOICES:
        answers = [taken(place, choice) for place in places]
        text = composed(found, answers)
        assert left_over(text, [base, ours, theirs]) is None
        again = answers_in(found, text, diff_lines)
        assert None in again or composed(found, again) == text


def test_each_choice_is_that_side() -> None:
    """A text with one place: ours, theirs and both are the sides and git's union, a missing last newline included."""
    for ours, theirs in [(b"a\nb", b"a\nc\n"), (b"a\nb\n", b"a\nc"), (b"b", b"c"), (b"b\r\n", b"c\r\n"), (b"", b"x")]:
        found = parts(b"a\nq\n", ours, theirs)
        (place,) = places_in(found)
        for choice, side in (("ours", ours), ("theirs", theirs)):
            text = composed(found, [place.ours if choice == "ours" else place.theirs])
            assert ended_as(text, found, side) == side
    found = parts(b"q\n", b"b\n", b"c\n")
    assert composed(found, [taken(places_in(found)[0], "both")]) == union_text(b"q\n", b"b\n", b"c\n")


def test_markers_out_of_order_are_no_parts() -> None:
    """A text somebody is still working on: it is shown as it is, and nothing is asked about it."""
    good = b"<<<<<<< m\na\n||||||| b\n=======\nc\n>>>>>>> p\n"
    assert parts_of(good, 7) is not None
    for line in good.splitlines(keepends=True):
        if line[:1] in b"<|=>":
            assert parts_of(good.replace(line, b"", 1), 7) is None


def test_a_place_is_known_again_whichever_side_has_what() -> None:
    """The texts count, not what was there before, nor whose they were."""
    one = Place(b"a\n", b"q\n", b"b\n", 1, b"")
    assert same_place(one, Place(b"b\n", b"", b"a\n", 9, b"")) and not same_place(one, one._replace(ours=b"c\n"))


def test_an_edit_beside_a_place_keeps_what_it_became_unsaid() -> None:
    """Where the lines around were changed with it, nobody can tell what of it is the answer."""
    found = parts(b"a\nb\nc\n", b"a\nx\nc\n", b"a\ny\nc\n")
    assert answers_in(found, b"a\nxy\nc\n", diff_lines) == [b"xy\n"]
    assert answers_in(found, b"A\nxy\nc\n", diff_lines) == [None]
