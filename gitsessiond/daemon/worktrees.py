"""The worktrees that are recorded: their watches, what settles in them, and when they must be looked at whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitsessiond.daemon.log import log
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Batch, Outbox
from gitsessiond.daemon.settle import Known, Settled, Settling
from gitsessiond.daemon.watch import POLL_EVERY_S, Watch
from gitsessiond.model.names import quote_path, unquote_path

RENEW_AFTER_S = 0.25  # from the loss of a directory to the look whether another one lies there


class Root:
    """One worktree."""

    def __init__(self, worktree: str, git_dir: str, ignored: frozenset[bytes], known: Known) -> None:
        self.worktree, self.git_dir, self.ignored = worktree, git_dir, ignored
        self.settling = Settling(known)
        self.adding = True  # its watches are not in place yet
        self.again = False  # events were lost while they were put in place
        self.stale = False  # its recorded state may differ from the disk without an event to come
        self.scanned_at = 0.0
        self.rang_at = 0.0
        self.lost_at: float | None = None  # its directory, and the watches with it, went


class Worktrees:
    """All of them, as the recorder last told. Not more than the outbox and the watch learn of what is decided here."""

    def __init__(self, watch: Watch, outbox: Outbox, known: Known, scan_every_s: float) -> None:
        self._watch, self._outbox, self._known = watch, outbox, known
        self._scan_every_s = scan_every_s
        self._roots: dict[str, Root] = {}
        self.scans = 0

    def __len__(self) -> int:
        return len(self._roots)

    def names(self) -> list[str]:
        """Where they are."""
        return sorted(self._roots)

    @property
    def adding(self) -> bool:
        """Whether watches are being put in place."""
        return any(root.adding for root in self._roots.values())

    def set(self, told: Iterable[dict[str, Any]]) -> None:
        """Watch exactly these, as the recorder's ``watch`` message lists them."""
        wanted = {str(one["worktree"]): one for one in told}
        for worktree in [worktree for worktree in self._roots if worktree not in wanted]:
            self._drop(worktree)
        for worktree, one in wanted.items():
            ignored = frozenset(unquote_path(str(path)) for path in one.get("ignored", ()))
            root = self._roots.get(worktree)
            if root is not None and root.git_dir == one["git_dir"]:
                if root.ignored != ignored:
                    root.ignored = ignored
                    self._watch.set_ignored(worktree, ignored)
                continue
            self._roots[worktree] = Root(worktree, str(one["git_dir"]), ignored, self._known)
            self._watch.add(worktree, str(one["git_dir"]), ignored)

    def _drop(self, worktree: str) -> None:
        del self._roots[worktree]
        self._watch.remove(worktree)

    def take(self, notice: Notice, now: float) -> None:
        """What the watch saw in one worktree (``rang``: perhaps in all)."""
        if notice.worktree is None:
            for root in self._roots.values():
                root.settling.saw(notice, now)
            return
        known = self._roots.get(notice.worktree)
        if known is None:
            return
        match notice.what:
            case "watched":
                self._watched(known, now)
            case "limit":
                self._limited(known, notice.path, now)
            case "lost":
                known.stale, known.lost_at = True, now
            case _:
                if notice.what == "gone" and notice.path == b".git":  # all there is while somebody stands in it
                    known.stale, known.lost_at = True, now
                known.settling.saw(notice, now)

    def _watched(self, root: Root, now: float) -> None:
        """Its watches are in place: look at what happened before they were."""
        if root.again:
            root.again = False
            self._watch.add(root.worktree, root.git_dir, root.ignored)
            return
        root.adding = False
        self._scan(root, now)

    def _limited(self, root: Root, why: bytes, now: float) -> None:
        """It cannot be watched whole."""
        if not self._watch.is_polled(root.worktree):
            log(f"polling {root.worktree}: {why.decode()}")
            self._watch.poll_instead(root.worktree, root.ignored, why.decode())
        root.adding = False
        self._scan(root, now)

    def overflowed(self) -> None:
        """Events were lost: put all watches in place again, then look at everything."""
        self._watch.look_again()
        for root in self._roots.values():
            if self._watch.is_polled(root.worktree):
                root.stale = True
            else:
                self._renew(root)

    def _renew(self, root: Root) -> None:
        """Put its watches in place again; it is looked at whole when they are."""
        root.lost_at = None
        if root.adding:
            root.again = True
            return
        root.adding = True
        if self._watch.is_polled(root.worktree):
            self._watch.remove(root.worktree)
        self._watch.add(root.worktree, root.git_dir, root.ignored)

    def _scan(self, root: Root, now: float, *, first: bool = False) -> None:
        """Have the whole worktree looked at; ``first``: before the requests that wait already."""
        root.stale, root.scanned_at = False, now
        self.scans += 1
        batch = Batch(root.worktree, scan=True, git=True)
        if first:
            self._outbox.put_back(batch)
        else:
            self._outbox.put_batch(batch)

    def mark_stale(self, worktree: str | None = None) -> None:
        """What is recorded of a worktree (or of all) may differ from the disk: scan before the next request."""
        for root in self._roots.values():
            if worktree is None or root.worktree == worktree:
                root.stale = True

    def scan_all(self, now: float, *, first: bool = False) -> None:
        """Have every worktree looked at whole whose watches are in place."""
        for root in self._roots.values():
            if not root.adding:
                self._scan(root, now, first=first)

    def pruned(self, worktree: str, paths: Iterable[str]) -> None:
        """The recorder found directories that need no watch."""
        found = [unquote_path(path) for path in paths]
        if found:
            self._watch.prune(worktree, found)

    def tick(self, now: float) -> None:
        """Hand on what has become quiet, and what is due by the clock."""
        for root in self._roots.values():
            self._settled(root, root.settling.take(now))
            if root.lost_at is not None and now - root.lost_at >= RENEW_AFTER_S:
                self._renew(root)  # one that was added again at the same place lies in other directories
            if self._scan_every_s and not root.adding and now - root.scanned_at >= self._scan_every_s:
                self._scan(root, now)
            if self._watch.is_polled(root.worktree) and now - root.rang_at >= POLL_EVERY_S:
                root.rang_at = now  # the doorbells are not polled: ask git's files each time
                self._outbox.put_batch(Batch(root.worktree, git=True))

    def _settled(self, root: Root, settled: Settled | None) -> None:
        """Queue what settled together as one batch."""
        if settled is not None:
            paths = tuple(quote_path(path) for path in settled.paths)
            self._outbox.put_batch(Batch(root.worktree, paths, git=settled.git))

    def flush(self, now: float) -> None:
        """A request comes: hand on everything, and scan where events cannot be trusted."""
        for root in self._roots.values():
            self._settled(root, root.settling.flush(now))
            if root.stale or self._watch.is_polled(root.worktree):
                self._scan(root, now)

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do."""
        times: list[float] = []
        for root in self._roots.values():
            due = root.settling.next_look()
            if due is not None:
                times.append(due)
            if root.lost_at is not None:
                times.append(root.lost_at + RENEW_AFTER_S)
            if self._scan_every_s and not root.adding:
                times.append(root.scanned_at + self._scan_every_s)
            if self._watch.is_polled(root.worktree):
                times.append(root.rang_at + POLL_EVERY_S)
        return min(times, default=None)


def limit_event(notice: Notice) -> dict[str, Any]:
    """Says that a worktree is polled from now on, and what to do about it."""
    words = f"{notice.path.decode()}: {notice.worktree} is polled"
    hint = "sudo sysctl fs.inotify.max_user_watches=524288"
    return {"type": "watch_limit", "session": None, "text": words, "hint": hint}
