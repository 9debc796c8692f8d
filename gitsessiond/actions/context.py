"""What every action is given: the repository, the store, the clock, and the sessions that are open.

One :class:`Context` lives as long as the recorder. A :class:`Live` is an open session in memory: its last
:class:`~gitsessiond.store.steps.State` and what can be made again from it (docs/architecture.md, "Recorder").
Actions are functions ``(ctx, asked) -> reply``; they change a session only through
:func:`gitsessiond.actions.publishing.publish`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitsessiond.actions.calls import Call
from gitsessiond.actions.memory import Memory
from gitsessiond.actions.unreadable import HINT, Unreadable, asked_for, short_words, unreadable_session
from gitsessiond.model.errors import BadRequest, GitSessionError, NewerState, NotFound, Refused, StateUnreadable
from gitsessiond.model.hints import in_turn
from gitsessiond.model.names import is_id_prefix, name_key, unquote_path
from gitsessiond.model.ownership import Tools
from gitsessiond.model.records import Gap, Patch
from gitsessiond.model.values import Entry
from gitsessiond.model.versions import OpCount
from gitsessiond.store.anchors import anchors_of
from gitsessiond.store.authoring import Committer
from gitsessiond.store.config import Config
from gitsessiond.store.heldlocks import HeldLocks
from gitsessiond.store.lockrows import folds_case
from gitsessiond.store.numbers import Numbers
from gitsessiond.store.repository import Repository
from gitsessiond.store.running import Running
from gitsessiond.store.steps import State, load_state
from gitsessiond.store.store import Store
from gitsessiond.store.worktree import WorkTree
from gitsessiond.store.writebits import WriteBits


@dataclass(frozen=True)
class Who:
    """Who asks, as told by the client; the daemon's own environment says nothing about a person."""

    cwd: str
    session: str | None = None  # -s or $GITSESSION
    tty: str | None = None
    pid: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)  # the GIT_* identity and config of the client
    client: str | None = None  # whose request it is, as front knows clients
    token: int | None = None  # of the lock it is made under


@dataclass(frozen=True)
class Asked:
    """One decoded request."""

    verb: str
    args: Mapping[str, Any]
    who: Who

    def text(self, name: str, default: str = "") -> str:
        """A text argument.

        Raises:
            BadRequest: it is there but no text.
        """
        value = self.args.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be text", hint="see `git session -h`")
        return value

    def flag(self, name: str) -> bool:
        """A yes-or-no argument; absent is no."""
        return self.args.get(name) is True

    def texts(self, name: str) -> list[str]:
        """A list-of-texts argument; absent is the empty list.

        Raises:
            BadRequest: it is there but no list of texts.
        """
        value = self.args.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise BadRequest(f"{name} must be a list of texts", hint="see `git session -h`")
        return list(value)


@dataclass(frozen=True)
class Editing:
    """A file somebody opened or saved: its number in the panel (never used again in the session), the last save."""

    number: int
    saved_at: datetime | None


@dataclass(frozen=True)
class Unrecorded:
    """A time in which what was on disk could not be recorded. ``until`` None: it cannot still."""

    since: datetime
    why: str
    until: datetime | None = None


@dataclass
class Live:
    """An open session: its state, and what the recorder keeps beside it."""

    state: State
    worktree: WorkTree | None = None  # None: the worktree is gone
    settled: State | None = None  # where sorting that git's work may yet undo began; None: nothing provisional
    head_seen: Any = None  # what adoption read last (store/head.py); compared, never interpreted
    index_seen: float = 0.0  # when the index was written last, as adoption read it
    before_git: State | None = None  # before the first look since then (actions/looking.py)
    memory: Memory = field(default_factory=Memory)
    shown: dict[str, dict[bytes, Entry | None]] = field(default_factory=dict)  # patch id -> its version's overlay
    editors: dict[bytes, Editing] = field(default_factory=dict)  # saved last, last
    open: dict[bytes, list[Mapping[str, Any]]] = field(default_factory=dict)  # who has what, as front told last
    told_open: bool = False  # it has told
    numbers: Numbers | None = None  # of all that were editors; None: not read yet
    current: bytes | None = None  # the path whose editor was switched to last
    counted: dict[str, OpCount] = field(default_factory=dict)  # patch id -> its ops when last counted
    landed_ops: dict[tuple[str, str | None], int] = field(default_factory=dict)  # of patches in the base, by landing
    calls: dict[str, Call] = field(default_factory=dict)  # what agents are at, by agent and call (actions/calls.py)
    running: dict[str, Running] | None = None  # their shell commands by the same; None: not read yet
    denied: dict[str, int] = field(default_factory=dict)  # how often by now, by conflict, where no step tells of it yet
    looked: Any = None  # what it was when its notices were last looked at (actions/noticed.py)
    told_wrong: set[str] = field(default_factory=set)  # agents that know: GITSESSION_PATCH names no patch here
    judge_due: bool = False
    anchor_due: bool = False  # the anchor in the repository is of an earlier step (publishing.settle_anchors)
    landed_seen: Any = None  # target and series tips when last asked whether the target has patches by other means
    staged_seen: Any = None  # index and HEAD when last compared, and what differed (actions/reverts_ahead.py)
    told_hooks: Any = None  # what the user's git hooks were last told of (actions/hooking.py)
    lost: str | None = None  # why the worktree cannot be recorded
    trouble: str | None = None  # why it could not be brought up to date before the last command
    unrecorded: Unrecorded | None = None  # saves that could not be recorded and of which no step tells yet
    gap: Gap | None = None  # for the next step to tell of

    @property
    def sid(self) -> str:
        """The session's id."""
        return self.state.session.id

    def tip_bit(self) -> int | None:
        """The bit of the chain's last commit; None while there is none."""
        return len(self.state.session.chain) - 1 if self.state.session.chain else None

    def patch(self, wanted: str) -> Patch:
        """The patch of that name, id, or unique id prefix.

        Raises:
            NotFound: none, or several.
        """
        patches = self.state.patches
        for pid in self.state.session.patches:
            if name_key(patches[pid].name) == name_key(wanted) or pid == wanted:
                return patches[pid]
        found = [pid for pid in patches if is_id_prefix(wanted) and len(wanted) >= 2 and pid.startswith(wanted)]
        if len(found) == 1:
            return patches[found[0]]
        name = self.state.session.name
        if found:
            raise NotFound(f"{len(found)} patches of {name} begin with {wanted!r}", hint="git session patch list")
        raise NotFound(f"session {name} has no patch {wanted!r}", hint="git session patch list")

    def open_patches(self) -> list[Patch]:
        """Patches that can still take edits, in creation order."""
        ordered = (self.state.patches[pid] for pid in self.state.session.patches)
        return [patch for patch in ordered if patch.status not in ("merged", "abandoned")]


@dataclass
class Context:
    """What lasts as long as the recorder."""

    repository: Repository
    store: Store
    config: Config
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    tools: Tools
    tell: Callable[[dict[str, Any]], None]  # an event, for whoever follows
    sessions: dict[str, Live] = field(default_factory=dict)  # open ones by id
    unreadable: dict[str, Unreadable] = field(default_factory=dict)  # ended ones too, by id
    queued: int = 0  # paths that front still holds while a reading command goes first
    committer: Committer = field(init=False)
    locks: HeldLocks = field(init=False)
    write_bits: WriteBits = field(init=False)

    def __post_init__(self) -> None:
        self.committer = Committer(self.config)
        self.locks = HeldLocks(self.repository.state_dir, fold=folds_case(self.config.all))
        self.write_bits = WriteBits(self.repository.state_dir)

    def state_of(self, sid: str) -> State:
        """The last state of any session, open or not.

        Raises:
            NotFound: no such session.
        """
        from_memory = self.sessions.get(sid)
        if from_memory is not None:
            return from_memory.state
        return self.store_state(sid)

    def store_state(self, sid: str) -> State:
        """The last recorded state, read from the store.

        Raises:
            NotFound: no such session.
            StateUnreadable: it is damaged.
        """
        tip = self.store.ref(f"refs/sessions/{sid}")
        if tip is None:
            raise NotFound(f"no session {sid}", hint="git session list --all")
        return load_state(self.store, tip)

    def all_states(self) -> list[State]:
        """The last state of every session that can be read, oldest first; :attr:`unreadable` has the others."""
        states = []
        for sid in [name.rpartition("/")[2] for name in self.store.refs("refs/sessions/")]:
            try:
                states.append(self.state_of(sid))
            except NewerState:
                raise
            except StateUnreadable as exc:
                self.note_unreadable(sid, exc)
        return sorted(states, key=age)

    def open_states(self) -> list[State]:
        """The states of the open sessions, oldest first; no ended session is read for it."""
        return sorted((live.state for live in self.sessions.values()), key=age)

    def note_unreadable(self, sid: str, why: GitSessionError) -> None:
        """Remember that a session cannot be read: it is told, and the others go on."""
        if sid not in self.unreadable:
            self.unreadable[sid] = unreadable_session(self.store, self.repository, sid, why.message)

    def find_state(self, wanted: str) -> State:
        """The session of that name (open ones first), id or unique id prefix.

        Raises:
            NotFound: none, or several.
            StateUnreadable: its record is damaged.
        """
        states = self.all_states()
        named = [state for state in states if name_key(state.session.name) == name_key(wanted)]
        still_open = [state for state in named if state.session.status == "open"]
        if still_open or named:
            return (still_open or named)[-1]
        found = [s for s in states if is_id_prefix(wanted) and len(wanted) >= 2 and s.session.id.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        damaged = asked_for(self.unreadable.values(), wanted, "")
        if damaged is not None and not found:
            raise damaged.error()
        words = f"{len(found)} sessions begin with {wanted!r}" if found else f"no session {wanted!r}"
        raise NotFound(words, hint="git session list --all")

    def live_at(self, directory: str) -> Live | None:
        """The open session whose worktree holds this directory; the innermost worktree wins."""
        best: tuple[int, Live] | None = None
        for live in self.sessions.values():
            root = os.fsdecode(unquote_path(live.state.session.worktree))
            inside = directory == root or directory.startswith(root.rstrip("/") + "/")
            if inside and (best is None or len(root) > best[0]):
                best = (len(root), live)
        if best is None:
            return None
        between = directory[best[0] :].strip("/")
        return None if between and other_repository_between(directory, between) else best[1]

    def live(self, asked: Asked) -> Live:
        """The open session a request is about: ``-s``, ``$GITSESSION``, else the one of its directory.

        Raises:
            NotFound: there is none.
            Refused: it is closed.
            StateUnreadable: its record is damaged.
        """
        if asked.who.session:
            state = self.find_state(asked.who.session)
            live = self.sessions.get(state.session.id)
            if live is None:
                raise Refused(
                    f"session {state.session.name} is {state.session.status}",
                    hint=f"git session reopen -s {state.session.id[:6]}",
                )
            return live
        directory = os.path.realpath(asked.who.cwd)
        found = self.live_at(directory)
        if found is None:
            raise self.no_session_here(directory)
        return found

    def no_session_here(self, directory: str) -> GitSessionError:
        """The error for a directory without a session; sessions that are damaged or lost are told."""
        damaged = asked_for(self.unreadable.values(), None, directory)
        if damaged is not None:
            return damaged.error()
        words = "this directory carries no session"
        if any(one.anchored is None for one in self.unreadable.values()):  # it may be this one's
            return StateUnreadable(f"{words} that can be read; {short_words(self.unreadable)}", hint=HINT)
        known = {name.rpartition("/")[2] for name in self.store.refs("refs/sessions/")} | self.unreadable.keys()
        lost = anchors_of(self.repository).keys() - known
        if lost:
            return NotFound(f"{words}; the record of {len(lost)} is lost", hint="git session doctor")
        return NotFound(words, hint=in_turn("git session start NAME", "git session list"))


def age(state: State) -> tuple[datetime, str]:
    """What sessions are ordered by, oldest first."""
    return state.session.created_at, state.session.id


def other_repository_between(directory: str, between: str) -> bool:
    """Whether another repository's top lies between a worktree and a directory inside it (a submodule, a clone)."""
    step = directory
    for _ in between.split("/"):
        if os.path.lexists(os.path.join(step, ".git")):
            return True
        step = os.path.dirname(step)
    return False
