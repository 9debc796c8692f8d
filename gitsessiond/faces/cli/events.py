"""The command ``events``: what happens, as it happens, one event a line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import note, put, put_json
from gitsessiond.model.errors import BadRequest

TYPES = (
    # of files and git
    "saved", "file_changed", "not_recorded", "gap", "adopt", "commit", "merge", "revert", "update", "publish", "check",
    "judge", "restore", "agent", "merged elsewhere", "merge_unfinished",
    # of sessions, patches and people
    "start", "close", "abandon", "reopen", "rename", "patch new", "patch use", "patch ready", "patch depend",
    "patch rename", "patch abandon", "patch reopen", "assign", "patch_status_changed", "patch_ready", "patch_blocked",
    "invite", "uninvite", "collaborator_added", "collaborator_removed",
    # of conflicts
    "conflict_detected", "conflict_resolved", "conflict_reopened", "conflict_gone", "conflict.reopen", "resolve",
    "resolving", "not_resolved", "apart", "denied", "unlocked", "left", "nothing left",
    # of clients, editors and locks
    "client_connected", "client_disconnected", "primary_promoted", "editor_opened", "editor_changed", "editor_saved",
    "editor_quit", "editor_crashed", "lock_acquired", "lock_waiting", "lock_denied", "lock_renewed", "lock_released",
    "lock_expired", "lock_broken", "locks_done", "overlap",
    # of the daemon
    "recorder_restarted", "overflow", "watch_limit", "degraded", "restored", "bug", "missed",
)  # fmt: skip
LENGTH = re.compile(r"([0-9]{1,6})([smhd])")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TIME_OF_DAY = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")


@click.command("events", cls=SessionCommand)
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option(
    "--since",
    metavar="SEQ|WHEN",
    help="Those after this sequence number, or since then: 10m, 2h, 14:05, '2026-01-02 14:05'.",
)
@click.option(
    "--type",
    "types",
    type=click.Choice(TYPES),
    multiple=True,
    metavar="TYPE",
    help="Those of this type; may be repeated.",
)
@click.option(
    "--channel",
    type=click.Choice(["session", "project", "conflicts"]),
    help="Those of sessions, of the repository as a whole, or of conflicts.",
)
@pass_face
def events(face: Face, follow: bool, since: str | None, types: tuple[str, ...], channel: str | None) -> int:
    """Print events: saves, commits, merges, conflicts, locks, clients

    With -s those of that session. With --json one object a line. The last 2,000 are kept; one of the
    type `missed` stands for others that are not. With --follow the next daemon is waited for when this
    one ends.
    """
    wanted: dict[str, Any] = {"types": list(types), "channel": channel}
    if face.session is not None:
        wanted["session"] = face.call("session.status", most=0)["session"]["id"]
    number, when = since_of(since, datetime.now().astimezone())
    for event in face.client().events(number, follow, wanted, tell_waiting):
        if when is not None and (event["type"] == "missed" or datetime.fromisoformat(event["ts"]) < when):
            continue
        if face.json:
            put_json(event)
        else:
            put([loglines.event_line(event, today=datetime.now().date())])
    return 0


def since_of(text: str | None, now: datetime) -> tuple[int | None, datetime | None]:
    """The number of an event, or a time; with a time, the number is that of none.

    Raises:
        BadRequest: it is neither.
    """
    if text is None or text.isdecimal():
        return None if text is None else int(text), None
    if length := LENGTH.fullmatch(text):
        return 0, now - timedelta(seconds=int(length[1]) * UNITS_S[length[2]])
    if TIME_OF_DAY.fullmatch(text):
        text = f"{now.date()} {'0' * (text[1] == ':')}{text}"
    try:
        return 0, datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise BadRequest(f"--since: {text!r} is no number and no time", hint="git session events --since 10m") from None


def tell_waiting() -> None:
    """Say that nothing comes for now."""
    note("the daemon has ended; waiting for the next one")


COMMANDS = (events,)
