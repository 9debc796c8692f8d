"""Where the git of a worktree looks for hooks, whose directory that is, and what we wrote down of the time before."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from gitsessiond.store.exclude import replace_file
from gitsessiond.store.git import run_git
from gitsessiond.store.hookscripts import Found, recognized

PATH = "core.hooksPath"
FORMER = "gitsession.hooksPathBefore"  # the same as the record's, for one who deletes our directory by hand
OURS = "gitsession-hooks"
ONCE_OURS = os.path.join("gitsession", "hooks", "bin")  # where they were put at first, closed to all but their maker


class Place(NamedTuple):
    """The directories of a repository that matter here.

    ``set_to``: ``core.hooksPath``; ``scope``: who says so. ``local``: what the repository's own configuration says of
    it, which one of a worktree may hide. ``put_to``: where we have led that; the repository may have moved since.
    """

    common_dir: str
    state_dir: str
    worktree: str
    set_to: str | None
    scope: str
    local: str | None
    put_to: str | None

    @property
    def usual(self) -> str:
        """Where git looks for hooks unless it is told otherwise."""
        return os.path.join(self.common_dir, "hooks")

    @property
    def ours(self) -> str:
        """Where our hooks are when the setting leads elsewhere: whoever shares the repository has to run them too."""
        former = os.path.join(self.common_dir, ONCE_OURS)
        return former if os.path.isdir(former) else os.path.join(self.common_dir, OURS)

    @property
    def record(self) -> str:
        """What was before."""
        return os.path.join(self.state_dir, "hooks", "record.json")

    @property
    def used(self) -> str:
        """Where git looks now."""
        return self.usual if self.set_to is None else os.path.join(self.worktree, os.path.expanduser(self.set_to))

    def used_for(self, path: str) -> str:
        """Where git looks for the hook of this path's name."""
        return os.path.join(self.used, os.path.basename(path))

    @property
    def is_usual(self) -> bool:
        """Whether that is the usual directory, by whatever name; not where that is a link, as into the worktree."""
        return os.path.realpath(self.used) == os.path.realpath(self.usual) and not os.path.islink(self.usual)

    @property
    def is_ours(self) -> bool:
        """Whether that is ours."""
        return os.path.realpath(self.used) == os.path.realpath(self.ours)

    @property
    def is_set_by_us(self) -> bool:
        """Whether the repository's setting leads to our directory, or to where it was before a move or a copy."""
        if self.local is None:
            return False
        return self.local in (self.ours, self.put_to) or self.local.endswith((f"/{OURS}", f"/{ONCE_OURS}"))

    @property
    def is_stale(self) -> bool:
        """Whether git looks where our directory was: in a repository since moved, or the one that this is a copy of."""
        return self.scope == "local" and self.is_set_by_us and not self.is_ours


def place_of(common_dir: str, state_dir: str, worktree: str) -> Place:
    """Where the git of this worktree looks for hooks."""
    told = run_git(["config", "--show-scope", "-z", "--get", PATH], cwd=worktree, check=False)
    scope, _, value = os.fsdecode(told.out).partition("\0")
    own = run_git(["config", "--local", "-z", "--get", PATH], git_dir=common_dir, check=False)
    local = os.fsdecode(own.out).rstrip("\0") if own.code == 0 else None
    place = Place(common_dir, state_dir, worktree, value.rstrip("\0") if told.code == 0 else None, scope, local, None)
    return place._replace(put_to=recorded(place).get("ours"))


def read_hook(path: str) -> bytes | None:
    """The content of a hook; None: there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def found_at(path: str) -> Found | None:
    """A hook of ours at a path, but not behind a link."""
    content = None if os.path.islink(path) else read_hook(path)
    return recognized(content) if content is not None else None


def recorded(place: Place) -> dict[str, Any]:
    """What :func:`note` has written; where that is gone, what the configuration still says of it."""
    try:
        found = json.loads(read_hook(place.record) or b"{}")
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    if "former" not in found and place.is_set_by_us:
        told = run_git(["config", "--local", "-z", "--get", FORMER], git_dir=place.common_dir, check=False)
        found |= {"former": os.fsdecode(told.out).rstrip("\0"), "local": True} if told.code == 0 else {}
    return found


def note(place: Place, facts: dict[str, Any]) -> None:
    """Remember more of what was before."""
    os.makedirs(os.path.dirname(place.record), mode=0o700, exist_ok=True)
    replace_file(place.record, json.dumps({"format": 1} | recorded(place) | facts).encode())
