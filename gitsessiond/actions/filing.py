"""What the control files of a session show, in one reply (docs/control-files.md); bounded, so that it stays cheap."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from gitsessiond.actions.assigning import pending_rows
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.landed import is_in_base
from gitsessiond.actions.sessions import status_of
from gitsessiond.actions.views import op_view
from gitsessiond.model.files import version_of
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import quote_path
from gitsessiond.model.values import GITLINK
from gitsessiond.model.versions import op_between
from gitsessiond.store.difftext import Named, diff_text, gitlink_text
from gitsessiond.store.exclude import ensure_exclude
from gitsessiond.store.head import read_head
from gitsessiond.store.scan import CONTROL
from gitsessiond.store.steps import State

MOST_ROWS = 200  # of what is unassigned
MOST_OPS = 1000  # of one patch
MOST_DIFF = 256 << 10  # bytes of a patch's diff
MOST_DIFFS = 8 << 20  # of all that are told at once; the rest is cut shorter, and told with the next answer
MOST_FILE = 1 << 20  # bytes of one file that is compared

OWN = (CONTROL + b"/STATUS", CONTROL + b"/.brought")  # what is written although git tracks others, if not them

Pair = tuple[Named | None, Named | None]


def show_files(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``session.files``: status, unassigned edits with their first lines, ops and diff of each patch.

    ``known`` has keys of former replies by patch: where a patch is the same still, its ops and diff are left out.
    git is told first to leave the control files alone. ``tracked``: it has some of its own there, which came with the
    repository's content and are nobody's wish, and in ``tracked_own`` which of those the daemon writes even then;
    while ``index_locked`` it may be writing such.
    """
    live = ctx.live(asked)
    ensure_exclude(ctx.repository.common_dir)
    state, tree = live.state, live.worktree
    known = asked.args.get("known")
    known = known if isinstance(known, Mapping) else {}
    status = status_of(ctx, asked)
    rows = pending_rows(ctx, state, MOST_ROWS)
    tracked = tree is not None and tree.tracks_below(CONTROL)
    patches, left = [], MOST_DIFFS
    for one in status["patches"]:
        patches.append(patch_files(ctx, state, one, known.get(one["id"]), min(left, MOST_DIFF)))
        left -= len(patches[-1].get("diff") or "")
    return {
        "status": status,
        "unassigned": rows,
        "unassigned_left": len(status["unassigned"]) + status.get("left", {}).get("unassigned", 0) - len(rows),
        "patches": patches,
        "tracked": tracked,
        "tracked_own": sorted(os.path.basename(os.fsdecode(path)) for path in tree.tracks_of(OWN)) if tree else [],
        "index_locked": tree is not None and read_head(tree.repository.git_dir).index_lock,
    }


def patch_files(ctx: Context, state: State, view: Mapping[str, Any], known: Any, most: int) -> dict[str, Any]:
    """One patch's ops and diff, of that at most so many bytes, under a key that another version would not have.

    Of one that changes very many files only how many is told: to look at them all after each save would take too long.
    """
    patch, count = state.patches[view["id"]], view["ops"]
    if is_in_base(state, patch):
        return {"id": patch.id, "key": "base", "ops": [], "ops_left": 0, "diff": None, "diff_left": 0}
    if count > MOST_OPS:
        return {"id": patch.id, "key": f"{count}", "ops": [], "ops_left": count, "diff": "", "diff_left": count}
    pairs = sorted(pairs_of(ctx, state, patch.id), key=lambda pair: (pair[1] or pair[0] or (b"",))[0])
    key = hashlib.sha1(repr(pairs).encode(), usedforsecurity=False).hexdigest()
    if key == known:
        return {"id": patch.id, "key": key}
    ops = [op for op in (op_between(before, after) for before, after in pairs) if op is not None]
    pieces: list[bytes] = []
    size = 0
    for before, after in pairs:
        if size >= most:
            break
        pieces.append(one_diff(ctx, before, after)[: most - size])
        size += len(pieces[-1])
    cut = bool(pairs) and size >= most
    if cut and most < MOST_DIFF:
        key += "-cut"  # there is more to be told
    return {
        "id": patch.id,
        "key": key,
        "ops": [op_view(op) for op in ops],
        "ops_left": 0,
        "diff": b"".join(pieces).decode("utf-8", "surrogateescape"),
        "diff_left": len(pairs) - len(pieces) + cut,
    }


def pairs_of(ctx: Context, state: State, pid: str) -> Iterator[Pair]:
    """Each file that a patch changes: as it stands below the patch, and in it."""
    under = graph_of(state.owners).closure(pid)
    for file in state.owners.files.of(pid).values():
        before, after = version_of(file, under, ctx.tools), version_of(file, under | {pid}, ctx.tools)
        if before != after:
            yield before, after


def one_diff(ctx: Context, before: Named | None, after: Named | None) -> bytes:
    """One file's diff; of a large file only that it differs."""
    old, new = content_of(ctx, before), content_of(ctx, after)
    if max(len(old or b""), len(new or b"")) > MOST_FILE:
        name = quote_path((after or before or (b"",))[0])
        return f"# {name} is too large to be compared here\n".encode("utf-8", "surrogateescape")
    return diff_text(before, after, old, new)


def content_of(ctx: Context, version: Named | None) -> bytes | None:
    """What a version holds, as a diff shows it."""
    if version is None:
        return None
    return gitlink_text(version[1]) if version[1].mode == GITLINK else ctx.tools.read(version[1].oid)
