"""What paths looked like before the recorder started, read from the last steps: a restart forgets no owner.

It stops where memory would have been emptied: at a command that moved owners, or at the end of a patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.memory import Seen
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.files import File, last_path, path_of
from gitsessiond.model.owners import Owners
from gitsessiond.model.records import Patch, Session, decode
from gitsessiond.store.loading import load_file
from gitsessiond.store.notes import StepInfo
from gitsessiond.store.states import patch_state
from gitsessiond.store.steps import State, history
from gitsessiond.store.store import Store
from gitsessiond.store.trees import diff_trees, entry_at

STEPS = 400
FILES = 100_000  # file records looked at, over all steps: a session of 10,000 files goes back 10 steps
MOVES_OWNERS = ("assign", "patch new")


def taken_up(ctx: Context, state: State) -> Live:
    """A session as it comes into memory: what its paths looked like is read when it is first asked for."""
    live = Live(state=state)
    live.memory.past = lambda: past(ctx.store, state)
    return live


def past(store: Store, state: State) -> Iterator[Seen]:
    """Contents of paths and what stood for them, newest first."""
    places = Places(state.owners)
    chain = state.session.chain
    limit = min(STEPS, FILES // max(1, len(state.owners.files)))
    try:
        for step, older in pairwise(history(store, state, limit=limit)):
            yield from ((change.path, change.after, places.at(change.path), chain) for change in step.changes)
            if forgets(store, step, older):
                return
            places.go_back(store, step, older)
            chain = chain_of(store, older)
            yield from ((change.path, change.before, places.at(change.path), chain) for change in step.changes)
    except GitSessionError:
        return  # what cannot be read is not remembered: its return is a new edit


class Places:
    """Which File is (or was, when it is deleted) at which path, at one step."""

    def __init__(self, owners: Owners) -> None:
        self.files: dict[str, File] = dict(owners.files)
        self.there: dict[bytes, str] = {}
        self.gone: dict[bytes, str] = {}
        for file in self.files.values():
            self.enter(file)

    def enter(self, file: File) -> None:
        """Put a File at its path."""
        path = path_of(file)
        if path is not None:
            self.there[path] = file.id
        else:
            self.gone[last_path(file)] = file.id

    def at(self, path: bytes) -> File | None:
        """The File of that path."""
        fid = self.there.get(path) or self.gone.get(path)
        return self.files[fid] if fid else None

    def go_back(self, store: Store, step: StepInfo, older: StepInfo) -> None:
        """From a step to the one before it."""
        changed = {
            change.path.split(b"/")[0].decode()
            for change in diff_trees(store, below(store, step, "own"), below(store, older, "own"))
        }
        for fid in changed & self.files.keys():
            file = self.files.pop(fid)
            paths, path = (self.there, path_of(file)) if path_of(file) is not None else (self.gone, last_path(file))
            if path is not None and paths.get(path) == fid:
                del paths[path]
        for fid in changed:
            found = load_file(store, older.tree, fid)
            if found is not None:
                self.files[fid] = found
                self.enter(found)


def forgets(store: Store, step: StepInfo, older: StepInfo) -> bool:
    """Whether a step moved owners by command, or ended a patch or took it up again."""
    if step.verb in MOVES_OWNERS and below(store, step, "own") != below(store, older, "own"):
        return True
    now, then = below(store, step, "patches"), below(store, older, "patches")
    changed = {change.path.split(b"/")[0] for change in diff_trees(store, then, now)} if now != then else set()
    return any(state_at(store, step, pid) != state_at(store, older, pid) for pid in changed)


def state_at(store: Store, step: StepInfo, pid: bytes) -> str:
    """Whether a patch was open, merged or abandoned; one that was not there yet is as good as open."""
    entry = entry_at(store, step.tree, b"patches/" + pid + b"/patch.json")
    return patch_state(decode(Patch, store.blob(entry.oid), "patch.json").status) if entry else "open"


def chain_of(store: Store, step: StepInfo) -> tuple[str, ...]:
    """The chain at a step."""
    entry = entry_at(store, step.tree, b"session.json")
    return decode(Session, store.blob(entry.oid), "session.json").chain if entry else ()


def below(store: Store, step: StepInfo, name: str) -> str | None:
    """A directory of a step's tree."""
    entry = entry_at(store, step.tree, name.encode())
    return entry.oid if entry else None
