"""The command ``watch``: run a command after the files of a session changed, never twice at once."""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import click

from gitsessiond.faces.cli.connect import Client
from gitsessiond.faces.cli.face import CONTEXT, Face, SessionCommand, pass_face
from gitsessiond.faces.cli.inturn import NO_SUCH, NOT_TO_BE_RUN, PASSED_ON
from gitsessiond.faces.cli.terminal import note, put_json
from gitsessiond.faces.cli.words import clean, few, listed
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.names import quote_path, unquote_path

WORDS = {**CONTEXT, "ignore_unknown_options": True, "allow_interspersed_args": False}
VARIABLE = "GITSESSION_CHANGED"
QUIET_S, LONGEST_S = 0.1, 2.0  # without another change, until the command is run; and in any case
MOST_BYTES = 64 << 10  # of the variable: the kernel takes no longer one than 128 KiB
ENDS = ("close", "abandon")

Json = dict[str, Any]


class Ended(NamedTuple):
    """There will be no more events, and why: an error, or a sentence."""

    why: BaseException | str


class Changes:
    """What happened to the files since it was last asked; events are read beside whatever else is done."""

    def __init__(self, events: Iterator[Json], top: str, only: Sequence[str] = ()) -> None:
        self._box: queue.SimpleQueue[Json | Ended] = queue.SimpleQueue()
        self._top, self._here = os.fsencode(top), os.fsencode(os.getcwd())  # which may be gone one day
        self._only = only
        self.ended: Ended | None = None
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    def _read(self, events: Iterator[Json]) -> None:
        """Put all that comes into the box."""
        try:
            for event in events:
                self._box.put(event)
        except BaseException as why:  # it is told where the command can end
            self._box.put(Ended(why))
        else:
            self._box.put(Ended("gitsessiond is no longer in this repository"))

    def next(self) -> list[str] | None:
        """Wait for a change, and until there was none for a moment; paths from here. Empty: all may have changed.

        None: the session has ended, and nothing has changed that was not told.
        """
        paths: dict[str, None] = {}
        all_of_them, until = False, None
        while self.ended is None:
            try:
                event = self._box.get(timeout=left_of(until))
            except queue.Empty:
                break
            if isinstance(event, Ended):
                self.ended = event
            elif event["type"] in ENDS:
                self.ended = Ended("the session has ended")
            elif event.get("path") is None or is_wanted(os.fsdecode(unquote_path(event["path"])), self._only):
                until = until or time.monotonic() + LONGEST_S
                all_of_them = all_of_them or event.get("path") is None  # `missed`, or more than are told one by one
                if not all_of_them:
                    paths[self._from_here(event["path"])] = None
        if until is None:
            return None
        return [] if all_of_them or len("\n".join(paths).encode()) > MOST_BYTES else list(paths)

    def _from_here(self, path: str) -> str:
        """A path as one types it here, spelled as git does: with quotes where it is odd."""
        return quote_path(os.path.relpath(os.path.join(self._top, unquote_path(path)), self._here))


def is_wanted(path: str, only: Sequence[str]) -> bool:
    """Whether a path from the top is one of those that count; a pattern without ``/`` is one of the last name."""
    return not only or any(fnmatchcase(path if "/" in one else path.rpartition("/")[2], one) for one in only)


def left_of(until: float | None) -> float | None:
    """How long to wait for another change."""
    return None if until is None else max(0.0, min(QUIET_S, until - time.monotonic()))


@click.command("watch", cls=SessionCommand, context_settings=WORDS)
@click.option("--first", is_flag=True, help="Run it once before anything changes, too.")
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="Changes of these files, such as '*.py' or 'src/*'; repeatable."
)
@click.argument("words", nargs=-1, required=True, metavar="-- CMD...", type=click.UNPROCESSED)
@pass_face
def watch(face: Face, first: bool, only: tuple[str, ...], words: tuple[str, ...]) -> int:
    """Run a command after each change of the session's files, until Ctrl-C

    $GITSESSION_CHANGED has the paths that changed, one a line, as seen from here; odd names are in quotes, as git
    prints them. It is empty where all may have changed: more than a hundred at once, or with --first. What changes
    while CMD runs is for its next run, which is one however much it is; what CMD writes is such a change, unless git
    ignores it. Exits 130 after Ctrl-C, 0 when the session ends, whatever CMD says; a shell is not asked:
    `git session watch -- sh -c 'make && make test'`.
    """
    if shutil.which(words[0]) is None:
        raise BadRequest(f"there is no command {words[0]!r}", hint="git session watch -- sh -c 'CMD | CMD'")
    session = face.call("session.status", most=0)["session"]
    client = face.client(start=False)  # one that may not stay has no events to come
    seq = client.call("daemon.status", {})["events"]["seq"]
    changes = Changes(events_of(client, seq, session["id"], face.json), session["worktree"] or os.getcwd(), only)
    if not face.json:
        note(f"watching session {clean(session['name'])}")
    with ended_by_signals():
        changed = [] if first else changes.next()
        while changed is not None:
            run(words, changed, as_json=face.json)
            changed = changes.next()
    assert changes.ended is not None
    why = changes.ended.why
    if isinstance(why, BaseException):
        raise why
    if not face.json:
        note(why)
    return 0


def events_of(client: Client, seq: int, session: str, as_json: bool) -> Iterator[Json]:
    """What happens to the files of a session after an event, over the end of this daemon too."""

    def waits() -> None:
        if not as_json:
            note("the daemon has ended; waiting for the next one")

    return client.events(seq, True, {"types": ["file_changed", *ENDS], "session": session, "channel": None}, waits)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have the command that runs ended with us, unless who started us wants us to be deaf to that, as nohup does."""
    numbers = [number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(number: int, frame: object) -> None:
    """End as one ends by this signal, after the command that runs."""
    raise SystemExit(128 + number)


def run(words: Sequence[str], changed: list[str], *, as_json: bool) -> None:
    """Run the command to its end, and tell what came of it."""
    if not as_json:
        what = listed(few([clean(path) for path in changed])) if changed else "everything"
        note(f"{what}: {shlex.join(words)}")
    code = code_of(words, {**os.environ, VARIABLE: "\n".join(changed)})
    if as_json:
        put_json({"changed": changed, "code": code})
    elif code:
        note(f"{words[0]} ended with {code}")


def code_of(words: Sequence[str], env: dict[str, str]) -> int:
    """The exit code of a command as a shell has it. It is never left behind: what ends us ends it, too."""
    try:
        child = subprocess.Popen(list(words), env=env)
    except OSError as why:
        note(f"error: {words[0]}: {why.strerror}")
        return NO_SUCH if isinstance(why, FileNotFoundError) else NOT_TO_BE_RUN
    try:
        code = child.wait()
    except KeyboardInterrupt:  # it was typed to the command as well; a second one is for both, too
        try:
            child.wait()
        finally:
            child.terminate()
        raise
    except SystemExit:
        child.terminate()
        child.wait()
        raise
    return code if code >= 0 else 128 - code


COMMANDS = (watch,)
