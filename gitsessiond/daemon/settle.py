"""When names are quiet (docs/protocol.md, "Between front and recorder"). Pure: time is passed in, in seconds.

1. A known name that was closed after writing, or moved into place: at once.
2. A name nobody knew, a name that went, one whose mode changed, a directory that went: :data:`WAIT` later.
3. A backup in the making (``f`` renamed to ``f~``, then ``f`` written anew): ``f~`` waits until ``f`` was closed.
   One made as a copy waits :data:`COPY_WAIT`: of a file that is written in place only the end is told. A command
   that asks in between does not see half of it either: ``f`` is neither deleted nor renamed.
4. What came and went meanwhile never was: it rides along with the next batch, and causes none.

Names taken together are one batch, and one step of the history.
"""

from __future__ import annotations

from typing import NamedTuple

from gitsessiond.daemon.mailbox import Notice

WAIT = 0.05
COPY_WAIT = 0.5
TOGETHER = 0.005  # names due within this time of each other go together
LONGEST_HOLD = 2.0  # a writer that does not close its file keeps a backup's name back for no longer
MOST_PASSING = 1000


class Known:
    """Names that a batch has told of, or that a listing found: by their hashes, for all worktrees together.

    A name known by mistake goes at once instead of a moment later; no more depends on it.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, path: bytes) -> None:
        """Know a name; may be called from the watch's thread."""
        self._hashes.add(hash(path))

    def forget(self, path: bytes) -> None:
        """Know it no longer."""
        self._hashes.discard(hash(path))

    def __contains__(self, path: bytes) -> bool:
        return hash(path) in self._hashes


class Waiting(NamedTuple):
    """A name that is not quiet yet."""

    due: float
    gone: bool = False
    finished: bool = True  # False: it appeared, and may be open for writing
    behind: bytes | None = None  # the name whose backup this may be


class Settled(NamedTuple):
    """What goes to the recorder as one batch. ``git``: git did something in that worktree."""

    paths: tuple[bytes, ...]
    git: bool = False


class Settling:
    """The names of one worktree that are on their way."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._ready: dict[bytes, None] = {}
        self._waiting: dict[bytes, Waiting] = {}
        self._writing: dict[bytes, float] = {}  # known names that are being written anew, since when
        self._backups: dict[bytes, bytes] = {}  # known name -> the name it was moved to, while that waits
        self._passing: dict[bytes, None] = {}
        self._ring_due: float | None = None
        self._alarm: float | None = None  # nothing is due before; kept low, so that no notice costs a search

    def saw(self, notice: Notice, now: float) -> None:
        """Take one notice of this worktree in."""
        path = notice.path
        match notice.what:
            case "closed":
                self._closed(path, now, None)
            case "moved_in":
                self._closed(path, now, notice.other or None)
            case "created":
                self._created(path, now)
            case "gone":
                self._gone(path, now)
            case "attrib" | "dir":
                if path not in self._ready and path not in self._waiting:
                    self._wait(path, Waiting(now + WAIT))
            case "hook":  # git itself says that it has done what it had to do
                self._ring_due = now
                self._ring_alarm(now)
            case "rang":
                if self._ring_due is None:
                    self._ring_due = now + WAIT
                    self._ring_alarm(self._ring_due)

    def _closed(self, path: bytes, now: float, source: bytes | None) -> None:
        """Its content is whole."""
        self._writing.pop(path, None)
        backup = self._backups.pop(path, None)
        if backup is not None and backup in self._waiting:
            self._wait(backup, self._waiting[backup]._replace(due=now + WAIT, behind=None))
        since = self._waiting.pop(path, None)
        if path in self._known and not (source is not None and path == source + b"~"):
            self._ready[path] = None
            self._ring_alarm(now)
            return
        behind = source if source is not None and source in self._known else None
        if behind is not None:
            self._backups[behind] = path
        due = since.due if since is not None and not since.gone else now + self._wait_of(path, source)
        self._wait(path, Waiting(due, behind=behind))

    def _created(self, path: bytes, now: float) -> None:
        """It is there; whether whole is not known."""
        if path in self._ready:
            return
        if path in self._known:
            self._writing[path] = now
        since = self._waiting.get(path)
        if since is None or since.gone:
            self._wait(path, Waiting(since.due if since else now + self._wait_of(path, None), finished=False))

    def _wait_of(self, path: bytes, source: bytes | None) -> float:
        """How long a name waits that nobody knew; ``source``: what it was called before."""
        copied = source is None and path.endswith(b"~") and path[:-1] in self._known
        return COPY_WAIT if copied and path not in self._known else WAIT

    def _gone(self, path: bytes, now: float) -> None:
        """It is not there any more."""
        self._writing.pop(path, None)
        self._ready.pop(path, None)
        since = self._waiting.get(path)
        if since is not None and not since.gone and path not in self._known:
            del self._waiting[path]
            self._passing[path] = None
            if len(self._passing) > MOST_PASSING:
                self._ring_alarm(now)
        else:
            self._wait(path, Waiting(since.due if since else now + WAIT, gone=True))

    def _wait(self, path: bytes, waiting: Waiting) -> None:
        """Let a name wait; that it came and went before is no reason to tell of it sooner."""
        self._waiting[path] = waiting
        self._passing.pop(path, None)
        self._ring_alarm(waiting.due)

    def _ring_alarm(self, at: float) -> None:
        """Look again at that time at the latest."""
        if self._alarm is None or at < self._alarm:
            self._alarm = at

    def next_look(self) -> float | None:
        """When to :meth:`take` next; None: nothing is on its way."""
        return self._alarm

    def take(self, now: float) -> Settled | None:
        """The names that are quiet now, or None."""
        if self._alarm is None or self._alarm > now:
            return None
        quiet = [path for path, one in self._waiting.items() if self._due(one, now) <= now + TOGETHER]
        git = self._ring_due is not None and self._ring_due <= now + TOGETHER
        if not quiet and not git and not self._ready and len(self._passing) <= MOST_PASSING:
            self._set_alarm(now)
            return None
        return self._settled(quiet, now, git=git)

    def flush(self, now: float) -> Settled | None:
        """All names, quiet or not, but those of a save that is not over: a command is about to ask."""
        held = self._in_the_making(now)
        told = [path for path in self._waiting if path not in held]
        if not (self._ready or told or self._passing or self._ring_due is not None):
            return None
        return self._settled(told, now, git=self._ring_due is not None)

    def _in_the_making(self, now: float) -> set[bytes]:
        """Names ``f`` that were moved to a backup just now and are about to be written anew, and the backups."""
        held: set[bytes] = set()
        for path, backup in self._backups.items():
            if backup != path + b"~" or backup not in self._waiting:
                continue
            one, since = self._waiting.get(path), self._writing.get(path)
            if (since is not None and since + LONGEST_HOLD > now) or (one is not None and one.gone and one.due > now):
                held |= {path, backup}
        return held

    def _due(self, waiting: Waiting, now: float) -> float:
        """When a name goes, as things are: a backup's waits for the file it is of."""
        since = self._writing.get(waiting.behind) if waiting.behind is not None else None
        if since is None or waiting.due > now + TOGETHER:
            return waiting.due
        return max(waiting.due, since + LONGEST_HOLD)

    def _settled(self, quiet: list[bytes], now: float, *, git: bool) -> Settled:
        """Hand these names and all that are ready out."""
        for path in quiet:
            waiting = self._waiting.pop(path)
            self._ready[path] = None
            if waiting.behind is not None:
                self._backups.pop(waiting.behind, None)
            if waiting.gone:
                self._known.forget(path)
            elif waiting.finished:
                self._known.add(path)
        paths = (*self._ready, *(path for path in self._passing if path not in self._ready))
        self._ready, self._passing = {}, {}
        if git:
            self._ring_due = None
        self._set_alarm(now)
        return Settled(paths, git)

    def _set_alarm(self, now: float) -> None:
        """Search when the next name is due."""
        times = [self._due(waiting, now) for waiting in self._waiting.values()]
        if self._ring_due is not None:
            times.append(self._ring_due)
        self._alarm = min(times, default=None)
