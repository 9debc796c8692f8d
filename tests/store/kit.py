"""A store on a real repository, and states to record in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitsessiond.model.owners import Owners
from gitsessiond.model.records import Patch, Session
from gitsessiond.model.values import EMPTY_TREE, REGULAR, Entry
from gitsessiond.store.steps import State, StepNote, session_ref, write_step
from gitsessiond.store.store import RefMove, Store, open_store
from gitsessiond.store.trees import edit_tree
from tests.conftest import git

NOW = datetime(2026, 1, 2, 3, 4, 5, 250000, tzinfo=UTC)
SID, WID, PID, QID = "sssssssskkkk", "wwwwwwwwkkkk", "ppppppppkkkk", "qqqqqqqqkkkk"
ANN = "Ann <ann@example.org>"


@dataclass(frozen=True)
class Dirs:
    """The two directories a store needs."""

    common_dir: str

    @property
    def state_dir(self) -> str:
        return os.path.join(self.common_dir, "gitsession")


def dirs(repo: Path) -> Dirs:
    return Dirs(str(repo / ".git"))


def opened(repo: Path) -> Store:
    return open_store(dirs(repo))


def oid_at(repo: Path, name: str) -> str:
    return git(repo, "rev-parse", name).decode().strip()


def first_state(repo: Path, sid: str = SID, name: str = "one") -> State:
    """A session on HEAD in which nothing was edited."""
    base = oid_at(repo, "HEAD")
    session = Session(
        id=sid, name=name, base=base, target="main", branch=f"session/{name}", worktree=str(repo),
        worktree_id=WID, created_at=NOW, created_by=ANN,
    )  # fmt: skip
    return State(
        session=session, patches={}, conflicts={}, owners=Owners(), work=oid_at(repo, "HEAD^{tree}"),
        raw=EMPTY_TREE, trees={}, sides={},
    )  # fmt: skip


def patch(pid: str = PID, name: str = "p", sid: str = SID) -> Patch:
    return Patch(id=pid, session_id=sid, name=name, created_at=NOW, created_by=ANN, owner=ANN)


def note(verb: str = "save", number: int = 0, **more: object) -> StepNote:
    return StepNote(verb=verb, at=NOW + timedelta(seconds=number), **more)  # type: ignore[arg-type]


def record(store: Store, before: State | None, after: State, what: StepNote | None = None) -> State:
    """Write a step and commit it."""
    written = write_step(store, before, after, what or note())
    old = before.step if before else None
    store.commit([RefMove(session_ref(after.session.id), old, written.step)])
    return written


def saved(store: Store, state: State, path: bytes, content: bytes, number: int = 0) -> State:
    """Record one file saved (its work tree only)."""
    entry = Entry(REGULAR, store.put("blob", content))
    return record(store, state, replace(state, work=edit_tree(store, state.work, {path: entry})), note(number=number))


def store_git(store: Store, *args: str) -> str:
    """Plain git on the store, as a stranger would run it."""
    return git(Path(store.state_dir), f"--git-dir={store.git_dir}", *args).decode()


def is_sound(store: Store) -> bool:
    """Whether plain git finds nothing wrong with the store."""
    return "dangling" not in store_git(store, "fsck", "--strict", "--no-dangling")
