"""What front has watched: worktrees, the doorbells in git directories, its own cookies; polling where inotify fails.

Only the observer's thread changes what is watched (methods here hand it the work); what it has to tell goes to
front's mailbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from watchdog.events import FileSystemEventHandler
from watchdog.observers.api import ObservedWatch
from watchdog.observers.polling import PollingObserverVFS

from gitsessiond.daemon.handlers import (
    BranchesHandler,
    CookieHandler,
    DoorHandler,
    GitDirHandler,
    NestedHandler,
    WorktreeHandler,
)
from gitsessiond.daemon.inotify import Inotify, WatchLimitError
from gitsessiond.daemon.log import log
from gitsessiond.daemon.mailbox import Mailbox, Notice
from gitsessiond.daemon.observer import InotifyObserver
from gitsessiond.daemon.trees import Area
from gitsessiond.model.swapfiles import is_lock
from gitsessiond.wire.place import git_dir_of

POLL_EVERY_S = 2.0
CONTROL_DIRECTORY = b".gitsession"  # git ignores it, but what is saved below it is for us


class Shared(NamedTuple):
    """Paths that are watched for all worktrees: the directory of cookies, the git common dir, the socket."""

    cookies: str
    common_dir: str
    socket: str


class Watch:
    """What front asks to be watched. Every method returns at once; answers are notices.

    ``listed`` is called, in the observer's thread, with each file that is there when a directory is first listed.
    ``poll``: do not even try inotify.
    """

    def __init__(self, shared: Shared, box: Mailbox, listed: Callable[[bytes], None], *, poll: bool) -> None:
        self._shared, self._box, self._listed = shared, box, listed
        self._areas: dict[str, list[Area]] = {}  # the first one is the worktree's tree, the others are doorbells
        self._nested: dict[tuple[str, bytes], list[Area]] = {}
        self._polling: PollingObserverVFS | None = None
        self._polled: dict[str, ObservedWatch] = {}
        self._unpolled: set[str] = set()  # absolute paths of ignored directories
        self._observer: InotifyObserver | None = None
        self._source: Inotify | None = None
        self.why_polling = "gitsession.watch = poll" if poll else ""
        if not poll:
            self._begin()

    def _begin(self) -> None:
        """Open inotify and watch what belongs to no worktree; without it everything is polled."""
        try:
            self._source = Inotify()
        except WatchLimitError as exc:
            self.why_polling = str(exc)
            log(f"polling: {exc}")
            return
        self._observer = InotifyObserver(self._source, lambda: self._box.post(Notice("overflow")))
        self._observer.schedule(FileSystemEventHandler(), self._shared.cookies)  # starts the one emitter
        self._observer.start()
        self._observer.do(self._watch_shared)

    def _watch_shared(self) -> None:
        """What belongs to no worktree."""
        post = self._box.post
        cookies, common, socket = map(os.fsencode, self._shared)
        areas = [
            Area(cookies, CookieHandler(post), deep=False),
            Area(os.path.dirname(socket), DoorHandler(socket, post), deep=False),
            Area(common, GitDirHandler(None, post), deep=False),
            Area(common + b"/refs/heads", BranchesHandler(post), deep=True),
        ]
        try:
            self._add_areas(areas)
        except WatchLimitError as exc:  # worktrees, which come after, find no watches either and are polled
            log(f"git's own files are not watched: {exc}")

    def _add_areas(self, areas: Iterable[Area]) -> None:
        assert self._observer is not None
        for area in areas:
            self._observer.trees.add(area)

    @property
    def can_cookie(self) -> bool:
        """Whether a cookie's event will come."""
        return self._observer is not None

    @property
    def progress(self) -> int:
        """Grows while events are worked off."""
        return self._observer.reads if self._observer else 0

    def count(self) -> int:
        """How many directories are watched."""
        return len(self._observer.trees) if self._observer else 0

    def is_polled(self, worktree: str) -> bool:
        """Whether a worktree's events may come late."""
        return worktree in self._polled

    def polled(self) -> list[str]:
        """The worktrees whose events may come late."""
        return sorted(self._polled)

    def describe(self) -> str:
        """The kind of watching, for the panel."""
        if not self._observer or self._polled:
            return f"polling ({self.why_polling})"
        return "inotify"

    def add(self, worktree: str, git_dir: str, ignored: Iterable[bytes]) -> None:
        """Watch a worktree; ``watched`` or ``limit`` is posted when that is done. Ignored ones: relative."""
        if self._observer is None:
            self._poll(worktree, ignored)
            self._box.post(Notice("watched", worktree))
            return
        skipped = set(ignored) - {CONTROL_DIRECTORY}
        self._observer.do(lambda: self._add(worktree, os.fsencode(git_dir), skipped))

    def _add(self, worktree: str, git_dir: bytes, skipped: set[bytes]) -> None:
        """In the observer's thread: doorbells, then the tree."""
        assert self._observer is not None
        self._remove(worktree)
        post = self._box.post
        tree = Area(
            os.fsencode(worktree),
            WorktreeHandler(worktree, post),
            deep=True,
            skipped=skipped,
            on_nested=lambda path: self._add_nested(worktree, path),
        )
        bell = GitDirHandler(worktree, post)
        bells = [Area(git_dir, bell, deep=False), Area(git_dir + b"/logs", bell, deep=False)]
        self._areas[worktree] = [tree, *bells]
        try:
            self._add_areas(bells)
            self._observer.trees.add(tree, found=lambda path: self._found(worktree, path))
            self._find_nested(worktree, skipped)
        except WatchLimitError as exc:
            post(Notice("limit", worktree, str(exc).encode()))
        else:
            post(Notice("watched", worktree))
            if not tree.dirs:
                post(Notice("lost", worktree))

    def _found(self, worktree: str, path: bytes) -> None:
        """A file that is there when a worktree is listed for the first time."""
        self._listed(path)
        if is_lock(path):
            self._box.post(Notice("lock", worktree, path))

    def _find_nested(self, worktree: str, skipped: Iterable[bytes]) -> None:
        """Submodules are among the directories that need no watch; their HEADs do."""
        for path in skipped:
            if git_dir_of(f"{worktree}/{os.fsdecode(path)}") is not None:
                self._add_nested(worktree, path)

    def _add_nested(self, worktree: str, path: bytes) -> None:
        """In the observer's thread: watch for a nested repository's HEAD, and for its end."""
        self._drop_nested(worktree, path)
        top = os.fsencode(worktree) + b"/" + path
        found = git_dir_of(os.fsdecode(top))
        handler = NestedHandler(
            top,
            look=lambda: self._box.post(Notice("created", worktree, path)),
            again=None if found else lambda: self._add_nested(worktree, path),
            end=lambda: self._end_nested(worktree, path),
        )
        git_dir = os.fsencode(found) if found else top + b"/.git"
        areas = [
            Area(top, handler, deep=False),
            Area(git_dir, handler, deep=False),
            Area(git_dir + b"/logs", handler, deep=False),
            Area(git_dir + b"/refs/heads", handler, deep=True),
        ]
        self._nested[worktree, path] = areas
        self._add_areas(areas)
        self._box.post(Notice("created", worktree, path))

    def _drop_nested(self, worktree: str, path: bytes) -> None:
        """Forget a nested repository's watches."""
        assert self._observer is not None
        for area in self._nested.pop((worktree, path), []):
            self._observer.trees.drop(area)

    def _end_nested(self, worktree: str, path: bytes) -> None:
        """Its ``.git`` is gone: the files below, if there are any, are the worktree's."""
        assert self._observer is not None
        self._drop_nested(worktree, path)
        self._box.post(Notice("dir", worktree, path + b"/"))
        areas = self._areas.get(worktree)
        if areas and path.rpartition(b"/")[0] in areas[0].dirs:
            post = self._box.post
            self._observer.trees.add(areas[0], path, lambda file: post(Notice("created", worktree, file)))

    def set_ignored(self, worktree: str, ignored: Iterable[bytes]) -> None:
        """The whole list of directories that need no watch; what is no longer in it is watched, and hinted at."""
        if self._observer is not None:
            wanted = set(ignored) - {CONTROL_DIRECTORY}
            self._observer.do(lambda: self._set_ignored(worktree, wanted))

    def _set_ignored(self, worktree: str, wanted: set[bytes]) -> None:
        assert self._observer is not None
        areas = self._areas.get(worktree)
        if not areas:
            return
        tree, trees = areas[0], self._observer.trees
        former, tree.skipped = tree.skipped, wanted
        for path in wanted - former:
            trees.drop(tree, path)
        self._find_nested(worktree, wanted - former)
        for path in former - wanted:
            above = path.rpartition(b"/")[0]
            if above in tree.dirs:
                trees.add(tree, path, lambda file: self._box.post(Notice("created", worktree, file)))

    def prune(self, worktree: str, paths: Iterable[bytes]) -> None:
        """Stop watching these ignored directories."""
        if self._observer is not None:
            gone = set(paths) - {CONTROL_DIRECTORY}
            self._observer.do(lambda: self._prune(worktree, gone))

    def _prune(self, worktree: str, paths: set[bytes]) -> None:
        assert self._observer is not None
        areas = self._areas.get(worktree)
        if areas:
            fresh = paths - areas[0].skipped
            areas[0].skipped |= fresh
            for path in fresh:
                self._observer.trees.drop(areas[0], path)
            self._find_nested(worktree, fresh)

    def look_again(self) -> None:
        """After an overflow: directories may have come and gone unseen. Worktrees are to be added again."""
        if self._observer is not None:
            self._observer.do(self._watch_shared)

    def remove(self, worktree: str) -> None:
        """Stop watching a worktree."""
        if self._polling is not None and worktree in self._polled:
            self._polling.unschedule(self._polled.pop(worktree))
        if self._observer is not None:
            self._observer.do(lambda: self._remove(worktree))

    def _remove(self, worktree: str) -> None:
        assert self._observer is not None
        for key in [key for key in self._nested if key[0] == worktree]:
            self._drop_nested(*key)
        for area in self._areas.pop(worktree, []):
            self._observer.trees.drop(area)

    def poll_instead(self, worktree: str, ignored: Iterable[bytes], why: str) -> None:
        """Give a worktree's watches back and poll it."""
        self.why_polling = why
        self.remove(worktree)
        self._poll(worktree, ignored)

    def _poll(self, worktree: str, ignored: Iterable[bytes]) -> None:
        """Look at a worktree every few seconds, as watchdog's PollingObserver does."""
        if not os.path.isdir(worktree):
            self._box.post(Notice("lost", worktree))
            return
        if self._polling is None:
            self._polling = PollingObserverVFS(os.lstat, self._polled_names, polling_interval=POLL_EVERY_S)
            self._polling.start()
        self._unpolled |= {f"{worktree}/{os.fsdecode(path)}" for path in ignored}
        handler = WorktreeHandler(worktree, self._box.post)
        self._polled[worktree] = self._polling.schedule(handler, worktree, recursive=True)

    def _polled_names(self, path: str | None) -> Iterator[os.DirEntry[str]]:
        """The names of a directory that polling goes through."""
        return (one for one in os.scandir(path) if one.name != ".git" and one.path not in self._unpolled)

    def close(self) -> None:
        """End the threads and give the descriptors back."""
        if self._polling is not None:
            self._polling.stop()
            self._polling.join()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        if self._source is not None:
            self._source.close()
