"""Starting a daemon, or a process for one request. Nobody sleeps: the child tells over a pipe when it is ready.

``os.posix_spawn`` and not ``subprocess``, whose import alone would cost a short command several milliseconds.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import sys

from gitsessiond.model.errors import Unreachable, disk_refused, error_from
from gitsessiond.wire.frames import decode
from gitsessiond.wire.owner import close_to_others, refuse_anothers
from gitsessiond.wire.place import Place
from gitsessiond.wire.requests import OF_REQUESTS

READY_WITHIN_S = 60.0
START_LOCK = "start.lock"
KEPT_LOG = 1 << 20


def may_stay(env: dict[str, str] | os._Environ[str]) -> bool:
    """Whether a command may leave a daemon behind."""
    return env.get("CI", "").lower() != "true" and env.get("GITSESSION_DAEMON") != "never"


class StartLock:
    """Held by the one client that starts a daemon; the others wait for it, then find the daemon there."""

    def __init__(self, place: Place) -> None:
        self._file = open_lock(place, START_LOCK, "no daemon can be started")

    def __enter__(self) -> StartLock:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._file)


def make_state_dir(place: Place) -> None:
    """Make our directory and that of the logs.

    Raises:
        Refused: what is kept here is another user's.
        StoreFailed: the disk refused.
    """
    try:
        os.makedirs(place.state_dir, mode=0o700, exist_ok=True)
        refuse_anothers(place.state_dir)
        close_to_others(place.state_dir)
        os.makedirs(os.path.dirname(place.log), mode=0o700, exist_ok=True)
    except OSError as exc:
        raise disk_refused("nothing can be kept in the git directory", exc) from exc


def open_lock(place: Place, name: str, refused: str) -> int:
    """A descriptor of the lock file of this name, made where it is not there, for ``flock``.

    Raises:
        StoreFailed: the disk refused, with the words ``refused``.
    """
    make_state_dir(place)
    try:
        return os.open(os.path.join(place.state_dir, name), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise disk_refused(refused, exc) from exc


def start_daemon(place: Place, cwd: str) -> None:
    """Start ``gitsessiond run`` and wait until its socket answers.

    Raises:
        GitSessionError: what the daemon says why it will not start.
        Unreachable: it ended without a word, or is not ready in time.
    """
    ready, told = os.pipe()
    with os.fdopen(ready, "rb", buffering=0) as answers:
        try:
            spawn(place, ["run", "--repository", cwd, "--ready-fd", str(told)], told, session=True)
        finally:
            os.close(told)
        if not select.select([answers], [], [], READY_WITHIN_S)[0]:
            raise Unreachable(
                f"the daemon was not ready within {READY_WITHIN_S:.0f} s{holder_words(place)}",
                hint="git session daemon logs",
            )
        line = answers.read(1 << 16)
    if not line:
        raise Unreachable("the daemon ended before it was ready", hint="git session daemon logs")
    answer = decode(line)
    if "error" in answer:
        raise error_from(answer["error"])


def start_once(place: Place, cwd: str) -> socket.socket:
    """Start ``gitsessiond once`` and return the connection to it."""
    make_state_dir(place)
    ours, theirs = socket.socketpair()
    with theirs:
        spawn(place, ["once", "--repository", cwd, "--fd", str(theirs.fileno())], theirs.fileno(), session=False)
    return ours


def spawn(place: Place, words: list[str], kept: int, *, session: bool, speak: int | None = None) -> None:
    """Start this Python at the daemon's entry point; ``kept`` is handed on.

    What it prints goes to the descriptor ``speak``, else into the log.
    ``-P``: the directory one stands in is never a place to import from. What a variable says about one request is
    not to hold for all that come after it.
    """
    os.set_inheritable(kept, True)
    log = open_log(place)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, log if speak is None else speak, 1),
        (os.POSIX_SPAWN_DUP2, log if speak is None else speak, 2),
    ]
    argv = [sys.executable, "-P", "-m", "gitsessiond.main", *words]
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") and name not in OF_REQUESTS}
    try:
        if session:
            os.posix_spawn(sys.executable, argv, env, file_actions=actions, setsid=True)
        else:
            os.posix_spawn(sys.executable, argv, env, file_actions=actions, setpgroup=0)
    except OSError as exc:
        raise Unreachable(f"cannot start {sys.executable}: {exc.strerror}", hint="reinstall gitsessiond") from exc
    finally:
        os.close(log)


def open_log(place: Place) -> int:
    """The log, to be appended to; a long one is put aside first."""
    try:
        if os.path.exists(place.log) and os.path.getsize(place.log) > KEPT_LOG:
            os.replace(place.log, place.log + ".1")
        return os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as exc:
        raise disk_refused("the log cannot be written", exc) from exc


def holder_words(place: Place) -> str:
    """Which process holds the repository, for a message; empty when unknown."""
    try:
        with open(os.path.join(place.state_dir, "lock"), encoding="ascii", errors="replace") as file:
            pid = file.read(32).strip()
    except OSError:
        return ""
    return f": process {pid} holds the repository" if pid.isdecimal() else ""
