"""The client of one repository's daemon: connect, start it if need be, ask, listen.

Free of click, pydantic, dataclasses and asyncio: the shortest commands wait for its import.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, Protocol

from gitsessiond.model.errors import BadRequest, GitSessionError, Unreachable, error_from
from gitsessiond.model.names import spoken
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.owner import refuse_anothers
from gitsessiond.wire.place import Place, find_place, read_pointer, refuse_stranger
from gitsessiond.wire.requests import READS, is_own, request, who_asks
from gitsessiond.wire.starting import StartLock, may_stay, start_daemon, start_once

TELL_AFTER_S = 1.0  # how long a person waits without a word
STATUS_WITHIN_S = 0.3
SILENCE_S = 10.0  # how long a daemon may say nothing before it is asked whether it lives
PONG_S = 10.0
LOOK_S = 0.1  # between two looks whether the next daemon has begun

Message = dict[str, Any]


class DaemonEnded(Unreachable):
    """The connection ended where a reply should have come."""


class Patience(Protocol):
    """Who tells a person that it takes long."""

    def waited(self, seconds: float, left: int | None, other: str | None) -> None:
        """So long already; ``left``: paths still to be recorded; ``other``: the command that is at work meanwhile."""

    def over(self) -> None:
        """It is over."""


class Client:
    """Asks the daemon of the repository around a directory.

    ``session``: named by ``-s``. ``autostart``: whether a daemon, or under ``CI=true`` and
    ``GITSESSION_DAEMON=never`` a process for the one request, may be started. ``patience``: told while it takes long.
    """

    def __init__(
        self, cwd: str, session: str | None = None, autostart: bool = True, patience: Patience | None = None
    ) -> None:
        self._cwd, self._session, self._autostart, self._patience = cwd, session, autostart, patience

    def call(self, verb: str, args: Mapping[str, Any]) -> Message:
        """Ask one thing and return the reply's ``ok``.

        Raises:
            GitSessionError: the error of the reply, as the child its code names.
            Unreachable: no daemon answers.
            DaemonEnded: it may have been done, or there is less to wait for now.
        """
        try:
            reply = self._ask(verb, args)
        except DaemonEnded:
            if verb not in READS:
                raise  # it may have been done
            reply = self._ask(verb, args)
        if reply.get("error", {}).get("again"):  # that daemon is leaving; the next one is at work
            if args.get("wait"):
                raise DaemonEnded(reply["error"]["message"], hint=reply["error"]["hint"])
            reply = self._ask(verb, args)
        return self._ok(reply)

    def events(
        self,
        since: int | None,
        follow: bool,
        wanted: Mapping[str, Any] | None = None,
        waits: Callable[[], None] | None = None,
    ) -> Iterator[Message]:
        """Events after ``since``, those that are ``wanted`` (docs/protocol.md); with ``follow`` until the caller stops.

        ``waits``: told when the daemon has ended; the next one is waited for then, and nothing is told twice. Without
        it the end of the daemon is the end of the events.
        """
        connection: socket.socket | None = self._connect("events")
        place = find_place(self._cwd)
        is_daemon = read_pointer(place) is not None  # and no process for this one request
        while connection is not None:
            with connection:
                talk = Talk(connection)
                talk.send(request("events", {"since": since, "follow": follow, **(wanted or {})}, self._who()))
                try:
                    found = self._ok(talk.receive(self._check_alive))
                except DaemonEnded:
                    if waits is None:
                        raise
                    found = {"seq": since, "events": []}
                since = found["seq"] if since is None else since
                for event in chain(found["events"], talk.rest() if follow else ()):
                    if event.get("closing") and waits is not None:
                        break  # it did not read, and was sent away; what was kept from it is asked for now
                    since = event["seq"]
                    yield event
            if not follow or waits is None or not is_daemon:
                return
            connection = dial(place) or next_daemon(place, waits)

    def log_path(self) -> str:
        """The daemon's log, whether or not it runs or ever ran.

        Raises:
            Refused: it is another user's.
        """
        place = find_place(self._cwd)
        refuse_anothers(place.state_dir)
        return place.log

    def _ask(self, verb: str, args: Mapping[str, Any]) -> Message:
        """One request over a connection of its own."""
        with self._connect(verb) as connection:
            talk = Talk(connection)
            talk.send(request(verb, args, self._who(acts=not (verb in READS or is_own(verb)))))
            asks_for_itself = verb not in READS and "GPG_TTY" in os.environ  # gpg draws on the terminal meanwhile
            if self._patience is None or asks_for_itself:
                return talk.receive(self._check_alive)
            try:
                return talk.receive(self._check_alive, partial(self._tell_waiting, verb, args))
            finally:
                self._patience.over()

    def _tell_waiting(self, verb: str, args: Mapping[str, Any], seconds: float) -> None:
        """Tell how long it has taken, how much the daemon has still to record, and whose turn it is."""
        left = other = None
        try:
            if verb == "lock.acquire":
                other = locked_by(self._look("lock.list", {"name": args["resources"][0]["name"]}))
            else:
                status = self._look("daemon.status", {})
                left, other = status.get("left"), other_at_work(status.get("at_work"))
        except (GitSessionError, OSError):
            pass  # it is only a line on a terminal
        if self._patience is not None:
            self._patience.waited(seconds, left, other)

    def _look(self, verb: str, args: Message) -> Message:
        """What a daemon says while it is asked for something else; nothing where none does soon."""
        connection = dial(find_place(self._cwd))
        if connection is None:
            return {}
        with connection:
            talk = Talk(connection)
            talk.send(request(verb, args, self._who()))
            found: Message = (talk.next(STATUS_WITHIN_S) or {}).get("ok", {})
            return found

    def _who(self, *, acts: bool = False) -> Message:
        return who_asks(self._cwd, self._session, os.environ, acts=acts)

    def _ok(self, reply: Message) -> Message:
        """The good part of a reply, or its error raised."""
        if "error" in reply:
            raise error_from(reply["error"])
        ok = reply.get("ok")
        if not isinstance(ok, dict):
            raise Unreachable("the daemon gave an answer without content", hint="git session daemon stop")
        return ok

    def _connect(self, verb: str) -> socket.socket:
        """A connection to whoever will answer.

        Raises:
            Unreachable: nobody, and none may be started.
            GitSessionError: why a daemon will not start.
        """
        place = find_place(self._cwd)
        found = dial(place)
        if found is not None:
            return found
        if not self._autostart:
            raise Unreachable("the daemon is not running", hint="git session daemon start")
        if not may_stay(os.environ) and verb != "daemon.status":  # `daemon start` is no start by itself
            return start_once(place, self._cwd)
        with StartLock(place):
            found = dial(place)
            if found is None:
                start_daemon(place, self._cwd)
                found = dial(place)
        if found is None:
            raise Unreachable("the daemon started but does not answer", hint="git session daemon logs")
        return found

    def _check_alive(self) -> None:
        """Ask a silent daemon whether it lives; one that works on something long does.

        Raises:
            Unreachable: it does not.
        """
        try:
            connection = dial(find_place(self._cwd))
            if connection is None:
                return  # a one-shot process, or a daemon on its way out: the end of the stream will tell
            with connection:
                connection.settimeout(PONG_S)
                talk = Talk(connection)
                talk.send(request("ping", {}, {}))
                talk.next(PONG_S)
        except TimeoutError:
            raise Unreachable("the daemon does not answer", hint="git session daemon logs") from None


def other_at_work(told: Message | None) -> str | None:
    """The words of somebody else's command that the daemon has been at work on for a while; None: there is none."""
    if not told or told.get("pid") == os.getpid() or told.get("verb") in READS or told["seconds"] < TELL_AFTER_S:
        return None
    by = f", process {told['pid']}" if told.get("pid") else ""
    return f"git session {told['verb'].replace('.', ' ')}{by}"


def next_daemon(place: Place, waits: Callable[[], None]) -> socket.socket | None:
    """A connection to the daemon that runs next, whoever starts it; None: there will be none, ours is removed."""
    waits()
    while os.path.isdir(place.state_dir):
        time.sleep(LOOK_S)
        found = dial(place)
        if found is not None:
            return found
    return None


def locked_by(told: Message) -> str | None:
    """Who has what one waits for; None: nobody else has."""
    others = [lock for lock in told.get("locks", ()) if not lock["mine"] and lock["mode"] != "intent"]
    if not others:
        return None
    first = others[0]
    who = first["client"] if first["named"] else first["who"] or first["client"]
    return f"{spoken(first['name'])}, locked by {who}"


class Talk:
    """Frames on one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._decoder = connection, Decoder()
        self._waiting: list[Message | BadRequest] = []

    def send(self, message: Message) -> None:
        """Send one frame.

        Raises:
            Unreachable: the other end is gone.
        """
        try:
            self._connection.sendall(encode(message))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered before it went; the reader finds out

    def receive(self, when_silent: Callable[[], None], each_second: Callable[[float], None] | None = None) -> Message:
        """The next frame; ``when_silent`` is called after each :data:`SILENCE_S` without one.

        ``each_second`` is told how long that has been.

        Raises:
            DaemonEnded: the connection ended first.
        """
        began = asked = time.monotonic()
        while True:
            try:
                message = self.next(SILENCE_S if each_second is None else TELL_AFTER_S)
            except TimeoutError:
                now = time.monotonic()
                if each_second is not None:
                    each_second(now - began)
                if each_second is None or now - asked >= SILENCE_S:
                    when_silent()
                    asked = time.monotonic()
                continue
            if message is None:
                raise DaemonEnded("the daemon ended before it answered", hint="run the command again")
            return message

    def rest(self) -> Iterator[Message]:
        """All frames to come, until the end of the stream."""
        while (message := self.next(None)) is not None:
            yield message

    def next(self, within: float | None) -> Message | None:
        """The next frame, None at the end of the stream.

        Raises:
            TimeoutError: nothing came within so many seconds.
            BadRequest: the daemon sent no frame.
        """
        self._connection.settimeout(within)
        while not self._waiting:
            try:
                data = self._connection.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._waiting = self._decoder.feed(data)
        message = self._waiting.pop(0)
        if isinstance(message, BadRequest):
            raise message
        return message


def dial(place: Place) -> socket.socket | None:
    """A connection to the daemon that runs; None: none does.

    Raises:
        Refused: what is kept here is another user's.
        Unreachable: the socket is another user's.
    """
    refuse_anothers(place.state_dir)
    path = read_pointer(place)
    if path is None:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
        refuse_stranger(connection)
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        connection.close()
        return None
    except OSError as exc:
        connection.close()
        raise Unreachable(f"{path}: {exc.strerror}", hint="git session daemon start") from exc
    except Unreachable:
        connection.close()
        raise
    return connection
