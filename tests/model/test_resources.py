"""Names of what can be locked: which there are, and which of them cover a common path."""

from __future__ import annotations

import fnmatch
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.names import literal, spoken
from gitsessiond.model.resources import LONGEST, covers, name_of_path, overlap, resource

ALL_PATHS = ["/".join(parts) for n in (1, 2, 3) for parts in itertools.product(["a", "b", "ab", "ba"], repeat=n)]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("path/a/*.py", "path/a/x*", True),
        ("path/a/*.py", "path/a/*.txt", False),
        ("path/a/*.py", "path/a/", True),
        ("path/a/*.py", "path/a/b/x.py", False),
        ("path/a*c", "path/*b*", True),
        ("path/a?", "path/?b", True),
        ("path/[a-c]x", "path/[!a-c]x", False),
        ("path/[a-m]*", "path/[k-z]*", True),
        ("path/**/x.py", "path/a/b/x.py", True),
        ("path/**/x.py", "path/x.py", True),
        ("path/**/x.py", "path/a/b/", True),
        ("path/**/*.md", "path/src/a.py", False),
        ("path/a/**/b", "path/**/c/b", True),
        ("path/*/", "path/a/b", True),
        ("path/*", "path/a/b", False),
        ("path/new", "path/new/*.py", True),
        ("path/new/a", "path/new/*.py", False),
        ("path/new", "path/new/**/x", True),
        ("path/a/**", "path/a/b/c", True),
        ("path/\\*", "path/*a", False),
        ("path/\\*", "path/?", True),
        ("path/a", "path/a/b", True),
        ("path/a", "path/ab", False),
        ("/", "db/users", True),
        ("db/users", "path/users", False),
        ("git", "git/index@wt", True),
        ("ref/refs/heads/*", "ref/refs/heads/main", True),
        ("path/\u00e9", "path/e\u0301", True),
    ],
)
def test_two_names_meet_where_a_path_is_covered_by_both(one: str, other: str, meet: bool) -> None:
    assert overlap(resource(one), resource(other)) is meet
    assert overlap(resource(other), resource(one)) is meet


PART = st.text("ab*?", min_size=1, max_size=3) | st.just("**") | st.sampled_from(["[ab]", "[!a]", "[a-b]b", "a[!b]"])
PATTERN = st.lists(PART, min_size=1, max_size=3).map("/".join)


def matched(pattern: str) -> set[str]:
    """The paths that a pattern covers, found by matching each with the standard library's words."""
    deep, parts = pattern.endswith("/"), pattern.rstrip("/").split("/")
    if parts[-1] == "**":
        deep, parts = True, parts[:-1]
    expression = ""
    for part in parts:
        one = fnmatch.translate(part).removesuffix(r")\Z").removeprefix("(?s:").replace(".*", "[^/]*")
        one = re.sub(r"(?<!\[)(?<!\\)\.(?!\*)", "[^/]", one)
        expression += r"(?:[^/]+/)*" if part == "**" else one + "/"
    found = re.compile(expression + ("(?:[^/]+/)*" if deep else ""))
    return {path for path in ALL_PATHS if found.fullmatch(path + "/")}


@given(PATTERN, PATTERN)
def test_patterns_meet_where_any_path_shows_it(one: str, other: str) -> None:
    """What a common path proves is found; that none is found where there is none, the longest of them show."""
    left, right = resource("path/" + one), resource("path/" + other)
    if matched(one) & matched(other):
        assert overlap(left, right)
    assert overlap(left, right) is overlap(right, left)
    assert overlap(left, left)


SHORT = st.lists(st.sampled_from(["a", "b", "?", "*", "a?", "*b", "[ab]"]), min_size=1, max_size=3).map("/".join)


@given(SHORT, SHORT)
def test_patterns_that_meet_have_a_path_that_shows_it(one: str, other: str) -> None:
    """Of such short ones every common path is among those that are tried."""
    patterns = re.search(r"[*?[]", one) or re.search(r"[*?[]", other)
    pairs = ((one, other), (other, one))
    begins = any(not re.search(r"[*?[]", plain) and pattern.startswith(plain + "/") for plain, pattern in pairs)
    meet = bool(matched(one) & matched(other)) or begins
    if patterns:
        assert overlap(resource("path/" + one), resource("path/" + other)) is meet


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"), min_size=1, max_size=9))
def test_any_name_of_a_file_can_be_spelled(name: str) -> None:
    if name in (".", "..") or name.casefold() == ".git":
        return
    found = resource("path/" + literal(name))
    assert found.rest == ()
    assert overlap(found, resource("path/" + literal(name) + "/"))


@pytest.mark.parametrize(
    "name",
    [
        "", "path//a", "path/../x", "path/\\../x", "path/./x", "/etc/passwd", "etc", "path/.git/config", "path/.GIT",
        "path/[", "path/[]", "path/[b-a]", "path/[[:alpha:]]", "path/a\\", "git/foo", "git/index@*", "git/config/x", "path/\x1b[0m", "path/a\nb",
        "path/\0", "path/\ud800", "x" * (LONGEST + 1), "path/" + "x" * 256, "path/" + "*a" * 200, 3, None, ["path/a"],
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused(name: object) -> None:
    with pytest.raises(BadRequest):
        resource(name)


def test_case_counts_unless_the_repository_says_otherwise() -> None:
    assert not overlap(resource("path/README"), resource("path/readme"))
    assert overlap(resource("path/README", fold=True), resource("path/readme", fold=True))
    assert resource("path/README", fold=True).name == "path/README"
    assert not overlap(resource("ref/A", fold=True), resource("ref/a", fold=True))


def test_the_worst_pattern_is_answered_soon() -> None:
    """Many stars do not multiply, and front, which answers nobody else meanwhile, can compare some hundreds of those."""
    for number in range(300):
        assert not overlap(resource("path/" + "*a" * 120 + "b"), resource("path/" + "a*" * 119 + f"{number}c"))


@pytest.mark.parametrize(
    ("one", "other", "whole"),
    [
        ("path/a/", "path/a/b", True),
        ("path/a/b", "path/a/", False),
        ("path/*.py", "path/a.py", True),
        ("path/*.py", "path/a.py/b", False),
        ("path/*/", "path/a/b", True),
        ("path/*.py", "path/*.py", True),
        ("path/*.py", "path/a*.py", False),
        ("/", "db/x", True),
    ],
)
def test_a_name_covers_another(one: str, other: str, whole: bool) -> None:
    assert covers(resource(one), resource(other)) is whole


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/", "everything"), ("path", "all files"), ("path/a b", "a b"), ("path/\\[id].tsx", "[id].tsx"),
        ("path/\\[*", "\\[*"), ("path/db/x", "db/x"), ("db/x", "database x"), ("ref/refs/heads/a/b", "branch a/b"),
        ("ref", "all refs"), ("ref/refs/heads/", "all branches"),
        ("ref/refs/tags/v1", "ref/refs/tags/v1"), ("git/config", "git/config"),
    ],
)  # fmt: skip
def test_a_name_as_one_says_it(name: str, words: str) -> None:
    assert spoken(resource(name).name) == words


def test_the_name_of_a_file() -> None:
    """As locks have it: letters that patterns are made of stand for themselves; some names no lock has."""
    assert [name_of_path(path) for path in (b"a b.txt", b"src/a[1].py", b'q"q.py')] == [
        "path/a b.txt", "path/src/a\\[1].py", 'path/q"q.py',
    ]  # fmt: skip
    assert {name_of_path(path) for path in (b"\xff", b"x\ny", b"sub/.git/HEAD", b"..", b"n" * 5000)} == {None}
