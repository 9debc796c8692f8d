"""Being the front process: surroundings, lock, socket, then the loop."""

from __future__ import annotations

import os
from typing import Any

from gitsessiond.daemon import log
from gitsessiond.daemon.controls import Panel
from gitsessiond.daemon.front import Front, Socket
from gitsessiond.daemon.listening import listen
from gitsessiond.daemon.process import leave_surroundings, recorder_words
from gitsessiond.daemon.recording import Command
from gitsessiond.daemon.settings import read_settings
from gitsessiond.model.errors import GitSessionError
from gitsessiond.store.repository import open_repository
from gitsessiond.store.statelock import take_lock
from gitsessiond.wire.client import dial
from gitsessiond.wire.frames import encode
from gitsessiond.wire.place import Place
from gitsessiond.wire.starting import make_state_dir

LOCK_WAIT_S = 45.0  # for a daemon that is leaving, or a one-shot process; less than a client waits for us


def be_front(where: str, ready_fd: int | None, version: str, panel: Panel) -> int:
    """Serve the repository around a directory until told to stop; returns the exit code.

    ``panel`` makes lines of a session's status, for the control files. Says on ``ready_fd`` when the socket answers,
    or why it never will.
    """
    log.WHO["name"] = "front"
    leave_surroundings([ready_fd] if ready_fd is not None else [])
    try:
        repository = open_repository(where)
        place = Place(repository.common_dir)
        make_state_dir(place)
        log.keep_in(place.log, puts_aside=True)
        settings = read_settings(repository)
        lock = take_lock(place.state_dir, 0.0 if ready_fd is None and is_served(place) else LOCK_WAIT_S)
        door = Socket(*listen(place))
        recorder = Command(lambda: recorder_words(repository), lock.fileno())
        front = Front(place, door, recorder, settings, version, panel if settings.control_files else None)
    except GitSessionError as error:
        log.log(f"not started: {error.message}")
        tell_ready(ready_fd, {"error": error.as_dict()})
        return error.exit_code
    except Exception as exc:
        log.log_bug("starting", exc)
        unforeseen = log.as_unforeseen(exc)
        tell_ready(ready_fd, {"error": unforeseen.as_dict()})
        return unforeseen.exit_code
    log.log(f"serving {place.common_dir} at {door.path}")
    tell_ready(ready_fd, {"ready": door.path})
    try:
        front.run()
    except Exception as exc:
        log.log_bug("front", exc)
        raise
    return 0


def is_served(place: Place) -> bool:
    """Whether another daemon answers, and is not leaving."""
    connection = dial(place)
    if connection is not None:
        connection.close()
    return connection is not None


def tell_ready(ready_fd: int | None, message: dict[str, Any]) -> None:
    """Tell the client that started this process; it may have gone."""
    if ready_fd is None:
        return
    try:
        os.write(ready_fd, encode(message))
    except BrokenPipeError:
        pass
    os.close(ready_fd)
