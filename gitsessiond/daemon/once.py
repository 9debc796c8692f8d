"""One request without a daemon: record what is on disk, answer, end."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from gitsessiond.daemon.lockonce import client_behind
from gitsessiond.daemon.log import as_unforeseen, log_bug
from gitsessiond.daemon.recorder import Open, Recorder, answer, encoded
from gitsessiond.model.errors import BadRequest, GitSessionError, Unreachable
from gitsessiond.store.hooks import while_asked
from gitsessiond.wire.frames import Decoder
from gitsessiond.wire.place import Place
from gitsessiond.wire.requests import is_own, reply_error, reply_ok

Message = dict[str, Any]


class Lock(Protocol):
    """The authority lock, held until it is given back."""

    def release(self) -> None:
        """Give it back."""
        ...


TakeLock = Callable[[], Lock]
AnswerForLocks = Callable[[Message], Message]


def serve_once(
    pipe: socket.socket, place: Place, open_recorder: Open, take_lock: TakeLock, answer_for_locks: AnswerForLocks
) -> None:
    """Read one request from the pipe and answer it; holds the authority lock meanwhile.

    What it changes is told to nobody: without a daemon nobody follows events.
    """
    request = read_request(pipe)
    if isinstance(request, BadRequest):
        pipe.sendall(encoded(reply_error(None, request), {}))
        return
    if request is not None:
        with while_asked(pipe.fileno(), partial(is_gone, pipe)):
            asked = {**request, "client": client_behind(request, pipe)}
            reply = reply_to(asked, place, open_recorder, take_lock, answer_for_locks)
        pipe.sendall(encoded(reply, request))


def is_gone(pipe: socket.socket) -> bool | None:
    """Whether the asker is; None: it says something that nobody asked for."""
    try:
        return None if pipe.recv(1, socket.MSG_PEEK) else True
    except ConnectionResetError:
        return True


def read_request(pipe: socket.socket) -> Message | BadRequest | None:
    """The first frame; None when there is none."""
    decoder = Decoder()
    while data := pipe.recv(1 << 16):
        for frame in decoder.feed(data):
            return frame
    return None


def reply_to(
    request: Message, place: Place, open_recorder: Open, take_lock: TakeLock, answer_for_locks: AnswerForLocks
) -> Message:
    """The reply to a request, whatever happens."""
    number, verb = request.get("id"), request.get("verb")
    if verb == "events":
        return reply_ok(number, {"seq": 0, "events": []})
    is_for_locks = isinstance(verb, str) and verb.startswith("lock.")
    if isinstance(verb, str) and is_own(verb) and not is_for_locks:
        return reply_error(number, Unreachable("no daemon runs", hint="git session daemon start"))
    try:
        lock = take_lock()
        try:
            return answer_for_locks(request) if is_for_locks else record_and_answer(request, place, open_recorder)
        finally:
            lock.release()
    except GitSessionError as exc:
        return reply_error(number, exc)
    except Exception as exc:
        log_bug(f"request {verb!r}", exc)
        return reply_error(number, as_unforeseen(exc))


def record_and_answer(request: Message, place: Place, open_recorder: Open) -> Message:
    """Open the recorder, have it look at everything and answer, close it."""
    verb = request.get("verb")
    recorder = open_recorder(lambda message: None)
    try:
        look_everywhere(recorder)
        reply = answer(recorder, {**request, "verb": "checkpoint" if verb == "daemon.checkpoint" else verb})
    finally:
        recorder.close()
    if verb == "uninstall" and reply.get("ok", {}).get("hard"):
        shutil.rmtree(place.state_dir, ignore_errors=True)
    return reply


def look_everywhere(recorder: Recorder) -> None:
    """Record what is on disk in every worktree."""
    number = 0
    for watched in recorder.watches():
        batch: Message = {"worktree": watched["worktree"], "paths": [], "scan": True, "git": True}
        while True:
            number += 1
            told = answer(recorder, {"batch": {"n": number, **batch}})["recorded"]
            if told.get("error") or not told.get("left"):
                break
            batch = {**batch, "scan": False}
