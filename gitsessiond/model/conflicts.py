"""Conflicts as values: how they are marked, when markers are left over, what a resolution is.

Markers are git's diff3 ones, so that editors know them, as long as attribute ``conflict-marker-size`` says; where a
line of the text looks like one, all of them are made longer still.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict, ConflictSide, How, Patch
from gitsessiond.model.values import EXECUTABLE, GITLINK, REGULAR, SYMLINK

FILES = (REGULAR, EXECUTABLE)
SMALLEST = 7  # git's own size, the only one that most editors recognise

SideName = Literal["base", "ours", "theirs"]
LOCK: Literal["resource_lock"] = "resource_lock"
OVERLAP: Literal["file_edit"] = "file_edit"
SWITCH: Literal["context_switch"] = "context_switch"
SIDE_NAMES: tuple[SideName, ...] = ("base", "ours", "theirs")

_RUN = re.compile(rb"^(<+|\|+|=+|>+)", re.MULTILINE)
_MARKER = re.compile(rb"(<+|\|+|>+)( .*)?|=+", re.DOTALL)


def marker_size(texts: Iterable[bytes], wanted: int | None = None) -> int:
    """The size wanted, or git's own; a larger one where a line of these texts would look like a marker."""
    least = wanted or SMALLEST
    longest = max((len(run) for text in texts for run in _RUN.findall(text)), default=0)
    return least if longest < least else longest + 1


def left_over(content: bytes, sides: Iterable[bytes], wanted: int | None = None) -> int | None:
    """The number (from 1) of the first line that is a conflict marker; None: there is none.

    Lines that one of the sides has as well are text, not markers. A line of ``=`` alone counts only in the size
    that :func:`marker_size` gives, since it may be a heading; where a size is wanted, so do all others.
    """
    sides = list(sides)
    size = marker_size(sides, wanted)
    known = {line.rstrip(b"\r") for side in sides for line in side.split(b"\n")}
    for number, line in enumerate(content.split(b"\n"), 1):
        bare = line.rstrip(b"\r")
        if bare in known or not _MARKER.fullmatch(bare):
            continue
        length = len(bare) - len(bare.lstrip(bare[:1]))
        exact = bare.startswith(b"=") or wanted is not None
        if length == size if exact else length >= SMALLEST:
            return number
    return None


def labels_of(session: str, patch: str, target: str) -> tuple[str, str, str]:
    """What base, ours (the target) and theirs (the patch) are called at the markers."""
    return ("base", target, f"{patch} ({session})")


def revert_labels(session: str, patch: str, target: str) -> tuple[str, str, str]:
    """The same in a revert: base is what the patch brought, theirs the target from before."""
    return (f"{patch} ({session})", target, f"before {patch}")


def is_overlap(conflict: Conflict) -> bool:
    """Whether it tells of a path that two sessions change."""
    return conflict.kind == OVERLAP


def is_notice(conflict: Conflict) -> bool:
    """Whether it only tells: it has no sides, and nobody is asked anything."""
    return conflict.kind in (LOCK, OVERLAP) or conflict.left is not None


def is_in_panel(conflict: Conflict) -> bool:
    """Whether the panel has all that it tells by other lines: collisions, or what is unassigned, locked, unsaved."""
    return is_overlap(conflict) or conflict.left is not None


def sessions_of(conflict: Conflict, own: str) -> list[str]:
    """The ids of the sessions that a conflict is between, first the one that has its record or asked for a lock."""
    lock, denied, left = conflict.lock, conflict.denied, conflict.left
    found = [denied.session if denied is not None else own, conflict.other]
    found += [lock.session if lock is not None else None, left.to if left is not None else None]
    return list(dict.fromkeys(sid for sid in found if sid is not None))


def resource_of(conflict: Conflict) -> str:
    """What a conflict is about, as locks name it."""
    left = conflict.left
    if left is not None and not (left.unassigned or left.unsaved):
        return left.locks[0]
    return conflict.denied.name if conflict.denied is not None else f"path/{conflict.path}"


def has_served(conflict: Conflict, patch: Patch | None) -> bool:
    """Whether its patch is where no resolution is asked for any more: merged, or, of a revert, not merged."""
    if patch is None:
        return False
    if conflict.kind == "git_revert":
        return patch.status != "merged"
    return patch.status in ("merged", "abandoned")


def side_of(conflict: Conflict, name: SideName) -> ConflictSide:
    """One of the three sides."""
    return {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}[name]


def is_marked(conflict: Conflict) -> bool:
    """Whether its sides are files, whose lines can be shown with markers (binary content apart)."""
    there = [side for side in (conflict.ours, conflict.theirs) if side.oid is not None]
    return bool(there) and all(side.mode in FILES for side in there) and conflict.shape != "binary"


def same_clash(one: Conflict, other: Conflict) -> bool:
    """Whether two records are about the same three sides at the same path of the same patch, or both of its revert."""
    return sides_of(one) == sides_of(other)


def sides_of(conflict: Conflict) -> tuple[object, ...]:
    """What tells a clash from another one."""
    reverts = conflict.kind == "git_revert"
    return (reverts, conflict.patch, conflict.path, conflict.base, conflict.ours, conflict.theirs)


def resolved(conflict: Conflict, how: How, result: ConflictSide | None, at: datetime, by: str) -> Conflict:
    """The record of a resolved conflict; ``result`` None: the path is deleted."""
    return conflict.model_copy(
        update={"status": "resolved", "how": how, "result": result, "resolved_at": at, "resolved_by": by}
    )


COMBINED = "Auto-merging "  # what git says of a path that it combines by itself, and nothing else


def is_combined(conflict: Conflict) -> bool:
    """Whether git combined its sides by itself when it was recorded, whatever became of it since."""
    return conflict.message.startswith(COMBINED)


def is_automatic(conflict: Conflict) -> bool:
    """Whether its answer is git's own combination of both sides, and nobody's."""
    return conflict.how == "rule"


def reopened(conflict: Conflict, size: int | None = None) -> Conflict:
    """An open question again; the answer it had stays in ``result``, to be offered. ``size``: of its markers."""
    gone = {"status": "open", "how": None, "resolved_at": None, "resolved_by": None}
    return conflict.model_copy(update={**gone, "marker_size": size if size is not None else conflict.marker_size})


def chosen_side(conflict: Conflict, name: SideName) -> ConflictSide | None:
    """The result of taking one side whole, at the path it has there; None: the side has no such path."""
    side = side_of(conflict, name)
    return side if side.oid is not None else None


def written_mode(conflict: Conflict) -> int:
    """The mode of a resolution that somebody wrote: the one a side changed, as git merges modes.

    Content is a file's where a side is a file, else a link's target, else it says a submodule's commit.
    """
    modes = [side.mode for side in (conflict.base, conflict.ours, conflict.theirs)]
    if any(mode in FILES for mode in modes[1:]):
        base, ours, theirs = (mode if mode in FILES else None for mode in modes)
    else:
        base, ours, theirs = modes
    if ours is None or ours == base:
        return theirs or ours or base or REGULAR
    return ours


# Sides that are no lines: each is told in one line, and a file with one of these lines takes that side.


def telling_line(side: ConflictSide, path: str, text: bytes | None, *, directory: bool = False) -> bytes:
    """One side as one line: ``link to a.txt``; ``path`` is its own, quoted."""
    if side.oid is None:
        return b"directory" if directory else b"nothing"
    if side.mode == SYMLINK:
        return b"link to " + (text or b"?")
    if side.mode == GITLINK:
        return b"submodule at " + side.oid.encode("ascii")
    kind = "executable file" if side.mode == EXECUTABLE else "file"
    size = "" if text is None else f", {len(text)} bytes"
    return f"{kind} {path} (blob {side.oid[:12]}{size})".encode("utf-8", "surrogateescape")


def telling_lines(conflict: Conflict, texts: Mapping[str, bytes]) -> dict[SideName, bytes]:
    """All three sides so."""
    out: dict[SideName, bytes] = {}
    for name in SIDE_NAMES:
        side = side_of(conflict, name)
        beside = name != "base" and conflict.shape == "directory/file"
        out[name] = telling_line(side, side.path or conflict.path, texts.get(name), directory=beside)
    return out


def telling_text(conflict: Conflict, texts: Mapping[str, bytes]) -> bytes:
    """A clash of whole things as a text with markers; a file with one line of it left takes that side."""
    told = telling_lines(conflict, texts)
    base, ours, theirs = (label.encode("utf-8", "surrogateescape") for label in conflict.labels)
    rows = [b"<" * 7 + b" " + ours, told["ours"], b"|" * 7 + b" " + base, told["base"]]
    rows += [b"=" * 7, told["theirs"], b">" * 7 + b" " + theirs]
    return b"\n".join(rows) + b"\n"


def told_side(conflict: Conflict, texts: Mapping[str, bytes], content: bytes) -> SideName | Literal["several"] | None:
    """The side that a file's content names by its line; ``several``: lines of more than one, or with others; None:
    it names none.
    """
    told = telling_lines(conflict, texts)
    lines = [line.rstrip() for line in content.split(b"\n") if line.strip()]
    named = [name for name in SIDE_NAMES if told[name] in lines]
    if not named:
        return None
    return named[0] if len(lines) == 1 else "several"


def told_commit(content: bytes) -> str | None:
    """The commit that a content names for a submodule: its id, alone or behind words as ``git diff`` has them."""
    words = content.split()
    last = words[-1].decode("ascii", "replace") if words and content.strip().count(b"\n") == 0 else ""
    return last if re.fullmatch("[0-9a-f]{40}", last) else None


def control_path(conflict: Conflict, path: bytes) -> bytes:
    """Where the marked file lies, from the worktree's root; ``path`` is the conflict's own, unquoted."""
    return b".gitsession/conflicts/" + conflict.id.encode("ascii") + b"/" + path


def clash_in(control: bytes) -> tuple[str, bytes] | None:
    """The conflict id and path that a control path names; None: it is no such path."""
    head, _, rest = control.partition(b".gitsession/conflicts/")
    cid, slash, path = rest.partition(b"/")
    if head or not slash or not path:
        return None
    return cid.decode("ascii", "replace"), path


def place_words(paths: Iterable[bytes], most: int = 3) -> str:
    """A few paths for a sentence: ``a.py, b.py and 2 more``."""
    names = [quote_path(path) for path in paths]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
