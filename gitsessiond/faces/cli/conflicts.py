"""The commands about clashes: conflicts, conflict show, conflict reopen, resolve."""

from __future__ import annotations

import base64
import os
import sys
from typing import Any

import click

from gitsessiond.faces.cli import handing, mergelines, walking
from gitsessiond.faces.cli.face import Face, SessionCommand, SessionGroup, pass_face
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.typed import path_argument
from gitsessiond.faces.cli.words import command, listed, plural, typed_path
from gitsessiond.model.errors import BadRequest

KINDS = ("file_edit", "git_merge", "context_switch", "resource_lock", "state_divergence", "git_revert")
HUNK_WAYS = ("ours", "theirs", "both", "base", "remembered")


@click.command("conflicts", cls=SessionCommand)
@click.option("--all", "everything", is_flag=True, help="Resolved ones too, also by git itself.")
@click.option("--type", "kind", type=click.Choice(KINDS), metavar="KIND", help=f"Of one kind: {', '.join(KINDS)}.")
@pass_face
def conflicts(face: Face, everything: bool, kind: str | None) -> int:
    """List the conflicts of the session"""
    reply = face.call("conflicts", all=everything, kind=kind)
    face.show(reply, mergelines.conflicts_lines(reply), mergelines.conflicts_hints(reply))
    return 0


@click.group("conflict", cls=SessionGroup)
def conflict() -> None:
    """Look at one conflict, or open it again"""


@conflict.command("show")
@click.argument("conflict_id", metavar="ID")
@pass_face
def show(face: Face, conflict_id: str) -> int:
    """Show a conflict: its three sides, what they are for, and where to edit it

    Of its text the places where both sides differ are shown, with some lines around; with --json all of it.
    """
    reply = face.call("conflict.show", id=conflict_id)
    face.show(reply, mergelines.conflict_show_lines(reply), mergelines.conflict_show_hints(reply))
    return 0


@conflict.command("reopen")
@click.argument("conflict_id", metavar="ID")
@pass_face
def reopen(face: Face, conflict_id: str) -> int:
    """Ask again what was settled, by git itself or by somebody

    It is an open conflict again, with its file, and the next `merge` lands what it is resolved to then. What git
    combined by itself is listed by `conflicts --all`. What has landed already, `revert` takes back first.
    """
    reply = face.call("conflict.reopen", id=conflict_id)
    face.show(reply, mergelines.reopen_lines(reply), mergelines.reopen_hints(reply))
    return 0


WAYS = "--ours, --theirs, --base, --union, --delete, --file F, --edit, --tool, --hunk N=HOW, --remembered"


@click.command("resolve", cls=SessionCommand)
@click.argument("conflict_id", metavar="ID")
@click.option("--ours", is_flag=True, help="The target's side.")
@click.option("--theirs", is_flag=True, help="The patch's side.")
@click.option("--base", is_flag=True, help="As it was before both.")
@click.option("--union", is_flag=True, help="The lines of both sides.")
@click.option("--delete", is_flag=True, help="Nothing: the path is deleted.")
@click.option("--file", "file", metavar="F", help="The content of this file; - for standard input.")
@click.option("--edit", is_flag=True, help="What the editor leaves in its file; git's editor.")
@click.option("--tool", "tool", is_flag=False, flag_value="", metavar="[NAME]", help="By git mergetool.")
@click.option(
    "--hunk",
    "hunks",
    multiple=True,
    metavar="N=HOW",
    help="Place N by ours, theirs, both, base or remembered; for each place one.",
)
@click.option("--remembered", is_flag=True, help="As the same clash was resolved before.")
@click.option("--as", "name", metavar="PATH", help="Where the result is to be, if both sides renamed it.")
@pass_face
def resolve(
    face: Face, *, conflict_id: str, file: str | None, tool: str | None, hunks: tuple[str, ...], name: str | None,
    **flags: bool,
) -> int:  # fmt: skip
    """Settle a conflict

    Saving its file under .gitsession/conflicts/ without markers, in any editor, settles it too. Without an
    option it asks, on a terminal, for each place where both sides differ. The resolution is used by the next
    `merge` of the patch.
    """
    given = [way for way, on in flags.items() if on]
    given += [way for way, on in (("file", file), ("tool", tool is not None), ("hunks", hunks)) if on]
    if not given and sys.stdin.isatty() and not face.json:
        return walk_through(face, conflict_id)
    if not given:
        raise BadRequest(f"say how: one of {WAYS}", hint=command("conflict", "show", conflict_id))
    if len(given) > 1:
        both = listed(["--" + ("hunk" if way == "hunks" else way) for way in given])
        raise BadRequest(f"{both} exclude each other: choose one", hint=command("conflict", "show", conflict_id))
    if name is not None and given[0] not in ("ours", "theirs", "base", "union", "file", "hunks"):
        raise BadRequest("--as goes with a side, --union, --file or --hunk", hint="git session resolve -h")
    asked: dict[str, Any] = {"how": given[0], "content": None}
    if name is not None:
        asked["as"] = path_argument(name)
    if file is not None:
        asked["content"] = in_base64(sys.stdin.buffer.read() if file == "-" else handing.read_content(file))
    elif hunks:
        asked["hunks"] = hunk_answers(face, conflict_id, hunks)
    elif flags["edit"]:
        asked["content"] = in_base64(edited(face, conflict_id))
    elif tool is not None:
        outcome = handing.run_tool(face.call("conflict.show", id=conflict_id), tool, os.getcwd())
        asked |= {"take": outcome.take} if outcome.take else {"content": in_base64(outcome.content)}
    return send(face, conflict_id, asked)


def send(face: Face, conflict_id: str, asked: dict[str, Any]) -> int:
    """Ask for it and print what came of it."""
    reply = face.call("resolve", id=conflict_id, **asked)
    face.show(reply, mergelines.resolve_lines(reply), mergelines.resolve_hints(reply))
    return 0


def in_base64(content: bytes) -> str:
    """Bytes as a request carries them."""
    return base64.b64encode(content).decode("ascii")


def edited(face: Face, conflict_id: str) -> bytes:
    """The conflict's file as the editor leaves it; a temporary one where the session has no worktree."""
    shown = face.call("conflict.show", id=conflict_id)
    if shown["at"] is None:
        return handing.edit_text(
            shown["text"].encode("utf-8", "surrogateescape"), typed_path(shown["conflict"]["path"])
        )
    path = typed_path(shown["at"])
    handing.edit_file(path)
    return handing.read_content(path)


def hunk_answers(face: Face, conflict_id: str, hunks: tuple[str, ...]) -> list[str]:
    """``2=ours`` and the like as one answer for each place.

    Raises:
        BadRequest: one is no such answer, or a place has none or two.
    """
    count = len(face.call("conflict.show", id=conflict_id)["hunks"])
    found: dict[int, str] = {}
    for one in hunks:
        number, _, answer = one.partition("=")
        if answer not in HUNK_WAYS or not number.isdigit() or int(number) in found:
            raise BadRequest(f"{one!r} is no N={'|'.join(HUNK_WAYS)}", hint=f"git session conflict show {conflict_id}")
        found[int(number)] = answer
    if set(found) != set(range(1, count + 1)):
        raise BadRequest(
            f"{plural(count, 'place')} to settle, {plural(len(found), 'answer')} given",
            hint=f"git session conflict show {conflict_id}",
        )
    return [found[number] for number in range(1, count + 1)]


def walk_through(face: Face, conflict_id: str) -> int:
    """Ask for each place; what is skipped stays in the conflict's file, with what was settled."""
    shown = face.call("conflict.show", id=conflict_id)
    if mergelines.is_notice(shown["conflict"]):
        return send(face, conflict_id, {"how": "ours", "content": None})  # which says that nothing is to be settled
    if not shown["hunks"]:
        for line in mergelines.conflict_show_lines(shown):
            note(line)
        ways = ["ours", "theirs", *(["remembered"] if shown["remembered"] else [])]
        how = click.prompt("Take", type=click.Choice(ways), err=True)
        return send(face, conflict_id, {"how": how, "content": None})
    answers = walking.walk(shown)
    if all(answer == "skip" for answer in answers):
        note("nothing was changed")
        return 0
    return send(face, conflict_id, {"how": "hunks", "content": None, "hunks": answers})


COMMANDS = (conflicts, conflict, resolve)
