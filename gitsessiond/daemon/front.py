"""Front: the socket, the watch, the events, the barrier; hands everything else to the recorder, one thing at a time.

One loop, one thread (the watch has two of its own and leaves notices). Never imports pygit2, pydantic or click, opens
no user's file, decides nothing about sessions.
"""

from __future__ import annotations

import gc
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

from gitsessiond.daemon.asking import Asking
from gitsessiond.daemon.barrier import Barrier
from gitsessiond.daemon.beside import Beside
from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.controls import Controls, Panel
from gitsessiond.daemon.descriptors import connections_with_room
from gitsessiond.daemon.editing import Editing
from gitsessiond.daemon.editors import Told
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.figures import Parts
from gitsessiond.daemon.here import Here
from gitsessiond.daemon.link import Frame, Link
from gitsessiond.daemon.listening import close_socket
from gitsessiond.daemon.locknews import LockNews
from gitsessiond.daemon.locks import Locks, LockTold
from gitsessiond.daemon.log import as_unforeseen, let_go, log, log_bug, tend_log
from gitsessiond.daemon.mailbox import Mailbox, Notice
from gitsessiond.daemon.marking import LockMarks
from gitsessiond.daemon.outbox import Outbox
from gitsessiond.daemon.own import Own
from gitsessiond.daemon.presence import Presence, Tools
from gitsessiond.daemon.process import boot_time, clear_away, descends_from
from gitsessiond.daemon.recording import Command, Recording
from gitsessiond.daemon.reported import Reported, Waiting
from gitsessiond.daemon.settings import Settings
from gitsessiond.daemon.settle import Known
from gitsessiond.daemon.tally import Tally
from gitsessiond.daemon.watch import Shared, Watch
from gitsessiond.daemon.worktrees import Worktrees, limit_event
from gitsessiond.model.errors import BadRequest, GitSessionError, Refused, Unreachable
from gitsessiond.wire.parts import checked, number_of
from gitsessiond.wire.place import Place
from gitsessiond.wire.requests import BESIDE, OWN, READS, reply_error

NEVER = float("inf")
SLEPT_S = 5.0
WHOLE_S = 0.02  # at least so often everything is looked at, however many ask for locks
SWITCH_S = 0.001  # how soon the thread that reads the kernel's queue gets its turn
COLLECT = 700, 2, 40  # not (700, 10, 10): the middle generation takes 0.15 ms instead of 1.2; all of it as rarely

Message = dict[str, Any]


class Socket(NamedTuple):
    """Where clients connect."""

    listener: socket.socket
    path: str


class Front:
    """The front process of one repository's daemon."""

    def __init__(
        self,
        place: Place,
        door: Socket,
        recorder: Command,
        settings: Settings,
        version: str,
        panel: Panel | None = None,
    ) -> None:
        self._place, self._door, self._settings = place, door, settings
        self._here = Here(place)
        cookies = self._here.cookies
        clear_away(cookies)
        os.makedirs(cookies, mode=0o700)
        self._select = selectors.DefaultSelector()
        most = connections_with_room(settings.coordinating.now().max_connections)
        self._clients = Clients(self._select, door.listener, self._heard, self._left, most)
        self._box, known, outbox = Mailbox(), Known(), Outbox()
        self._recording = Recording(self._select, recorder, outbox)
        shared = Shared(cookies, place.common_dir, door.path)
        self._watch = Watch(shared, self._box, known.add, poll=settings.poll)
        self._worktrees = Worktrees(self._watch, outbox, known, settings.scan_every_s)
        barrier = Barrier(cookies, self._watch)
        self._tally = Tally()
        self._events = Events(place.state_dir, self._clients.send_frames, self._tally.hear)
        self._beside: dict[str, Beside] = {}
        parts = Parts(
            self._clients, self._events, self._recording, self._watch, self._worktrees, self._tally, self._beside,
            version, door.path, place.log,
        )  # fmt: skip
        self._own = Own(parts, self._stop_asked)
        tools = Tools(self._select, self._clients.send, self._events.publish)
        self._presence = Presence(tools, place.state_dir, settings)
        self._beside["client"] = self._presence
        self._controls = Controls(outbox, panel, self._own.found, self._worktrees.flush, self._watch.is_polled)
        told = Told(self._clients.send, self._events.publish, self._controls.changed)
        self._editing = self._beside["editor"] = Editing(self._select, told, os.environ)
        outbox.editors = self._editing.rows
        news = self._news = self._beside["locks"] = LockNews(outbox, self._events.publish, place.common_dir)
        heard = LockTold(self._clients.send, news.publish)
        self._locks = self._beside["lock"] = Locks(heard, self._presence, place, settings)  # last: it tells of the rest
        self._of_locks: tuple[Beside, ...] = self._presence, news, self._locks  # what requests for locks give work to
        self._presence.listeners.append(self._locks)
        lasting = settings.coordinating.lasting
        self._editing.mark_by(LockMarks(self._presence, self._locks, outbox.put_ask, lasting))
        self._locks.is_known, self._locks.lives = self._presence.knows, self._presence.hear
        self._asking = Asking(self._clients, barrier, self._worktrees, outbox, self._stop, self._before_request)
        waiting = Waiting(
            self._asking, self._controls, self._editing, self._events, self._locks, self._presence, self._worktrees
        )
        self._reported = self._recording.listener = Reported(waiting, self._removed)
        self._active = time.monotonic()
        self._whole_at = self._due = self._active  # the next look at everything; when something is due
        self._asleep = boot_time() - self._active
        self._stopping = self._remove_state = self._gone = self._found_here = False
        self._last_words: list[tuple[Link, Message]] = []

    # -- the loop -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop, until nothing has been open for long, or until the repository is gone."""
        sys.setswitchinterval(SWITCH_S)
        self._select.register(self._box, selectors.EVENT_READ, self._read_notices)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._box.post(Notice("stop")))
        self._presence.begin()
        self._recording.start()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        whole = True
        while not self._finished():
            whole = self._turn(self._select.select(self._wait(whole)))
        self._end()

    def _turn(self, ready: list[tuple[selectors.SelectorKey, int]]) -> bool:
        """Hear what has come, and do what time brings on; returns whether everything was looked at.

        Where all that came were requests for locks it is not: of those there are many thousands a second.
        """
        now = time.monotonic()
        whole = not ready or now >= min(self._due, self._whole_at)
        if whole:
            self._found_here = False
        for key, mask in ready:
            whole = not key.data(mask) or whole
        now = time.monotonic()
        if whole:
            self._tick(now)
        else:
            self._locks.tick(now)
            self._due = min(self._due, self._whole_at)
        self._recording.pump(now)
        if whole or self._events.any_behind:
            self._events.pump()
        return whole

    def _wait(self, whole: bool = True) -> float | None:
        """Seconds until something is due; None: nothing is. Not ``whole``: only what concerns locks has changed."""
        if self._events.any_behind:
            self._whole_at = 0.0
            return 0.0
        times = [one.next_look() for one in (self._beside.values() if whole else self._of_locks)]
        if whole:
            self._due = NEVER
            times += [one.next_look() for one in (self._worktrees, self._asking, self._clients)] + [self._idle_until()]
            if not self._stopping and self._recording.ready:
                times.append(self._controls.next_look())
        for due in times:
            if due is not None and due < self._due:
                self._due = due
        return max(0.0, self._due - time.monotonic()) if self._due < NEVER else None

    def _idle_until(self) -> float | None:
        """When to leave, if nothing comes; None: not while a session is open or a request waits."""
        if not self._settings.idle_exit_s or len(self._worktrees) or self._asking.any or self._stopping:
            return None
        return max(self._active, self._reported.last_reply) + self._settings.idle_exit_s

    def _tick(self, now: float) -> None:
        """Everything that time brings on."""
        self._whole_at = now + WHOLE_S
        asleep = boot_time() - now
        if asleep - self._asleep > SLEPT_S:
            log(f"slept {asleep - self._asleep:.0f} s: looking at everything")
            self._worktrees.scan_all(now)
        self._asleep = asleep
        tend_log()
        self._clients.tick(now)
        self._worktrees.tick(now)
        self._asking.tick(now)
        for one in self._beside.values():
            one.tick(now)
        if not self._stopping and self._recording.ready:
            self._controls.tick(now)
        idle_until = self._idle_until()
        if idle_until is not None and idle_until <= now:
            log("nothing is open: leaving")
            self._stop()

    def _read_notices(self, mask: int) -> None:
        """What the watch saw."""
        now = time.monotonic()
        for notice in self._box.take():
            self._editing.saw(notice, now)
            match notice.what:
                case "cookie":
                    self._asking.seen(notice.path, now)
                case "overflow":
                    self._own.figures.overflows += 1
                    count = self._own.figures.overflows
                    self._events.publish({"type": "overflow", "session": None, "count": count})
                    self._worktrees.overflowed()
                case "stop":
                    self._prepare_stop()
                case "lost" if notice.worktree is None:
                    self._lost()
                case "limit":
                    self._events.publish(limit_event(notice))
                    self._worktrees.take(notice, now)
                case _ if not self._controls.takes(notice, now):
                    self._worktrees.take(notice, now)

    def _lost(self) -> None:
        """The socket is gone, or the whole repository: whoever removes that is to find nothing new in it."""
        if self._here.is_going():
            let_go()
            self._gone = True
            self._recording.kill()
        log("the repository, or the socket, is gone: leaving")
        self._stop()

    # -- requests -------------------------------------------------------------------------------------------

    def _heard(self, link: Link, frame: Frame) -> bool:
        """One frame of a client: answered here, or on its way to the recorder; returns whether it is about locks."""
        self._active = time.monotonic()
        if isinstance(frame, BadRequest):
            self._clients.send(link, reply_error(None, frame))
            return False
        number = number_of(frame)
        try:
            asked = checked(frame)
            verb, args = asked["verb"], asked["args"]
            if verb in OWN:
                self._own.answer(link, number, verb, args)
            elif verb.startswith(BESIDE):
                self._answer_beside(link, number, verb, asked)
                return str(verb).startswith("lock.")
            else:
                self._ask(link, number, verb, asked)
        except GitSessionError as exc:
            self._clients.send(link, reply_error(number, exc, again=isinstance(exc, Unreachable)))
        except Exception as exc:  # one request that nobody foresaw must not take all others along
            log_bug("a request", exc)
            self._clients.send(link, reply_error(number, as_unforeseen(exc)))
        return False

    def _answer_beside(self, link: Link, number: Any, verb: str, asked: Message) -> None:
        """Have a request answered beside the recorder.

        Raises:
            Unreachable: this daemon is leaving, or its repository is elsewhere; another should be asked.
            BadRequest: there is no such verb.
        """
        self._check_serving()
        beside = self._beside.get(verb.partition(".")[0])
        if beside is None:
            raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self._tally.asked_for(verb, asked["args"])
        beside.answer(link, number, verb, asked["args"], asked["who"])

    def _check_serving(self) -> None:
        """Take a request only where it can be carried out.

        Raises:
            Unreachable: this daemon is leaving, or its repository is elsewhere; another should be asked.
        """
        self._found_here = self._found_here or self._here.is_there()  # asked once in a look at everything
        if self._stopping or not self._found_here:
            self._stop()
            raise Unreachable("the daemon is stopping", hint="run the command again")

    def _ask(self, link: Link, number: Any, verb: str, asked: Message) -> None:
        """Bring a request on its way.

        Raises:
            Unreachable: this daemon is leaving, or its repository is elsewhere; another should be asked.
            Refused: the recorder waits for the very process that asks.
        """
        self._check_serving()
        recorder = self._recording.pid
        if recorder is not None and descends_from(link.peer.pid, recorder):
            raise Refused(
                "git session cannot be asked by a hook that it runs itself",
                hint="ask after the command that runs the hook",
            )
        self._presence.notice(link, asked["who"])
        if verb not in READS:
            self._controls.pause(verb == "uninstall")
        client = self._presence.recognized(link, asked["who"])
        message = {**asked, "verb": "checkpoint" if verb == "daemon.checkpoint" else verb, "client": client}
        self._asking.put(link, number, message, self._active)
        self._recording.start()
        if self._recording.ready:
            self._asking.begin(self._active)

    def _before_request(self, now: float) -> None:
        """A request is about to be queued: what comes before it, by editors, by control files and of locks."""
        self._editing.flush(now)
        self._news.flush(now)
        self._controls.flush(now)

    def _left(self, link: Link) -> None:
        """A client is gone: what it asked and nobody has begun is forgotten, hooks that run for it are ended."""
        self._events.leave(link)
        for one in self._beside.values():
            one.left(link)
        begun = self._asking.left(link)
        if begun is not None:
            self._recording.cancel(begun)

    # -- the end --------------------------------------------------------------------------------------------

    def _stop_asked(self, link: Link, reply: Message) -> None:
        """A client asked for the end; it is told when that has come."""
        self._last_words.append((link, reply))
        self._prepare_stop()

    def _removed(self, link: Link | None, reply: Message) -> None:
        """All state is to be removed; whoever asked for that is told when it is gone."""
        self._remove_state = True
        if link is not None:
            self._last_words.append((link, reply))
        self._stop()

    def _prepare_stop(self) -> None:
        """Stop when all that is on disk now has been handed on."""
        if not self._recording.ready:
            self._stop()
            return
        now = time.monotonic()
        self._asking.put_stop(now)
        self._asking.begin(now)

    def _stop(self) -> None:
        """Take no more requests; what was asked and saved before is still done."""
        if self._stopping:
            return
        self._stopping = True
        self._clients.take_no_more()
        close_socket(self._place, self._door.listener, self._door.path)
        if self._recording.ready and not self._remove_state and not self._gone:
            self._worktrees.flush(time.monotonic())

    def _finished(self) -> bool:
        """Whether the loop may end: stopping, and nothing is under way."""
        if not self._stopping or not self._recording.ready:
            return self._stopping
        return self._recording.outbox.idle and self._asking.idle

    def _end(self) -> None:
        """Close the recorder, then everything else; last of all tell who asked for it.

        Where the repository is elsewhere the recorder has nothing to put away: it would be put where that was.
        """
        if self._gone or not self._here.is_there():
            self._recording.kill()
        self._recording.end()
        self._reported.unanswerable(Unreachable("the daemon is stopping", hint="run the command again"), None)
        self._watch.close()
        if not self._gone:
            self._controls.stop()
            for one in self._beside.values():
                one.close()
        self._events.close()
        if self._remove_state:
            shutil.rmtree(self._place.state_dir, ignore_errors=True)
        self._asking.release()
        for link, reply in self._last_words:
            self._clients.send(link, reply)
        self._clients.close()
        log("stopped")
