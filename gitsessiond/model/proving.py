"""What proves that a change of a file is the write that somebody declared: its content, and nothing else.

A write is declared by what it was to put where (:class:`Declared`), or as a shell command. Beside it others may have
changed the same file: the proven part is what the file was before, with those hunks that are the write's, and the rest
is nobody's. Time and place alone prove nothing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from gitsessiond.model.simplecommands import simple_commands
from gitsessiond.model.values import Diff, Hunk
from gitsessiond.model.weave import split_lines

REMOVING, MOVING = (b"rm", b"unlink", b"git rm"), (b"mv", b"git mv")
COPYING = (*MOVING, b"cp", b"install")
SETTING_MODES = (*COPYING, b"chmod")
LINKING = (*COPYING, b"ln", b"git clone", b"git submodule")
MOST_PLACES = 64  # at which a text to be replaced is looked for


class Piece(NamedTuple):
    """Some text put in the place of another. ``everywhere``: at each of its places, not at one of them."""

    old: bytes
    new: bytes
    everywhere: bool = False


class Declared(NamedTuple):
    """What one write was to make of a file: all of its content, the text of a notebook's cell, or some pieces of it."""

    content: bytes | None = None
    pieces: tuple[Piece, ...] = ()
    deleted: bool = False
    cell: bytes | None = None


def proven_part(before: bytes, now: bytes, declared: Declared, diff: Diff) -> bytes | None:
    """What was there before with the declared write in it, as far as that is on disk; None: none of it is.

    A piece that fits in several places was put where the disk has it.
    """
    if declared.content is not None:
        return _with_hunks(before, now, declared.content, diff)
    if declared.cell is not None:
        return cell_part(before, now, declared.cell, diff)
    text = before
    for piece in declared.pieces:
        found = _replaced(text, piece, lambda one: _with_hunks(before, now, one, diff) == one)
        if found is None:
            return None
        text = found
    return _with_hunks(before, now, text, diff)


def _replaced(text: bytes, piece: Piece, fits: Callable[[bytes], bool]) -> bytes | None:
    """The text with a piece in place; None: nothing there is to be replaced, or it fits nowhere."""
    old, new = piece.old, piece.new
    if old not in text and b"\r\n" in text:
        old, new = old.replace(b"\n", b"\r\n"), new.replace(b"\n", b"\r\n")
    count = text.count(old) if old else int(not text)
    if not count:
        return None
    if count == 1 or piece.everywhere:
        return text.replace(old, new) if old else new
    at = -1
    for _ in range(min(count, MOST_PLACES)):
        at = text.find(old, at + 1)
        if at < 0:
            return None
        made = text[:at] + new + text[at + len(old) :]
        if fits(made):
            return made
    return None


def _with_hunks(before: bytes, now: bytes, wanted: bytes, diff: Diff) -> bytes | None:
    """``before`` with those of its hunks towards ``now`` that it has towards ``wanted`` too; None: there are none."""
    if wanted == now:
        return None if now == before else now
    return _apply(before, split_lines(now), _shared_hunks(before, now, wanted, diff))


def _shared_hunks(before: bytes, now: bytes, wanted: bytes, diff: Diff) -> list[Hunk]:
    """The hunks towards ``now`` that are also those towards ``wanted``."""
    lines, there = split_lines(wanted), split_lines(now)
    meant = {(hunk.old_from, hunk.old_to, *lines[hunk.new_from : hunk.new_to]) for hunk in diff(before, wanted)}
    return [
        hunk for hunk in diff(before, now) if (hunk.old_from, hunk.old_to, *there[hunk.new_from : hunk.new_to]) in meant
    ]


def proven_lines(before: bytes, now: bytes, proven: bytes, diff: Diff) -> list[tuple[int, int]]:
    """Where in ``now`` the hunks are that are proven (1-based, inclusive); a deletion is (n, n-1)."""
    return [(hunk.new_from + 1, hunk.new_to) for hunk in _shared_hunks(before, now, proven, diff)]


def _apply(before: bytes, there: Sequence[bytes], hunks: Sequence[Hunk]) -> bytes | None:
    """``before`` with some of its hunks towards a text of these lines; None: with none."""
    if not hunks:
        return None
    old = split_lines(before)
    out: list[bytes] = []
    at = 0
    for hunk in hunks:
        out += [*old[at : hunk.old_from], *there[hunk.new_from : hunk.new_to]]
        at = hunk.old_to
    return b"".join([*out, *old[at:]])


_ANY_CELL = re.compile(
    rb'"(?:cell_type|id)": "[^"]*"|"execution_count": null|"metadata": \{\}?|"outputs": \[\]?|"source": \[\]?|[]\[{}]*'
)


def cell_part(before: bytes, now: bytes, source: bytes, diff: Diff) -> bytes | None:
    """A notebook as it was before with one cell's new text, and what is cleared in that cell; None: it is not there.

    In any other hunk of that cell, or of another one, somebody else may have written.
    """
    there = split_lines(now)
    texts = {source, *split_lines(source)}
    cells = list(accumulate(line.strip().startswith(b'"cell_type":') for line in there))
    fit, told = list[Hunk](), set[int]()
    for hunk in diff(before, now):
        said = [_is_of_cell(line, texts) for line in there[hunk.new_from : hunk.new_to]]
        if None not in said:
            fit.append(hunk)
            told |= {cells[hunk.new_to - 1]} if True in said else set()
    return _apply(before, there, [hunk for hunk in fit if hunk.new_to and cells[hunk.new_to - 1] in told])


def _is_of_cell(line: bytes, texts: Collection[bytes]) -> bool | None:
    """Whether a notebook's line has one of these texts, or (False) what any cell has; None: it has something else."""
    line = line.strip().removesuffix(b",")
    if _ANY_CELL.fullmatch(line):
        return False
    try:
        text = json.loads(line.removeprefix(b'"source":'))
    except (ValueError, RecursionError):
        return None
    found = isinstance(text, str) and text.encode("utf-8", "surrogatepass") in texts
    return True if found and text.strip() else False if found else None


@dataclass(frozen=True)
class Command:
    """A shell command as it was given, and the directory it was run in, seen from the worktree's top."""

    text: bytes
    directory: bytes = b""

    def names(self, path: bytes) -> bool:
        """Whether it names this file. A directory, or a pattern, names nothing."""
        if path in self.paths:
            return True
        parts = path.split(b"/") if b"cd" in self.words else []
        return any(b"/".join(parts[at:]) in self.words for at in range(1, len(parts)))

    def removes(self, path: bytes) -> bool:
        """Whether a simple command of it takes this file away; what it moves others to it does not."""
        return any(
            self._is_among(path, one.words[:-1] if one.program in MOVING else one.words)
            for one in simple_commands(self.text)
            if one.program in (*REMOVING, *MOVING)
        )

    def runs(self, programs: Collection[bytes], path: bytes) -> bool:
        """Whether a simple command of it is one of these programs, and is given this file."""
        return any(one.program in programs and self._is_among(path, one.words) for one in simple_commands(self.text))

    def creates(self, path: bytes) -> bool:
        """Whether it makes this file, be it empty: by a redirection, or by a program for that."""
        into = any(self._is_among(path, one.into) for one in simple_commands(self.text))
        return into or self.runs((b"touch", b"truncate", *COPYING), path)

    def _is_among(self, path: bytes, words: Sequence[bytes]) -> bool:
        moved = b"cd" in self.words
        return any(
            path == posixpath.normpath(posixpath.join(self.directory, word)) or (moved and path.endswith(b"/" + word))
            for word in words
        )

    @cached_property
    def words(self) -> frozenset[bytes]:
        """What may be names in it."""
        return frozenset(words_in(self.text))

    @cached_property
    def paths(self) -> frozenset[bytes]:
        """The paths it may name, from the worktree's top."""
        return frozenset(posixpath.normpath(posixpath.join(self.directory, word)) for word in self.words)


def words_in(text: bytes) -> list[bytes]:
    """What may be names in a shell command."""
    return [word for word in re.split(rb"[\s;|&<>()'\"=,]+", text) if word.strip(b"./")]


def said_part(before: bytes | None, now: bytes, command: Command, known: Collection[bytes], diff: Diff) -> bytes | None:
    """What was there before with what a command put there: lines it spells out, or words in lines it changes.

    ``known``: contents that the other files it names had before, which it may have copied or moved.
    """
    if now in known:
        return now
    there = split_lines(now)
    if before is None:
        return now if all(not line.strip() or _spelled(line, command.text) for line in there) else None
    old = split_lines(before)
    said = [
        hunk
        for hunk in diff(before, now)
        if _says(command.text, old[hunk.old_from : hunk.old_to], there[hunk.new_from : hunk.new_to])
    ]
    return _apply(before, there, said)


def _says(text: bytes, old: Sequence[bytes], new: Sequence[bytes]) -> bool:
    """Whether a command spells out these new lines, or what is new in each of them; blank ones say nothing."""
    if not b"".join(new).strip():
        return False
    for number, line in enumerate(new):
        if not line.strip() or _spelled(line, text):
            continue
        if len(old) != len(new):
            return False
        fresh = _words(line) - _words(old[number])
        if not all(word in text for word in fresh) or not any(len(word) > 1 for word in fresh):
            return False
    return True


def _spelled(line: bytes, text: bytes) -> bool:
    """Whether a command has this line in it, as a here-document or ``echo`` has; a lone sign is in many."""
    return len(line.strip()) > 1 and line.strip() in text


def _words(line: bytes) -> set[bytes]:
    """The words of a line, and its other signs one by one."""
    return set(re.findall(rb"\w+|[^\w\s]", line))
