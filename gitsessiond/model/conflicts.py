"""Conflicts as values: how they are marked, when markers are left over, what a resolution is.

Markers are git's diff3 ones, so that editors know them; where a line of the text looks like one, all of them are
made longer (as attribute ``conflict-marker-size`` does by hand).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict, ConflictSide
from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK

FILES = (REGULAR, EXECUTABLE)
SMALLEST = 7  # git's own size, the only one that most editors recognise

How = Literal["ours", "theirs", "union", "base", "file", "edit", "saved", "rule"]

_RUN = re.compile(rb"^(<+|\|+|=+|>+)", re.MULTILINE)
_MARKER = re.compile(rb"(<{7,}|\|{7,}|>{7,})( .*)?|={7,}")


def marker_size(texts: Iterable[bytes]) -> int:
    """A size at which no line of these texts looks like a marker."""
    longest = max((len(run) for text in texts for run in _RUN.findall(text)), default=0)
    return SMALLEST if longest < SMALLEST else longest + 1


def left_over(content: bytes, sides: Iterable[bytes]) -> int | None:
    """The number (from 1) of the first line that is a conflict marker; None: there is none.

    Lines that one of the sides has as well are text, not markers. A line of ``=`` alone counts only in the size
    that :func:`marker_size` gives, since it may be a heading.
    """
    sides = list(sides)
    size = marker_size(sides)
    known = {line.rstrip(b"\r") for side in sides for line in side.split(b"\n")}
    for number, line in enumerate(content.split(b"\n"), 1):
        bare = line.rstrip(b"\r")
        if bare in known or not _MARKER.fullmatch(bare):
            continue
        if bare.startswith(b"=") and len(bare) != size:
            continue
        return number
    return None


def labels_of(session: str, patch: str, target: str) -> tuple[str, str, str]:
    """What base, ours (the target) and theirs (the patch) are called at the markers."""
    return ("base", target, f"{patch} ({session})")


def side_of(conflict: Conflict, name: Literal["base", "ours", "theirs"]) -> ConflictSide:
    """One of the three sides."""
    return {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}[name]


def is_marked(conflict: Conflict) -> bool:
    """Whether its sides are files, whose lines can be shown with markers (binary content apart)."""
    there = [side for side in (conflict.ours, conflict.theirs) if side.oid is not None]
    return bool(there) and all(side.mode in FILES for side in there) and conflict.shape != "binary"


def same_clash(one: Conflict, other: Conflict) -> bool:
    """Whether two records are about the same three sides at the same path of the same patch."""
    return (one.patch, one.path, one.base, one.ours, one.theirs) == (
        other.patch,
        other.path,
        other.base,
        other.ours,
        other.theirs,
    )


def resolved(conflict: Conflict, how: How, result: ConflictSide | None, at: datetime, by: str) -> Conflict:
    """The record of a resolved conflict; ``result`` None: the path is deleted."""
    return conflict.model_copy(
        update={"status": "resolved", "how": how, "result": result, "resolved_at": at, "resolved_by": by}
    )


def chosen_side(conflict: Conflict, name: Literal["base", "ours", "theirs"]) -> ConflictSide | None:
    """The result of taking one side whole, at the path it has there; None: the side has no such path."""
    side = side_of(conflict, name)
    return side if side.oid is not None else None


def written_mode(conflict: Conflict) -> int:
    """The mode of a resolution that somebody wrote: the one a side changed, as git merges modes."""
    modes = [side.mode for side in (conflict.base, conflict.ours, conflict.theirs)]
    base, ours, theirs = (mode if mode in (*FILES, SYMLINK) else None for mode in modes)
    if ours is None or ours == base:
        return theirs or ours or REGULAR
    return ours


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
