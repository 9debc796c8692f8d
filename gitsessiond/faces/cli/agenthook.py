"""``git session agent-hook TOOL``: what a coding agent runs before and after its tools, answered within its patience.

An agent is never kept waiting or hindered because we are ill: without a daemon, or with one that does not answer, the
answer is the tool's own for "go on", and the exit code is 0. Free of all that is slow to import.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from gitsessiond.faces.cli.agentforms import TOOLS, Event, event_of, going_on, refusal, remark
from gitsessiond.faces.cli.applypatch import Written
from gitsessiond.model.errors import GitSessionError, NotFound, error_from
from gitsessiond.model.names import quote_path
from gitsessiond.wire.client import Talk
from gitsessiond.wire.place import Place, find_place, peer_of, read_pointer, refuse_stranger
from gitsessiond.wire.requests import request, who_asks

CONNECT_S = 0.05
PONG_S = 2.0  # a daemon that lives answers a ping at once, whatever it is at; on a loaded machine this may take a while
LEAST_S = 0.3  # for what a recorder does that was long at work, and may just be done
ANSWER_S = 5.0  # what is before us in its queue; agents wait some ten seconds for a hook
MOST_INPUT = 64 << 20
BETWEEN = ("sh", "bash", "dash", "zsh", "fish", "env", "git", "timeout", "nice", "busybox", "git-session")


def run_agent_hook(argv: Sequence[str]) -> int | None:
    """Answer the hook of the tool named; None: the words ask for something else, such as help."""
    if {"-h", "--help"} & set(argv):
        return None
    if len(argv) != 1 or argv[0] not in TOOLS:
        print(f"error: {' '.join(argv)!r} is no agent known here\nhint: git session agent-hook -h", file=sys.stderr)
        return 1  # 2 would make Claude Code refuse what its tool is about to do
    answer = going_on(argv[0], {})
    with suppress(Exception):  # an agent is not to be bothered with what is wrong with us, whatever that is
        told = json.loads(sys.stdin.buffer.read(MOST_INPUT).decode("utf-8", "surrogateescape"))
        if isinstance(told, dict):
            answer = going_on(argv[0], told)
            event = event_of(argv[0], told)
            answer = (answer_to(event) if event is not None else None) or answer
    if answer is not None:
        print(json.dumps(answer))
    return 0


def answer_to(event: Event) -> dict[str, Any] | None:
    """Ask the daemon what the event comes to, and put it as the tool expects it; None: go on."""
    if event.kind in ("end", "stop"):
        for directory in repositories(event):
            ask(directory, "agent.end", {**agent(event), "release": event.kind == "end"})
        return None
    if event.command is not None:
        if event.kind == "before":
            ask(event.cwd, "agent.before", {**agent(event), "command": event.command})
            return None
        return told_after(event, ask(event.cwd, "agent.after", agent(event)))
    answers = []
    for cwd, writes in by_directory(event.writes).items():
        paths = [quote_path(os.fsencode(one.path)) for one in writes]
        if event.kind == "before":
            deleted = [path for path, one in zip(paths, writes, strict=True) if one.deleted]
            rest = [path for path in paths if path not in deleted]
            done = ask(cwd, "agent.before", {**agent(event), "paths": rest, "deletes": deleted})
            if done and done["held"]:
                return refusal(event, held_words(done["held"]))
        else:
            told = [{"path": path, **declared(one)} for path, one in zip(paths, writes, strict=True)]
            answers.append(told_after(event, ask(cwd, "agent.after", {**agent(event), "writes": told})))
    return next((answer for answer in answers if answer is not None), None)


def repositories(event: Event) -> list[str]:
    """A directory of each repository in which an agent may have written: where it stands now, and where it began."""
    found: dict[Place, str] = {}
    for directory in (event.cwd, *event.roots, os.environ.get("CLAUDE_PROJECT_DIR")):
        if directory:
            with suppress(GitSessionError):
                found.setdefault(find_place(directory), directory)
    return list(found.values())


def by_directory(writes: Sequence[Written]) -> dict[str, list[Written]]:
    """The writes by the directory whose repository and session they are of: that of the file, as far as it is there.

    Of a link it is that of the file it leads to, unless it is the link that is deleted.
    """
    out: dict[str, list[Written]] = {}
    for each in writes:
        one = each if each.deleted else each._replace(path=os.path.realpath(each.path))
        directory = os.path.dirname(os.path.abspath(one.path))
        while not os.path.isdir(directory):
            directory = os.path.dirname(directory)
        out.setdefault(top_of(directory), []).append(one)
    return out


def top_of(directory: str) -> str:
    """The worktree a directory is in; itself where it is in none."""
    at = directory
    while not os.path.lexists(os.path.join(at, ".git")):
        if at == os.path.dirname(at):
            return directory
        at = os.path.dirname(at)
    return at


def agent(event: Event) -> dict[str, Any]:
    """Who speaks, as the protocol has it."""
    pid, started = process()
    patch, session = (os.environ.get(name) or None for name in ("GITSESSION_PATCH", "GITSESSION"))
    told = {"tool": event.tool, "id": event.id, "call": event.call, "pid": pid, "started": started}
    return told | {"patch": patch, "session": session}


def process() -> tuple[int | None, str]:
    """The agent's process: the nearest one above this that is no shell and not git; when and where that was started."""
    pid = os.getppid()
    while pid > 1:
        try:
            space = os.readlink("/proc/self/ns/pid")
            with open(f"/proc/{pid}/stat", "rb") as file:
                name, _, rest = file.read().partition(b" (")[2].rpartition(b") ")
        except OSError:
            return None, ""
        words = rest.split()
        if len(words) < 20:
            return None, ""
        if os.fsdecode(name) not in BETWEEN:
            return pid, f"{words[19].decode()} {space}"
        pid = int(words[1])
    return None, ""


def declared(one: Written) -> dict[str, Any]:
    """What a tool was told to write, as the protocol has it."""
    if one.deleted:
        return {"deleted": True}
    if one.cell is not None:
        return {"cell": one.cell}
    if one.content is not None:
        return {"content": base64.b64encode(one.content.encode("utf-8", "surrogateescape")).decode()}
    told: dict[str, Any] = {"pieces": [list(piece) for piece in one.pieces]}
    return told | {"from": quote_path(os.fsencode(one.origin))} if one.origin else told


def held_words(held: Sequence[dict[str, Any]]) -> str:
    """Why a tool may not write, in words that an agent can act on."""
    rows = "; ".join(f"{one['path']} is claimed for {one['by']}" for one in held)
    return f"{rows}. Leave it alone, go on with something else, and come back to it when that patch is done with it."


def told_after(event: Event, done: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an agent is told of edits that were made meanwhile and are nobody's, and of a patch that is not there."""
    words = []
    if done and (instead := done.get("instead")):  # a daemon of an earlier build does not say
        words.append(
            f"git session: {instead['told']!r} of GITSESSION_PATCH is no open patch here, "
            f"so that your edits go to {instead['name']}."
        )
    if done and done["left"]:
        paths = sorted({str(one["path"]) for one in done["left"]})
        few = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        words.append(
            f"git session: edits of {few} have no patch, since nothing proves who made them. `git session unassigned` "
            "lists them; those that you made: `git session assign PATH[:FROM-TO] --patch P`."
        )
    return remark(event, " ".join(words)) if words else None


def ask(cwd: str, verb: str, args: dict[str, Any]) -> dict[str, Any] | None:
    """The daemon's answer; None: it is ill, or there is none, or no session here."""
    try:
        path = read_pointer(find_place(cwd))
    except GitSessionError:
        return None  # in no repository
    if path is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(path)
            refuse_stranger(connection)
            if is_stopped(peer_of(connection).pid):
                return None
            talk = Talk(connection)
            talk.send(request("ping", {}, {}, 0))
            waits = patience(talk.next(PONG_S))
            if waits is None:
                return None
            env = {name: value for name, value in os.environ.items() if name != "GITSESSION"}  # where it is says which
            talk.send(request(verb, args, who_asks(cwd, None, env)))
            reply = talk.next(waits)
        except OSError:  # timeouts too
            return None
    if reply is not None and "error" in reply:
        found = error_from(reply["error"])
        if not isinstance(found, NotFound):
            print(f"git session: {found.message}", file=sys.stderr)
        return None
    done = reply.get("ok") if reply is not None else None
    return done if isinstance(done, dict) else None


def patience(pong: dict[str, Any] | None) -> float | None:
    """How long the answer may take, by what the daemon says of its recorder; None: it will not come.

    One that hangs has been at work on one thing for long: so only the first hook waits for it.
    """
    found = pong.get("ok") if pong is not None else None
    found = found if isinstance(found, dict) else {}
    if is_stopped(found.get("recorder_pid")):
        return None
    busy = found.get("busy_s")
    return max(LEAST_S, ANSWER_S - busy) if isinstance(busy, int | float) else ANSWER_S


def is_stopped(pid: int | None) -> bool:
    """Whether a process is certainly stopped, and so will answer nothing."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in (b"T", b"t", b"Z")
    except OSError:
        return False
