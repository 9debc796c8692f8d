"""Front as it is: ``daemon.status``, its part of ``doctor`` and of ``metrics`` (docs/metrics.md)."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gitsessiond.daemon.beside import Beside, Looked, LookedAt
from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.process import resident_mb
from gitsessiond.daemon.recording import Recording
from gitsessiond.daemon.tally import Tally
from gitsessiond.daemon.watch import Watch
from gitsessiond.daemon.worktrees import Worktrees
from gitsessiond.model.health import Finding, contention, coverage, recorder_at_work, room_for_connections
from gitsessiond.model.rates import Family, counter, counters, gauge, gauges
from gitsessiond.wire.requests import VERSION

MOST_WATCHES = "/proc/sys/fs/inotify/max_user_watches"

Message = dict[str, Any]


class Parts(NamedTuple):
    """What is asked about, and by whom; the three texts are told as they are."""

    clients: Clients
    events: Events
    recording: Recording
    watch: Watch
    worktrees: Worktrees
    tally: Tally
    beside: Mapping[str, Beside]
    version: str
    socket: str
    log: str


class Figures:
    """What is told of front, and of the recorder as front sees it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started, self._started_at = time.monotonic(), time.time()
        self.overflows = 0

    def status(self) -> Message:
        """``daemon.status``."""
        parts, recorder, now = self._parts, self._parts.recording.pid, time.monotonic()
        front_mb = resident_mb(os.getpid())
        recorder_mb = resident_mb(recorder) if recorder is not None else None
        outbox, counted = parts.recording.outbox, parts.events.counted
        found = {
            "pid": os.getpid(),
            "recorder_pid": recorder,
            "version": parts.version,
            "versions": {"gitsessiond": parts.version, "python": platform.python_version(), "protocol": VERSION},
            "uptime_s": round(now - self._started, 1),
            "sessions": len(parts.worktrees),
            "watches": parts.watch.count(),
            "watcher": parts.watch.describe(),
            "saves": parts.events.saves,
            "batches": parts.recording.batches,
            "scans": parts.worktrees.scans,
            "overflows": self.overflows,
            "at_work": outbox.at_work(now),
            "left": outbox.names_before(None),
            "queue": {"names": outbox.names_before(None), "requests": outbox.requests},
            "rss_mb": round((front_mb or 0.0) + (recorder_mb or 0.0), 1),
            "front_rss_mb": front_mb,
            "recorder_rss_mb": recorder_mb,
            "recorder_restarts": parts.tally.recorder_deaths,
            "connections": {
                "open": len(parts.clients), "most": parts.clients.most, "refused": parts.clients.refused,
                "followers": parts.events.followers,
            },
            "events": {
                "seq": parts.events.last, "published": counted.published, "sent": counted.sent,
                "bytes_sent": counted.bytes_sent, "dropped": counted.dropped, "per_s": parts.tally.event_rates(),
            },
            "socket": parts.socket,
            "log": parts.log,
        }  # fmt: skip
        for one in self._looks(now):
            found |= one.counts
        return found

    def _looks(self, now: float, *, deep: bool = False) -> list[Looked]:
        """What those beside the recorder say of themselves."""
        return [one.look(now, deep) for one in self._parts.beside.values() if isinstance(one, LookedAt)]

    def families(self) -> list[Family]:
        """``daemon.metrics``."""
        parts, status = self._parts, self.status()
        memory = {"front": bytes_of(status["front_rss_mb"]), "recorder": bytes_of(status["recorder_rss_mb"])}
        connections, events = status["connections"], status["events"]
        found = [
            Family("gitsession_info", "gauge", "Which daemon this is.", [({"version": parts.version}, 1)]),
            gauge("start_time_seconds", "When the daemon began, in seconds since 1970.", round(self._started_at, 3)),
            gauges("resident_memory_bytes", "Memory that a process keeps resident.", "process", memory),
            gauge("worktrees", "Worktrees that are recorded.", status["sessions"]),
            gauge("watches", "Directories that are watched.", status["watches"]),
            gauge("queue_paths", "Paths that wait to be recorded.", status["queue"]["names"]),
            gauge("queue_requests", "Requests that wait for the recorder.", status["queue"]["requests"]),
            gauge("connections", "Open connections.", connections["open"]),
            gauge("connections_most", "Connections that may stay.", connections["most"]),
            gauge("followers", "Connections that follow events.", connections["followers"]),
            counter("connections_refused", "Connections refused because there were too many.", connections["refused"]),
            counters("events", "Events published.", "type", parts.events.counted.by_type),
            counter("events_sent", "Events sent to followers.", events["sent"]),
            counter("event_bytes_sent", "Bytes of events sent to followers.", events["bytes_sent"]),
            counter("events_dropped", "Events that a follower was too slow for.", events["dropped"]),
            counter("batches", "Batches of changed names handed to the recorder.", status["batches"]),
            counter("scans", "Looks at a whole worktree.", status["scans"]),
            counter("overflows", "Times the system dropped file events.", self.overflows),
        ]
        beside = [family for one in self._looks(time.monotonic()) for family in one.families]
        return [*found, *parts.tally.families(), *beside]

    def findings(self) -> Iterable[Finding]:
        """``daemon.health``: the checks of ``doctor`` that front can make."""
        parts, now = self._parts, time.monotonic()
        recording = parts.recording
        up = f"process {os.getpid()}, up {time.monotonic() - self._started:,.0f} s, version {parts.version}"
        yield Finding("front", "ok", up)
        outbox = recording.outbox
        yield recorder_at_work(
            recording.pid, outbox.busy_s(now), outbox.names_before(None), parts.tally.recorder_deaths
        )
        polled = (parts.watch.polled(), parts.watch.why_polling)
        yield coverage(len(parts.worktrees), polled, parts.watch.count(), most_watches(), self.overflows)
        yield room_for_connections(len(parts.clients), parts.clients.most, parts.clients.refused)
        yield contention(*parts.tally.contended())
        for one in self._looks(now, deep=True):
            yield from one.findings


def bytes_of(megabytes: float | None) -> float | None:
    """Memory in bytes, to the tenth of a megabyte."""
    return None if megabytes is None else round(megabytes * 1e6)


def most_watches() -> int | None:
    """How many directories the user may have watched; None where nobody says."""
    try:
        with open(MOST_WATCHES, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
