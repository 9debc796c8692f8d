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


def state_trees(store: Store, step: str, wid: str) -> tuple[str, str]:
    """The trees ``work`` and ``raw`` of one worktree at a step.

    Raises:
        NotFound: the step knows no such worktree.
    """
    info = read_note(step, store.read(step).data)
    work = entry_at(store, info.tree, f"work/{wid}".encode())
    raw = entry_at(store, info.tree, f"raw/{wid}".encode())
    if work is None:
        raise NotFound(f"step {info.number} knows no worktree {wid}", hint="git session history")
    return work.oid, raw.oid if raw else EMPTY_TREE


def _changes(store: Store, before: StepInfo | None, info: StepInfo, path: bytes | None) -> tuple[Change, ...]:
    """What a step changed in the worktree it records; a worktree's first step is compared with the base."""
    found: list[Change] = []
    old = _worktrees(store, before)
    for wid, tree in _worktrees(store, info).items():
        under = old[wid] if wid in old else _base_tree(store, info)
        if under == tree or (path is not None and entry_at(store, under, path) == entry_at(store, tree, path)):
            continue
        changes = diff_trees(store, under, tree)
        found += changes if path is None else [c for c in changes if within(c.path, path)]
    return tuple(found)


def _worktrees(store: Store, info: StepInfo | None) -> dict[bytes, str]:
    entry = entry_at(store, info.tree, b"work") if info else None
    return {name: child.oid for name, child in read_tree(store, entry.oid).items()} if entry else {}


def _base_tree(store: Store, info: StepInfo) -> str:
    entry = entry_at(store, info.tree, b"session.json")
    if entry is None:
        raise StateUnreadable(f"step {info.number} has no session.json", hint="git session doctor")
    session = decode(Session, store.blob(entry.oid), "session.json")
    return commit_links(store.read(session.base).data)[0]
