"""watchdog's seam: an emitter that only reads the kernel's queue, an observer that decodes and dispatches.

Two threads, so that the reader keeps up with 300,000 events a second whatever the other one has to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from watchdog.events import FileSystemEvent
from watchdog.observers.api import BaseObserver, EventDispatcher, EventEmitter, EventQueue, ObservedWatch

from gitsessiond.daemon import inotify
from gitsessiond.daemon.inotify import Inotify, Record, decode
from gitsessiond.daemon.log import log_bug
from gitsessiond.daemon.trees import Trees

MOST_UNREAD = 512  # reads of up to 256 KiB that wait to be decoded; beyond that they are dropped as the kernel would


class RawRecords(FileSystemEvent):
    """What one read of the descriptor gave, undecoded, as ``src_path``."""

    event_type = "raw"


class OverflowEvent(FileSystemEvent):
    """Events were lost, before the kernel's queue or in ours."""

    event_type = "overflow"


class InotifyEmitter(EventEmitter):
    """Reads; does nothing else."""

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        timeout: float = 1.0,
        event_filter: list[type[FileSystemEvent]] | None = None,
        source: Inotify,
    ) -> None:
        super().__init__(event_queue, watch, timeout=timeout, event_filter=event_filter)
        self._source, self._full = source, False

    def queue_events(self, timeout: float) -> None:
        """Hand one read on. Blocks in the kernel, without waking up in between."""
        raw = self._source.read()
        if not raw:
            return
        if self._event_queue.qsize() > MOST_UNREAD:
            if not self._full:
                self.queue_event(OverflowEvent(b""))
            self._full = True
            return
        self._full = False
        self.queue_event(RawRecords(raw))

    def on_thread_stop(self) -> None:
        """End the read."""
        self._source.stop()


class InotifyObserver(BaseObserver):
    """Decodes records and calls the handlers of the areas they happened in."""

    def __init__(self, source: Inotify, on_overflow: Callable[[], None]) -> None:
        super().__init__(InotifyEmitter, source=source)
        self.trees = Trees(source)
        self.reads = 0  # read chunks worked off; a barrier sees by it that things move
        self._on_overflow = on_overflow

    def do(self, work: Callable[[], None]) -> None:
        """Have work done by the thread that owns the trees, after all that was read so far."""
        self.event_queue.put((work, None))

    def dispatch_events(self, event_queue: EventQueue) -> None:
        """Work one entry of the queue off."""
        entry: Any = event_queue.get(block=True)
        if entry is EventDispatcher.stop_event:
            return
        event, _ = entry
        try:
            if isinstance(event, OverflowEvent):
                self._on_overflow()
            elif isinstance(event, RawRecords):
                self._dispatch(bytes(event.src_path))  # type: ignore[arg-type]
            else:
                event()
        except Exception as exc:  # this thread must not end: nothing would be seen any more, and nobody told
            log_bug("the watch", exc)
            self._on_overflow()
        self.reads += 1

    def _dispatch(self, raw: bytes) -> None:
        """One read's records, to the handlers."""
        for area, event in self.trees.apply(self._kept(raw)):
            area.handler.dispatch(event)

    def _kept(self, raw: bytes) -> Iterator[Record]:
        """The records about directories; the one about a full queue is told at once."""
        for record in decode(raw):
            if record.mask & inotify.OVERFLOW:
                self._on_overflow()
            else:
                yield record
