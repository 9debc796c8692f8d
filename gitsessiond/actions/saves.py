"""A save: what the disk shows now becomes a step, and its edits go to the patches they belong to.

Recording never waits for sorting: what cannot be sorted (parked, ownership unknown) is in the step all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from gitsessiond.actions.announcing import file_events
from gitsessiond.actions.calls import follow, unproven
from gitsessiond.actions.context import Context, Editing, Live
from gitsessiond.actions.editing import numbers_of
from gitsessiond.actions.lockconflicts import with_lock_conflicts
from gitsessiond.actions.overlaps import with_overlaps
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.running import label_beside
from gitsessiond.model.files import File
from gitsessiond.model.names import quote_path, unquote_path, within
from gitsessiond.model.owners import deleted_files, paths_on_disk
from gitsessiond.model.ownership import How, sort_save
from gitsessiond.model.records import Claim, Patch, Session
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.values import Change, Entry, Placed, is_unassigned
from gitsessiond.store.readings import Reading, Seen
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree


def record_reading(
    ctx: Context, live: Live, reading: Reading, *, verb: str = "save", by: str = "", claim: str | None = None
) -> bool:
    """Record what was read from a worktree as one step; nothing changed is no step. Tells whether one was made.

    ``claim``: the patch it is all declared to be for.

    Raises:
        StoreFailed: disk or git refused; nothing was recorded, and the paths are read again later.
    """
    if not reading.changes:
        return False
    remember(live, ((seen.path, seen.before) for seen in reading.changes))
    state = with_disk(ctx, live.state, reading.changes)
    if state.session.parked is None:
        changes = changes_of(reading.changes)
        state, placed = sorted_changes(ctx, live, state, changes, reading.guarded, claim=claim)
        follow(live.calls.values(), live.state.owners, state.owners, [seen.path for seen in reading.changes])
    else:
        placed = ()
    state = with_overlaps(ctx, live, with_lock_conflicts(ctx, live, state, reading.changes), reading.changes)
    paths = [quote_path(seen.path) for seen in reading.changes[:200]]
    publish(ctx, live, state, verb, by=by, text=save_text(reading.changes), placed=placed, facts={"paths": paths})
    for event in file_events(live.state, reading.changes):
        ctx.tell(event)
    note_saved(ctx, live, reading.changes)
    return True


def note_saved(ctx: Context, live: Live, changes: Iterable[Seen]) -> None:
    """Keep in memory what recorded paths looked like, and that somebody edits them."""
    now = ctx.now()
    remember(live, ((seen.path, seen.after) for seen in changes))
    for path, number in numbers_of(ctx, live, [seen.path for seen in changes]).items():
        live.editors.pop(path, None)
        live.editors[path] = Editing(number, now)


def remember(live: Live, contents: Iterable[tuple[bytes, Entry | None]]) -> None:
    """Keep which Files stand for these contents of these paths now; for a deleted path the File it was."""
    owners, chain = live.state.owners, live.state.session.chain
    there, gone = paths_on_disk(owners), deleted_files(owners)
    for path, entry in contents:
        live.memory.remember(path, entry, there.get(path) or gone.get(path), chain)


def with_disk(ctx: Context, state: State, changes: Iterable[Seen]) -> State:
    """The State with its ``work`` and ``raw`` trees as the disk is; owners untouched."""
    work: dict[bytes, Entry | None] = {}
    raw: dict[bytes, Entry | None] = {}
    for seen in changes:
        if seen.before != seen.after:
            work[seen.path] = seen.after
        if seen.raw_before != seen.raw_after:
            raw[seen.path] = Entry(0o100644, seen.raw_after) if seen.raw_after else None
    if work:
        state = replace(state, work=edit_tree(ctx.store, state.work, work))
    if raw:
        state = replace(state, raw=edit_tree(ctx.store, state.raw, raw))
    return state


def changes_of(seen: Collection[Seen]) -> list[Change]:
    """The readings as changes of content, vanished and appeared paths paired to renames where that is certain."""
    return paired((Change(one.path, one.before, one.after) for one in seen if one.before != one.after), seen)


def paired(changes: Iterable[Change], seen: Iterable[Seen]) -> list[Change]:
    """Vanished and appeared paths as renames where inode or content tells."""
    inodes = {one.path: (one.inode_before, one.inode_after) for one in seen}
    vanished: dict[bytes, tuple[Entry, int | None]] = {}
    appeared: dict[bytes, tuple[Entry, int | None]] = {}
    out: list[Change] = []
    for change in changes:
        before, after = inodes.get(change.path, (None, None))
        if change.after is None and change.before is not None:
            vanished[change.path] = (change.before, before)
        elif change.before is None and change.after is not None:
            appeared[change.path] = (change.after, after)
        else:
            out.append(change)
    return sorted([*out, *pair_renames(vanished, appeared)], key=lambda change: change.path)


def sorted_changes(
    ctx: Context,
    live: Live,
    state: State,
    changes: list[Change],
    guarded: Mapping[bytes, str] | None = None,
    nobody: str = "~none",
    claim: str | None = None,
) -> tuple[State, tuple[Placed, ...]]:
    """The State with these changes given to their owners; ready patches that got edits are drafts again."""
    how = how_for(ctx, live, state, guarded or {}, nobody, claim)
    done = sort_save(state.owners, changes, how)
    state = replace(state, owners=done.owners)
    return drafts_again(state, done.placed), done.placed


def how_for(
    ctx: Context,
    live: Live,
    state: State,
    guarded: Mapping[bytes, str],
    nobody: str = "~none",
    claim: str | None = None,
) -> How:
    """The rules of this session, now, in the form the model asks for."""
    session = state.session
    chain = session.chain

    def forced(path: bytes) -> str | None:
        return f"~guard {guarded[path]}" if path in guarded else None

    def earlier(path: bytes, entry: Entry | None) -> File | None:
        return live.memory.recall(path, entry, chain)

    beside = label_beside(ctx, live)

    def claimed(path: bytes) -> str | None:
        return claim or claim_on(session, state.patches, path) or beside

    return How(
        current=patch_in_use(state),
        claim=claimed,
        tools=ctx.tools,
        nobody=nobody,
        forced=forced,
        earlier=earlier,
    )


def patch_in_use(state: State) -> str | None:
    """The patch that new edits go to, while it is open."""
    pid = state.session.patch_in_use
    return pid if pid is not None and still_open(state.patches.get(pid)) else None


def still_open(patch: Patch | None) -> bool:
    """Whether a patch can take edits."""
    return patch is not None and patch.status not in ("merged", "abandoned")


def peoples_patches(state: State) -> list[str]:
    """The open patches that were not made by and for an agent: what nobody claims may go to one of them."""
    made_for = {agent.patch for agent in state.session.agents}
    return [pid for pid, patch in state.patches.items() if still_open(patch) and pid not in made_for]


def claim_on(session: Session, patches: Mapping[str, Patch], path: bytes) -> str | None:
    """The patch a standing claim gives this path to; the narrowest claim wins, the later of two equal ones.

    An agent's claim gives it to nobody, for the reason that it is not proven yet whose it is.
    """
    best: tuple[int, Claim] | None = None
    for claim in session.claims:
        for wanted in claim.paths or ("",):
            root = unquote_path(wanted).rstrip(b"/") if wanted else b""
            if within(path, root):
                best = (len(root), claim) if best is None or len(root) >= best[0] else best
    if best is None:
        return None
    claim = best[1]
    known = patches.get(claim.patch)
    if known is not None and not still_open(known):
        return None
    return unproven(claim.patch) if claim.proven else claim.patch


def drafts_again(state: State, placed: Iterable[Placed]) -> State:
    """Ready patches that got an edit become drafts: what was declared ready is not what is there now.

    One that waits for its conflicts becomes a draft when they are resolved.
    """
    touched = {edit.owner for edit in placed if not is_unassigned(edit.owner)}
    changed = {
        pid: patch.model_copy(update={"status": "draft"} if patch.status == "ready" else {"former": "draft"})
        for pid, patch in state.patches.items()
        if pid in touched and "ready" in (patch.status, patch.former)
    }
    return replace(state, patches={**state.patches, **changed}) if changed else state


def save_text(changes: Iterable[Seen]) -> str:
    """The subject of a save's step: the paths, the first few of many."""
    paths = [quote_path(seen.path) for seen in changes]
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
