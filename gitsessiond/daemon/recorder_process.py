"""Being the recorder process, or the one process of a single request: where the desk is loaded."""

from __future__ import annotations

import gc
import os
import signal
import socket

from gitsessiond.daemon import log
from gitsessiond.daemon.desk import Desk, open_desk
from gitsessiond.daemon.lockonce import answer_for_locks
from gitsessiond.daemon.once import serve_once
from gitsessiond.daemon.opening import Tell
from gitsessiond.daemon.process import leave_surroundings
from gitsessiond.daemon.recorder import run_recorder
from gitsessiond.store.leases import start_keeper
from gitsessiond.store.statelock import take_lock
from gitsessiond.wire.place import find_place
from gitsessiond.wire.starting import make_state_dir

LOCK_WAIT_S = 45.0
GARBAGE_AFTER = (50_000, 10, 20)  # new objects, and rounds of a generation, before circles are looked for


def be_recorder(where: str, fd: int, lock_fd: int | None) -> int:
    """Be the recorder at the other end of front's pipe, until that ends."""
    log.WHO["name"] = "recorder"
    log.keep_in(find_place(where).log)
    # a Ctrl-C is for front, which closes the pipe; not SIG_IGN, which the user's hooks would inherit
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in (fd, lock_fd):
        if number is not None:
            os.set_inheritable(number, False)  # git's children must hold neither
    start_keeper()
    with socket.socket(fileno=fd) as pipe:
        run_recorder(pipe, lambda tell: open_for_long(where, tell))
    return 0


def open_for_long(where: str, tell: Tell) -> Desk:
    """A desk whose objects, which are there for good, are not searched for circles again and again.

    Hardly any circles are made, and the search took a sixth of the time of a large burst.
    """
    desk = open_desk(where, tell)
    gc.freeze()
    gc.set_threshold(*GARBAGE_AFTER)
    return desk


def be_once(where: str, fd: int) -> int:
    """Answer the one request that comes on ``fd``."""
    log.WHO["name"] = "once"
    leave_surroundings([fd])
    start_keeper()
    place = find_place(where)
    make_state_dir(place)
    with socket.socket(fileno=fd) as pipe:
        serve_once(
            pipe,
            place,
            open_recorder=lambda tell: open_desk(where, tell, alone=True),
            take_lock=lambda: take_lock(place.state_dir, LOCK_WAIT_S),
            answer_for_locks=lambda request: answer_for_locks(request, pipe, place, where),
        )
    return 0
