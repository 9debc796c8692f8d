"""``git session commit``: one ordinary commit on the session branch, with one patch's uncommitted edits."""

from __future__ import annotations

from shlex import quote
from typing import NamedTuple

from gitsessiond.actions.adoption import adopt
from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.looking import seen_head
from gitsessiond.actions.returning import going_on, way_back, worktree_again
from gitsessiond.model.commits import with_our_trailers
from gitsessiond.model.errors import BadRequest, Moved, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import uncommitted_paths, versions, with_uncommitted
from gitsessiond.model.records import Patch
from gitsessiond.model.values import UNASSIGNED, Entry
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.committing import Place, Words, commit_changes, place_at
from gitsessiond.store.head import read_head
from gitsessiond.store.identity import identity_of
from gitsessiond.store.trees import edit_tree, file_at


class CommitDone(NamedTuple):
    """The commit made, what git and the hooks said, and how many files it changes."""

    oid: str
    output: str
    files: int = 0


def commit_patch(
    ctx: Context, live: Live, pid: str, message: str | None, who: Who, *, no_verify: bool = False, by: str = ""
) -> CommitDone:
    """Commit a patch's uncommitted edits to the session branch; ``message`` None: the patch's description.

    ``by``: who asks, where that is known.

    Raises:
        BadRequest: an empty message.
        Refused: parked, git at work, a dependency or an unmerged path in the way, nothing to commit, or the
            user's hooks or git said no. Branch, index and files are as before.
        Moved: HEAD moved just now.
    """
    adopt(ctx, live)
    place = place_of(ctx, live)
    patch = live.state.patches[pid]
    by = by or identity_of(who.env, who.cwd)
    words = Words(message_of(live, patch, message), who.env, who.tty, no_verify)
    refuse_dependencies(live, patch)
    tree = edit_tree(ctx.store, place.head_tree, changes_of_patch(ctx, live, pid))
    changed = place.changed(tree)
    if not changed:
        raise Refused(f"patch {patch.name} has nothing to commit", hint=f"git session patch show {quote(patch.name)}")
    ctx.store.to_repository([tree], beside=place.head_tree)
    done = commit_changes(place, changed, words)
    adopt(ctx, live, verb="commit", by=by)
    told = [
        f"unstaged {quote_path(path)}: what was staged clashes with the commit{kept_as(entry)}"
        for path, entry in done.clashes.items()
    ]
    return CommitDone(done.oid, "\n".join(part for part in (done.output, *told) if part), len(changed))


def place_of(ctx: Context, live: Live) -> Place:
    """The session's worktree, when a commit can be made there.

    Raises:
        Refused: no worktree, parked, or git at work.
        Moved: HEAD moved since the session was last looked at.
    """
    session = live.state.session
    if live.worktree is None:
        again = worktree_again(ctx.repository.common_dir, session)
        raise Refused("the session has no worktree", hint=again, reason="no_worktree")
    at = live.worktree.repository
    head = read_head(at.git_dir, at.common_dir)
    if session.parked or head.stands_on != session.branch or head.oid is None:
        why = session.parked or f"HEAD is on {head.stands_on or 'no branch'}"
        raise Refused(f"the session is parked: {why}", hint=way_back(live), reason="parked")
    if head.at_work:
        found = ", ".join(sorted(head.at_work))
        going = (going_on(live) or ["git status"])[0]
        reason = "index_lock" if head.at_work == {"index.lock"} else "git_at_work"
        raise Refused(f"git is at work here ({found})", hint=going, reason=reason)
    if head.oid != seen_head(live):
        raise Moved("HEAD moved meanwhile", hint="run the command again")
    return place_at(ctx.store, ctx.tools.merge3, at.worktree, at.git_dir, head.oid)


def refuse_dependencies(live: Live, patch: Patch) -> None:
    """Raise Refused while a patch this one depends on has uncommitted edits."""
    state, tip = live.state, live.tip_bit()
    needs = graph_of(state.owners).closure(patch.id)
    behind = [
        state.patches[pid].name
        for pid in state.session.patches
        if pid in needs and state.patches[pid].status != "merged" and uncommitted_paths(state.owners, pid, tip)
    ]
    if behind:
        raise Refused(
            f"{patch.name} depends on uncommitted edits of {', '.join(behind)}",
            hint=f"git session commit --patch {quote(behind[0])} -m TEXT",
            reason="dependency",
        )


def changes_of_patch(ctx: Context, live: Live, pid: str) -> dict[bytes, Entry | None]:
    """The entries that differ between the last chain commit and that with the patch's uncommitted edits.

    As a step from one to the other, not as a tree on the base: HEAD may hold what no owner knows of (a merge
    of the target resolved by hand), and that stays.
    """
    owners, tip = live.state.owners, live.tip_bit()
    wanted = with_uncommitted(owners, pid, tip, ctx.tools)
    everyone = frozenset([UNASSIGNED, *(pid for pid, _ in owners.patches)])
    there = versions(owners, everyone, ctx.tools, tip) if tip is not None else {}
    base_tree = tree_of_commit(ctx.store, live.state.session.base)
    back = {path: file_at(ctx.store, base_tree, path) for path in there if path not in wanted}
    return back | {path: entry for path, entry in wanted.items() if path not in there or there[path] != entry}


def message_of(live: Live, patch: Patch, message: str | None) -> bytes:
    """The commit's words: the given ones, else the patch's description or name; with our trailers."""
    text = message if message is not None else patch.description or patch.name
    if not text.strip():
        raise BadRequest("the message is empty", hint="git session commit -m TEXT")
    needs = graph_of(live.state.owners).direct(patch.id)
    return with_our_trailers(text.encode("utf-8", "surrogateescape"), live.sid, patch.id, needs)


def kept_as(entry: Entry | None) -> str:
    """Where the staged content of a path that gave way can be found."""
    return f" (`git cat-file -p {entry.oid[:12]}` shows it)" if entry is not None else ""
