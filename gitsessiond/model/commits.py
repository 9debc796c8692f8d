"""Commit objects and their messages as plain values: taken apart, put together, trailers read and written.

Source of the object's form: git's commit.c and gitformat of commits (headers, an empty line, the message); of
trailers: git-interpret-trailers(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitsessiond.model.errors import StoreFailed

PATCH_TRAILER, SESSION_TRAILER, NEEDS_TRAILER = "Patch-Id", "Session-Id", "Depends-On"

_TRAILER = re.compile(rb"^([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*)$", re.DOTALL)
_SURE = (b"Signed-off-by: ", b"(cherry picked from commit ")  # git's: with more, git would not find what we add
# A Depends-On with anything but a patch's id (a change number, an address) is the author's.
_OURS = re.compile(rb"(?:(?:Patch-Id|Session-Id)[ \t]*:|Depends-On[ \t]*:[ \t]*([k-z]{12})[ \t]*$)", re.IGNORECASE)


class CommitFacts(NamedTuple):
    """A commit taken apart; ``author`` and ``committer`` are whole lines: name, address, seconds, zone."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: bytes
    committer: bytes
    message: bytes
    encoding: bytes | None = None

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return subject_line(self.message)

    @property
    def short(self) -> str:
        """The id as messages show it."""
        return self.oid[:7]


def parse_commit(oid: str, data: bytes) -> CommitFacts:
    """Take a commit object apart.

    Raises:
        StoreFailed: it has no tree, author or committer.
    """
    head, _, message = data.partition(b"\n\n")
    found: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key:  # a continuation line (of a signature) begins with a space
            found.setdefault(key, []).append(value)
    try:
        return CommitFacts(
            oid=oid,
            tree=found[b"tree"][0].decode("ascii"),
            parents=tuple(parent.decode("ascii") for parent in found.get(b"parent", ())),
            author=found[b"author"][0],
            committer=found[b"committer"][0],
            message=message,
            encoding=found[b"encoding"][0] if b"encoding" in found else None,
        )
    except (KeyError, UnicodeDecodeError) as exc:
        raise StoreFailed(f"commit {oid} cannot be read: {exc!r}", hint="git fsck") from exc


def commit_data(facts: CommitFacts) -> bytes:
    """The commit object of these facts (``oid`` is not looked at); an original's signature is not kept."""
    lines = [b"tree " + facts.tree.encode("ascii")]
    lines += [b"parent " + parent.encode("ascii") for parent in facts.parents]
    lines += [b"author " + facts.author, b"committer " + facts.committer]
    if facts.encoding is not None:
        lines.append(b"encoding " + facts.encoding)
    return b"\n".join(lines) + b"\n\n" + facts.message


def subject_line(message: bytes) -> str:
    """The first line of a message that is not empty, as text."""
    lines = (line.strip() for line in message.decode("utf-8", "replace").splitlines())
    return next((line for line in lines if line), "")


def split_trailers(message: bytes) -> tuple[bytes, list[bytes]]:
    """A message as its body (ending in one newline) and its trailer lines, continuation lines joined on.

    The last paragraph is trailers when all its lines are, or one surely is and at least a quarter are; a
    message of one paragraph has none.
    """
    text = message.rstrip()
    body, gap, block = text.rpartition(b"\n\n")
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        if lines and line[:1] in (b" ", b"\t"):
            lines[-1] += b"\n" + line
        else:
            lines.append(line)
    good = [line for line in lines if _TRAILER.match(line) or line.startswith(_SURE)]
    sure = any(line.startswith(_SURE) for line in lines)
    if gap and (len(good) == len(lines) or (sure and len(good) * 4 >= len(lines))):
        return body.rstrip() + b"\n", lines
    return (text + b"\n" if text else b""), []


def trailer_values(message: bytes, key: str) -> list[str]:
    """The values of a trailer, in order, compared without regard to case as git does."""
    wanted, values = key.lower().encode("ascii"), []
    for line in split_trailers(message)[1]:
        found = _TRAILER.match(line)
        if found and found[1].lower() == wanted:
            values.append(found[2].decode("utf-8", "replace").strip())
    return values


def with_trailers(message: bytes, trailers: Sequence[tuple[str, str]]) -> bytes:
    """The message with these trailers at its end, in place of any it has under the same keys."""
    body, lines = split_trailers(message)
    keys = {key.lower().encode("ascii") for key, _ in trailers}
    kept = [line for line in lines if not ((found := _TRAILER.match(line)) and found[1].lower() in keys)]
    return _joined(body, kept, trailers)


def with_our_trailers(message: bytes, sid: str, pid: str, needs: Iterable[str] = ()) -> bytes:
    """The message with the trailers of a session's patch and of what it depends on, in place of any others of ours."""
    body, lines = split_trailers(message)
    kept = [line for line in lines if not _OURS.match(line)]
    ours = [(SESSION_TRAILER, sid), (PATCH_TRAILER, pid), *((NEEDS_TRAILER, need) for need in needs)]
    return _joined(body, kept, ours)


def needs_told(message: bytes, pid: str) -> list[str]:
    """The patches that a message says ``pid`` depends on; what it says of another patch is none of them."""
    if trailer_values(message, PATCH_TRAILER) != [pid]:
        return []
    found = (_OURS.match(line) for line in split_trailers(message)[1])
    return [match[1].decode("ascii") for match in found if match and match[1]]


def _joined(body: bytes, lines: Sequence[bytes], trailers: Iterable[tuple[str, str]]) -> bytes:
    block = [*lines, *(f"{key}: {value}".encode() for key, value in trailers)]
    return body + b"\n" + b"\n".join(block) + b"\n"
