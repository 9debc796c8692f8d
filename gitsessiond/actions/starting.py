"""``start``: a session gets a base, a target, a branch and a worktree, and what lies there dirty is noted.

Nothing of the user's moves but what the command says: in this checkout HEAD goes to the new branch at the same
commit (index and files stay, as ``git switch -c`` does); elsewhere ``git worktree add`` makes a linked worktree.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from typing import Any

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.saves import changes_of, sorted_changes, with_disk
from gitsessiond.actions.sessions import check_free_name, session_reply
from gitsessiond.model.errors import BadRequest, GitSessionError, NotFound, Refused
from gitsessiond.model.names import is_id, quote_path, slug_of, unquote_path
from gitsessiond.model.ownership import empty_owners
from gitsessiond.model.records import Collaborator, Session
from gitsessiond.model.values import EMPTY_TREE
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.git import run_git
from gitsessiond.store.identity import identity_of
from gitsessiond.store.repository import Repository, open_repository, worktrees
from gitsessiond.store.steps import State
from gitsessiond.store.worktree import WorkTree

OFFERED = (
    "node_modules",
    ".venv",
    "venv",
    "vendor",
    "target",
    "build",
    "dist",
)  # heavy, ignored, often wanted


@dataclass(frozen=True)
class Place:
    """Where a session will live."""

    path: str  # absolute
    new: bool  # a linked worktree to be made
    why: str | None = None


@dataclass(frozen=True)
class Ground:
    """What a new session stands on."""

    base: str
    target: str
    head: str
    head_branch: str | None


def start_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``start NAME``: see the module.

    Raises:
        BadRequest: a name or revision that means nothing, or no target on a detached HEAD.
        Refused: the name is taken, this checkout cannot carry it, or the branch name is blocked.
    """
    name = check_free_name(ctx, asked.text("name"))
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
    if place.new:
        add_worktree(ctx, asked, place, branch, ground.base, where)
    else:
        run_git(["update-ref", f"refs/heads/{branch}", ground.base, "0" * 40], cwd=where.worktree)
    try:
        live, before = first_step(ctx, session, place, by)
    except BaseException:
        undo_place(ctx, place, branch, ground.base)
        raise
    if not place.new:
        take_checkout(where, ground, branch)
    ctx.sessions[session.id] = live
    return {
        "session": session_reply(ctx, live.state),
        "new_worktree": place.new,
        "why": place.why,
        "before": before,
        "offered": offered_in(where) if place.new else [],
        "warnings": [],
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
    carrier = next((s.session for s in ctx.all_states() if s.session.branch == head_branch), None)
    target = asked.text("target") or (carrier.target if carrier else head_branch)
    if not target:
        raise BadRequest(
            "HEAD is detached, so there is no branch to merge into",
            hint="git session start NAME --target BRANCH",
        )
    target = target.removeprefix("refs/heads/")
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


def commit_at(where: Repository, revision: str) -> str | None:
    """The commit a revision names, or None."""
    if revision.startswith("-"):
        return None
    done = run_git(["rev-parse", "-q", "--verify", f"{revision}^{{commit}}"], cwd=where.worktree, check=False)
    return os.fsdecode(done.out).strip() if done.code == 0 else None


def one_line(where: Repository, *args: str) -> str:
    """The output of a git command that prints one line."""
    return os.fsdecode(run_git(args, cwd=where.worktree).out).strip()


def refuse_unreadable(ctx: Context, directory: str) -> None:
    """Raise StateUnreadable where a session that cannot be read carries this checkout, or may carry it."""
    if ctx.live_at(directory) is not None:
        return
    for damaged in ctx.unreadable.values():
        if damaged.carries(directory) or damaged.anchored is None:
            raise damaged.error()


def place_for(ctx: Context, asked: Asked, where: Repository, ground: Ground, name: str) -> Place:
    """This checkout when it carries no session and stands on the base, else a linked worktree beside it.

    Raises:
        Refused: ``--here`` was asked for and cannot be.
    """
    wish = asked.args.get("worktree")
    here = asked.args.get("here")
    refuse_unreadable(ctx, os.path.realpath(where.worktree))
    carrier = ctx.live_at(os.path.realpath(where.worktree))
    no_here = why_not_here(where, ground, carrier)
    if here:
        if no_here:
            raise Refused(f"--here cannot be: {no_here}", hint=f"git session start {name} --worktree")
        return Place(os.path.realpath(where.worktree), new=False)
    setting = ctx.config.get("gitsession.start")
    if wish is None and no_here is None and setting != "worktree":
        return Place(os.path.realpath(where.worktree), new=False)
    path = asked_directory(asked) if isinstance(wish, str) else free_directory(ctx, where, name)
    return Place(path, new=True, why=no_here if wish is None else None)


def why_not_here(where: Repository, ground: Ground, carrier: Live | None) -> str | None:
    """What keeps this checkout from carrying the session, or None."""
    if carrier is not None:
        return f"this checkout carries {carrier.state.session.name}"
    if ground.base != ground.head:
        return "it does not start at HEAD"
    for name, words in (
        ("rebase-merge", "a rebase"), ("rebase-apply", "a rebase"), ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"), ("REVERT_HEAD", "a revert"), ("BISECT_LOG", "a bisect"),
    ):  # fmt: skip
        if os.path.lexists(os.path.join(where.git_dir, name)):
            return f"{words} is going on in this checkout"
    return None


def asked_directory(asked: Asked) -> str:
    """The directory named by ``--worktree DIR``.

    Raises:
        Refused: it is there and not empty.
    """
    path = os.path.realpath(os.path.join(asked.who.cwd, asked.text("worktree")))
    if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
        raise Refused(f"{path} is in the way", hint="name an empty or a new directory")
    return path


def free_directory(ctx: Context, where: Repository, name: str) -> str:
    """``<repository>.sessions/<name>`` beside the main worktree, or below ``gitsession.worktreeRoot``."""
    main = os.path.realpath(worktrees(where)[0].path)
    root = ctx.config.get("gitsession.worktreeRoot")
    top = os.path.join(main, os.path.expanduser(root)) if root else main.rstrip("/") + ".sessions"
    slug, number = slug_of(name), 1
    while True:
        path = os.path.join(os.path.normpath(top), slug if number == 1 else f"{slug}-{number}")
        if not os.path.lexists(path):
            return path
        number += 1


def free_branch(ctx: Context, name: str) -> str:
    """A branch name that git can hold beside the ones there are.

    Raises:
        Refused: a branch is named like the prefix itself.
    """
    prefix = ctx.config.get("gitsession.branchPrefix") or "session/"
    listed = run_git(["for-each-ref", "--format=%(refname)", "refs/heads"], git_dir=ctx.repository.common_dir)
    taken = {line.removeprefix("refs/heads/") for line in os.fsdecode(listed.out).splitlines()}
    parent = prefix.rstrip("/")
    if prefix.endswith("/") and parent in taken:
        raise Refused(
            f"a branch named {parent!r} is in the way of {prefix}{slug_of(name)}",
            hint="git config gitsession.branchPrefix work/",
        )
    slug, number = slug_of(name), 1
    while True:
        branch = prefix + (slug if number == 1 else f"{slug}-{number}")
        beside = any(other == branch or other.startswith(branch + "/") for other in taken)
        if not beside and run_git(["check-ref-format", "--branch", branch], cwd="/", check=False).code == 0:
            return branch
        number += 1
        if number > 1000:
            raise Refused(f"no branch name can be made of {name!r}", hint="give the session a plainer name")


def add_worktree(ctx: Context, asked: Asked, place: Place, branch: str, base: str, where: Repository) -> None:
    """Make the linked worktree on a new branch, without an upstream, and copy ``.env*`` files along."""
    os.makedirs(os.path.dirname(place.path), exist_ok=True)
    run_git(["worktree", "add", "--no-track", "-q", "-b", branch, place.path, base], cwd=where.worktree)
    for name in sorted(os.listdir(where.worktree)):
        source, goal = os.path.join(where.worktree, name), os.path.join(place.path, name)
        if re.match(r"^\.env(\..*)?$", name) and os.path.isfile(source) and not os.path.lexists(goal):
            shutil.copy2(source, goal)


def offered_in(where: Repository) -> list[str]:
    """Directories of the first checkout that git does not carry over and people often want: named, not copied."""
    return [name for name in OFFERED if os.path.isdir(os.path.join(where.worktree, name))]


def first_step(ctx: Context, session: Session, place: Place, by: str) -> tuple[Live, list[str]]:
    """Record the session with what lies in its worktree; edits found there were "there before"."""
    at = open_repository(place.path)
    session = session.model_copy(update={"worktree_id": worktree_id(at, session.worktree_id)})
    base_tree = tree_of_commit(ctx.store, session.base)
    empty = State(
        session=session, patches={}, conflicts={}, owners=empty_owners(), work=base_tree, raw=EMPTY_TREE,
        trees={}, sides={}, number=0, step=None, settled=None,
    )  # fmt: skip
    tree = WorkTree.open(at, session.worktree_id, ctx.store, ctx.config, base_tree, EMPTY_TREE)
    live = Live(state=empty, worktree=tree)
    reading = tree.scan_whole()
    state, before = empty, []
    if reading.changes:
        state = with_disk(ctx, state, reading.changes)
        changes = changes_of(reading.changes)
        state, placed = sorted_changes(ctx, live, state, changes, reading.guarded, nobody="~before")
        before = sorted({quote_path(edit.path) for edit in placed})
    publish(ctx, live, state, "start", by=by, text=session.name)
    tree.accept(reading)
    return live, before


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


def undo_place(ctx: Context, place: Place, branch: str, base: str) -> None:
    """Take back branch and worktree of a start that failed; only what it made itself."""
    try:
        if place.new:
            run_git(["worktree", "remove", "--force", place.path], git_dir=ctx.repository.common_dir, check=False)
        run_git(["update-ref", "-d", f"refs/heads/{branch}", base], git_dir=ctx.repository.common_dir, check=False)
    except GitSessionError:
        pass  # the first error is the one to tell; a left-over branch at base harms nobody


def take_checkout(where: Repository, ground: Ground, branch: str) -> None:
    """HEAD to the new branch, as ``git switch -c`` notes it; index and files are not touched."""
    came_from = ground.head_branch or ground.head
    message = f"checkout: moving from {came_from} to {branch}"
    run_git(["symbolic-ref", "-m", message, "HEAD", f"refs/heads/{branch}"], cwd=where.worktree)


def reopen_worktree(ctx: Context, state: State) -> WorkTree:
    """The worktree of a recorded session, as far as it was recorded.

    Raises:
        NotFound: it is gone, or another worktree lies at its path.
    """
    path = os.fsdecode(unquote_path(state.session.worktree))
    if not os.path.isdir(path):
        raise NotFound(f"worktree {path} is gone", hint=f"git worktree add {path} {state.session.branch}")
    at = open_repository(path)
    session = state.session
    return WorkTree.open(at, session.worktree_id, ctx.store, ctx.config, state.work, state.raw)


def with_worktree_id(state: State, wid: str) -> State:
    """The State recording another worktree id (the worktree was removed and added again)."""
    return replace(state, session=state.session.model_copy(update={"worktree_id": wid}))
