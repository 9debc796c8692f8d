"""Landings under way: one small file each, on the disk before anything of the user's moves.

``<state>/intents/<id>.json``, written whole (temporary file, fsync, rename, fsync of the directory) before
the target moves and removed once the step that tells of the landing is recorded (docs/format.md, "Intents").
What a crash leaves of one is put right by :mod:`gitsessiond.store.resuming`.
"""

from __future__ import annotations

import os
from typing import Literal

from gitsessiond.model.errors import NewerState, StateUnreadable, StoreFailed
from gitsessiond.model.records import Id, Oid, Record, Time, decode, encode
from gitsessiond.store.layout import write_durably


class Intent(Record):
    """What a landing was about to do."""

    format: Literal[1] = 1
    id: Id
    session: Id
    patch: Id
    target: str  # branch without refs/heads/
    old: Oid  # where the target was
    new: Oid  # the last of the landing's commits; it stands on ``old``
    worktree: str | None = None  # quoted absolute path of the worktree that has the target checked out
    at: Time
    by: str  # ``Name <email>`` of who asked
    strategy: Literal["merge", "rebase", "squash", "revert"] = "merge"


def _home(state_dir: str) -> str:
    return os.path.join(state_dir, "intents")


def _path(state_dir: str, intent_id: str) -> str:
    return os.path.join(_home(state_dir), f"{intent_id}.json")


def write_intent(state_dir: str, intent: Intent) -> None:
    """Make the intent last.

    Raises:
        StoreFailed: the disk refused; nothing has moved.
    """
    try:
        os.makedirs(_home(state_dir), mode=0o700, exist_ok=True)
        write_durably(_path(state_dir, intent.id), encode(intent))
    except OSError as exc:
        raise StoreFailed(f"the intent cannot be written: {exc}", hint="df -h .") from exc


def read_intents(state_dir: str) -> list[Intent]:
    """The landings that were begun and not recorded, oldest first; drafts a crash left are removed.

    Raises:
        StateUnreadable: one is damaged, or of a newer format.
    """
    try:
        names = sorted(os.listdir(_home(state_dir)))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        path = os.path.join(_home(state_dir), name)
        if not name.endswith(".json"):
            if ".damaged-" not in name:  # what doctor has set aside stays
                os.unlink(path)
            continue
        with open(path, "rb") as file:
            found.append(decode(Intent, file.read(), path))
    return sorted(found, key=lambda intent: intent.at)


def damaged_intents(state_dir: str) -> list[tuple[str, str]]:
    """The intents that cannot be read, with the reason.

    Raises:
        NewerState: one is of a newer format.
    """
    found = []
    for name in sorted(os.listdir(_home(state_dir))):
        path = os.path.join(_home(state_dir), name)
        if not name.endswith(".json"):
            continue
        try:
            with open(path, "rb") as file:
                decode(Intent, file.read(), path)
        except NewerState:
            raise
        except StateUnreadable as exc:
            found.append((path, exc.message))
    return found


def forget_intent(state_dir: str, intent: Intent) -> None:
    """Remove an intent that is done with. Not synced: one that a power cut brings back is seen to be done."""
    try:
        os.unlink(_path(state_dir, intent.id))
    except FileNotFoundError:
        pass  # forgotten before
