"""What is true of a session at one step, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitsessiond.model.owners import Owners, PatchState
from gitsessiond.model.records import Conflict, Patch, PatchStatus, Session

SESSIONS = "refs/sessions/"
SIDES = ("base", "ours", "theirs", "result", "begun")  # begun: its file, half resolved


@dataclass(frozen=True)
class State:
    """Everything that is true of a session at one step."""

    session: Session
    patches: Mapping[str, Patch]
    conflicts: Mapping[str, Conflict]
    owners: Owners
    work: str  # tree: what `git add -A` would store of the worktree
    raw: str  # tree: files whose bytes on disk differ from that
    trees: Mapping[str, str]  # patch id -> tree of the patch's version
    sides: Mapping[str, Mapping[str, str]]  # conflict id -> side (one of SIDES) -> blob
    number: int = 0  # of the step; 0: not recorded yet
    step: str | None = None  # its commit; never shown to a person
    settled: str | None = None  # the last step whose sorting git's work under way cannot undo; None: this one


def session_ref(sid: str) -> str:
    """The store's ref of a session's last step."""
    return SESSIONS + sid


def named_commits(state: State) -> list[str]:
    """Base, the chain's last commit and the tip of each series, once each."""
    tips = [patch.series[-1].oid for patch in state.patches.values() if patch.series]
    return list(dict.fromkeys([state.session.base, *state.session.chain[-1:], *tips]))


def patch_state(status: PatchStatus) -> PatchState:
    """A patch's status as ownership sees it."""
    return status if status in ("merged", "abandoned") else "open"
