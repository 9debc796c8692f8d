"""A three-way merge of trees in memory: a prediction in a fraction of a millisecond, at any size of the tree.

It reads only where a side differs from the base and writes nothing. It says what git would say, or that git
must be asked (None): where one side both adds and deletes paths there may be renames, and a few rare shapes
are git's alone. Where a text was changed by both sides git has the word at every landing anyway
(:mod:`gitsessiond.store.merge`): it pairs lines by the histogram algorithm and libgit2 by Myers's, so texts of few
different lines may merge differently (docs/decisions/merge.md has the figures).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from gitsessiond.model.records import ConflictShape
from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK, Change, Entry, is_binary
from gitsessiond.store.layers import Layer
from gitsessiond.store.merge import PathConflict, Side, TreeMerge, shape_of
from gitsessiond.store.text import merge_text
from gitsessiond.store.trees import Trees, diff_trees, edit_tree, entry_at

FILES = (REGULAR, EXECUTABLE)

Three = tuple[Entry | None, Entry | None, Entry | None]  # base, ours, theirs at one path


class Settings(Protocol):
    """What is asked of :class:`gitsessiond.store.config.Config`."""

    def get(self, key: str, default: str | None = None) -> str | None: ...  # noqa: D102


class AskGit(Exception):
    """Only git can tell: no error, but the way out of the recursion."""


def walk_merge(store: Trees, base: str | None, ours: str, theirs: str) -> TreeMerge | None:
    """Merge two trees from a base tree; None: git must be asked."""
    layer = Layer(store)
    sides = _sides(store, base, ours, theirs)
    if sides is None:
        return None
    changed, other = sides
    edits: dict[bytes, Entry | None] = {}
    conflicts: list[PathConflict] = []
    try:
        for path, change in other.items():
            mine = changed.get(path)
            if mine is None:
                edits[path] = change.after
            elif mine.after != change.after:
                merged = _merge_path(layer, path, (change.before, mine.after, change.after), (ours, theirs))
                if isinstance(merged, PathConflict):
                    conflicts.append(merged)
                else:
                    edits[path] = merged
    except AskGit:
        return None
    if conflicts:
        return TreeMerge(None, tuple(conflicts), "walk")
    return TreeMerge(edit_tree(layer, ours, edits) if edits else ours, (), "walk", layer.made)


def disjoint_merge(store: Trees, base: str, ours: str, theirs: str) -> TreeMerge | None:
    """Merge trees of which no path was changed differently by both: git's result at landings too. None: ask git.

    No text is merged, so neither algorithms nor attributes nor settings can tell this merge from git's.
    """
    sides = _sides(store, base, ours, theirs)
    if sides is None:
        return None
    changed, other = sides
    if any(path in changed and changed[path].after != change.after for path, change in other.items()):
        return None
    layer = Layer(store)
    edits = {path: change.after for path, change in other.items()}
    return TreeMerge(edit_tree(layer, ours, edits) if edits else ours, (), "walk", layer.made)


_Changes = Mapping[bytes, Change]


def _sides(store: Trees, base: str | None, ours: str, theirs: str) -> tuple[_Changes, _Changes] | None:
    """What each side changed, by path; None: renames, or files where the other has directories, are git's."""
    changed = {change.path: change for change in diff_trees(store, base, ours)}
    other = {change.path: change for change in diff_trees(store, base, theirs)}
    if _may_rename(changed) or _may_rename(other) or _in_the_way(changed, other):
        return None
    return changed, other


def _may_rename(changes: Mapping[bytes, Change]) -> bool:
    """Whether git might pair a removed with an added path of this side."""
    removes = any(change.after is None for change in changes.values())
    return removes and any(change.before is None for change in changes.values())


def _in_the_way(ours: Mapping[bytes, Change], theirs: Mapping[bytes, Change]) -> bool:
    """Whether one side adds a file where the other adds something below it."""
    added = [{path for path, change in side.items() if change.before is None} for side in (ours, theirs)]
    return any(above in added[1] for path in added[0] for above in directories(path)) or any(
        above in added[0] for path in added[1] for above in directories(path)
    )


def directories(path: bytes) -> list[bytes]:
    """The directories above a path, the innermost first."""
    out = []
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        out.append(path)
    return out


def _merge_path(layer: Layer, path: bytes, three: Three, trees: tuple[str, str]) -> Entry | PathConflict:
    """Merge one path that both sides changed differently (git's merge-ort.c, handle_content_merge)."""
    base, ours, theirs = three
    if ours is None or theirs is None or ours.mode == SYMLINK == theirs.mode:
        return _clash(path, three)
    if ours.mode not in FILES or theirs.mode not in FILES or (base is not None and base.mode not in FILES):
        raise AskGit  # submodules, and files that became something else
    if base is not None and base.mode == ours.mode:
        mode = theirs.mode
    elif ours.mode == theirs.mode or (base is not None and base.mode == theirs.mode):
        mode = ours.mode
    else:
        return _clash(path, three)
    blobs = (base.oid if base else None, ours.oid, theirs.oid)
    if ours.oid in (theirs.oid, blobs[0]) or theirs.oid == blobs[0]:
        return Entry(mode, theirs.oid if ours.oid == blobs[0] else ours.oid)
    if any(_has_merge_attributes(layer, tree, path) for tree in trees):
        raise AskGit
    old, one, other = (layer.read(oid).data if oid is not None else b"" for oid in blobs)
    if is_binary(old) or is_binary(one) or is_binary(other):
        return _clash(path, three, "binary")
    merged = merge_text(old, one, other)
    return _clash(path, three) if merged.conflicts else Entry(mode, layer.put("blob", merged.content))


def _clash(path: bytes, three: Three, shape: ConflictShape | None = None) -> PathConflict:
    base, ours, theirs = (Side(entry, path) if entry is not None else None for entry in three)
    return PathConflict(path, shape or shape_of((base, ours, theirs)), base, ours, theirs)


def _has_merge_attributes(layer: Layer, tree: str, path: bytes) -> bool:
    """Whether attributes in this tree may change how the path's content merges."""
    for above in [*directories(path), b""]:
        found = entry_at(layer, tree, (above + b"/" if above else b"") + b".gitattributes")
        if found is not None and found.mode in FILES and speaks_of_merging(layer.read(found.oid).data):
            return True
    return False


def speaks_of_merging(attributes: bytes) -> bool:
    """Whether a gitattributes file may name a merge driver (the macro ``binary`` does)."""
    return b"merge" in attributes or b"binary" in attributes


def merges_plainly(common_dir: str, settings: Settings) -> bool:
    """Whether the repository's settings leave content merges as :func:`walk_merge` does them.

    What the trees' own .gitattributes say, the walk sees for itself.
    """
    if settings.get("merge.default") or (settings.get("merge.renormalize") or "false") != "false":
        return False
    home = settings.get("core.attributesFile") or "~/.config/git/attributes"
    for path in (os.path.join(common_dir, "info", "attributes"), os.path.expanduser(home)):
        try:
            with open(path, "rb") as file:
                if speaks_of_merging(file.read()):
                    return False
        except OSError:
            continue  # there is none
    return True
