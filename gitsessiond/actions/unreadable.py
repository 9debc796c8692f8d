"""Sessions whose record is damaged: each is told, and stands in nobody's way but its own.

What is still known of one comes from its anchor in the repository, as far as that can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gitsessiond.model.errors import NewerState, StateUnreadable
from gitsessiond.model.names import is_id_prefix, name_key, short_id, unquote_path
from gitsessiond.model.records import Session
from gitsessiond.store.anchors import anchors_of, read_anchor
from gitsessiond.store.repository import Repository
from gitsessiond.store.store import Store

HINT = "git session doctor"


@dataclass(frozen=True)
class Unreadable:
    """A session that cannot be read; ``anchored`` is its record of the last action, None: that is lost too."""

    sid: str
    message: str
    anchored: Session | None = None

    @property
    def name(self) -> str:
        """Its name, else its id."""
        return self.anchored.name if self.anchored else self.sid

    @property
    def words(self) -> str:
        """What a person is told."""
        return f"session {self.name} cannot be read: {self.message}"

    @property
    def may_be_open(self) -> bool:
        """Whether it may still carry a checkout."""
        return self.anchored is None or self.anchored.status == "open"

    def error(self) -> StateUnreadable:
        """The answer to whoever asks for it."""
        return StateUnreadable(self.words, hint=HINT)

    def carries(self, directory: str) -> bool:
        """Whether its worktree, as far as that is known, holds this directory."""
        if self.anchored is None or not self.may_be_open:
            return False
        root = os.fsdecode(unquote_path(self.anchored.worktree))
        return directory == root or directory.startswith(root.rstrip("/") + "/")

    def is_called(self, wanted: str) -> bool:
        """Whether a person can mean it by this name, id or id prefix."""
        if self.anchored is not None and name_key(self.anchored.name) == name_key(wanted):
            return True
        return is_id_prefix(wanted) and len(wanted) >= 2 and self.sid.startswith(wanted)

    def view(self) -> dict[str, Any]:
        """A row of ``list``."""
        name = self.anchored.name if self.anchored else None
        return {"id": self.sid, "name": name, "message": self.message, "hint": HINT}


def unreadable_session(store: Store, repository: Repository, sid: str, message: str) -> Unreadable:
    """A session that cannot be read for that reason, with what its anchor knows.

    Raises:
        NewerState: the anchor is of a newer format.
    """
    oid = anchors_of(repository).get(sid)
    try:
        anchored = read_anchor(store, oid).session if oid is not None else None
    except NewerState:
        raise
    except StateUnreadable:
        anchored = None
    return Unreadable(sid, message, anchored if anchored is not None and anchored.id == sid else None)


def asked_for(found: Iterable[Unreadable], wanted: str | None, directory: str) -> Unreadable | None:
    """The one that a request means: by name, else by its directory."""
    if wanted:
        return next((one for one in found if one.is_called(wanted)), None)
    return next((one for one in found if one.carries(directory)), None)


def short_words(found: Mapping[str, Unreadable]) -> str:
    """All of them in one clause: ``a and b cannot be read``."""
    names = [one.anchored.name if one.anchored else short_id(one.sid, found) for one in found.values()]
    return f"{', '.join(names)} cannot be read"
