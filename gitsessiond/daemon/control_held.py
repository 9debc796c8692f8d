"""One worktree whose control files are kept: what was told of it, what is under way, when what is due."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from gitsessiond.daemon.control_acts import Wish
from gitsessiond.daemon.control_brought import Brought
from gitsessiond.daemon.control_dir import Save
from gitsessiond.daemon.control_files import ControlFiles
from gitsessiond.daemon.control_texts import ASSIGN, ERRORS, PATCHES, README, REQUESTS, STATUS, USE
from gitsessiond.daemon.outbox import Ask

Message = dict[str, Any]

GONE_S = 1.0  # files that were deleted come back when no more are for so long: the worktree may be on its way out
GONE_AT_MOST_S = 30.0
MANY = 8  # saves at once, more than a person makes: a copy of all has at least ten
GATHER_S, GATHER_AT_MOST_S = 0.2, 3.0  # without another, and in all, until they are looked at

OF_A_PATCH = (b"description", b"status", b"depends-on", b"ops", b"diff")
AT_THE_TOP = (STATUS, ERRORS, ASSIGN, USE, README)


class Act(NamedTuple):
    """A save, and what is still to be asked for it; ``save`` None: a new directory."""

    path: bytes
    save: Save | None
    wishes: list[Wish]


class Held:
    """The state of one worktree's control files. Times are those of the loop; None: never."""

    def __init__(self, worktree: str) -> None:
        self.worktree = worktree
        self.files = ControlFiles(worktree)
        self.brought = Brought(self.files)
        # what the recorder told
        self.session: str | None = None
        self.view: Message = {}
        self.cached: dict[str, Message] = {}  # ops and diff by patch
        self.places: dict[str, int] = {}  # the inode of each patch's directory
        # saves
        self.touched: dict[bytes, float] = {}  # those to be looked at, and when
        self.look_at: float | None = None  # when to look for some that nobody told of
        self.hurry = False  # somebody waits for them
        self.acts: deque[Act] = deque()
        self.rest_s = self.rest_until = 0.0  # nothing is asked for saves before: it would be answered as before
        self.gather_until = self.gather_at_most = 0.0  # many are being made: they may be a copy, and not all there yet
        self.outdated = False  # the view is from before an act
        self.requests: list[Ask] = []  # of ``requests/``, to be queued
        self.asked: dict[int, bytes] = {}  # those under way, each with its file's name
        # showing
        self.flight: int | None = None  # the question or request that is under way
        self.asked_at = 0.0
        self.due: float | None = None
        self.soon = False
        self.not_before = 0.0
        self.hold_until = self.hold_at_most = 0.0
        self.missing: set[bytes] = set()  # files that were deleted, when it was looked last
        self.showing: Iterator[None] | None = None  # under way; the files are not settled, and nothing is asked

    def show_by(self, at: float, *, soon: bool = True) -> None:
        """Show what is at that time at the latest; ``soon``: it is about this worktree itself."""
        self.due = at if self.due is None else min(self.due, at)
        self.soon = self.soon or soon

    def hold(self, now: float) -> None:
        """Files are being deleted: bring none back before no more are, or for long."""
        if self.hold_until <= now:
            self.hold_at_most = now + GONE_AT_MOST_S
        self.hold_until = min(now + GONE_S, self.hold_at_most)
        self.show_by(self.hold_until)

    def is_due(self, others_from: float) -> float | None:
        """When to show what is; no sooner than ``others_from`` where only other worktrees changed."""
        if self.due is None or self.flight is not None or self.showing is not None:
            return None
        return max(self.due, self.not_before, self.hold_until, 0.0 if self.soon else others_from)

    def is_touched(self) -> float | None:
        """When to look at saves."""
        if not self.touched or self.flight is not None or self.showing is not None:
            return None
        return max(min(self.touched.values()), self.rest_until, self.gather_until)

    def is_held(self, now: float) -> bool:
        """Whether nothing is to be shown before a later time, for files are being deleted, or copied here."""
        until = max(self.hold_until, self.gather_until)
        if until > now:
            self.show_by(until)
        return until > now

    def saw(self, path: bytes, now: float, at: float) -> None:
        """Somebody saved this; look at it then, or when no more come, if there are many."""
        self.touched[path] = at
        if len(self.touched) >= MANY:
            if self.gather_until <= now:
                self.gather_at_most = now + GATHER_AT_MOST_S
            self.gather_until = min(now + GATHER_S, self.gather_at_most)

    def rest(self, now: float, seconds: float) -> None:
        """Let saves wait so long."""
        self.rest_s, self.rest_until = seconds, now + seconds


def is_writable(path: bytes) -> bool:
    """Whether a path below ``.gitsession/`` may be a control file; editors' own files are not."""
    first, *rest = path.split(b"/")
    if first == REQUESTS and len(rest) == 1:
        return rest[0].endswith(b".json") and not rest[0].startswith((b".", b"#"))
    if first == PATCHES and len(rest) == 2:
        return rest[1] in OF_A_PATCH and is_patch_directory(PATCHES + b"/" + rest[0] + b"/")
    return path in AT_THE_TOP


def is_patch_directory(path: bytes) -> bool:
    """Whether this may be a patch's directory; a slash ends it."""
    first, *rest = path.split(b"/")
    if first != PATCHES or len(rest) != 2 or rest[1]:
        return False
    return bool(rest[0]) and not rest[0].startswith((b".", b"#")) and not rest[0].endswith((b"~", b".refused"))
