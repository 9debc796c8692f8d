"""Where a session gets its place: this checkout or a linked worktree, on a branch of its own."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from shlex import quote

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.model.errors import GitSessionError, Refused
from gitsessiond.model.names import slug_of
from gitsessiond.store.git import run_git
from gitsessiond.store.repository import Repository, worktrees

OFFERED = (
    "node_modules",
    ".venv",
    "venv",
    "vendor",
    "target",
    "build",
    "dist",
)  # heavy, ignored, often wanted
MOST_WORKERS = 8


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
            raise Refused(f"--here cannot be: {no_here}", hint=f"git session start {quote(name)} --worktree")
        return Place(os.path.realpath(where.worktree), new=False)
    setting = ctx.config.get("gitsession.start")
    if wish is None and no_here is None and setting != "worktree":
        return Place(os.path.realpath(where.worktree), new=False)
    path = asked_directory(asked) if isinstance(wish, str) else free_directory(ctx, where, name)
    return Place(path, new=True, why=no_here if wish is None else None)


def refuse_unreadable(ctx: Context, directory: str) -> None:
    """Raise StateUnreadable where a session that cannot be read carries this checkout, or may carry it."""
    if ctx.live_at(directory) is not None:
        return
    for damaged in ctx.unreadable.values():
        if damaged.carries(directory) or damaged.anchored is None:
            raise damaged.error()


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


def add_worktree(ctx: Context, place: Place, branch: str, base: str, where: Repository) -> list[str]:
    """Make the linked worktree on a new branch, without an upstream, and copy ``.env*`` files along.

    Returns what could not be copied, in words.
    """
    os.makedirs(os.path.dirname(place.path), exist_ok=True)
    words = ["worktree", "add", "--no-track", "-q", "-b", branch, place.path, base]
    run_git([*several_workers(ctx), *words], cwd=where.worktree)
    out = []
    for name in sorted(os.listdir(where.worktree)):
        source, goal = os.path.join(where.worktree, name), os.path.join(place.path, name)
        if re.match(r"^\.env(\..*)?$", name) and os.path.isfile(source) and not os.path.lexists(goal):
            try:
                shutil.copy2(source, goal)
            except OSError as exc:
                out.append(f"{name} was not copied: {exc.strerror}")
    return out


def several_workers(ctx: Context) -> list[str]:
    """Options that let git write many files with several processes, unless the user said how many.

    Sequential is git's default for the sake of spinning disks; docs/performance.md has what it saves.
    """
    if ctx.config.get("checkout.workers") is not None:
        return []
    return ["-c", f"checkout.workers={min(os.cpu_count() or 1, MOST_WORKERS)}"]


def offered_in(where: Repository) -> list[str]:
    """Directories of the first checkout that git does not carry over and people often want: named, not copied."""
    return [name for name in OFFERED if os.path.isdir(os.path.join(where.worktree, name))]


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
