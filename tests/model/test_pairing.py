"""Rewritten commits find the commit they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitsessiond.model.commits import CommitFacts
from gitsessiond.model.pairing import pair_rewritten

ANN = b"Ann <ann@example.org>"


def facts(oid: str, words: str, time: int = 1, author: bytes = ANN) -> CommitFacts:
    return CommitFacts(oid, "t", (), b"%s %d +0000" % (author, time), b"c", words.encode())


def never(commits: Sequence[str]) -> Mapping[str, str]:
    raise AssertionError("no doubt, so no process")


def test_same_author_time_and_subject() -> None:
    """Author, author time and subject are enough where they are unique; nothing else is asked."""
    old = [facts("a", "p: first", 1), facts("b", "q: first", 2)]
    new = [facts("d", "q: first\n\nbody", 2), facts("c", "p: first", 1)]
    assert pair_rewritten(old, new, never) == {"c": "a", "d": "b"}


def test_two_in_one_second_are_told_by_change_then_by_order() -> None:
    """Equal words and time: the same change, else chain order."""
    old = [facts("a", "wip"), facts("b", "wip"), facts("x", "wip")]
    new = [facts("c", "wip"), facts("d", "wip"), facts("y", "wip")]
    known = {"a": "1", "b": "2", "c": "2", "d": "1", "x": "3", "y": "4"}
    assert pair_rewritten(old, new, lambda commits: known) == {"c": "b", "d": "a", "y": "x"}


def test_amended_words() -> None:
    """`commit --amend -m` keeps author and time."""
    assert pair_rewritten([facts("a", "old", 5)], [facts("b", "new", 5)], never) == {"b": "a"}


def test_reset_author_is_paired_by_subject_and_change() -> None:
    """`--reset-author` changes the time: subject and change decide."""
    old = [facts("a", "p", 1), facts("b", "q", 2)]
    new = [facts("c", "p", 9), facts("d", "q", 9)]
    known = {"a": "1", "b": "2", "c": "1", "d": "2"}
    assert pair_rewritten(old, new, lambda commits: known) == {"c": "a", "d": "b"}


def test_a_new_commit_has_no_pair() -> None:
    """A commit with other words, time and change was nothing before."""
    old, new = [facts("a", "p", 1)], [facts("c", "fresh", 9)]
    assert pair_rewritten(old, new, lambda commits: {"a": "1", "c": "2"}) == {}
    assert pair_rewritten([], new, never) == {}
    assert pair_rewritten(old, [], never) == {}


def test_squash_pairs_with_one() -> None:
    """One commit made of two is paired with at most one of them."""
    old = [facts("a", "p", 1), facts("b", "q", 2)]
    new = [facts("c", "p", 1)]
    assert pair_rewritten(old, new, lambda commits: {}) == {"c": "a"}
