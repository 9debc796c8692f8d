"""The recorder's loop: one message at a time from front, an answer to each, quiet work in between.

Knows the desk only by what it can do, so that it can be run over any (the tests have one of their own).
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from gitsessiond.daemon.log import as_unforeseen, log, log_bug
from gitsessiond.model.errors import BadRequest, GitSessionError
from gitsessiond.store.hooks import while_asked
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.requests import reply_error

FIRST_IDLE_S = 0.05  # quiet for so long: the time for work that nobody waits for
IDLE_EVERY_S = 10.0

Message = dict[str, Any]


class Recorder(Protocol):
    """What records and answers."""

    def batch(self, message: Message) -> Message:
        """Record what a batch points at: ``{"recorded": {...}}``."""
        ...

    def request(self, message: Message) -> Message:
        """Answer a request."""
        ...

    def watches(self) -> list[Message]:
        """The worktrees to watch."""
        ...

    def idle(self) -> float:
        """Do a piece of quiet work; the seconds of quiet until the next."""
        ...

    def close(self) -> None:
        """End in good order."""
        ...


Open = Callable[[Callable[[Message], None]], Recorder]


def run_recorder(pipe: socket.socket, open_recorder: Open) -> None:
    """Open the recorder and serve it until the pipe ends; if it cannot be opened, say why."""

    def tell(message: Message) -> None:
        try:
            frame = encode(message)
        except BadRequest as exc:  # it tells of what is done, so it must not undo it
            log(f"not told: {exc.message}")
            return
        pipe.sendall(frame)

    try:
        recorder = open_recorder(tell)
    except GitSessionError as exc:
        log(f"cannot open: {exc.message}")
        tell({"failed": exc.as_dict()})
        return
    except Exception as exc:
        log_bug("opening", exc)
        tell({"failed": as_unforeseen(exc).as_dict()})
        return
    try:
        serve(pipe, recorder)
    except (BrokenPipeError, ConnectionResetError):
        pass  # front is gone; what was published is in the journal
    finally:
        recorder.close()


def serve(pipe: socket.socket, recorder: Recorder) -> None:
    """Answer messages in order until the pipe ends."""
    pipe.sendall(encode({"watch": recorder.watches()}))
    decoder = Decoder()
    wait = FIRST_IDLE_S
    while True:
        if not select.select([pipe], [], [], wait)[0]:
            wait = quiet_work(recorder)
            continue
        data = pipe.recv(1 << 18)
        if not data:
            return
        for message in decoder.feed(data):
            if isinstance(message, dict) and "cancel" in message:
                continue  # what it was about has been answered
            if isinstance(message, BadRequest):  # front could read it, a little less deep in its stack
                pipe.sendall(encode(reply_error(None, message)))
            else:
                with while_asked(pipe.fileno(), partial(is_cancelled, pipe)):
                    found = answer(recorder, message)
                pipe.sendall(encoded(found, message))
        wait = FIRST_IDLE_S


def is_cancelled(pipe: socket.socket) -> bool | None:
    """Whether front says that the asker is gone: while a request is worked on it sends nothing else.

    None: front itself has ended; what was begun is finished.
    """
    try:
        return True if pipe.recv(1, socket.MSG_PEEK) else None
    except ConnectionResetError:
        return None


def quiet_work(recorder: Recorder) -> float:
    """Let the recorder do something nobody waits for; its failure ends nothing. The seconds until the next."""
    try:
        return recorder.idle()
    except Exception as exc:  # the next command that needs the same will say it
        log_bug("quiet work", exc)
        return IDLE_EVERY_S


def answer(recorder: Recorder, message: Message) -> Message:
    """The answer to a batch or a request, whatever happens."""
    batch = message.get("batch")
    try:
        return recorder.batch(batch) if batch is not None else recorder.request(message)
    except Exception as exc:  # one file or request that nobody foresaw must not take the others along
        log_bug("recording" if batch is not None else f"request {message.get('verb')!r}", exc)
        if batch is not None:
            return {"recorded": {"n": batch.get("n"), "prune": [], "left": 0, "error": as_unforeseen(exc).as_dict()}}
        return reply_error(message.get("id"), as_unforeseen(exc))


def encoded(found: Message, message: Message) -> bytes:
    """The frame of an answer, or of the error that it is too long."""
    try:
        return encode(found)
    except BadRequest as exc:
        return encode(reply_error(message.get("id"), exc))
