"""Upkeep: doctor, checkpoint, uninstall."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from shlex import quote
from typing import Any

from gitsessiond.actions.agenthooks import left_behind
from gitsessiond.actions.clash_files import control_file, is_changed
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.hooking import uninstall_hooks
from gitsessiond.model.conflicts import is_notice
from gitsessiond.model.errors import Refused, StoreFailed
from gitsessiond.model.hints import in_turn
from gitsessiond.model.holdings import parts_of
from gitsessiond.model.names import quote_path
from gitsessiond.model.reasons import listed
from gitsessiond.model.records import Session
from gitsessiond.store.exclude import forget_exclude
from gitsessiond.store.git import run_git
from gitsessiond.store.head import branch_tip
from gitsessiond.store.repository import worktrees
from gitsessiond.store.steps import State


def checkpoint(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``daemon checkpoint``: everything recorded is in packs and refs that plain git reads."""
    ctx.store.checkpoint()
    return {"sessions": sorted(name.rpartition("/")[2] for name in ctx.store.refs("refs/sessions/"))}


def uninstall(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``uninstall [--hard]``: control files and exclude lines go; with ``--hard`` every trace of ours.

    Raises:
        Refused: sessions are open, a session branch is checked out; without ``--yes`` also: a session branch holds
            unmerged commits, or a conflict's file half a resolution.
    """
    states = ctx.all_states()
    sessions = [state.session for state in states]
    hard = asked.flag("hard")
    if hard:
        refuse_unreadable(ctx)
        branches = own_branches(ctx, sessions)
        refuse_checked_out(ctx, branches, {session.branch: session.target for session in sessions})
        refuse_open(sessions)
        if not asked.flag("yes"):
            refuse_unmerged(ctx, states, branches)
    if not asked.flag("yes"):
        refuse_half_resolved(ctx)
    records = (one for live in ctx.sessions.values() for one in live.state.conflicts.values())
    waiting = sum(one.status == "open" and not is_notice(one) for one in records)
    words = "1 conflict is" if waiting == 1 else f"{waiting} conflicts are"
    warnings = [f"{words} open still; git session conflicts makes their files again"] if waiting else []
    hooks = uninstall_hooks(ctx, asked)
    warnings += [*hooks["warnings"], *left_behind(ctx, asked)]
    files, left = remove_control_files(ctx)
    removed, warnings = [*hooks["removed"], *files], [*warnings, *left, *still_open(sessions)]
    if hard:
        removed += remove_traces(ctx, branches)
    state_dir = ctx.repository.state_dir if hard else None
    return {"removed": removed, "hard": hard, "state_dir": state_dir, "warnings": warnings}


def still_open(sessions: list[Session]) -> list[str]:
    """Which sessions are open still, in words: what they have to do with is not all taken out."""
    names = sorted(session.name for session in sessions if session.status == "open")
    if not names:
        return []
    which = f"session {names[0]} is open and goes" if len(names) == 1 else f"sessions {listed(names)} are open and go"
    return [f"{which} on being recorded; the next git session command that changes something makes .gitsession/ again"]


def refuse_half_resolved(ctx: Context) -> None:
    """Raise Refused while the file of a conflict holds what somebody wrote and nobody recorded."""
    for live in ctx.sessions.values():
        for conflict in live.state.conflicts.values():
            file = control_file(live, conflict)
            if file is not None and is_changed(ctx, live, conflict, file):
                raise Refused(
                    f"{quote_path(file.at)} holds edits that are recorded nowhere",
                    hint=in_turn("git session conflicts", "git session uninstall --yes"),
                )


def refuse_unreadable(ctx: Context) -> None:
    """Raise StateUnreadable while a session's record is damaged: what it holds, nobody knows."""
    damaged = next(iter(ctx.unreadable.values()), None)
    if damaged is not None:
        raise damaged.error()


def own_branches(ctx: Context, sessions: list[Session]) -> list[str]:
    """The branches of sessions that still exist."""
    listed = run_git(["for-each-ref", "--format=%(refname)", "refs/heads"], git_dir=ctx.repository.common_dir).out
    there = {line.removeprefix("refs/heads/") for line in os.fsdecode(listed).splitlines()}
    return sorted({session.branch for session in sessions} & there)


def refuse_open(sessions: list[Session]) -> None:
    """Raise Refused while a session is open."""
    still = [session.name for session in sessions if session.status == "open"]
    if still:
        raise Refused(f"session {still[0]} is open", hint=f"git session close -s {quote(still[0])}")


def refuse_checked_out(ctx: Context, branches: list[str], targets: Mapping[str, str]) -> None:
    """Raise Refused while a worktree's HEAD is on a session branch: removing it would leave HEAD nowhere.

    ``targets``: of the sessions, by their branches; where another worktree has the target the way is to detach HEAD.
    """
    there = [worktree for worktree in worktrees(ctx.repository) if not worktree.prunable]
    taken = {worktree.branch for worktree in there}
    places, ways = [], []
    for worktree in there:
        if worktree.branch is None or worktree.branch not in branches:
            continue
        target = targets[worktree.branch]
        free = target not in taken and branch_tip(ctx.repository.common_dir, target) is not None
        taken.add(target)
        places.append(f"{worktree.branch} is checked out in {worktree.path}")
        ways.append(shlex.join(["git", "-C", worktree.path, "switch", target if free else "--detach"]))
    if places:
        raise Refused("; ".join(places), hint=in_turn(*ways))


def refuse_unmerged(ctx: Context, states: list[State], branches: list[str]) -> None:
    """Raise Refused while a session branch holds work its target lacks: commits not of merged patches alone."""
    last = {state.session.branch: state for state in states}
    targets = {branch: state.session.target for branch, state in last.items()}
    for branch in branches:
        if all_merged(last[branch], branch_tip(ctx.repository.common_dir, branch)):
            continue
        done = run_git(
            ["rev-list", "--count", f"refs/heads/{branch}", "--not", f"refs/heads/{targets[branch]}", "--"],
            git_dir=ctx.repository.common_dir,
            check=False,
        )
        if done.code != 0 or done.out.strip() != b"0":
            raise Refused(
                f"{branch} holds commits that {targets[branch]} lacks",
                hint="git session uninstall --hard --yes",
            )


def all_merged(state: State, tip: str | None) -> bool:
    """Whether all that the commits up to this tip hold is of merged patches; these landed as twins, with other ids."""
    chain, patches = state.session.chain, state.patches
    if tip != (chain[-1] if chain else state.session.base):
        return False  # commits we do not know
    holders = [owner for owner, mask in parts_of(state.owners, len(chain)).items() if mask]
    return all(owner in patches and patches[owner].status == "merged" for owner in holders)


def remove_control_files(ctx: Context) -> tuple[list[str], list[str]]:
    """Remove ``.gitsession/`` from every worktree, but for what git tracks, and our lines from ``info/exclude``.

    Returns what was removed, and in words what could not be: where git does not say what it tracks, all stays.
    """
    removed, left = [], []
    for worktree in worktrees(ctx.repository):
        path = os.path.join(worktree.path, ".gitsession")
        if os.path.isdir(path) and not os.path.islink(path):
            try:
                remove_untracked(worktree.path, path)
            except StoreFailed as exc:
                left.append(f"{path} stays, git cannot tell what of it is tracked: {exc.message}")
                continue
            removed.append(f"what git does not track in {path}" if os.path.isdir(path) else path)
    if forget_exclude(ctx.repository.common_dir):
        removed.append(f"our lines in {os.path.join(ctx.repository.common_dir, 'info', 'exclude')}")
    return removed, left


def remove_untracked(worktree: str, path: str) -> None:
    """Remove a directory of a worktree, and all in it that git does not track.

    Raises:
        StoreFailed: git does not say what that is; nothing is removed.
    """
    listed = run_git(["ls-files", "-z", "--", os.path.basename(path)], cwd=worktree).out.split(b"\0")
    tracked = {os.path.join(worktree, os.fsdecode(name)) for name in listed if name}
    if not tracked:
        shutil.rmtree(path)
        return
    for above, directories, names in os.walk(path, topdown=False):
        for name in names:
            if os.path.join(above, name) not in tracked:
                os.unlink(os.path.join(above, name))
        for name in directories:
            inner = os.path.join(above, name)
            if os.path.islink(inner) and inner not in tracked:
                os.unlink(inner)
            elif not os.path.islink(inner) and not os.listdir(inner):
                os.rmdir(inner)


def remove_traces(ctx: Context, branches: list[str]) -> list[str]:
    """Remove refs, branches, worktree ids and configuration of ours; front removes the state directory itself."""
    git_dir = ctx.repository.common_dir
    listed = run_git(["for-each-ref", "--format=%(refname)", "refs/gitsession"], git_dir=git_dir).out
    refs = os.fsdecode(listed).splitlines() + [f"refs/heads/{branch}" for branch in branches]
    for ref in refs:
        run_git(["update-ref", "-d", ref], git_dir=git_dir)
    for worktree in worktrees(ctx.repository):
        wid = os.path.join(worktree.git_dir, "gitsession-wid")
        if os.path.exists(wid):
            os.unlink(wid)
    for branch in branches:
        run_git(["config", "--local", "--remove-section", f"branch.{branch}"], git_dir=git_dir, check=False)
    settings = run_git(
        ["config", "--local", "--name-only", "--get-regexp", r"^gitsession\."], git_dir=git_dir, check=False
    )
    for name in dict.fromkeys(os.fsdecode(settings.out).splitlines()):
        run_git(["config", "--local", "--unset-all", name], git_dir=git_dir)
    run_git(["config", "--local", "--remove-section", "gitsession"], git_dir=git_dir, check=False)
    for directory in ("refs/gitsession/patches", "refs/gitsession/sessions", "refs/gitsession"):
        remove_empty(os.path.join(git_dir, directory))
    return refs


def remove_empty(directory: str) -> None:
    """Remove a directory of ours and the empty ones below it."""
    for root, _, files in os.walk(directory, topdown=False):
        if not files:
            try:
                os.rmdir(root)
            except OSError:
                return  # something is in it after all: not ours to judge
