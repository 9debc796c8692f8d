"""``conflict reopen``: what was settled, by git itself or by somebody, is a question again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitsessiond.actions.clash_files import HOME, control_file, is_changed, write_control_files
from gitsessiond.actions.clashing import home_directory, kept_waiting
from gitsessiond.actions.conflicts import conflict_asked, refuse_notice, settled_reply
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.settling import has_answer, take_all_saved, take_saved
from gitsessiond.model.conflicts import control_path, has_served, is_combined, reopened
from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import command_words
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Conflict, Patch
from gitsessiond.store.attributes import marker_sizes
from gitsessiond.store.identity import identity_of


def reopen_conflict(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``conflict reopen ID``: the next ``merge`` (``revert``, ``update``) asks, and lands what is then answered.

    Files and branches stay; the answer it had is kept, and offered as one that was given before.

    Raises:
        NotFound: no such conflict.
        Refused: it has landed already, its patch has ended, or the clash is no more.
    """
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    conflict = conflict_asked(live, asked.text("id"), "resolved")
    refuse_notice(live, conflict)
    take_saved(ctx, live, control_path(conflict, unquote_path(conflict.path)))
    conflict = live.state.conflicts[conflict.id]
    if conflict.status == "open":
        return settled_reply(ctx, live, conflict) | {"reopened": False}
    state = live.state
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    refuse_ended(conflict, patch, state.session.target)
    size = None
    if is_combined(conflict):  # nobody has asked the attributes for it yet
        path = unquote_path(conflict.path)
        size = marker_sizes(home_directory(ctx, live), [path]).get(path)
    record = reopened(conflict, size)
    sides = {name: oid for name, oid in state.sides.get(record.id, {}).items() if name != "begun"}
    state = replace(state, conflicts={**state.conflicts, record.id: record}, sides={**state.sides, record.id: sides})
    if patch is not None and conflict.kind != "git_revert":
        state = kept_waiting(state, patch.id)
    remove_file(ctx, live, conflict)  # it has the answer, and would be taken for a new one
    facts = {"conflict": record.id, "path": record.path}
    by = identity_of(asked.who.env, asked.who.cwd)
    publish(ctx, live, state, "conflict.reopen", by=by, text=f"{record.path} is open again", facts=facts)
    write_control_files(ctx, live)
    take_saved(ctx, live, control_path(record, unquote_path(record.path)))  # what was left there is begun again
    return settled_reply(ctx, live, record) | {"reopened": True}


def refuse_ended(conflict: Conflict, patch: Patch | None, target: str) -> None:
    """Raise Refused when no merge, revert or update asks for the answer any more."""
    if patch is not None and has_served(conflict, patch):
        name = patch.name
        if conflict.kind == "git_revert":
            raise Refused(f"the revert of {name} is on {target} already", hint=command_words("merge", name))
        if patch.status == "merged":
            raise Refused(f"{name} is merged into {target} already", hint=command_words("revert", name))
        raise Refused(f"{name} is abandoned", hint=command_words("patch", "reopen", name))
    if conflict.status == "stale":
        hint = command_words("merge", patch.name) if patch is not None else "git session conflicts"
        raise Refused(f"the conflict in {conflict.path} is no more", hint=hint)


def remove_file(ctx: Context, live: Live, conflict: Conflict) -> None:
    """Remove the file of a conflict, unless it has what somebody wrote and nobody recorded: it is the next answer's."""
    file = control_file(live, conflict)
    if file is not None and (not is_changed(ctx, live, conflict, file) or has_answer(ctx, live, conflict)):
        file.remove(HOME)
