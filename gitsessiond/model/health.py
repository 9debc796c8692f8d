"""What a check found, and when that is bad. Pure."""

from __future__ import annotations

from shlex import quote
from typing import Any, NamedTuple

from gitsessiond.model.names import spoken

LOW_BYTES, FEW_BYTES, TOO_FEW_BYTES = 1 << 30, 64 << 20, 1 << 20
LOW_SHARE, LOW_INODES = 0.02, 0.01
BUSY_S = 60.0
MANY_CONFLICTS = 100
NEARLY_FULL = 0.9
OFTEN = 10


class Finding(NamedTuple):
    """One check: ``ok``, ``warn`` or ``fail``, a sentence, and the command to run."""

    name: str
    state: str
    message: str
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As ``doctor`` tells it."""
        return {
            "name": self.name, "ok": self.state != "fail", "state": self.state, "message": self.message, "fixed": False,
            "hint": self.hint,
        }  # fmt: skip


def disk_space(path: str, free: int, size: int, free_inodes: int, inodes: int) -> Finding:
    """Whether there is room to record; file systems without a fixed number of inodes have 0 of them."""
    words = f"{free / 1e9:,.1f} GB free of {size / 1e9:,.1f} GB at {path}"
    if free < TOO_FEW_BYTES:
        return Finding("disk", "fail", words, f"df -h {quote(path)}")
    if free < FEW_BYTES or (free < LOW_BYTES and free < size * LOW_SHARE):
        return Finding("disk", "warn", words, f"df -h {quote(path)}")
    if inodes and free_inodes < inodes * LOW_INODES:
        return Finding(
            "disk", "warn", f"{free_inodes:,} of {inodes:,} inodes are free at {path}", f"df -i {quote(path)}"
        )
    return Finding("disk", "ok", words)


def open_conflicts(count: int) -> Finding:
    """Conflicts wait as long as one likes; very many are worth a word."""
    words = (
        "no conflict is open" if not count else "1 conflict is open" if count == 1 else f"{count} conflicts are open"
    )
    if count >= MANY_CONFLICTS:
        return Finding("conflicts", "warn", words, "git session conflicts")
    return Finding("conflicts", "ok", words)


def contention(name: str, times: int) -> Finding:
    """Whether one lock keeps others out again and again; whose it is may change."""
    if times < OFTEN:
        return Finding("lock contention", "ok", f"no lock kept others out {OFTEN} times in the last hour")
    words = f"{spoken(name)} kept others out {times:,} times in the last hour: lock less of it, or shorter"
    return Finding("lock contention", "warn", words, "git session locks")


def recorder_at_work(pid: int | None, busy_s: float, waiting: int, deaths: int) -> Finding:
    """Whether what records keeps up."""
    if pid is None:
        return Finding("recorder", "warn", "not started; the next command starts it", "git session daemon logs")
    words = f"process {pid}"
    if busy_s >= BUSY_S:
        return Finding(
            "recorder", "warn", f"{words}, at work on one thing for {busy_s:.0f} s", "git session daemon logs"
        )
    if deaths:
        return Finding("recorder", "warn", f"{words}, begun again {deaths} times", "git session daemon logs")
    return Finding("recorder", "ok", words + (f", {waiting} paths to record" if waiting else ""))


def coverage(worktrees: int, polled: tuple[list[str], str], watches: int, most: int | None, overflows: int) -> Finding:
    """Whether every worktree is watched by the kernel's events. ``polled``: which are not, and why."""
    more, (which, why) = "sudo sysctl fs.inotify.max_user_watches=524288", polled
    if which:
        words = f"looked at every few seconds, not watched: {', '.join(which)} ({why})"
        return Finding(
            "watcher", "warn", words, "git config --unset gitsession.watch" if "gitsession." in why else more
        )
    words = f"{worktrees} worktree{'' if worktrees == 1 else 's'}, {watches:,} directories"
    if most is not None and watches >= most * NEARLY_FULL:
        return Finding("watcher", "warn", f"{words}; the system allows {most:,} watches in all", more)
    return Finding(
        "watcher", "ok", words + (f"; {overflows} overflows, each followed by a look at all" if overflows else "")
    )


def room_for_connections(count: int, most: int, refused: int) -> Finding:
    """Whether more can connect."""
    words = f"{count} of {most:,}" + (f", {refused} refused" if refused else "")
    if count >= most * NEARLY_FULL:
        return Finding("connections", "warn", words, f"git config gitsession.maxConnections {2 * most}")
    return Finding("connections", "ok", words)


def settings_judged(wrong: list[str], idle: list[str]) -> Finding:
    """What is written in the settings and means nothing."""
    if wrong or idle:
        return Finding("config", "warn", "; ".join([*wrong, *idle]), "git session config --show-origin")
    return Finding("config", "ok", "every setting means something")
