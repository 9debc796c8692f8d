"""What git combined by itself: paths that both sides of a merge changed and that came out without a conflict.

Told from the trees before and after, so nothing is merged for it. Sides are listed as git lists those of a conflict:
of a file that one side renamed all three are at the new name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitsessiond.model.conflicts import COMBINED
from gitsessiond.model.names import quote_path
from gitsessiond.model.values import GITLINK, Change, Entry
from gitsessiond.store.merge import PathConflict, Side, TreeMerge, shape_of
from gitsessiond.store.picking import Three
from gitsessiond.store.text import merge_text
from gitsessiond.store.trees import Trees, diff_trees, entry_at

_Changes = Mapping[bytes, Change]


class Combined(NamedTuple):
    """One such path: its sides as a clash has them, and what is there now."""

    clash: PathConflict
    result: Entry


def combined_in(read: Trees, three: Three, merge: TreeMerge) -> list[Combined]:
    """What a merge of these trees combined, beside what it calls conflicts; in the order of paths."""
    merged = merge.tree or merge.marked
    if merged is None:
        return []
    ours = {change.path: change for change in diff_trees(read, three.base, three.ours)}
    theirs = {change.path: change for change in diff_trees(read, three.base, three.theirs)}
    both = [path for path, change in theirs.items() if path in ours and ours[path].after != change.after]
    taken = _names(merge.conflicts)
    out = []
    for path in sorted(set(both) - taken):
        base, mine, other = ours[path].before, ours[path].after, theirs[path].after
        if mine is not None and other is not None:
            at = path
            if base is None:
                base = _renamed_by_both(ours, theirs, path)
        else:
            renames = ours if mine is None else theirs
            new_name = _renamed_to(read, renames, (base, mine or other), merged, taken)
            if new_name is None:
                continue  # nobody can tell which of several
            at = new_name
            new = renames[at].after
            mine, other = (new, other) if mine is None else (mine, new)
            taken |= {at}
        result = entry_at(read, merged, at)
        if result is not None:
            out.append(Combined(_clash(at, (base, mine, other)), result))
    return out


def _clash(path: bytes, three: tuple[Entry | None, Entry | None, Entry | None]) -> PathConflict:
    base, ours, theirs = (Side(entry, path) if entry is not None else None for entry in three)
    words = COMBINED + quote_path(path)
    return PathConflict(path, shape_of((base, ours, theirs)), base, ours, theirs, words)


def _names(clashes: Iterable[PathConflict]) -> frozenset[bytes]:
    """Every path that a conflict is about."""
    found = set[bytes]()
    for clash in clashes:
        found |= clash.paths | {side.path for side in (clash.base, clash.ours, clash.theirs) if side is not None}
    return frozenset(found)


def _renamed_by_both(ours: _Changes, theirs: _Changes, path: bytes) -> Entry | None:
    """What both sides renamed to this path, if there is but one thing that both took away."""
    there = [ours[path].after, theirs[path].after]
    gone = [
        change.before
        for name, change in ours.items()
        if change.after is None and name in theirs and theirs[name].after is None and change.before not in there
    ]
    return gone[0] if len(gone) == 1 else None


def _renamed_to(
    read: Trees, renames: _Changes, edit: tuple[Entry | None, Entry | None], merged: str, taken: Iterable[bytes]
) -> bytes | None:
    """Where a path went that one side took away and the other edited from ``edit[0]`` to ``edit[1]``."""
    base, edited = edit
    added = [name for name, change in renames.items() if change.before is None and name not in taken]
    found = [name for name in added if entry_at(read, merged, name) != renames[name].after] or added
    if len(found) > 1:
        found = [name for name in found if _explains(read, (base, renames[name].after, edited), merged, name)]
    return found[0] if len(found) == 1 else None


def _explains(read: Trees, three: tuple[Entry | None, Entry | None, Entry | None], merged: str, at: bytes) -> bool:
    """Whether the merge of three contents is what a path has now: asked only where several could be the one."""
    result = entry_at(read, merged, at)
    if result is None or any(one is None or one.mode == GITLINK for one in three):
        return False
    base, ours, theirs = (read.read(one.oid).data for one in three if one is not None)
    told = merge_text(base, ours, theirs)
    return not told.conflicts and told.content == read.read(result.oid).data
