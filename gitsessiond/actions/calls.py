"""Calls of agents' tools while they run: what was there before, and whether the daemon saw all that came since.

Only in memory: a call that the daemon forgets proves nothing, and what it wrote stays nobody's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gitsessiond.model.files import File
from gitsessiond.model.owners import Owners, deleted_files, paths_on_disk
from gitsessiond.model.proving import Command

MOST_CALLS = 64  # of all agents of a session; a call that never ends is forgotten by them


@dataclass
class Call:
    """One call of a tool. ``paths`` None: a shell command, which may write anywhere."""

    agent: str
    owners: Owners  # as they were before it
    work: str  # the tree of the worktree before it
    paths: frozenset[bytes] | None = None
    command: Command | None = None
    copied: dict[bytes, str] | None = None  # the files it names, as they were before it; None: not looked up yet
    beside: list[Command] = field(default_factory=list)  # what other agents ran meanwhile
    seen: dict[bytes, File | None] = field(default_factory=dict)  # what stood for a path after its last save
    apart: set[bytes] = field(default_factory=set)  # paths that something else than a save has changed

    def covers(self, path: bytes) -> bool:
        """Whether the call may write there."""
        return self.paths is None or path in self.paths


def unproven(pid: str) -> str:
    """The owner of an edit in a file that an agent has claimed, before it is known whether it made it."""
    return f"~unproven {pid}"


def file_in(owners: Owners, path: bytes) -> File | None:
    """What stands for a path, also where it is deleted."""
    return paths_on_disk(owners).get(path) or deleted_files(owners).get(path)


def follow(calls: Collection[Call], before: Owners, after: Owners, paths: Iterable[bytes]) -> None:
    """Note for the calls that may have made it what a save has made of these paths."""
    if not calls:
        return
    for path in paths:
        was, now = file_in(before, path), file_in(after, path)
        for call in calls:
            if call.covers(path):
                known = call.seen[path] if path in call.seen else file_in(call.owners, path)
                if known is not was:
                    call.apart.add(path)
                call.seen[path] = now


def begin(calls: dict[str, Call], key: str, call: Call) -> None:
    """Let a call begin; those of other agents that run shell commands know of each other's."""
    for other in calls.values():
        if other.agent != call.agent and other.command is not None and call.command is not None:
            other.beside.append(call.command)
            call.beside.append(other.command)
    calls.pop(key, None)
    calls[key] = call
    while len(calls) > MOST_CALLS:
        calls.pop(next(iter(calls)))


def together(calls: Iterable[Call]) -> list[Call]:
    """Calls that began at once, as those of a tool that writes several files, as one: it may have moved one of them."""
    out: dict[int, Call] = {}
    for call in calls:
        known = out.setdefault(id(call.owners), call)
        if known is not call and known.paths is not None and call.paths is not None:
            known.paths |= call.paths
            known.seen |= call.seen
            known.apart |= call.apart
    return list(out.values())
