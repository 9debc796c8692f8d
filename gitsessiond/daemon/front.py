"""Front: the socket, the watch, the events, the barrier; hands everything else to the recorder, one thing at a time.

One loop, one thread (the watch has two of its own and leaves notices). Never imports pygit2, pydantic or click, opens
no user's file, decides nothing about sessions.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitsessiond.daemon.barrier import Barrier, Pending
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.listening import close_socket
from gitsessiond.daemon.log import log
from gitsessiond.daemon.mailbox import Mailbox, Notice
from gitsessiond.daemon.outbox import Ask, Batch, Outbox
from gitsessiond.daemon.process import RecorderChild, descends_from, resident_mb
from gitsessiond.daemon.settle import Known
from gitsessiond.daemon.watch import Watch
from gitsessiond.daemon.worktrees import Worktrees
from gitsessiond.model.errors import BadRequest, GitSessionError, Refused, Unreachable, error_from
from gitsessiond.wire.place import Place, identity, peer_of
from gitsessiond.wire.requests import OWN, READS, VERSION, reply_error, reply_ok

COOKIES = "cookies"
SEQUENCE = "seq"
HOLD_S = 5.0  # how long a reply waits for new watches to be in place
STOP_WITHIN_S = 60.0
QUICK_DEATHS = 3
QUICK_S = 10.0
SLEPT_S = 5.0

Message = dict[str, Any]


class Settings(NamedTuple):
    """What may be set (docs/cli.md, "Configuration")."""

    idle_exit_s: float = 3600.0  # 0: never
    scan_every_s: float = 900.0  # 0: never
    poll: bool = False


class Held(NamedTuple):
    """A reply that waits until what its request made is watched."""

    link: Link
    reply: Message
    until: float


class Front:
    """The front process of one repository's daemon."""

    def __init__(
        self,
        place: Place,
        listener: socket.socket,
        socket_path: str,
        lock: int,
        recorder_words: Sequence[str],
        settings: Settings,
        version: str,
    ) -> None:
        self.place, self.version, self.settings = place, version, settings
        self._listener, self._socket_path = listener, socket_path
        self._lock, self._words = lock, tuple(recorder_words)
        self._identity = identity(place.common_dir)
        cookies = os.path.join(place.state_dir, COOKIES)
        shutil.rmtree(cookies, ignore_errors=True)
        os.makedirs(cookies, mode=0o700)
        self._box, known = Mailbox(), Known()
        self._outbox = Outbox()
        self._watch = Watch(place.common_dir, cookies, self._box, known.add, poll=settings.poll)
        self._worktrees = Worktrees(self._watch, self._outbox, known, settings.scan_every_s)
        self._barrier = Barrier(cookies, self._watch)
        self._events = Events(os.path.join(place.state_dir, SEQUENCE))
        self._select = selectors.DefaultSelector()
        self._links: set[Link] = set()
        self._asked: dict[int, tuple[Link, Any]] = {}  # our number -> who asked, their number
        self._held: list[Held] = []
        self._recorder: RecorderChild | None = None
        self._ready = False  # the recorder has told what to watch
        self._deaths: list[float] = []
        self._number = 0
        self._started = self._active = time.monotonic()
        self._awake = boot_time() - self._started
        self._overflows = self._batches = 0
        self._stopping = False
        self._remove_state = False
        self._last_words: list[tuple[Link, Message]] = []

    # -- the loop -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop, until nothing has been open for long, or until the repository is gone."""
        self._select.register(self._listener, selectors.EVENT_READ, self._accept)
        self._select.register(self._box, selectors.EVENT_READ, self._read_notices)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._box.post(Notice("stop")))
        self._start_recorder()
        while not self._finished():
            for key, mask in self._select.select(self._wait()):
                if isinstance(key.fileobj, Link):
                    self._serve_link(key.fileobj, mask)
                else:
                    key.data()
            self._tick(time.monotonic())
        self._end()

    def _wait(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        now = time.monotonic()
        times = [held.until for held in self._held]
        for due in (self._worktrees.next_look(), self._barrier.next_look(), self._idle_until()):
            if due is not None:
                times.append(due)
        return max(0.0, min(times) - now) if times else None

    def _idle_until(self) -> float | None:
        """When to leave, if nothing comes; None: not while a session is open."""
        if not self.settings.idle_exit_s or len(self._worktrees) or self._asked or self._stopping:
            return None
        return self._active + self.settings.idle_exit_s

    def _tick(self, now: float) -> None:
        """Everything that time brings on."""
        awake = boot_time() - now
        if awake - self._awake > SLEPT_S:
            log(f"slept {awake - self._awake:.0f} s: looking at everything")
            self._worktrees.scan_all(now)
        self._awake = awake
        self._worktrees.tick(now)
        for late in self._barrier.late(now):
            log("a cookie was not seen in time: looking at everything")
            self._worktrees.mark_stale()
            self._hand_on(late, now)
        if not self._worktrees.adding or any(held.until <= now for held in self._held):
            self._release()
        idle_until = self._idle_until()
        if idle_until is not None and idle_until <= now:
            log("idle: leaving")
            self._stop()
        self._pump(now)

    # -- clients --------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """Take a connection, unless it is another user's."""
        try:
            connection, _ = self._listener.accept()
        except OSError as exc:  # gone again; or no descriptor is left, then one is when somebody leaves
            log(f"no connection: {exc}")
            return
        peer = peer_of(connection)
        if peer.uid not in (None, 0, os.geteuid()):
            connection.close()
            return
        link = Link(connection, peer)
        self._links.add(link)
        self._select.register(link, selectors.EVENT_READ)

    def _serve_link(self, link: Link, mask: int) -> None:
        """Read from, or write to, a client or the recorder."""
        if mask & selectors.EVENT_WRITE:
            link.flush()
        if mask & selectors.EVENT_READ:
            frames = link.receive()
            of_recorder = self._recorder is not None and link is self._recorder.link
            for frame in frames or ():
                if of_recorder:
                    self._from_recorder(frame)
                else:
                    self._from_client(link, frame)
            if frames is None:
                if of_recorder:
                    self._recorder_ended()
                    return
                self._leave(link)
                return
        self._after_sending(link)

    def _send(self, link: Link, message: Message) -> None:
        """Send to a client that may be gone."""
        if link not in self._links:
            return
        try:
            link.send(message)
        except BadRequest as exc:
            link.send(reply_error(message.get("id"), exc))
        self._after_sending(link)

    def _after_sending(self, link: Link) -> None:
        """Wait for room in the socket while something is unsent; close it when that was the last."""
        if link.broken or (link.closing and not link.unsent):
            if link in self._links:
                self._leave(link)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.unsent else 0)
        if self._select.get_key(link).events != wanted:
            self._select.modify(link, wanted)

    def _leave(self, link: Link) -> None:
        """A client is gone: what it asked and nobody has begun is forgotten."""
        self._events.leave(link)
        self._links.discard(link)
        self._select.unregister(link)
        link.close()
        self._barrier.withdraw(link)
        for number in [number for number, (who, _) in self._asked.items() if who is link]:
            self._outbox.withdraw(number)
            if not (isinstance(self._outbox.in_flight, Ask) and self._outbox.in_flight.number == number):
                del self._asked[number]

    def _from_client(self, link: Link, frame: Message | BadRequest) -> None:
        """One frame of a client: answered here, or on its way to the recorder."""
        self._active = time.monotonic()
        if isinstance(frame, BadRequest):
            self._send(link, reply_error(None, frame))
            return
        number, verb = frame.get("id"), frame.get("verb")
        try:
            if frame.get("v") != VERSION:
                raise BadRequest(f"version {frame.get('v')!r} is not spoken here", hint="install one gitsessiond")
            if not isinstance(verb, str) or not isinstance(frame.get("args", {}), dict):
                raise BadRequest("not a request: verb and args are needed", hint="see docs/protocol.md")
            if verb in OWN:
                self._own(link, number, verb, frame.get("args", {}))
            else:
                self._ask(link, number, frame)
        except GitSessionError as exc:
            self._send(link, reply_error(number, exc, again=isinstance(exc, Unreachable)))

    def _ask(self, link: Link, number: Any, frame: Message) -> None:
        """Bring a request on its way.

        Raises:
            Unreachable: this daemon is leaving, or its repository is elsewhere; another should be asked.
            Refused: the recorder waits for the very process that asks.
        """
        if self._stopping or not self._is_here():
            self._stop()
            raise Unreachable("the daemon is stopping", hint="run the command again")
        recorder = self._recorder
        if recorder is not None and descends_from(link.peer.pid, recorder.pid):
            raise Refused(
                "git session cannot be asked by a hook that it runs itself",
                hint="ask after the command that runs the hook",
            )
        self._number += 1
        self._asked[self._number] = (link, number)
        verb = "checkpoint" if frame["verb"] == "daemon.checkpoint" else frame["verb"]
        message = {**frame, "verb": verb}
        now = time.monotonic()
        pending = Pending(self._number, link, message, now)
        if self._recorder is None:
            self._start_recorder()
        self._barrier.put(pending)
        if self._ready:
            self._raise_barriers(now)

    def _is_here(self) -> bool:
        """Whether the repository is where it was when the daemon started."""
        try:
            return identity(self.place.common_dir) == self._identity and os.path.isdir(self.place.state_dir)
        except OSError:
            return False

    # -- the barrier ----------------------------------------------------------------------------------------

    def _raise_barriers(self, now: float) -> None:
        """Begin the barrier of every request that waits; those that need none go on at once."""
        for pending in self._barrier.begin(now, needed=len(self._worktrees) > 0):
            self._hand_on(pending, now)

    def _hand_on(self, pending: Pending, now: float) -> None:
        """Its barrier is passed: what is on disk goes first, then the request, if anybody waits for it still."""
        if pending.number not in self._asked:
            return
        self._worktrees.flush(now)
        reads = pending.message["verb"] in READS
        self._outbox.put_ask(Ask(pending.number, pending.message, reads, pending.since))

    def _pump(self, now: float) -> None:
        """Give the recorder the next thing, if it is free."""
        if self._recorder is None or not self._ready:
            return
        message = self._outbox.next(now)
        if message is not None:
            self._batches += "batch" in message
            self._recorder.link.send(message)
            self._after_sending(self._recorder.link)

    def _read_notices(self) -> None:
        """What the watch saw."""
        now = time.monotonic()
        for notice in self._box.take():
            match notice.what:
                case "cookie":
                    passed = self._barrier.seen(notice.path)
                    if passed is not None:
                        self._hand_on(passed, now)
                case "overflow":
                    self._overflows += 1
                    self._events.publish({"type": "overflow", "session": None, "count": self._overflows})
                    self._worktrees.overflowed()
                case "stop":
                    self._stop()
                case "lost" if notice.worktree is None:
                    log("the repository is gone")
                    self._stop()
                case "limit":
                    told = {"type": "watch_limit", "session": None, "worktree": notice.worktree}
                    hint = "sudo sysctl fs.inotify.max_user_watches=524288"
                    self._events.publish(told | {"text": notice.path.decode(), "hint": hint})
                    self._worktrees.take(notice, now)
                case _:
                    self._worktrees.take(notice, now)

    # -- the recorder ---------------------------------------------------------------------------------------

    def _start_recorder(self) -> None:
        """Start a recorder; its first message tells what to watch."""
        try:
            self._recorder = RecorderChild(self._words, self._lock)
        except OSError as exc:
            log(f"no recorder: {exc}")
            self._fail_all(Unreachable(f"the recorder cannot be started: {exc}", hint="git session daemon logs"))
            return
        self._ready = False
        self._select.register(self._recorder.link, selectors.EVENT_READ)

    def _from_recorder(self, frame: Message | BadRequest) -> None:
        """One message of the recorder."""
        now = time.monotonic()
        if isinstance(frame, BadRequest):
            log(f"the recorder sent no frame: {frame.message}")
        elif "watch" in frame:
            self._watches_told(frame["watch"], now)
        elif "event" in frame:
            self._events.publish(frame["event"])
        elif "recorded" in frame:
            self._recorded(frame["recorded"])
        elif "failed" in frame:
            self._fail_all(error_from(frame["failed"]))
        else:
            self._replied(frame, now)
        self._pump(now)

    def _watches_told(self, told: list[Message], now: float) -> None:
        """What is to be watched; from a new recorder also the sign that it is ready."""
        self._worktrees.set(told)
        if not self._ready:
            self._ready = True
            self._worktrees.scan_all(now)
            self._raise_barriers(now)

    def _recorded(self, told: Message) -> None:
        """A batch is in the journal."""
        batch = self._outbox.done()
        for event in told.get("events") or ():
            self._events.publish(event)
        if not isinstance(batch, Batch):
            return
        self._worktrees.pruned(batch.worktree, told.get("prune") or ())
        if told.get("error"):
            log(f"not recorded: {told['error'].get('message')}")
            self._worktrees.mark_stale(batch.worktree)
        elif told.get("left"):
            self._outbox.put_back(Batch(batch.worktree))

    def _replied(self, reply: Message, now: float) -> None:
        """A request is answered; the reply waits while new watches are put in place."""
        ask = self._outbox.done()
        self._active = now
        if not isinstance(ask, Ask) or ask.number not in self._asked:
            return
        link, number = self._asked.pop(ask.number)
        reply = reply | {"v": VERSION, "id": number}
        ok = reply.get("ok")
        if ask.message["verb"] == "uninstall" and isinstance(ok, dict) and ok.get("hard"):
            self._remove_state = True
            self._last_words.append((link, reply))
            self._stop()
        elif self._worktrees.adding:
            self._held.append(Held(link, reply, now + HOLD_S))
        else:
            self._send(link, reply)

    def _release(self) -> None:
        """Send the replies that waited."""
        held, self._held = self._held, []
        for one in held:
            self._send(one.link, one.reply)

    def _recorder_ended(self) -> None:
        """The recorder is dead: begin again, unless that was wanted or it dies of the same thing each time."""
        recorder, self._recorder = self._recorder, None
        assert recorder is not None
        self._select.unregister(recorder.link)
        recorder.link.close()
        code = recorder.wait(STOP_WITHIN_S)
        if code is None:
            recorder.kill()
        was_ready, self._ready = self._ready, False
        if self._stopping:
            return
        log(f"the recorder ended with {code}")
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < QUICK_S] + [now]
        self._settle_in_flight()
        self._worktrees.mark_stale()
        if was_ready and len(self._deaths) <= QUICK_DEATHS:
            self._events.publish({"type": "recorder_restarted", "session": None})
            self._start_recorder()
        else:
            self._fail_all(Unreachable("the recorder ended unexpectedly", hint="git session daemon logs"))

    def _settle_in_flight(self) -> None:
        """What the recorder was at work on: reading is asked again once, anything else may have been done."""
        item = self._outbox.done()
        if not isinstance(item, Ask) or item.number not in self._asked:
            return
        if item.reads and not item.tried:
            self._outbox.put_back(item._replace(tried=1))
            return
        link, number = self._asked.pop(item.number)
        words = "the recorder ended while it was at work on this; what was published is recorded"
        self._send(link, reply_error(number, Unreachable(words, hint="run the command again")))

    def _fail_all(self, error: GitSessionError) -> None:
        """Nobody can answer what is asked: say so."""
        self._outbox.clear()
        self._barrier.clear()
        for link, number in self._asked.values():
            self._send(link, reply_error(number, error))
        self._asked.clear()

    # -- front's own verbs ----------------------------------------------------------------------------------

    def _own(self, link: Link, number: Any, verb: str, args: Message) -> None:
        """Answer without the recorder."""
        if verb == "ping":
            self._send(link, reply_ok(number, {"pid": os.getpid()}))
        elif verb == "daemon.status":
            self._send(link, reply_ok(number, self._status()))
        elif verb == "events":
            self._stream(link, number, args)
        else:
            self._last_words.append((link, reply_ok(number, {"stopped": True})))
            self._stop()

    def _stream(self, link: Link, number: Any, args: Message) -> None:
        """Send events; with ``follow`` the connection is theirs from now on."""
        since, follow = args.get("since"), bool(args.get("follow"))
        if not (since is None or (isinstance(since, int) and since >= 0)):
            raise BadRequest(f"since = {since!r} is no number of an event", hint="git session events --since 0")
        found = [] if since is None and follow else self._events.since(since)
        self._send(link, reply_ok(number, {"seq": self._events.last, "events": found}))
        if follow:
            self._events.follow(link)

    def _status(self) -> Message:
        """Figures of both processes."""
        recorder = self._recorder.pid if self._recorder else None
        resident = [resident_mb(pid) for pid in (os.getpid(), recorder) if pid is not None]
        return {
            "pid": os.getpid(),
            "recorder_pid": recorder,
            "version": self.version,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "sessions": len(self._worktrees),
            "watches": self._watch.count(),
            "watcher": self._watch.describe(),
            "saves": self._events.saves,
            "batches": self._batches,
            "scans": self._worktrees.scans,
            "overflows": self._overflows,
            "left": self._outbox.names_before(None),
            "rss_mb": round(sum(size or 0.0 for size in resident), 1),
            "front_rss_mb": resident[0],
            "socket": self._socket_path,
            "log": self.place.log,
        }

    # -- the end --------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Take no more requests; what was asked before is still done, then the recorder's pipe is closed."""
        if self._stopping:
            return
        self._stopping = True
        self._select.unregister(self._listener)
        close_socket(self.place, self._listener, self._socket_path)
        if self._ready and not self._remove_state:
            self._worktrees.flush(time.monotonic())

    def _finished(self) -> bool:
        """Whether the loop may end: stopping, and nothing is under way."""
        if not self._stopping:
            return False
        if self._recorder is None:
            return True
        busy = self._ready and not (self._outbox.idle and self._barrier.idle)
        return not busy

    def _end(self) -> None:
        """Close the recorder, then everything else; last of all tell who asked for it."""
        if self._recorder is not None:
            self._recorder.link.end_sending()
            if self._recorder.wait(STOP_WITHIN_S) is None:
                log("the recorder does not end: killing it")
                self._recorder.kill()
        self._fail_all(Unreachable("the daemon is stopping", hint="run the command again"))
        self._watch.close()
        if self._remove_state:
            shutil.rmtree(self.place.state_dir, ignore_errors=True)
        self._release()
        for link, reply in self._last_words:
            self._send(link, reply)
        for link in list(self._links):
            finish(link)
        log("stopped")


def finish(link: Link) -> None:
    """Send what a client has not read yet, for a moment, then close."""
    deadline = time.monotonic() + 1.0
    with selectors.DefaultSelector() as select:
        select.register(link, selectors.EVENT_WRITE)
        while link.unsent and not link.broken and time.monotonic() < deadline:
            select.select(0.1)
            link.flush()
    link.close()


def boot_time() -> float:
    """Seconds since the machine started, those it slept included; elsewhere without them."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
