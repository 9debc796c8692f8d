"""Records as replies: the JSON objects of docs/protocol.md, made from a State and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

from gitsessiond.model.conflicts import is_automatic, resource_of, sessions_of
from gitsessiond.model.graph import Graph
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import Op, Row
from gitsessiond.model.reasons import reason_words
from gitsessiond.model.records import Conflict, ConflictSide, Patch, Publication, Session, time_text
from gitsessiond.model.values import Placed, is_unassigned
from gitsessiond.store.steps import State


def name_of(state: State, pid: str) -> str:
    """The patch's name, or the id of one that is not of this session."""
    patch = state.patches.get(pid)
    return patch.name if patch else pid


def reason_of(state: State, label: str) -> str:
    """Why an edit is unassigned, in words."""
    return reason_words(label, lambda pid: name_of(state, pid))


def session_view(
    state: State,
    worktree_there: bool = True,
    behind: int | None = None,
    upstream: dict[str, Any] | None = None,
    git_at_work: str | None = None,
) -> dict[str, Any]:
    """The ``session`` object of ``status``."""
    session = state.session
    return {
        "id": session.id,
        "name": session.name,
        "description": session.description,
        "status": session.status,
        "base": session.base,
        "target": session.target,
        "branch": session.branch,
        "worktree": session.worktree,
        "state": where_it_stands(session, worktree_there),
        "parked": session.parked,
        "git_at_work": git_at_work,
        "created_at": time_text(session.created_at),
        "created_by": session.created_by,
        "closed_at": time_text(session.closed_at) if session.closed_at else None,
        "collaborators": [{"user": one.user, "role": one.role} for one in session.collaborators],
        "organization": session.organization,
        "patch_in_use": session.patch_in_use,
        "behind": behind,
        "upstream": upstream,
        "step": state.number,
        "worktree_id": session.worktree_id,
    }


def where_it_stands(session: Session, worktree_there: bool) -> str:
    """``live``, ``parked`` or ``no worktree``."""
    if not worktree_there:
        return "no worktree"
    return "parked" if session.parked else "live"


def patch_view(
    state: State, patch: Patch, graph: Graph, ops: int, blockers: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """A patch as ``status`` and ``patch show`` give it; ``base`` is what its series stands on."""
    blocked = list(blockers)
    commits = [commit for commit in patch.series if commit.of is not None]
    return {
        "id": patch.id,
        "session_id": patch.session_id,
        "name": patch.name,
        "description": patch.description,
        "status": patch.status,
        "ops": ops,
        "ready_to_merge": patch.status == "ready" and not blocked,
        "blockers": blocked,
        "depends_on": [{"id": pid, "name": name_of(state, pid)} for pid in graph.direct(patch.id)],
        "base": state.session.base,
        "tip": patch.series[-1].oid if patch.series else None,
        "commits": len(commits),
        "owner": patch.owner,
        "created_by": patch.created_by,
        "created_at": time_text(patch.created_at),
        "merged_at": time_text(patch.merged_at) if patch.merged_at else None,
        "merge_commit": patch.merge_commit,
        "merge_strategy": patch.merge_strategy,
        "conflicts": [c.id for c in state.conflicts.values() if c.patch == patch.id and c.status == "open"],
        "published": [published_view(patch, one) for one in patch.published if one.oid is not None],
    }


def published_view(patch: Patch, one: Publication) -> dict[str, Any]:
    """A branch that a patch was published to; ``current``: with the commits it has now."""
    return {
        "remote": one.remote,
        "branch": one.branch,
        "commit": one.oid,
        "current": bool(patch.series) and one.tip == patch.series[-1].oid,
        "at": time_text(one.at) if one.at else None,
        "url": one.url,
    }


def blockers_of(state: State, patch: Patch, graph: Graph) -> list[dict[str, Any]]:
    """What keeps a patch from being merged that can be told from the State alone."""
    out: list[dict[str, Any]] = []
    for pid in state.session.patches:
        if (patch.id, pid) not in graph.edges:
            continue
        other = state.patches[pid]
        if other.status == "abandoned":
            out.append(
                {
                    "code": "dependency_abandoned",
                    "message": f"dependency {other.name} is abandoned",
                    "hint": f"git session patch reopen {quote(other.name)}",
                    "patch": pid,
                }
            )
        elif other.status != "merged":
            out.append(
                {
                    "code": "dependency",
                    "message": f"{other.name} must be merged first",
                    "hint": f"git session merge {quote(other.name)}" + ("" if other.status == "ready" else " --ready"),
                    "patch": pid,
                }
            )
    still = [
        c for c in state.conflicts.values() if c.patch == patch.id and c.status == "open" and c.kind != "git_revert"
    ]
    if still:
        word = "1 conflict is" if len(still) == 1 else f"{len(still)} conflicts are"
        out.append({"code": "conflicts", "message": f"{word} open", "hint": "git session conflicts"})
    if patch.not_separable:
        out.append({"code": "not_separable", "message": patch.not_separable, "hint": "git session patch show"})
    return out


def side_view(side: ConflictSide | None) -> dict[str, Any] | None:
    """One side of a conflict."""
    if side is None:
        return None
    return {"oid": side.oid, "mode": f"{side.mode:06o}" if side.mode else None, "path": side.path}


def conflict_view(state: State, conflict: Conflict) -> dict[str, Any]:
    """A conflict record as ``conflicts`` gives it."""
    patch = conflict.patch
    return {
        "id": conflict.id,
        "kind": conflict.kind,
        "shape": conflict.shape,
        "path": conflict.path,
        "patch": {"id": patch, "name": name_of(state, patch)} if patch else None,
        "status": conflict.status,
        "message": conflict.message,
        "labels": list(conflict.labels),
        "base": side_view(conflict.base),
        "ours": side_view(conflict.ours),
        "theirs": side_view(conflict.theirs),
        "created_at": time_text(conflict.created_at),
        "resolved_at": time_text(conflict.resolved_at) if conflict.resolved_at else None,
        "resolved_by": conflict.resolved_by,
        "how": "auto" if is_automatic(conflict) else conflict.how,
        "resolved_as": resolved_path(conflict),
        "lock": conflict.lock.model_dump() if conflict.lock is not None else None,
        "denied": conflict.denied.model_dump() if conflict.denied is not None else None,
        "left": conflict.left.model_dump(mode="json") if conflict.left is not None else None,
        "resource": resource_of(conflict),
        "sessions": sessions_of(conflict, state.session.id),
    }


def resolved_path(conflict: Conflict) -> str | None:
    """Where what a conflict was resolved to will be; None: it is open, or nothing will be there."""
    result = conflict.result
    if conflict.how is None or result is None or result.oid is None:
        return None
    return result.path or conflict.path


def placed_view(state: State, placed: Placed) -> dict[str, Any]:
    """Where an edit went."""
    nobody = is_unassigned(placed.owner)
    return {
        "path": quote_path(placed.path),
        "kind": placed.kind,
        "lines": list(placed.lines) if placed.lines else None,
        "patch": None if nobody else {"id": placed.owner, "name": name_of(state, placed.owner)},
        "why": placed.why,
        "reason": reason_of(state, placed.owner) if nobody else None,
    }


def row_view(state: State, row: Row) -> dict[str, Any]:
    """One unassigned edit."""
    return {
        "path": quote_path(row.path),
        "kind": row.kind,
        "lines": list(row.lines) if row.lines else None,
        "reason": reason_of(state, row.label),
        "code": code_of(row),
        "choices": [{"id": pid, "name": name_of(state, pid)} for pid in row.choices],
    }


def code_of(row: Row) -> str:
    """The reason's one word for machines."""
    return row.label[1:].split(" ")[0]


def op_view(op: Op) -> dict[str, Any]:
    """One path that differs between a patch and what it stands on."""
    return {
        "kind": op.kind,
        "path": quote_path(op.path),
        "old_path": quote_path(op.old_path) if op.old_path is not None else None,
        "blob": op.blob,
        "old_blob": op.old_blob,
        "names": [],
    }
