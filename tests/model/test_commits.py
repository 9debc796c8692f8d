"""Trailers of messages: read and written as git does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.model.commits import needs_told, split_trailers, trailer_values, with_our_trailers, with_trailers
from tests.conftest import git

MESSAGES = [
    b"subject\n",
    b"subject\n\nbody\n",
    b"subject\n\nbody\n\nSigned-off-by: Ann <a@b>\n",
    b"subject\n\nSigned-off-by: Ann <a@b>\nPatch-Id: kkkkllllmmmm\n",
    b"subject\n\nKey: one\n  goes on\nOther: two\n",
    b"Key: value is the subject\n",
    b"subject\n\nthis: is\nprose that goes on\nand on\n",
    b"subject\n\nGr\xc3\xbc\xc3\x9fe: ja\n",
    b"subject\n\nwhat it says\nPatch-Id: kkkkllllmmmm\nDepends-On: kkkkllllmmmm\n",
    b"subject\n\nDepends-On: kkkkllllmmmm\nDepends-On: https://review.example/12\n",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_writing_is_what_git_does(message: bytes, repo: Path) -> None:
    """Adding a trailer gives what git-interpret-trailers gives."""
    told = git(
        repo,
        "interpret-trailers",
        "--no-divider",
        "--if-exists=replace",
        "--trailer",
        "Patch-Id: kkkk",
        stdin=message,
    )
    ours = with_trailers(message, [("Patch-Id", "kkkk")])
    assert trailer_values(ours, "patch-id") == ["kkkk"]
    assert ours.strip() == told.strip()


def test_values_and_body() -> None:
    """Values come in order, continuation lines joined; the body ends before the block."""
    message = b"subject\n\nbody\n\nPatch-Id: one\npatch-id: two\nKey: a\n b\n"
    assert trailer_values(message, "Patch-Id") == ["one", "two"]
    assert trailer_values(message, "Key") == ["a\n b"]
    assert split_trailers(message)[0] == b"subject\n\nbody\n"
    assert trailer_values(b"Patch-Id: only a subject\n", "Patch-Id") == []


def test_replacing() -> None:
    """Our trailers replace earlier ones of the same keys and leave the others."""
    message = with_trailers(b"s\n\nPatch-Id: old\nSigned-off-by: A\n", [("Session-Id", "s"), ("Patch-Id", "new")])
    assert message == b"s\n\nSigned-off-by: A\nSession-Id: s\nPatch-Id: new\n"


def test_our_own() -> None:
    """Ours replace ours, all that a patch needs; a Depends-On that names no patch is its author's."""
    p, q, r = "p" * 12, "q" * 12, "r" * 12
    words = b"s\n\nDepends-On: I0123456789ab\ndepends-on: " + q.encode() + b"\n"
    made = with_our_trailers(words, "s" * 12, p, [r, q])
    assert made.decode().splitlines()[2:] == [
        "Depends-On: I0123456789ab", f"Session-Id: {'s' * 12}", f"Patch-Id: {p}", f"Depends-On: {r}", f"Depends-On: {q}",
    ]  # fmt: skip
    assert (needs_told(made, p), needs_told(made, q)) == ([r, q], [])
    assert with_our_trailers(made, "s" * 12, p, needs_told(made, p)) == made
    bare = with_our_trailers(b"s\n", "s" * 12, q)
    assert with_our_trailers(bare, "s" * 12, q) == bare and needs_told(bare, q) == []
