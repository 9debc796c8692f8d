"""What events mean where they happen: a save in a worktree, a doorbell in a git directory, a cookie of ours."""

from __future__ import annotations

import os
from collections.abc import Callable

from watchdog.events import FileSystemEvent, FileSystemEventHandler

from gitsessiond.daemon.mailbox import Notice

Post = Callable[[Notice], None]
Act = Callable[[], None]

GIT_AT_WORK = frozenset(
    {
        b"HEAD", b"index", b"packed-refs", b"MERGE_HEAD", b"CHERRY_PICK_HEAD", b"REVERT_HEAD", b"rebase-merge",
        b"rebase-apply", b"sequencer",
    }
)  # fmt: skip
"""Names in a git directory whose change means that git did something. A lock file rings only when it goes."""

CONTROL = b".gitsession/"
BELL = b"gitsession-wid"  # a hook of ours opens it for writing, and writes nothing


def name_of(path: bytes | str) -> bytes:
    """The last part of a path."""
    return os.fsencode(path).rpartition(b"/")[2]


class WorktreeHandler(FileSystemEventHandler):
    """Events of a worktree's files, from inotify (bytes paths) or polling (text paths)."""

    def __init__(self, worktree: str, post: Post) -> None:
        self._worktree, self._post = worktree, post
        self._cut = len(os.fsencode(worktree)) + 1

    def _relative(self, path: bytes | str) -> bytes:
        return os.fsencode(path)[self._cut :]

    def on_closed(self, event: FileSystemEvent) -> None:
        """A writer has finished."""
        self._post(Notice("closed", self._worktree, self._relative(event.src_path)))

    def on_modified(self, event: FileSystemEvent) -> None:
        """Polling saw another content; the writer may or may not have finished."""
        if not event.is_directory:
            self.on_closed(event)

    def on_created(self, event: FileSystemEvent) -> None:
        """A file appeared. A directory that did holds nothing to record before files in it do; ours may be a wish."""
        path = self._relative(event.src_path)
        if not event.is_directory:
            self._post(Notice("created", self._worktree, path))
        elif (path + b"/").startswith(CONTROL):
            self._post(Notice("created", self._worktree, path + b"/"))

    def on_deleted(self, event: FileSystemEvent) -> None:
        """A file went; of a deleted directory's files each has told for itself, of a moved one's none has."""
        path = self._relative(event.src_path)
        if not path:
            self._post(Notice("lost", self._worktree))
        elif not event.is_directory:
            self._post(Notice("gone", self._worktree, path))
        elif event.is_synthetic:
            self._post(Notice("dir", self._worktree, path + b"/"))

    def on_moved(self, event: FileSystemEvent) -> None:
        """A file has another name; ``src_path`` is empty when it came from outside."""
        source = self._relative(event.src_path)
        if event.is_directory:  # polling only
            self._post(Notice("dir", self._worktree, source + b"/"))
            self._post(Notice("dir", self._worktree, self._relative(event.dest_path) + b"/"))
            return
        if source:
            self._post(Notice("gone", self._worktree, source))
        self._post(Notice("moved_in", self._worktree, self._relative(event.dest_path), source))

    def on_attrib(self, event: FileSystemEvent) -> None:
        """Another mode or time."""
        if not event.is_directory:
            self._post(Notice("attrib", self._worktree, self._relative(event.src_path)))

    def on_limit(self, event: FileSystemEvent) -> None:
        """A new directory could not be watched."""
        self._post(Notice("limit", self._worktree, b"no more directories can be watched"))


class GitDirHandler(FileSystemEventHandler):
    """Doorbells in a git directory and its ``logs``; ``worktree`` None rings for all."""

    def __init__(self, worktree: str | None, post: Post) -> None:
        self._worktree, self._post = worktree, post

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Ring for the names that tell of git's work."""
        name = name_of(event.dest_path or event.src_path)
        released = name == b"index.lock" and event.event_type == "deleted"
        if name == BELL and event.event_type == "closed":
            self._post(Notice("hook", self._worktree))
        if name in GIT_AT_WORK or released:
            self._post(Notice("rang", self._worktree))


class BranchesHandler(FileSystemEventHandler):
    """Doorbell of ``refs/heads``: any branch, but not the lock files git makes beside them."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def on_any_event(self, event: FileSystemEvent) -> None:
        """A branch was made, moved or deleted."""
        if not event.is_directory and not name_of(event.dest_path or event.src_path).endswith(b".lock"):
            self._post(Notice("rang", None))


class NestedHandler(FileSystemEventHandler):
    """A repository inside the worktree: git keeps the commit its HEAD is at, so that is what can change.

    ``look``: have the path itself looked at. ``again``: it was half-made when it was found, find it again.
    ``end``: its ``.git`` went, what is below is the worktree's again.
    """

    def __init__(self, top: bytes, look: Act, again: Act | None, end: Act) -> None:
        self._top, self._look, self._again, self._end = top, look, again, end

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Sort what happens in the directory itself, in its git directory and among its branches."""
        path = os.fsencode(event.dest_path or event.src_path)
        name = name_of(path)
        if path == self._top or (event.event_type == "deleted" and path == self._top + b"/.git"):
            self._end()
        elif self._again is not None:
            if b"/.git/" in path[len(self._top) :]:
                self._again()
        elif name in (b"HEAD", b"packed-refs") or (b"/refs/heads/" in path and not name.endswith(b".lock")):
            self._look()


class CookieHandler(FileSystemEventHandler):
    """Front's own files, by which it knows how far it has read."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def on_created(self, event: FileSystemEvent) -> None:
        """A cookie's event has come: all before it has too."""
        self._post(Notice("cookie", None, name_of(event.src_path)))

    def on_deleted(self, event: FileSystemEvent) -> None:
        """A cookie was taken away, or, when it is the directory itself, the whole repository was."""
        if event.is_directory:
            self._post(Notice("lost", None))


class DoorHandler(FileSystemEventHandler):
    """The socket's directory: a daemon whose socket is gone can be asked by nobody, and had better leave."""

    def __init__(self, path: bytes, post: Post) -> None:
        self._path, self._post = path, post

    def on_deleted(self, event: FileSystemEvent) -> None:
        """Something was removed; the directory itself included."""
        if self._path.startswith(os.fsencode(event.src_path)):
            self._post(Notice("lost", None))
