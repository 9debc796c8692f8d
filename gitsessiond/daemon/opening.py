"""The store opened for the desk, and its sessions brought into memory with their worktrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.remembering import taken_up
from gitsessiond.actions.starting import reopen_worktree
from gitsessiond.actions.updating import finish_update
from gitsessiond.actions.whereabouts import seek_worktree
from gitsessiond.daemon.alive import utc_now
from gitsessiond.daemon.log import log
from gitsessiond.model.errors import GitSessionError, NewerState, StateUnreadable
from gitsessiond.model.names import quote_path
from gitsessiond.store.config import Config
from gitsessiond.store.rebuild import tools_of
from gitsessiond.store.repository import Repository
from gitsessiond.store.steps import damaged_refs, load_state, read_session_refs
from gitsessiond.store.store import open_store

Tell = Callable[[dict[str, Any]], None]


def open_context(repository: Repository, config: Config, tell: Tell, *, repair: bool) -> Context:
    """The surroundings of all actions, over the opened store.

    Raises:
        StateUnreadable: the state is damaged.
        NewerState: it is newer than this program.
        StoreFailed: the disk or git refused.
    """
    store = open_store(repository, durable=config.get("gitsession.fsync") != "never", repair=repair)
    tools = tools_of(store)
    ctx = Context(
        repository=repository,
        store=store,
        config=config,
        now=utc_now,
        new_id=tools.new_id,
        tools=tools,
        tell=lambda event: tell({"event": event}),
    )
    if ctx.write_bits.trouble is not None:  # doctor tells it
        log(f"write bits: {ctx.write_bits.trouble.message}")
    return ctx


def load_sessions(ctx: Context) -> None:
    """Bring every open session into memory; one whose worktree is gone stays open, unrecorded."""
    for live in ctx.sessions.values():
        if live.worktree is not None:
            live.worktree.close()
    ctx.sessions.clear()
    ctx.unreadable.clear()
    tips = read_session_refs(ctx.store)
    for sid, words in damaged_refs(ctx.store).items():
        ctx.note_unreadable(sid, StateUnreadable(words))
    for sid, tip in tips.items():
        try:
            state = load_state(ctx.store, tip)
        except NewerState:
            raise
        except StateUnreadable as exc:  # it stands in nobody's way but its own
            log(f"session {sid}: {exc.message}")
            ctx.note_unreadable(sid, exc)
            continue
        if state.session.status != "open":
            continue
        live = taken_up(ctx, state)
        ctx.sessions[live.sid] = live
        attach(ctx, live)


def attach(ctx: Context, live: Live) -> None:
    """Give a session its worktree back, or the words why it has none."""
    try:
        if not seek_worktree(ctx, live):
            live.worktree = reopen_worktree(ctx, live.state)
        finish_update(ctx, live)
        live.lost = None
    except GitSessionError as exc:
        live.worktree, live.lost = None, exc.message + (f"; {exc.hint}" if exc.hint else "")


def seek_lost(ctx: Context) -> bool:
    """Take up worktrees that were added again: what is saved there is recorded without any command. Whether any was."""
    lost = [live for live in ctx.sessions.values() if live.worktree is None]
    for live in lost:
        attach(ctx, live)
    return any(live.worktree is not None for live in lost)


def watches_of(sessions: Iterable[Live]) -> list[dict[str, Any]]:
    """The worktrees to be watched, each with the directories that need no watch."""
    out: list[dict[str, Any]] = []
    for live in sessions:
        if live.worktree is not None:
            at = live.worktree.repository
            try:
                ignored = [quote_path(path) for path in live.worktree.ignored_directories()]
            except GitSessionError as exc:  # too much is watched then; who asks about the session is told why
                log(f"{at.worktree}: {exc.message}")
                ignored = []
            out.append({"worktree": at.worktree, "git_dir": at.git_dir, "ignored": ignored, "session": live.sid})
    return out
