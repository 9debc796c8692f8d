"""``update``: the target's new commits come into the session, below everything that is there.

All of it is worked out before a file moves (:mod:`gitsessiond.actions.carrying`). A conflict of any owner is a record
and nothing moves; once all are resolved the same command goes through. Else files, branch and index move together
(:mod:`gitsessiond.store.moving`), and what came of it is read back as whatever git does is: one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import fsdecode
from shlex import join
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.adoption import adopt, catch_up
from gitsessiond.actions.asked import refuse_parked
from gitsessiond.actions.carrying import Carried
from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.commits import place_of
from gitsessiond.actions.conflicts import take_all_saved
from gitsessiond.actions.contests import review
from gitsessiond.actions.context import Asked, Context, Live, Who
from gitsessiond.actions.grounding import Ground
from gitsessiond.actions.landings import finish_interrupted, record_merged
from gitsessiond.actions.looking import look_at
from gitsessiond.actions.mergeable import as_told, new_base
from gitsessiond.actions.predicting import is_lost
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.recommitting import carry
from gitsessiond.actions.reopening import open_again
from gitsessiond.actions.saves import record_reading
from gitsessiond.actions.sessions import session_reply
from gitsessiond.actions.update_clashes import KIND, with_clashes
from gitsessiond.actions.update_plan import Update, plan_update
from gitsessiond.model.conflicts import is_notice, place_words
from gitsessiond.model.errors import Moved
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.ownership import edits_of
from gitsessiond.model.records import Conflict
from gitsessiond.store import moving
from gitsessiond.store.authoring import Asker, signs
from gitsessiond.store.chain import CommitGraph
from gitsessiond.store.head import branch_tip
from gitsessiond.store.identity import asker_env, identity_of
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.outlasting import held
from gitsessiond.store.picking import write_picks
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees, entry_at

TRIES = 3


def update_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``update [--dry-run]``; conflicts are an answer, not an error.

    Raises:
        Refused: parked, git at work, no target, no common history, or something unrecorded is in the way.
        Moved: branch, index or files changed at each of three tries.
        StoreFailed: git or the disk refused; nothing has moved.
    """
    ctx = as_told(ctx, asked.who)
    finish_interrupted(ctx)
    live = ctx.live(asked)
    refuse_parked(live)
    take_all_saved(ctx, live)
    return bring_in(ctx, live, asked.who, dry_run=asked.flag("dry_run"))


def bring_in(ctx: Context, live: Live, who: Who, *, dry_run: bool = False) -> dict[str, Any]:
    """The target's commits into a session that is not parked; the reply, and raises as :func:`update_session`."""
    for left in reversed(range(TRIES)):
        place_of(ctx, live)
        base = new_base(ctx, live)
        if base == live.state.session.base:
            return nothing_new(ctx, live, base, who, dry_run=dry_run)
        waiting = [one for patch in live.open_patches() for one in review(ctx, live, patch.id)]
        if waiting:
            return reply_of(ctx, live, conflicts=shown(live.state, waiting), dry_run=dry_run, message=stopped(waiting))
        state, notes = without_lost(ctx, live, base)
        update = plan_update(ctx, live, state, base)
        if update.clashes or dry_run:
            return not_moved(ctx, live, update, state, who, notes, dry_run=dry_run)
        try:
            return moved(ctx, live, update, state, who, notes)
        except Moved:
            if not left:
                raise
            look_again(ctx, live)
    raise AssertionError("the last try returns or raises")


def without_lost(ctx: Context, live: Live, base: str) -> tuple[State, list[str]]:
    """The State in which patches that the new base has lost (the target was rewritten) are open again."""
    state, notes = live.state, list[str]()
    gone = CommitGraph(ctx.repository.common_dir).count_beyond(base, state.session.base)
    if gone:
        words = "1 commit that this session stood on is" if gone == 1 else f"{gone} commits it stood on are"
        notes.append(f"the target {state.session.target} was rewritten: {words} not in it any more")
    for pid, patch in live.state.patches.items():
        if is_lost(ctx, live, pid, base):
            state = open_again(ctx, live, state, pid, base)
            notes.append(f"patch {patch.name} is not in {state.session.target} any more: it is a draft again")
    return state, notes


# What does not move.


def not_moved(
    ctx: Context, live: Live, update: Update, state: State, who: Who, notes: list[str], *, dry_run: bool
) -> dict[str, Any]:
    """The answer of a dry run, or of an update that stopped at conflicts: those are recorded."""
    records = [one.record for one in update.clashes]
    session, count = live.state.session, ahead_of(ctx, live.state, update.base)
    if records and not dry_run:
        state = with_clashes(ctx, live, state, update.carried.clashes, update.carried.layer)
        by = identity_of(who.env, who.cwd)
        ids = {"conflicts": [record.id for record in records]}
        publish(ctx, live, state, "update", by=by, text=f"{stopped(records)}; nothing moved", facts=ids)
        write_control_files(ctx, live)
    message = stopped(records) if records else f"{session.name} would take {count} commits of {session.target}"
    facts = {"conflicts": shown(state, records), "dry_run": dry_run, "notes": notes, "commits": count}
    return reply_of(ctx, live, update, message=message, **facts)


def nothing_new(ctx: Context, live: Live, base: str, who: Who, *, dry_run: bool) -> dict[str, Any]:
    """The answer where the target has nothing to take in; patches that it has lost are open again all the same."""
    state, notes = without_lost(ctx, live, base)
    if not dry_run:
        if notes:
            publish(ctx, live, state, "update", by=identity_of(who.env, who.cwd), text="; ".join(notes))
            write_control_files(ctx, live)
        forget_clashes(ctx, live, who)
    message = f"{live.state.session.name} has all of {live.state.session.target}"
    return reply_of(ctx, live, notes=notes, message=message)


def forget_clashes(ctx: Context, live: Live, who: Who) -> None:
    """Record that there is nothing to clash with any more: the target went back to what the session stands on."""
    records = live.state.conflicts.values()
    if any(one.kind == KIND and one.status == "open" and not is_notice(one) for one in records):
        state = with_clashes(ctx, live, live.state, (), LandingLayer(ctx.store, {}))
        by = identity_of(who.env, who.cwd)
        publish(ctx, live, state, "update", by=by, text=f"nothing of {state.session.target} to take in any more")
        write_control_files(ctx, live)


def stopped(records: Iterable[Conflict]) -> str:
    """Where an update stopped, in words."""
    return f"conflicts in {place_words(dict.fromkeys(unquote_path(one.path) for one in records))}"


def shown(state: State, records: Iterable[Conflict]) -> list[dict[str, Any]]:
    """Conflicts as replies have them."""
    return [views.conflict_view(state, record) for record in records]


def ahead_of(ctx: Context, state: State, base: str) -> int:
    """How many commits the new base has that the session's has not."""
    return CommitGraph(ctx.repository.common_dir).count_beyond(state.session.base, base)


# What moves.


def moved(ctx: Context, live: Live, update: Update, state: State, who: Who, notes: list[str]) -> dict[str, Any]:
    """Carry an update out and record it.

    Raises:
        Moved: somebody was faster; nothing has moved.
        Refused: something is in the way; nothing has moved.
        StoreFailed: git or the disk refused; nothing has moved.
    """
    assert live.worktree is not None
    before = live.state
    session, by = before.session, identity_of(who.env, who.cwd)
    if state is not before:
        publish(ctx, live, state, "update", by=by, text="; ".join(notes))
    count = ahead_of(ctx, before, update.base)
    new = new_tip(ctx, live, update, who)
    old = branch_tip(ctx.repository.common_dir, session.branch)
    assert old is not None, "place_of has seen it"
    raws = {path: entry.oid for path in update.files if (entry := entry_at(ctx.store, before.raw, path))}
    plan = moving.Plan(
        branch=session.branch,
        old=old,
        new=new,
        base=update.base,
        files=update.files,
        now={path: entry_at(ctx.store, before.work, path) for path in update.files},
        raws=raws,
        index=update.index,
        index_seen=update.index_seen,
    )
    layer = update.carried.layer
    with held(ctx.repository.common_dir, new, lambda: layer.to_repository([new])):
        moving.move(live.worktree, layer, plan, f"gitsession update: {session.target}", asker_env(who.env))
    record_update(ctx, live, update.carried, new, by, update.files)
    merged = note_empty(ctx, live, before, update.base)
    for one in update.submodules:
        takes = join(["git", "submodule", "update", fsdecode(one)])
        notes.append(f"the submodule {quote_path(one)} points to another commit: `{takes}` takes it")
    return reply_of(ctx, live, update, updated=True, commits=count, merged=merged, notes=notes, message="")


def new_tip(ctx: Context, live: Live, update: Update, who: Who) -> str:
    """The last commit of the session's branch on the new base, durably in the repository."""
    carried = update.carried
    kept = carried.kept or update.base
    if not carried.picks:
        return kept
    assert live.worktree is not None
    asker = Asker(who.env, live.worktree.repository.worktree, who.tty)
    return write_picks(carried.layer, kept, carried.picks, asker, sign=signs(ctx.config, asker)).oid


def record_update(ctx: Context, live: Live, carried: Carried, head: str, by: str, paths: Iterable[bytes]) -> None:
    """Take the moved worktree over as one step, the edits where the update has put them; ``paths`` were written."""
    assert live.worktree is not None
    commits = CommitGraph(ctx.repository.common_dir)
    ground = Ground(carried.base, tuple(commits.chain(carried.base, head)))
    live.memory.forget()
    reading = live.worktree.read_whole(sorted(paths))
    changes = diff_trees(carried.layer, live.state.work, carried.work)
    unseen = live.worktree.follow_left_out({one.path: one.after for one in changes})
    reading = reading._replace(changes=(*reading.changes, *unseen))
    catch_up(ctx, live, ground, commits, reading, verb="update", by=by, carried=carried)
    live.head_seen = look_at(live)
    moving.forget(live.worktree.repository.git_dir)
    write_control_files(ctx, live)


def note_empty(ctx: Context, live: Live, before: State, base: str) -> list[dict[str, str]]:
    """Mark the patches merged that the update left without an edit: the target has all they did."""
    out = []
    for patch in live.open_patches():
        if edits_of(before.owners, patch.id) and not edits_of(live.state.owners, patch.id):
            record_merged(ctx, live, patch.id, base, "git", verb="merged elsewhere")
            out.append({"id": patch.id, "name": patch.name})
    return out


def look_again(ctx: Context, live: Live) -> None:
    """Record what somebody saved or did meanwhile."""
    if live.worktree is not None and not adopt(ctx, live, reading := live.worktree.scan_whole()):
        record_reading(ctx, live, reading)
        if live.worktree is not None:
            live.worktree.accept(reading)


def reply_of(ctx: Context, live: Live, update: Update | None = None, **facts: Any) -> dict[str, Any]:
    """What ``update`` answers; ``facts`` are what differs from one with nothing to do."""
    return {
        "updated": False,
        "session": session_reply(ctx, live.state),
        "target": live.state.session.target,
        "base": update.base if update else live.state.session.base,
        "commits": 0,
        "files": [quote_path(path) for path in sorted(update.files)] if update else [],
        "unsaved": [{"path": quote_path(one.path), "program": one.program} for one in update.unsaved] if update else [],
        "merged": [],
        "conflicts": [],
        "notes": [],
        "dry_run": False,
        "message": "",
        **facts,
    }


# After a crash.


def finish_update(ctx: Context, live: Live) -> None:
    """Bring an update that a crash cut off to one of its ends: everything as it was, or the update recorded.

    Raises:
        StoreFailed: git is still at work on it, or the disk refused; it can be asked again.
    """
    if live.worktree is None:
        return
    at = live.worktree.repository
    begun = moving.read_note(at.git_dir)
    if begun is None:
        return
    state = live.state
    now = {path: entry_at(ctx.store, state.work, path) for path in begun.files}
    raws = {path: entry.oid for path in begun.files if (entry := entry_at(ctx.store, state.raw, path))}
    if moving.settle(live.worktree, ctx.store, now, raws) != "moved":
        return
    if state.session.base == begun.base:  # the step was recorded
        moving.forget(at.git_dir)
        return
    head = branch_tip(at.common_dir, state.session.branch)
    assert head is not None, "settle has seen it"
    record_update(ctx, live, carry(ctx, live, state, begun.base), head, "git", begun.files)
