"""Who has a file open, as far as an editor's lock and the system's word about a process tell. Pure.

What nobody tells is None, and its source ``unknown``: a guess would be believed.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from gitsessiond.model.swapfiles import Kind, Said

State = Literal["open", "crashed", "quit", "unknown"]

SLACK_S = 2.0  # by which two clocks of one machine may differ about a time
SHORTEST_CUT = 31  # characters: nano cuts a longer host name
EDITORS = re.compile(r"vi|nano|pico|emacs|joe|jmacs|jstar|jed|^mc|edit|^ex$", re.IGNORECASE)
JOE = ("me", "here")  # what joe writes for user and host where $USER and $HOSTNAME are not in its environment
SOURCES: dict[Kind, str] = {"swap": "swap file", "link": "lock link", "kate": "swap file", "office": "lock file"}
UNKNOWN, PROCESS, MANNER = "unknown", "process", "save manner"


class Process(NamedTuple):
    """What the system says of a pid. ``name`` None: it does not say; ``began``: seconds since the epoch."""

    name: str | None
    began: float


class Opened(NamedTuple):
    """One editor and one file. ``host`` None: this machine, or nobody says."""

    program: str | None
    program_from: str
    pid: int | None
    user: str | None
    host: str | None
    state: State
    state_from: str
    modified: bool | None
    modified_from: str

    @property
    def is_there(self) -> bool:
        """Whether an editor has it open, as far as anybody knows."""
        return self.state == "open"

    @property
    def process(self) -> int | None:
        """The number of its process, where that is certainly an editor on this machine."""
        return self.pid if self.state_from == PROCESS else None

    def row(self) -> dict[str, Any]:
        """As it crosses the wire."""
        return {
            "program": self.program,
            "pid": self.pid,
            "user": self.user,
            "host": self.host,
            "state": self.state,
            "modified": self.modified,
            "sources": {"program": self.program_from, "state": self.state_from, "modified": self.modified_from},
        }


class Times(NamedTuple):
    """When a lock was written, and its file (None: there is none), in seconds since the epoch."""

    lock: float
    file: float | None


def judged(kind: Kind, said: Said, process: Process | None, here: str, times: Times) -> Opened:
    """What a lock comes to. ``process``: what has the pid that it names, on this machine; ``here``: its host name."""
    source, is_joe = SOURCES[kind], said.host == JOE[1]  # shells have $HOSTNAME, but seldom export it
    is_local = is_joe or is_same_host(said.host, here)
    state, state_from, program, program_from = standing(said, process if is_local else None, times, is_local=is_local)
    state_from = state_from or source
    if program is None:
        program, program_from = ("joe", source) if is_joe else (said.program, source if said.program else UNKNOWN)
    modified = said.modified
    if said.program == "nano" and modified and times.file is not None:
        modified = times.lock > times.file  # it leaves the mark when it saves
    return Opened(
        program,
        program_from,
        said.pid,
        None if is_joe and said.user == JOE[0] else said.user,
        None if is_local else said.host,
        state,
        state_from,
        modified,
        source if modified is not None else UNKNOWN,
    )


def standing(
    said: Said, process: Process | None, times: Times, *, is_local: bool
) -> tuple[State, str, str | None, str]:
    """State and program with their sources (empty: the lock itself), by the process that the lock names.

    A number is used again: the process that has it is the editor only if it began before the lock was last written.
    Where nobody can tell, a lock that is there says that its file is open.
    """
    nobody: tuple[State, str, str | None, str] = ("open", "", None, UNKNOWN)
    if said.pid is None or not is_local:
        return nobody
    if process is None or process.began > times.lock + SLACK_S:
        return "crashed", PROCESS, None, UNKNOWN
    if process.name is None:
        return "open", PROCESS, None, UNKNOWN
    if EDITORS.search(process.name) is None:
        return nobody  # a process of a container, say, in which the number means another one
    return "open", PROCESS, usual_name(process.name), PROCESS


def is_same_host(told: str | None, here: str) -> bool:
    """Whether a lock's host is this machine; one that names none cannot be another's, and no pid is there then."""
    if told is None:
        return True
    return told == here or (len(told) >= SHORTEST_CUT and here.startswith(told))


def usual_name(name: str) -> str:
    """A program as people call it: ``vim.basic`` and ``emacs-nox`` are builds."""
    for usual in ("vim", "emacs"):
        if re.fullmatch(usual + r"[.-]\w+", name):
            return usual
    return name


def with_program(opened: Opened, before: Opened) -> Opened:
    """With the name that the process had, where that is gone and only the lock is left."""
    if opened.program_from == PROCESS or before.program_from != PROCESS:
        return opened
    return opened._replace(program=before.program, program_from=PROCESS)


def by_manner(program: str) -> Opened:
    """An editor without a lock, known by how it saved."""
    return Opened(program, MANNER, None, None, None, "unknown", UNKNOWN, None, UNKNOWN)


def after_quit(before: Opened) -> Opened:
    """The same editor when its lock and its process are gone."""
    return before._replace(state="quit", modified=None, modified_from=UNKNOWN)


def after_save(before: Opened) -> Opened:
    """The same editor when a lock went that is there only while the text is changed; the file may still be open."""
    return before._replace(state="unknown", state_from=UNKNOWN, modified=None, modified_from=UNKNOWN)
