"""What a step changes for a patch as a whole, as events: its status, and whether it can be merged. Once each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitsessiond.actions import views
from gitsessiond.model.graph import graph_of
from gitsessiond.model.records import Patch
from gitsessiond.store.steps import State

ENDED = ("merged", "abandoned")


def patch_events(before: State, after: State) -> Iterator[dict[str, Any]]:
    """The events of every patch that both states have and that is another now, in the session's order.

    ``patch_ready`` when nothing keeps a patch from being merged any more, ``patch_blocked`` when something does now
    and it was not taken back to a draft; as far as the State tells, so not for what the target's worktree has.
    """
    for pid in after.session.patches:
        old, new = before.patches.get(pid), after.patches[pid]
        if old is None:
            continue
        told = {"session": after.session.id, "step": after.number, "patch": {"id": pid, "name": new.name}}
        if old.status != new.status:
            text = f"{new.name}: {old.status} to {new.status}"
            yield {"type": "patch_status_changed", **told, "from": old.status, "to": new.status, "text": text}
        if "ready" not in (old.status, new.status) or new.status in ENDED:
            continue
        was, blockers = is_ready(before, old), blockers_of(after, new)
        if new.status == "ready" and not blockers and not was:
            yield {"type": "patch_ready", **told, "text": new.name}
        elif blockers and was and new.status != "draft":
            why = "; ".join(str(one["message"]) for one in blockers)
            codes = [one["code"] for one in blockers]
            yield {"type": "patch_blocked", **told, "blockers": codes, "text": f"{new.name}: {why}"}


def is_ready(state: State, patch: Patch) -> bool:
    """Whether a patch is declared ready and nothing recorded keeps it from being merged."""
    return patch.status == "ready" and not blockers_of(state, patch)


def blockers_of(state: State, patch: Patch) -> list[dict[str, Any]]:
    """What is recorded that keeps a patch from being merged; a check that failed on it as it is among it."""
    found = views.blockers_of(state, patch, graph_of(state.owners))
    check = patch.check
    if check is not None and check.code != 0 and state.trees.get(patch.id) == check.version:
        found.append({"code": "check", "message": f"the check of {patch.name} failed"})
    return found
