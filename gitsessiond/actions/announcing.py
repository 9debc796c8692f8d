"""What a step changes, as events, once each: a patch's status, whether it can be merged, conflicts, files on disk."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gitsessiond.actions import views
from gitsessiond.model.conflicts import is_automatic, is_notice, resource_of, sessions_of
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict, Patch
from gitsessiond.store.readings import Seen
from gitsessiond.store.steps import State

ENDED = ("merged", "abandoned")
MOST_FILES = 100  # told one by one of a step
CHANGES = {(False, True): "added", (True, False): "deleted", (True, True): "modified", (False, False): "modified"}


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


def conflict_events(before: State, after: State) -> Iterator[dict[str, Any]]:
    """The events of every conflict that is another now: found, settled, open again, or without an object.

    One that git settled by itself is told as found and as settled.
    """
    for cid, now in after.conflicts.items():
        was = before.conflicts.get(cid)
        if was is not None and was.status == now.status:
            continue
        told = {"session": after.session.id, "step": after.number, "conflict": cid, **conflict_facts(after, now)}
        if was is None:
            text = now.message if is_notice(now) else f"{now.path}: {now.shape}"
            yield {"type": "conflict_detected", **told, "text": text}
        elif now.status == "open":
            yield {"type": "conflict_reopened", **told, "text": now.path}
        if now.status == "resolved":
            auto = is_automatic(now)
            yield {"type": "conflict_resolved", **told, "how": now.how, "automatic": auto, "text": now.path}
        elif now.status == "stale":
            yield {"type": "conflict_gone", **told, "text": now.path}
    for cid, was in before.conflicts.items():
        if cid not in after.conflicts and was.status == "open":
            told = {"session": after.session.id, "step": after.number, "conflict": cid, **conflict_facts(after, was)}
            yield {"type": "conflict_gone", **told, "text": was.path}


def conflict_facts(state: State, conflict: Conflict) -> dict[str, Any]:
    """What tells a conflict from others."""
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    named = {"id": patch.id, "name": patch.name} if patch else None
    facts = {"kind": conflict.kind, "shape": conflict.shape, "path": conflict.path, "patch": named}
    about = resource_of(conflict)
    same = {"conflict_id": conflict.id, "conflict_type": conflict.kind, "resource_id": about, "resource": about}
    return {**facts, **same, "sessions": sessions_of(conflict, state.session.id)}


def file_events(state: State, changes: Collection[Seen]) -> Iterator[dict[str, Any]]:
    """An event for each file that a step found changed on disk; of very many the rest in one."""
    told = {"type": "file_changed", "session": state.session.id, "step": state.number}
    for number, seen in enumerate(changes):
        if number == MOST_FILES:
            yield {**told, "path": None, "more": len(changes) - number, "text": f"{len(changes) - number} more files"}
            return
        path = quote_path(seen.path)
        yield {**told, "path": path, "change": CHANGES[seen.before is not None, seen.after is not None]}
