"""What the commits of a landing say, after the user's commit-msg hook has seen it.

pre-commit is not run here: it ran when the edits were committed, on exactly these edits, and a landing has no files
to run it on. A rebase makes no words of its own, so no hook sees it, as with ``git rebase``.
"""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

from gitsessiond.actions.context import Context, Live, Who
from gitsessiond.actions.mergeable import configured_strategy, is_draft
from gitsessiond.actions.strategies import own_commits
from gitsessiond.model.errors import Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hints import command_words
from gitsessiond.model.records import Patch
from gitsessiond.model.strategies import Strategy, merge_message, squash_message, words_of
from gitsessiond.store.authoring import person_of
from gitsessiond.store.git import run_with_hooks
from gitsessiond.store.identity import asker_env, identity_of


class Words(NamedTuple):
    """The message of a commit, and what the commit-msg hook said."""

    message: bytes
    output: str = ""


def landing_words(
    ctx: Context, live: Live, patch: Patch, strategy: Strategy, who: Who, *, uncommitted: bool, no_verify: bool
) -> Words:
    """The message of a landing's commit. ``uncommitted``: edits of the patch are about to be committed.

    Raises:
        Refused: the hook said no.
    """
    session = live.state.session
    if strategy == "rebase":
        return Words(b"")
    needs = graph_of(live.state.owners).direct(patch.id)
    if strategy == "merge":
        message, what = merge_message(session, patch, needs), "merge"
    else:
        series = own_commits(ctx, patch)
        asker = identity_of({**who.env, "GITSESSION_USER": ""}, who.cwd)  # as the commit will name its author
        people = [person_of(facts.author).decode("utf-8", "replace") for facts in series]
        messages = [facts.message for facts in series]
        if uncommitted:
            messages.append(words_of(patch).encode("utf-8", "surrogateescape"))
        others = [person for person in dict.fromkeys(people) if person != asker]
        message, what = squash_message(session, patch, needs, messages, others), "squashed"
    how = [] if strategy == configured_strategy(ctx) else [f"--strategy={strategy}"]
    again = command_words("merge", patch.name, *(["--ready"] if is_draft(patch) else []), *how, "--no-verify")
    return seen_by_hook(ctx, live, message, who, f"the {what} commit", again, no_verify=no_verify)


def seen_by_hook(
    ctx: Context, live: Live, message: bytes, who: Who, what: str, again: str, *, no_verify: bool
) -> Words:
    """A message as the commit-msg hook leaves it; ``again``: the command that goes on without it.

    Raises:
        Refused: the hook said no.
    """
    if no_verify or not has_hook(ctx, home_of(ctx, live), "commit-msg"):
        return Words(message)
    with tempfile.TemporaryDirectory(
        dir=ctx.repository.state_dir, prefix="scratch-", ignore_cleanup_errors=True
    ) as home:
        name = os.path.join(home, "MESSAGE")
        with open(name, "wb") as file:
            file.write(message)
        told = run_with_hooks(
            ["hook", "run", "--ignore-missing", "commit-msg", "--", name],
            cwd=home_of(ctx, live),
            env={**asker_env(who.env), "GIT_EDITOR": ":"},
        )
        if told.code != 0:
            why = told.words() or f"exit {told.code}"
            raise Refused(f"the commit-msg hook refused {what}: {why}", hint=again, reason="hook")
        try:
            with open(name, "rb") as edited:
                message = edited.read()
        except FileNotFoundError:
            message = b""
    if not message.strip():
        raise Refused(f"the commit-msg hook left no message for {what}", hint=again, reason="hook")
    return Words(message, told.words())


def home_of(ctx: Context, live: Live) -> str:
    """Where git children of a session run: its worktree, else the one the daemon was started in, if there."""
    home = live.worktree.repository.worktree if live.worktree else ctx.repository.worktree
    return home if os.path.isdir(home) else ctx.repository.common_dir


def has_hook(ctx: Context, worktree: str, name: str) -> bool:
    """Whether git would run a hook of this name (githooks(5): ``core.hooksPath`` is from the worktree's root)."""
    home = ctx.config.get("core.hooksPath")
    directory = os.path.join(ctx.repository.common_dir, "hooks")
    if home:
        directory = os.path.join(worktree, os.path.expanduser(home))
    return os.access(os.path.join(directory, name), os.X_OK)
