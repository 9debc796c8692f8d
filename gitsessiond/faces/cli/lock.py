"""The commands about locks: ``lock``, ``unlock``, ``locks``."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from typing import Any

import click

from gitsessiond.faces.cli import locklines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.locknames import TYPES, named_otherwise, names_of
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.errors import BadRequest, Locked
from gitsessiond.model.names import is_pattern, name_key, spoken
from gitsessiond.wire.client import DaemonEnded

SHORTEST_S, LONGEST_S = 0.001, 86400.0
AS_SET = "as-set"  # how long to wait is for the settings to say
LOCK_WAIT = "LOCK_WAIT_TIMEOUT"  # the variable of that setting
MOST_ENDS = 4  # of daemons, while one waits: more are the fault of what is asked
AGAIN_S = (0.1, 0.5, 2.0)  # between two tries where no daemon runs; the last one counts on

kind_option = click.option(
    "--type",
    "kind",
    type=click.Choice(TYPES),
    default="file",
    help="What the words name: files and directories, branches and refs, directories, databases; `exclusive` is"
    " everything.  [default: file]",
)


class Waiting(SessionCommand):
    """``--wait`` may stand alone; what follows it is its number only if it is one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words."""
        for at, word in enumerate(args):
            if word == "--":
                break
            if word == "--wait":
                args[at] = (
                    f"--wait={args.pop(at + 1)}" if is_number("".join(args[at + 1 : at + 2])) else f"--wait={AS_SET}"
                )
        return super().parse_args(ctx, args)


def is_number(text: str) -> bool:
    """Whether it is a number of seconds."""
    return text.replace(".", "", 1).isdecimal()


@click.command("lock", cls=Waiting)
@click.argument("words", nargs=-1, metavar="[PATH]...", type=click.UNPROCESSED)
@kind_option
@click.option(
    "--mode",
    type=click.Choice(["S", "U", "X", "intent"]),
    default="X",
    help="S: read, others may too. U: read now, write later. X: write. intent: only a mark.  [default: X]",
)
@click.option("--ttl", metavar="SECONDS", help="How long it lasts, unless renewed; at most a day.")
@click.option("--wait", metavar="[SECONDS]", help="Wait in line until it is free.  [default: do not wait]")
@click.option("--force", is_flag=True, help="Take it from whoever has it; with --reason.")
@click.option("--reason", metavar="WHY", help="What it is for; others are told.")
@pass_face
def lock(
    face: Face,
    words: tuple[str, ...],
    kind: str,
    mode: str,
    ttl: str | None,
    wait: str | None,
    force: bool,
    reason: str | None,
) -> int:
    """Lock files, directories, patterns, branches or names, all or none

    Another client that wants them is refused (exit 11) and told who has them, or waits in line. The lock is this
    terminal's, or that of $GITSESSION_CLIENT, until `unlock`, its time is over, or the terminal is closed. Locked again
    it lasts anew. Nobody's editor is stopped by it unless `gitsession.locks` says so: docs/locks.md
    """
    names = names_of(kind, words, os.getcwd())
    lasting = ttl_of(ttl)
    check_reason("lock", kind, words, reason, force)
    if force:
        if len(names) != 1 or mode != "X" or wait is not None:
            hint = typed("lock", kind, words[:1], "--force", "--reason", reason or "WHY")
            raise BadRequest("--force takes one resource, for writing, at once", hint=hint)
        reply = face.call("lock.break", name=names[0], reason=reason, steal=True)
    else:
        wanted = [{"name": name, "mode": mode} for name in names]
        try:
            reply = acquired(face, {"resources": wanted, "ttl": lasting, "reason": reason}, seconds_of(wait))
        except Locked as held:
            raise in_these_words(held, kind, words, options_of(mode, lasting, reason)) from held
    face.show(reply, (locklines.taken(one, mode) for one in reply["locks"]))
    for word in words if kind == "file" and not face.json else ():
        if not is_pattern(word) and not os.path.lexists(word):
            note(f"{clean(word)} is not there yet")  # a slip of the pen, perhaps
    return 0


def acquired(face: Face, asked: dict[str, Any], wait: float | bool) -> dict[str, Any]:
    """Ask for locks. A daemon answers when it is one's turn; where none runs there are no turns, and it is asked again.

    So is the next daemon if one ends meanwhile: what was granted is granted again. One waits no longer for all that.

    Raises:
        Locked: somebody else has one of them.
    """
    begun, pauses, ends = time.monotonic(), iter(AGAIN_S), MOST_ENDS
    left = wait
    while True:
        try:
            return face.call("lock.acquire", **asked, wait=left, request=None)
        except Locked as held:
            if not wait or held.reason != "held":
                raise
            wait = longest_wait(face) if wait is True else wait
            left = begun + wait - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, next(pauses, AGAIN_S[-1])))
        except DaemonEnded:
            ends -= 1
            if not ends:
                raise
            wait = longest_wait(face) if wait is True else wait
            left = max(0.0, begun + wait - time.monotonic()) if wait else wait


def longest_wait(face: Face) -> float:
    """How long to wait where nobody says."""
    settings = face.call("config")["settings"]
    return float(next(one["value"] for one in settings if LOCK_WAIT in one["variables"]))


def in_these_words(held: Locked, kind: str, words: tuple[str, ...], options: list[str]) -> Locked:
    """A refusal whose hint can be pasted where one stands."""
    if held.reason not in ("held", "timeout"):
        return held
    hint = typed("lock", kind, words, *options, "--wait")
    return Locked(held.message, hint=hint, reason=held.reason, details=held.details)


def options_of(mode: str, ttl: float | None, reason: str | None) -> list[str]:
    """What was asked for besides names."""
    return [
        *(["--mode", mode] if mode != "X" else []),
        *(["--ttl", f"{ttl:g}"] if ttl is not None else []),
        *(["--reason", reason] if reason is not None else []),
    ]


def typed(command: str, kind: str, words: Sequence[str], *options: str) -> str:
    """A command line with the same names."""
    line = ["git", "session", command, *([] if kind == "file" else ["--type", kind])]
    if any(word.startswith("-") for word in words):
        return shlex.join([*line, *options, "--", *words])
    return shlex.join([*line, *words, *options])


def check_reason(command: str, kind: str, words: tuple[str, ...], reason: str | None, force: bool) -> None:
    """Raise BadRequest where a reason says nothing, or would garble a terminal, or is needed and not there."""
    options = [*(["--force"] if force else []), "--reason", "WHY"]
    if reason is None and force:
        raise BadRequest("a reason is needed to break a lock", hint=typed(command, kind, words[:1], *options))
    if reason is not None and not (reason and reason.isprintable()):
        raise BadRequest("--reason: a line of text is needed", hint=typed(command, kind, words, *options))


def ttl_of(seconds: str | None) -> float | None:
    """How long a lock is to last.

    Raises:
        BadRequest: it is no such number of seconds.
    """
    if seconds is None or (is_number(seconds) and SHORTEST_S <= float(seconds) <= LONGEST_S):
        return None if seconds is None else float(seconds)
    most = f"at least {SHORTEST_S:g} and at most a day ({LONGEST_S:.0f})"
    raise BadRequest(f"--ttl: {seconds!r} is no number of seconds, {most}", hint="git session lock -h")


def seconds_of(wait: str | None) -> float | bool:
    """How long to wait; True: as the settings say, False: not.

    Raises:
        BadRequest: it is no number of seconds.
    """
    if wait is None or wait == AS_SET:
        return wait is not None
    if not is_number(wait) or float(wait) > LONGEST_S:
        raise BadRequest(f"--wait: {wait!r} is no number of seconds up to {LONGEST_S:.0f}", hint="git session lock -h")
    return float(wait)


@click.command("unlock", cls=SessionCommand)
@click.argument("words", nargs=-1, metavar="[PATH]...", type=click.UNPROCESSED)
@kind_option
@click.option("--all", "all_", is_flag=True, help="All locks that are yours.")
@click.option("--force", is_flag=True, help="Break a lock of somebody else; with --reason.")
@click.option("--reason", metavar="WHY", help="Why it is broken; its holder is told, and it is kept.")
@pass_face
def unlock(face: Face, words: tuple[str, ...], kind: str, all_: bool, force: bool, reason: str | None) -> int:
    """Give locks back, or break one of somebody else

    What you do not hold is no error: it may have been over.
    """
    if all_ and (words or force):
        raise BadRequest("--all is for your own locks, and all of them", hint="git session unlock --all")
    names = None if all_ else names_of(kind, words, os.getcwd())
    check_reason("unlock", kind, words, reason, force)
    if names is not None and force:
        return broken(face, kind, words, names, reason)
    reply = face.call("lock.release", names=names, all=all_)
    if not reply["released"] and reply["others"]:
        other = reply["others"][0]
        named = words_for(other["name"], kind, words)
        raise Locked(
            f"{clean(spoken(other['name']))} is locked by {locklines.whose({**other, 'mine': False})}, not by you",
            hint=typed("unlock", kind, named, "--force", "--reason", "WHY"),
            reason="held",
            details={"held": reply["others"]},
        )
    released = [f"Unlocked {clean(spoken(name))}." for name in reply["released"]]
    if released or face.json:
        face.show(reply, released)
    else:
        show_nothing(face, reply, kind, words, names)
    return 0


def show_nothing(face: Face, reply: dict[str, Any], kind: str, words: tuple[str, ...], names: list[str] | None) -> None:
    """Say what became of locks that one would have given back, and which command gives those of another type back."""
    found = face.call("lock.list", name=None)
    meant = None if names is None else {name_key(name.rstrip("/")) for name in names}
    lost = [one for one in found["lost"] if meant is None or name_key(one["name"].rstrip("/")) in meant]
    mine = {name_key(one["name"].rstrip("/")) for one in found["locks"] if one["mine"]}
    hints = [
        typed("unlock", other, (word,))
        for word, other, name in named_otherwise(kind, words, os.getcwd())
        if name_key(name.rstrip("/")) in mine
    ]
    face.show(reply, ["Nothing of that was locked.", *locklines.lost(lost)], hints)


def words_for(name: str, kind: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the words of a command that mean this name."""
    wanted = name_key(name.rstrip("/"))
    found = (word for word in words if name_key(names_of(kind, (word,), os.getcwd())[0].rstrip("/")) == wanted)
    return tuple(found)[:1] or words[:1]


def broken(face: Face, kind: str, words: tuple[str, ...], names: list[str], reason: str | None) -> int:
    """Break the lock of somebody else."""
    if len(names) != 1:
        hint = typed("unlock", kind, words[:1], "--force", "--reason", "WHY")
        raise BadRequest("one lock is broken at a time", hint=hint)
    reply = face.call("lock.break", name=names[0], reason=reason, steal=False)
    lines = (
        f"Broke the lock of {locklines.whose({**one, 'mine': False})} on {clean(spoken(one['name']))}."
        for one in reply["broken"]
    )
    face.show(reply, lines)
    return 0


@click.command("locks", cls=SessionCommand)
@click.argument("path", required=False)
@kind_option
@pass_face
def locks(face: Face, path: str | None, kind: str) -> int:
    """List who holds which locks, and who waits for them"""
    words = () if path is None else (path,)
    name = names_of(kind, words, os.getcwd())[0] if words or kind in ("exclusive", "project") else None
    reply: dict[str, Any] = face.call("lock.list", name=name)
    face.show(reply, locklines.table(reply))
    return 0


COMMANDS = (lock, unlock, locks)
