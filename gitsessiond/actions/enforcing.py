"""What stands behind locks (``gitsession.locks``): everything follows what is locked now, and nothing is left behind.

``advisory``: people are told. ``hooks``: the installed hooks refuse besides. ``readonly``: the same, and files that
another session has locked have no write bits here (docs/locks.md, "What stands behind a lock").
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.hooking import LOCKS, REFUSING, looked_at, place_for
from gitsessiond.actions.lockedpaths import covered, in_the_way
from gitsessiond.actions.noticed import note_looked_at, to_look_at
from gitsessiond.actions.notices import close_notices
from gitsessiond.actions.whereabouts import git_dirs, read_wid
from gitsessiond.model.errors import GitSessionError, NewerState, disk_refused
from gitsessiond.model.health import Finding
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.reasons import listed
from gitsessiond.store.writebits import WRITE, found_at, nowhere

READONLY = "readonly"
FOR_LOCKS = ("pre-commit", "pre-push")  # hooks that refuse what is locked
OURS = b".gitsession"
SHOWN = 3


def follow_locks(ctx: Context) -> None:
    """Bring conflict records and write bits to what is locked now.

    Raises:
        StoreFailed: the disk or git refused; what is not done yet is done the next time.
    """
    lives = to_look_at(ctx)
    for live in lives:
        close_notices(ctx, live)
    note_looked_at(lives)
    try:
        settle_write_bits(ctx)
    except OSError as exc:
        raise disk_refused("the write bits of locked files cannot be noted", exc) from exc


def settle_write_bits(ctx: Context) -> None:
    """Take the write bits of what others have locked, where that is wanted, and give back all others.

    Raises:
        OSError: the disk refused.
    """
    kept = set()
    for live in ctx.sessions.values() if ctx.config.get(LOCKS) == READONLY else ():
        holds = in_the_way(ctx, live)
        if not holds or live.worktree is None:
            continue
        session = live.state.session
        wanted = {path for path in covered(holds, live.worktree.known) if path.split(b"/")[0] != OURS}
        ctx.write_bits.apply(session.worktree_id, unquote_path(session.worktree), wanted, live.worktree.having_inodes)
        kept.add(session.worktree_id)
    give_back_write_bits(ctx, kept)


def give_back_write_bits(ctx: Context, kept: set[str] | frozenset[str] = frozenset()) -> None:
    """Give files their write bits back, but in these worktrees.

    Raises:
        OSError: the disk refused.
    """
    at = {live.state.session.worktree_id: live for live in ctx.sessions.values()}
    for wid in ctx.write_bits.worktrees:
        if wid in kept:
            continue
        live = at.get(wid)
        worktree = unquote_path(live.state.session.worktree) if live is not None else None
        if live is None and ctx.write_bits.is_away(wid) and is_removed(ctx.repository.common_dir, wid):
            ctx.write_bits.forget(wid)
            continue
        seek = live.worktree.having_inodes if live is not None and live.worktree is not None else nowhere
        ctx.write_bits.give_back(wid, worktree, seek)


def is_removed(common_dir: str, wid: str) -> bool:
    """Whether git knows a worktree no more; one that was moved by other means it still does."""
    return all(read_wid(git_dir) != wid for git_dir, _ in git_dirs(common_dir))


def write_bits_judged(ctx: Context, *, fix: bool) -> Finding:
    """Whether all files have their write bits that nobody has locked; ``fix``: a damaged journal is set aside."""
    bits, trouble = ctx.write_bits, ctx.write_bits.trouble
    if trouble is not None:
        done = ""
        try:
            aside = bits.begin_anew() if fix else None
        except OSError as exc:
            aside, done = None, f"; {disk_refused('it cannot be set aside', exc).message}"
        found = some_of(unwritable(ctx))
        words = trouble.message + (f"; it is now {aside}" if aside else done)
        words += f"; of locked files write bits may be missing: {found}" if found else ""
        hint = "git session --version" if isinstance(trouble, NewerState) else "git session doctor --fix"
        return Finding("write bits", "warn" if aside else "fail", words, "chmod u+w FILE" if aside else hint)
    if left := some_of(bits.untold()):
        words = f"without write bits, perhaps since they were locked, but not the files that were: {left}"
        return Finding("write bits", "warn", words, "chmod u+w FILE")
    if away := some_of(bits.waiting()):
        words = f"locked files get their write bits back when their worktree is there again: {away}"
        return Finding("write bits", "warn", words, "git worktree list")
    return Finding("write bits", "ok", "none is missing that was taken for a lock")


def hooks_judged(ctx: Context, asked: Asked) -> Finding:
    """Whether git calls our hooks where `gitsession.locks` counts on them."""
    setting = ctx.config.get(LOCKS)
    if setting not in REFUSING:
        return Finding("hooks", "ok", "none is needed for locks")
    try:
        rows = looked_at(ctx, place_for(ctx, asked))["hooks"]
    except GitSessionError as exc:
        return Finding("hooks", "warn", exc.message, exc.hint)
    idle = [row["name"] for row in rows if row["name"] in FOR_LOCKS and row["state"] in ("missing", "replaced")]
    if idle:
        words = f"gitsession.locks is {setting}, and git calls no {listed(idle)} of ours: nothing is refused there"
        return Finding("hooks", "warn", words, "git session hooks install")
    return Finding("hooks", "ok", "git calls those that refuse what is locked")


def unwritable(ctx: Context) -> Iterator[bytes]:
    """Recorded files that nobody may write."""
    for live in ctx.sessions.values():
        root = unquote_path(live.state.session.worktree)
        for path in live.worktree.known if live.worktree is not None else ():
            found = found_at(root, path)
            if found is not None and not found.before & WRITE:
                yield os.path.join(root, path)


def some_of(paths: Iterable[bytes]) -> str:
    """The first of some paths, in words; empty: there is none."""
    found = list(islice(paths, SHOWN + 1))
    return ", ".join(map(quote_path, found[:SHOWN])) + (", …" if len(found) > SHOWN else "")
