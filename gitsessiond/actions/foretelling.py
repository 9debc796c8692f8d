"""What a commit made now would bring each patch, for the hook that says it (hooks/post-commit.sh).

The daemon takes longer to adopt a commit than a hook may wait, the more the busier the machine is. So it leaves
beforehand what each file would bring that is committed as it is recorded; a commit with a file in any other state is
waited for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.views import name_of
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.files import File, last_path
from gitsessiond.model.holdings import rows_ahead
from gitsessiond.model.values import Entry, is_unassigned
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.trees import entry_at

MOST_FILES = 200  # in the session; beyond, it would cost each save more than a line is worth
PLAIN = re.compile(rb'[^\x00-\x1f\x7f"\\]+')  # what git does not put in quotes
NO_BLOB = "0" * 40
NOTHING = ("0 0",)


def foretold(ctx: Context, live: Live) -> Sequence[str]:
    """Lines for the hook: how many patches and which is in use; their names; counts and git's line of each file."""
    try:
        return foreseen(ctx, live)
    except GitSessionError:
        return NOTHING  # an object that cannot be read is told elsewhere


def foreseen(ctx: Context, live: Live) -> Sequence[str]:
    """:func:`foretold` where the store has what it takes.

    Raises:
        GitSessionError: it has not.
    """
    state, files = live.state, live.state.owners.files
    if live.settled is not None or len(files) > MOST_FILES:
        return NOTHING
    chain = state.session.chain
    tree = tree_of_commit(ctx.store, chain[-1] if chain else state.session.base)
    at = tree, live.tip_bit()
    brought: dict[str, dict[str, int]] = {}
    for file in files.values():
        known = file.memo.get("foretold")
        if known is None or known[0] != at:  # a file as it is has one place and content on disk
            known = file.memo["foretold"] = (at, *of_file(ctx, live, file, tree))
        _, line, counts = known
        if line:
            brought[line] = counts
    names = {pid: name_of(state, pid) for counts in brought.values() for pid in counts}
    order = sorted(names, key=lambda pid: names[pid])
    mine = order.index(state.session.patch_in_use) + 1 if state.session.patch_in_use in order else 0
    rows = [" ".join([*(str(counts.get(pid, 0)) for pid in order), line]) for line, counts in brought.items()]
    return [f"{len(order)} {mine}", *(names[pid] for pid in order), *rows]


def of_file(ctx: Context, live: Live, file: File, tree: str) -> tuple[str, dict[str, int]]:
    """What git will print of a file, and how many edits each patch has there; nothing where one of both is not sure."""
    counts, path = rows_ahead(file, live.tip_bit()), last_path(file)
    if not counts or any(map(is_unassigned, counts)) or has_moved(file) or not PLAIN.fullmatch(path):
        return "", {}
    return raw_line(entry_at(ctx.store, tree, path), entry_at(ctx.store, live.state.work, path), path), counts


def has_moved(file: File) -> bool:
    """Whether it is or was at more than one path: git tells of two files then."""
    return len({file.base_path, *(fact.value for fact in file.path)} - {None}) > 1


def raw_line(old: Entry | None, new: Entry | None, path: bytes) -> str:
    """What `git diff-tree -r --no-renames` prints of a path; nothing where there is no difference."""
    if old == new:
        return ""
    modes = [f"{entry.mode:06o}" if entry else "000000" for entry in (old, new)]
    oids = [entry.oid if entry else NO_BLOB for entry in (old, new)]
    if old is None or new is None:
        letter = "A" if old is None else "D"
    else:
        letter = "M" if old.mode >> 12 == new.mode >> 12 else "T"
    return f":{modes[0]} {modes[1]} {oids[0]} {oids[1]} {letter}\t{os.fsdecode(path)}"
