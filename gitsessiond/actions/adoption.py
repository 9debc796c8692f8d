"""What the user's git did in a session's worktree, noticed and taken over; never fought.

:func:`adopt` is called before every command and after every batch of saves. It reads HEAD, and when nothing
moved that is all it costs. It never writes HEAD, an index, a file or a branch of the user
(docs/architecture.md, "Plain git").

- HEAD is not on the session's branch: the session is *parked*. Saves are recorded, nothing is sorted.
- git is at work (a rebase, a merge, a held index): sorting goes on provisionally. When that ends and HEAD
  moved, it starts again from the last settled owners; else it stands.
- Otherwise base and chain are read anew, the owners learn what each commit holds, the disk is sorted on top,
  and every series is made again: one step.
"""

from __future__ import annotations

import traceback
from dataclasses import replace

from gitsessiond.actions.carrying import Carried
from gitsessiond.actions.catching_up import sort_disk
from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.contests import contested
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.grounding import Ground, ground_of_head, unchanged
from gitsessiond.actions.looking import Look, before_git_wrote, look_at, look_when_moved, note_index
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.relearning import Relearned, relearn, tree_held
from gitsessiond.actions.returning import worktree_again
from gitsessiond.actions.saves import note_saved
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.telling import what_moved_head, what_was_adopted
from gitsessiond.actions.update_clashes import without_clashes
from gitsessiond.actions.whereabouts import is_there, seek_worktree
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.committing import finish_commit
from gitsessiond.store.head import Head, Tips, branch_tip, made_here, renamed_branch, renamed_to
from gitsessiond.store.readings import Reading
from gitsessiond.store.steps import State, load_state

OUR_MISTAKES = (AssertionError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def adopt(
    ctx: Context,
    live: Live,
    reading: Reading | None = None,
    *,
    verb: str = "adopt",
    by: str = "git",
    tips: Tips | None = None,
) -> bool:
    """Take over what git did since the last look; ``reading`` was read from the disk and is not recorded yet.

    ``tips``: where branches were found just now, if somebody did.

    True: ``reading`` went into the step that was made, or its worktree is gone. False: the caller records it.

    Raises:
        StateUnreadable: an object is gone.
        StoreFailed: git or the disk failed; the session is as before, and the next look tries again.
    """
    if live.worktree is None:
        return False
    at = live.worktree.repository
    if not is_there(at.worktree, at.git_dir):
        lose_worktree(ctx, live)
        return True
    look = look_when_moved(live, look_at(live, tips), reading)
    if look == live.head_seen:
        note_index(live)
        return False
    if (look.head.index_lock or live.head_seen is None) and finish_commit(
        ctx.store, ctx.tools.merge3, at.worktree, at.git_dir
    ):
        look = look_at(live)
    if follow_rename(ctx, live, look):
        look = look_at(live)
    has_moved = live.head_seen is None or look.head[:2] != live.head_seen.head[:2]
    if not has_moved:
        note_index(live)
    done = take_over(ctx, live, look, reading, verb=verb, by=by)
    if has_moved:
        live.before_git = None
    live.head_seen = look
    return done


def lose_worktree(ctx: Context, live: Live) -> None:
    """The worktree is not there: followed if it moved; else the session stays open with what is recorded.

    What was read of it last, its files vanishing, is no edit.
    """
    assert live.worktree is not None
    live.worktree.close()
    live.worktree, live.head_seen = None, None
    if not seek_worktree(ctx, live):
        again = worktree_again(ctx.repository.common_dir, live.state.session)
        live.lost = f"the worktree is gone; `{again}` brings it back"


def follow_rename(ctx: Context, live: Live, look: Look) -> bool:
    """Record that the session's branch, or its target, was renamed by ``git branch -m``; whether one was."""
    assert live.worktree is not None
    common, session, now = live.worktree.repository.common_dir, live.state.session, look.head.branch
    found: dict[str, str] = {}
    gone = now is not None and now != session.branch and branch_tip(common, session.branch) is None
    if now is not None and gone and renamed_branch(common, session.branch, now):
        found["branch"] = now
    names = renamed_to(common, session.target) if look.target is None else []
    if len(names) == 1:
        found["target"] = names[0]
    if not found:
        return False
    words = {"branch": "the session's branch is now", "target": "its target is now"}
    text = "; ".join(f"{words[what]} {name}" for what, name in found.items())
    publish(
        ctx, live, replace(live.state, session=session.model_copy(update=found)), "adopt", by="git", text=text,
        facts=found,
    )  # fmt: skip
    return True


def take_over(ctx: Context, live: Live, look: Look, reading: Reading | None, *, verb: str, by: str) -> bool:
    """Bring the session to where a look saw git; True when ``reading`` was recorded along."""
    assert live.worktree is not None
    state, head = live.state, look.head
    if head.stands_on != state.session.branch or head.oid is None:
        park(ctx, live, why_parked(head, state.session.branch), head.oid)
        return False
    if head.at_work:
        if state.session.parked is not None and head.at_work != {"index.lock"}:
            park(ctx, live, f"git is at work ({', '.join(sorted(head.at_work - {'index.lock'}))})")
        begin_provisional(ctx, live)
        return False
    commits = CommitGraph(ctx.repository.common_dir)
    git_dir = live.worktree.repository.git_dir
    ground = ground_of_head(commits, state, head.oid, lambda: made_here(git_dir))
    if ground is None:
        park(ctx, live, f"HEAD has no common base with {state.session.target}")
        return False
    try:
        return catch_up(ctx, live, ground, commits, reading, verb=verb, by=by)
    except OUR_MISTAKES as exc:
        # Recording must go on whatever sorting does; the next move of HEAD, or the next start, tries again.
        ctx.store.drop_pending()
        ctx.tools.forget()
        why = f"the commits here could not be sorted ({type(exc).__name__}: {exc})"
        park(ctx, live, why)
        ctx.tell({"type": "bug", "session": live.sid, "text": why, "traceback": traceback.format_exc()})
        return False


def catch_up(
    ctx: Context,
    live: Live,
    ground: Ground,
    commits: CommitGraph,
    reading: Reading | None,
    *,
    verb: str,
    by: str,
    carried: Carried | None = None,
) -> bool:
    """Read chain and disk anew, if they are not as they were, as one step; True when ``reading`` is in it.

    ``carried``: what an update has put the session's edits to, on a base where nothing contradicts them.
    """
    assert live.worktree is not None
    state, start = live.state, settled_state(ctx, live)
    moved = carried is not None or not unchanged(commits, state, ground) or not holds(ctx, state, ground)
    if not moved and state.session.parked is None:
        if start is not None:
            end_provisional(ctx, live, start)
        return False
    if moved and start is not None:
        state = back_to(state, start)
    elif moved and carried is None:
        state = before_git_wrote(ctx, live, ground.chain[-1].oid if ground.chain else ground.base) or state
    before = state
    state = unparked(state)
    found = relearn(ctx, live, state, ground, commits, carried) if moved else Relearned(state)
    head = ground.chain[-1].tree if ground.chain else tree_of_commit(ctx.store, ground.base)
    state, placed, readings = sort_disk(ctx, live, found.state, reading, head, found.resolved)
    notes: list[str] = []
    if moved:
        state = remake_series(ctx, state)
        if carried is None:
            state, notes = contested(ctx, live, before, state)
            found.notes += notes
        else:
            state = without_clashes(state)
    told = what_was_adopted(before, state, found, what_moved_head(live))
    publish(ctx, live, state, verb, by=by, text=told.text, placed=(*found.placed, *placed), facts=told.facts)
    live.settled = None
    if notes:
        write_control_files(ctx, live)
    for one in readings:
        note_saved(ctx, live, one.changes)
        live.worktree.accept(one)
    return reading is not None


def holds(ctx: Context, state: State, ground: Ground) -> bool:
    """Whether the owners hold HEAD's tree: a merge of the target is left out only while it adds nothing."""
    if not ground.chain:
        return True
    bit = len(state.session.chain) - 1
    return tree_held(ctx, state.owners, state.session.base, bit) == ground.chain[-1].tree


# Parked, at work.


def why_parked(head: Head, branch: str) -> str:
    """Why nothing can be sorted, in words."""
    if head.stands_on == branch:
        return f"{branch} has no commit"
    if head.stands_on is not None:
        return f"HEAD is on {head.stands_on}"
    return f"HEAD is detached at {head.oid[:7]}" if head.oid else "HEAD is nowhere"


def park(ctx: Context, live: Live, why: str, oid: str | None = None) -> None:
    """Stop sorting; said once for each reason. ``oid``: where HEAD has gone."""
    if live.state.session.parked == why:
        return
    start = settled_state(ctx, live)
    state = back_to(live.state, start) if start is not None else live.state
    if start is None and oid is not None:
        state = before_git_wrote(ctx, live, oid) or state
    state = replace(state, session=state.session.model_copy(update={"parked": why}))
    publish(ctx, live, state, "adopt", by="git", text=f"parked: {why}", facts={"parked": why})
    live.settled = None


def unparked(state: State) -> State:
    """The State of a session that is sorted again."""
    if state.session.parked is None:
        return state
    return replace(state, session=state.session.model_copy(update={"parked": None}))


def settled_state(ctx: Context, live: Live) -> State | None:
    """The State before git's work under way; None: nothing is provisional. Read again after a restart."""
    if live.settled is None and live.state.settled is not None:
        live.settled = load_state(ctx.store, live.state.settled)
    return live.settled


def begin_provisional(ctx: Context, live: Live) -> None:
    """From here on sorting may have to be done again; while parked nothing is sorted in the first place."""
    if settled_state(ctx, live) is None and live.state.session.parked is None:
        live.settled = live.state
        live.state = replace(live.state, settled=live.state.step)


def end_provisional(ctx: Context, live: Live, start: State) -> None:
    """git ended without moving HEAD: what was sorted stands, but files as before have their owners again."""
    live.settled = None
    state = replace(live.state, settled=None)
    if state.work == start.work and state.owners is not start.owners:
        publish(ctx, live, back_to(state, start), "adopt", by="git", text="git ended where it began")
    else:
        live.state = state


def back_to(state: State, start: State) -> State:
    """The State with the owners of ``start``; patches made and dependencies declared meanwhile stay.

    What was ready is ready again: the edits that made it a draft were git's, and are taken back with the owners.
    """
    now = state.owners
    owners = replace(
        start.owners,
        patches=now.patches,
        declared=now.declared,
        directions=now.directions,
        judged=now.judged,
    )
    ready = {pid for pid, patch in start.patches.items() if patch.status == "ready"}
    patches = {
        pid: patch.model_copy(update={"status": "ready"}) if pid in ready and patch.status == "draft" else patch
        for pid, patch in state.patches.items()
    }
    return replace(state, owners=owners, patches=patches, settled=None)
