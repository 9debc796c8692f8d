"""Reading the recorded history of a session, newest step first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from gitsessiond.model.errors import NotFound, StateUnreadable
from gitsessiond.model.names import within
from gitsessiond.model.records import Session, decode
from gitsessiond.model.values import EMPTY_TREE, Change
from gitsessiond.store.crossing import commit_links
from gitsessiond.store.notes import StepInfo, read_note
from gitsessiond.store.store import Store
from gitsessiond.store.trees import diff_trees, entry_at, read_tree


class Recorded(Protocol):
    """A :class:`gitsessiond.store.steps.State` that was recorded."""

    @property
    def step(self) -> str | None: ...  # noqa: D102 - see State


def history(
    store: Store, session: Recorded | str, path: bytes | None = None, limit: int | None = None
) -> Iterator[StepInfo]:
    """The steps of a session (its state, or its id), newest first, with the worktree's files each changed.

    Args:
        path: only steps that changed this file, or something below this directory; ``changes`` are only
            those.
        limit: how many steps at most.

    Raises:
        NotFound: no such session.
        StateUnreadable: a step is damaged; the newer ones were given.
    """
    given = 0
    steps = steps_of(store, session)
    info = next(steps, None)
    while info is not None and (limit is None or given < limit):
        before = next(steps, None)
        changes = _changes(store, before, info, path)
        if path is None or changes:
            given += 1
            yield replace(info, changes=changes)
        info = before


def steps_of(store: Store, session: Recorded | str) -> Iterator[StepInfo]:
    """:func:`history` without what each step changed, which costs most of it; raises as that does."""
    step = store.ref(f"refs/sessions/{session}") if isinstance(session, str) else session.step
    if step is None:
        raise NotFound(f"no session {session} was recorded", hint="git session list --all")
    while step is not None:
        info = read_note(step, store.read(step).data)
        yield info
        step = info.parent


def state_trees(store: Store, step: str) -> tuple[str, str]:
    """The trees ``work`` and ``raw`` of the worktree that the session had at a step.

    Raises:
        StateUnreadable: the step is damaged.
    """
    info = read_note(step, store.read(step).data)
    wid = _session_at(store, info).worktree_id
    work = entry_at(store, info.tree, f"work/{wid}".encode())
    raw = entry_at(store, info.tree, f"raw/{wid}".encode())
    if work is None:
        raise StateUnreadable(f"step {info.number} has no work tree", hint="git session doctor")
    return work.oid, raw.oid if raw else EMPTY_TREE


def _changes(store: Store, before: StepInfo | None, info: StepInfo, path: bytes | None) -> tuple[Change, ...]:
    """What a step changed in the worktree it records.

    A worktree's first step is compared with the worktree that the session had before, the session's with the base.
    """
    found: list[Change] = []
    old = _worktrees(store, before)
    for wid, tree in _worktrees(store, info).items():
        under = old[wid] if wid in old else _tree_before(store, before, info)
        if under == tree or (path is not None and entry_at(store, under, path) == entry_at(store, tree, path)):
            continue
        changes = diff_trees(store, under, tree)
        found += changes if path is None else [c for c in changes if within(c.path, path)]
    return tuple(found)


def _worktrees(store: Store, info: StepInfo | None) -> dict[bytes, str]:
    entry = entry_at(store, info.tree, b"work") if info else None
    return {name: child.oid for name, child in read_tree(store, entry.oid).items()} if entry else {}


def _tree_before(store: Store, before: StepInfo | None, info: StepInfo) -> str:
    if before is not None:
        return state_trees(store, before.step)[0]
    return commit_links(store.read(_session_at(store, info).base).data)[0]


def _session_at(store: Store, info: StepInfo) -> Session:
    entry = entry_at(store, info.tree, b"session.json")
    if entry is None:
        raise StateUnreadable(f"step {info.number} has no session.json", hint="git session doctor")
    return decode(Session, store.blob(entry.oid), "session.json")
