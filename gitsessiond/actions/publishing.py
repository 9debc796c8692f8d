"""The one way a session changes: a new State becomes a step, and only then is visible.

Order (docs/format.md, "Order of writes"): objects of commits into the repository, the anchor, one journal
transaction (the commit point), then what can be made again: patch refs, control files, events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from gitsessiond.actions.announcing import conflict_events, patch_events
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.lockends import locks_done
from gitsessiond.model.errors import GitSessionError, StateUnreadable
from gitsessiond.model.graph import Graph
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import graph_of, versions
from gitsessiond.model.values import Entry, Placed
from gitsessiond.model.versions import BACK_TO_BASE, after_step, overlay_step, version_step
from gitsessiond.store.anchors import anchored_alike, anchors_of, may_wait, move_projections, put_anchor, write_anchor
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.steps import State, StepNote, write_step
from gitsessiond.store.store import RefMove
from gitsessiond.store.trees import edit_tree, file_at

# Steps that say nothing about owners.
NOT_ASKED_FOR = ("save", "adopt", "judge", "check", "resolving", "unlocked", "denied", "apart", "left", "nothing left")


def publish(
    ctx: Context,
    live: Live,
    after: State,
    verb: str,
    *,
    by: str = "",
    text: str = "",
    placed: tuple[Placed, ...] = (),
    facts: Mapping[str, Any] | None = None,
) -> State:
    """Record ``after`` as the session's next step and make it the live state.

    ``verb`` is ``save`` for saves (no id, no anchor), else the command's verb. ``facts`` goes into the event.

    Raises:
        StoreFailed: the disk or git refused; the session is as before.
        Moved: a ref of ours was elsewhere.
    """
    before = live.state if live.state.step is not None else None
    action = verb != "save"
    note = StepNote(verb=verb, at=ctx.now(), by=by, op_id=ctx.new_id() if action else None, text=text)
    provisional = live.settled is not None
    asked_for = action and verb not in NOT_ASKED_FOR
    if live.gap is not None:
        gaps = (*after.session.gaps, live.gap)[-5:]
        after = replace(after, session=after.session.model_copy(update={"gaps": gaps}))
    try:
        if provisional and asked_for:
            after = replace(after, settled=None)
        after, shown = with_trees(ctx, live, after)
        written = write_step(ctx.store, before, after, note)
        assert written.step is not None
        waits = before is not None and may_wait(before, written)
        if action and not waits:
            write_anchor(ctx.store, ctx.repository, before, written)
        name = f"refs/sessions/{live.sid}"
        ctx.store.commit([RefMove(name, before.step if before else None, written.step)])
    except BaseException:
        ctx.store.drop_pending()
        ctx.tools.forget()
        raise
    live.state, live.shown, live.judge_due, live.gap = written, shown, True, None
    if asked_for:  # what a person said stands, whatever git's work under way comes to
        live.before_git = None
    if provisional and asked_for:
        live.settled, live.state = written, replace(written, settled=written.step)
    if action:
        live.anchor_due = waits
    elif before is not None and not anchored_alike(before, written):
        live.anchor_due = True  # a save says what needs what, and takes readiness back
    if action and not waits:
        move_projections(ctx.store, ctx.repository, before, written)
    ctx.tell(event_of(written, note, placed, facts or {}))
    if before is not None:
        others = (
            conflict_events(before, written),
            patch_events(before, written),
            locks_done(ctx, live, before, written),
        )
        for event in chain(*others):
            ctx.tell(event)
    return live.state


def settle_anchors(ctx: Context) -> None:
    """Write the anchors that :func:`publish` left for later; for quiet moments, and before anybody looks at them.

    Raises:
        GitSessionError: the disk or git refused, or a session is damaged; its own anchor stays due.
    """
    failed = None
    for live in ctx.sessions.values():
        if live.anchor_due:
            try:
                move_projections(ctx.store, ctx.repository, None, live.state)
                live.anchor_due = False
            except GitSessionError as exc:
                failed = exc
            finally:
                ctx.store.drop_pending()
    if failed is not None:
        raise failed


def find_due_anchors(ctx: Context) -> None:
    """Note, at a start, which anchors a killed daemon left for later.

    Raises:
        StoreFailed: git is not there, or failed.
    """
    there = anchors_of(ctx.repository) if ctx.sessions else {}
    for live in ctx.sessions.values():
        try:
            live.anchor_due = there.get(live.sid) != put_anchor(ctx.store, live.state)
        except StateUnreadable:
            continue  # whoever asks about the session is told
        finally:
            ctx.store.drop_pending()


def with_trees(ctx: Context, live: Live, after: State) -> tuple[State, dict[str, dict[bytes, Entry | None]]]:
    """``after`` with each patch's version as a tree, and the overlays these trees were made from.

    Raises:
        StoreFailed: a tree could not be read or written.
    """
    if after.owners is live.state.owners and after.session.base == live.state.session.base and live.shown:
        missing = [pid for pid in after.session.patches if pid not in live.shown]
        if not missing:
            return after, live.shown
    graph = graph_of(after.owners)
    base_tree = tree_of_commit(ctx.store, after.session.base)
    same_base = after.session.base == live.state.session.base
    trees: dict[str, str] = {}
    shown: dict[str, dict[bytes, Entry | None]] = {}
    before = graph_of(live.state.owners)
    for pid in after.session.patches:
        who = graph.closure(pid) | {pid}
        old = live.shown.get(pid)
        if old is None or not same_base or pid not in after.trees:
            shown[pid] = versions(after.owners, who, ctx.tools)
            trees[pid] = edit_tree(ctx.store, base_tree, shown[pid]) if shown[pid] else base_tree
            continue
        step = None
        if before.closure(pid) | {pid} == who:
            step = version_step(old, live.state.owners, after.owners, who, ctx.tools)
        if step is None:
            step = overlay_step(old, versions(after.owners, who, ctx.tools))
        shown[pid] = after_step(old, step)
        full = {
            path: file_at(ctx.store, base_tree, path) if entry is BACK_TO_BASE else entry
            for path, entry in step.items()
        }
        trees[pid] = edit_tree(ctx.store, after.trees[pid], full) if full else after.trees[pid]
    return replace(after, trees=trees), shown


def patch_trees(ctx: Context, state: State, pid: str, beside: Collection[str] = ()) -> tuple[str, str]:
    """The trees a patch's diff goes between: what it stands on (but for ``beside``), and its own version."""
    closure = graph_of(state.owners).closure(pid)
    base_tree = tree_of_commit(ctx.store, state.session.base)
    under = edit_tree(ctx.store, base_tree, versions(state.owners, closure - set(beside), ctx.tools))
    return under, edit_tree(ctx.store, base_tree, versions(state.owners, closure | {pid}, ctx.tools))


def event_of(state: State, note: StepNote, placed: tuple[Placed, ...], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The event that tells of a step."""
    names = {pid: patch.name for pid, patch in state.patches.items()}
    edits = [
        {
            "path": quote_path(edit.path),
            "kind": edit.kind,
            "lines": list(edit.lines) if edit.lines else None,
            "patch": {"id": edit.owner, "name": names[edit.owner]} if edit.owner in names else None,
            "why": edit.why,
        }
        for edit in placed
    ]
    return {
        "type": "saved" if note.verb == "save" else note.verb,
        "session": state.session.id,
        "step": state.number,
        "id": note.op_id,
        "by": note.by,
        "text": note.text,
        "edits": edits,
        **facts,
    }


def ordered(graph: Graph, pids: list[str]) -> list[str]:
    """These patches, each after the ones it depends on; else in the order given."""
    done: list[str] = []

    def visit(pid: str) -> None:
        if pid in done:
            return
        for other in pids:
            if other != pid and other in graph.closure(pid):
                visit(other)
        done.append(pid)

    for pid in pids:
        visit(pid)
    return done
