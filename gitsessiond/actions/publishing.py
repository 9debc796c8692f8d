"""The one way a session changes: a new State becomes a step, and only then is visible.

Order (docs/format.md, "Order of writes"): objects of commits into the repository, the anchor, one journal
transaction (the commit point), then what can be made again: patch refs, control files, events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.graph import Graph
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import Owners, Tools, changed_files, graph_of, version_of, versions
from gitsessiond.model.values import Entry, Placed
from gitsessiond.store.anchors import move_projections, write_anchor
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.steps import State, StepNote, write_step
from gitsessiond.store.store import RefMove
from gitsessiond.store.trees import edit_tree, file_at

NOT_ASKED_FOR = ("save", "adopt", "judge")  # steps that no person asked for


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
    try:
        if provisional and asked_for:
            after = replace(after, settled=None)
        after, shown = with_trees(ctx, live, after)
        written = write_step(ctx.store, before, after, note)
        assert written.step is not None
        if action:
            write_anchor(ctx.store, ctx.repository, before, written)
        name = f"refs/sessions/{live.sid}"
        ctx.store.commit([RefMove(name, before.step if before else None, written.step)])
    except BaseException:
        ctx.store.drop_pending()
        ctx.tools.forget()
        raise
    live.state, live.shown, live.judge_due = written, shown, True
    if provisional and asked_for:  # what a person said stands, whatever git's work under way comes to
        live.settled, live.state = written, replace(written, settled=written.step)
    if action:
        move_projections(ctx.store, ctx.repository, before, written)
    ctx.tell(event_of(written, note, placed, facts or {}))
    return live.state


Overlay = dict[bytes, Entry | None]


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
    changed = changed_files(live.state.owners, after.owners) if same_base and live.shown else set()
    before = graph_of(live.state.owners)
    for pid in after.session.patches:
        who = graph.closure(pid) | {pid}
        old = live.shown.get(pid)
        known = old is not None and same_base and pid in after.trees
        overlay = None
        if old is not None and known and before.closure(pid) | {pid} == who:
            overlay = content_step(old, live.state.owners, after.owners, changed, who, ctx.tools)
        if overlay is None:
            overlay = versions(after.owners, who, ctx.tools)
        shown[pid] = overlay
        if overlay is old:
            trees[pid] = after.trees[pid]
        elif old is not None and known:
            edits = overlay_step(old, overlay)
            back = {path: None for path, entry in edits.items() if entry is BACK_TO_BASE}
            full = {path: entry for path, entry in edits.items() if path not in back}
            full.update({path: file_at(ctx.store, base_tree, path) for path in back})
            trees[pid] = edit_tree(ctx.store, after.trees[pid], full) if full else after.trees[pid]
        else:
            trees[pid] = edit_tree(ctx.store, base_tree, overlay) if overlay else base_tree
    return replace(after, trees=trees), shown


def content_step(
    old: Overlay, before: Owners, after: Owners, changed: set[str], who: frozenset[str], tools: Tools
) -> Overlay | None:
    """``old`` brought up to date where only contents changed, as in most saves; None: look at every file."""
    edits: Overlay = {}
    gone: list[bytes] = []
    for fid in changed:
        file, was = after.files.get(fid), before.files.get(fid)
        if file is None or file.path or (was is not None and was.path) or file.base_path is None:
            return None
        version = version_of(file, who, tools)
        if version is None or version[0] != file.base_path:
            return None
        if version[1] != file.base:
            edits[version[0]] = version[1]
        elif version[0] in old:
            gone.append(version[0])
    if not gone and all(old.get(path) == entry for path, entry in edits.items()):
        return old
    out = {**old, **edits}
    for path in gone:
        del out[path]
    return out


def patch_trees(ctx: Context, state: State, pid: str) -> tuple[str, str]:
    """The trees a patch's diff goes between: what it stands on, and its own version."""
    closure = graph_of(state.owners).closure(pid)
    base_tree = tree_of_commit(ctx.store, state.session.base)
    under = edit_tree(ctx.store, base_tree, versions(state.owners, closure, ctx.tools))
    return under, edit_tree(ctx.store, base_tree, versions(state.owners, closure | {pid}, ctx.tools))


BACK_TO_BASE = Entry(-1, "")


def overlay_step(old: Mapping[bytes, Entry | None], new: Mapping[bytes, Entry | None]) -> dict[bytes, Entry | None]:
    """The paths at which two overlays of one base differ; a path the new one leaves alone is BACK_TO_BASE."""
    step: dict[bytes, Entry | None] = {
        path: entry for path, entry in new.items() if path not in old or old[path] != entry
    }
    step.update({path: BACK_TO_BASE for path in old if path not in new})
    return step


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
