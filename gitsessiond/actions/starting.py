"""``start``: a session gets a base, a target, a branch and a worktree, and what lies there dirty is noted.

Nothing of the user's moves but what the command says: in this checkout HEAD goes to the new branch at the same
commit (index and files stay, as ``git switch -c`` does); elsewhere ``git worktree add`` makes a linked worktree.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.placing import (
    Ground,
    add_worktree,
    free_branch,
    offered_in,
    place_for,
    take_checkout,
    undo_place,
)
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.returning import worktree_again
from gitsessiond.actions.rewritten import session_branches
from gitsessiond.actions.saves import changes_of, sorted_changes, with_disk
from gitsessiond.actions.sessions import check_free_name, check_room, session_reply
from gitsessiond.model.errors import BadRequest, GitSessionError, NotFound, StateUnreadable
from gitsessiond.model.names import is_id, quote_path, unquote_path
from gitsessiond.model.ownership import empty_owners
from gitsessiond.model.records import Collaborator, Session
from gitsessiond.model.values import EMPTY_TREE
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.git import run_git
from gitsessiond.store.identity import identity_of
from gitsessiond.store.repository import Repository, open_repository
from gitsessiond.store.steps import State
from gitsessiond.store.worktree import WorkTree


def start_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``start NAME``: see the module.

    Raises:
        BadRequest: a name or revision that means nothing, or no target on a detached HEAD.
        Refused: the name is taken, as many are open as may, this checkout cannot carry it, or the branch is blocked.
    """
    name = check_free_name(ctx, asked.text("name"))
    check_room(ctx)
    by = identity_of(asked.who.env, asked.who.cwd)
    where = open_repository(asked.who.cwd)
    ground = ground_of(ctx, asked, where)
    place = place_for(ctx, asked, where, ground, name)
    branch = free_branch(ctx, name)
    session = Session(
        id=ctx.new_id(),
        name=name,
        description=asked.text("description"),
        base=ground.base,
        target=ground.target,
        branch=branch,
        worktree=quote_path(os.fsencode(place.path)),
        worktree_id=ctx.new_id(),
        here=not place.new,
        created_at=ctx.now(),
        created_by=by,
        collaborators=(Collaborator(user=by, role="owner"),),
        organization=ctx.config.get("gitsession.organization"),
    )
    warnings: list[str] = []
    if place.new:
        warnings = add_worktree(ctx, place, branch, ground.base, where)
    else:
        run_git(["update-ref", f"refs/heads/{branch}", ground.base, "0" * 40], cwd=where.worktree)
    try:
        at = where if place.path == where.worktree else open_repository(place.path)
        live, before = first_step(ctx, session, at, by)
    except BaseException:
        undo_place(ctx, place, branch, ground.base)
        raise
    try:
        if not place.new:
            take_checkout(where, ground, branch)
    except GitSessionError:
        give_up(ctx, live, by)
        undo_place(ctx, place, branch, ground.base)
        raise
    ctx.sessions[session.id] = live
    return {
        "session": session_reply(ctx, live.state),
        "new_worktree": place.new,
        "why": place.why,
        "before": before,
        "offered": offered_in(where) if place.new else [],
        "warnings": warnings,
    }


def ground_of(ctx: Context, asked: Asked, where: Repository) -> Ground:
    """Base and target: ``--from`` and ``--target``, else HEAD and its branch; on a session branch that session's.

    Raises:
        BadRequest: detached without ``--target``, or a revision or branch that does not exist.
    """
    head = one_line(where, "rev-parse", "--verify", "HEAD^{commit}")
    found = run_git(["symbolic-ref", "-q", "HEAD"], cwd=where.worktree, check=False)
    ref = os.fsdecode(found.out).strip()
    head_branch = ref.removeprefix("refs/heads/") if found.code == 0 and ref.startswith("refs/heads/") else None
    carrier = session_on(ctx, head_branch)
    target = asked.text("target") or (carrier.target if carrier else head_branch)
    if not target:
        raise BadRequest(
            "HEAD is detached, so there is no branch to merge into",
            hint="git session start NAME --target BRANCH",
        )
    target = target.removeprefix("refs/heads/")
    if quote_path(os.fsencode(target)) != target:
        raise BadRequest(
            f"the branch {quote_path(os.fsencode(target))} has a name that is not UTF-8, so it can be no target",
            hint="git branch -m NAME",
        )
    tip = commit_at(where, f"refs/heads/{target}")
    if tip is None:
        raise BadRequest(f"there is no branch {target}", hint="git branch --list")
    base = (carrier and not asked.text("from") and tip) or head
    if asked.text("from"):
        wanted = asked.text("from")
        chosen = commit_at(where, wanted)
        if chosen is None:
            raise BadRequest(f"{wanted!r} names no commit", hint="git log --oneline")
        base = chosen
    return Ground(str(base), target, head, head_branch)


def session_on(ctx: Context, branch: str | None) -> Session | None:
    """The session whose branch this is, an ended one too; none of these is loaded whole where it is nobody's."""
    with suppress(StateUnreadable):  # which one that is, the states tell
        if branch is None or branch not in session_branches(ctx):
            return None
    return next((state.session for state in ctx.all_states() if state.session.branch == branch), None)


def commit_at(where: Repository, revision: str) -> str | None:
    """The commit a revision names, or None."""
    if revision.startswith("-"):
        return None
    done = run_git(["rev-parse", "-q", "--verify", f"{revision}^{{commit}}"], cwd=where.worktree, check=False)
    return os.fsdecode(done.out).strip() if done.code == 0 else None


def one_line(where: Repository, *args: str) -> str:
    """The output of a git command that prints one line."""
    return os.fsdecode(run_git(args, cwd=where.worktree).out).strip()


def first_step(ctx: Context, session: Session, at: Repository, by: str) -> tuple[Live, list[str]]:
    """Record the session with what lies in its worktree; edits found there were "there before"."""
    session = session.model_copy(update={"worktree_id": worktree_id(at, session.worktree_id)})
    base_tree = tree_of_commit(ctx.store, session.base)
    empty = State(
        session=session, patches={}, conflicts={}, owners=empty_owners(), work=base_tree, raw=EMPTY_TREE,
        trees={}, sides={}, number=0, step=None, settled=None,
    )  # fmt: skip
    tree = open_tree(ctx, at, session.worktree_id, base_tree, EMPTY_TREE)
    live = Live(state=empty, worktree=tree)
    reading = tree.scan_whole()
    state, before = empty, []
    if reading.changes:
        state = with_disk(ctx, state, reading.changes)
        changes = changes_of(reading.changes)
        state, placed = sorted_changes(ctx, live, state, changes, reading.guarded, nobody="~before")
        before = sorted({quote_path(edit.path) for edit in placed})
    try:
        publish(ctx, live, state, "start", by=by, text=session.name)
    except GitSessionError:
        if live.state.step is not None:
            with suppress(GitSessionError):  # the first error is the one to tell
                give_up(ctx, live, by)
        raise
    tree.accept(reading)
    return live, before


def give_up(ctx: Context, live: Live, by: str) -> None:
    """End a session whose first step is recorded but which did not come to stand anywhere."""
    session = live.state.session.model_copy(update={"status": "abandoned", "closed_at": ctx.now()})
    publish(ctx, live, replace(live.state, session=session), "abandon", by=by, text=session.name)
    if live.worktree is not None:
        live.worktree.close()


def worktree_id(at: Repository, fresh: str) -> str:
    """The worktree's id: the one in its git directory, else ``fresh``, written there."""
    path = os.path.join(at.git_dir, "gitsession-wid")
    try:
        with open(path, encoding="ascii") as file:
            found = file.read().strip()
        if is_id(found):
            return found
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    with open(path, "w", encoding="ascii") as file:
        file.write(fresh + "\n")
    return fresh


def reopen_worktree(ctx: Context, state: State) -> WorkTree:
    """The worktree of a recorded session, as far as it was recorded.

    Raises:
        NotFound: it is gone, or another worktree lies at its path.
    """
    path = os.fsdecode(unquote_path(state.session.worktree))
    if not os.path.isdir(path):
        raise NotFound(f"worktree {path} is gone", hint=worktree_again(ctx.repository.common_dir, state.session))
    at = open_repository(path)
    session = state.session
    return open_tree(ctx, at, session.worktree_id, state.work, state.raw)


def open_tree(ctx: Context, at: Repository, wid: str, work: str | None, raw: str | None) -> WorkTree:
    """A worktree of which these trees are recorded; the paths it has as another session's has them are kept once."""
    others = [live.worktree.known for live in ctx.sessions.values() if live.worktree is not None]
    beside = max(others, key=len) if others else ()
    return WorkTree.open(at, wid, ctx.store, ctx.config, work, raw, beside)
