"""Owners on a new base where the lines alone do not tell: files built up again, one owner's layer after the other.

The weave carries edits over by itself (:mod:`gitsessiond.model.basing`). Where the new base contradicts one, or git's
merge comes to another text, or somebody resolved a conflict, the texts of an update are what is true: the file is as
in the new base, and each owner in turn has changed it to what it is with its own edits.
"""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.carrying import Carried
from gitsessiond.actions.context import Context
from gitsessiond.actions.saves import paired
from gitsessiond.model.owners import with_files
from gitsessiond.model.ownership import How, MovedBase, Owners, live_overlay, sort_save, unassigned_rows
from gitsessiond.model.values import is_unassigned
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.trees import diff_trees, edit_tree, entry_at


def put_in_layers(ctx: Context, moved: MovedBase, carried: Carried) -> Owners:
    """The owners over a new base, made anew in the files where they do not come to what the update came to."""
    owners, layer = moved.owners, carried.layer
    base = tree_of_commit(ctx.store, carried.base)
    mine = edit_tree(layer, base, live_overlay(owners, ctx.tools))
    wrong = {path for path, _ in moved.contested} | {one.path for one in diff_trees(layer, mine, carried.work)}
    wrong |= {path for clash in carried.clashes for path in clash.found.paths}
    if not wrong:
        return owners
    paths, files = reached(owners, wrong)
    labels = {row.path: row.label for row in unassigned_rows(owners) if row.path in paths}
    keep_texts(ctx, carried, base, paths)
    made = replace(with_files(owners, [], files), patches=tuple((pid, "open") for pid, _ in owners.patches))
    before = base
    for owner, tree in carried.layers:
        changes = paired((one for one in diff_trees(layer, before, tree) if one.path in paths), ())

        def claim(path: bytes, owner: str = owner) -> str:
            return labels.get(path, "~none") if is_unassigned(owner) else owner

        made = sort_save(made, changes, How(current=None, claim=claim, tools=ctx.tools)).owners
        before = tree
    return replace(made, patches=owners.patches)


def reached(owners: Owners, wrong: set[bytes]) -> tuple[set[bytes], set[str]]:
    """These paths and all those of the Files that ever were at one of them; and the Files' ids."""
    paths, files, more = set(wrong), set[str](), True
    while more:
        more = False
        for fid, file in owners.files.items():
            mine = {file.base_path, *(fact.value for fact in file.path)} - {None}
            if fid not in files and mine & paths:
                files.add(fid)
                paths |= {path for path in mine if path is not None}
                more = True
    return paths, files


def keep_texts(ctx: Context, carried: Carried, base: str, paths: set[bytes]) -> None:
    """Put what the layers have at these paths where the tools read."""
    for tree in (base, *(tree for _, tree in carried.layers)):
        for path in paths:
            entry = entry_at(carried.layer, tree, path)
            found = carried.layer.made.get(entry.oid) if entry is not None else None
            if found is not None:
                ctx.store.put(*found)
