"""Replies about what was recorded and about the daemon as lines: history, restore, doctor, events. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, tzinfo
from typing import Any

from gitsessiond.faces.cli.times import local_time, stamp
from gitsessiond.faces.cli.words import clean, command, few, listed, name_in, place, plural, typed_path
from gitsessiond.model.names import spoken

Json = Mapping[str, Any]


def history_lines(reply: Json, zone: tzinfo | None = None) -> list[str]:
    """One row for each step, newest first: number, time, verb, what; and who, where that were several people."""
    steps = reply["steps"]
    if not steps:
        return ["Nothing is recorded yet."]
    numbers = max(len(str(step["number"])) for step in steps)
    verbs = max(len(str(step["verb"])) for step in steps)
    several = len({step["by"] for step in steps if step["by"]}) > 1
    out = []
    for step in steps:
        text = clean(str(step["text"])) or listed(few([str(one["path"]) for one in step["paths"]]))
        named = f"  [{step['id'][:6]}]" if step.get("id") else ""
        who = f"  by {clean(step['by'].partition(' <')[0])}" if several and step["by"] else ""
        when = stamp(step["at"], zone)
        out.append(f"{step['number']:>{numbers}}  {when}  {step['verb']:<{verbs}}  {text}{named}{who}".rstrip())
    return out


def restore_lines(reply: Json) -> list[str]:
    """What was written back, and the step to go back to if it was wrong."""
    paths = reply["restored"]
    if not paths:
        return [f"Nothing to restore: all is as in step {reply['from']}."]
    return [f"Restored {listed(few(paths))} from step {reply['from']}; this is step {reply['step']}."]


def restore_hints(reply: Json) -> list[str]:
    """The way back."""
    if not reply["restored"] or not isinstance(reply["step"], int):
        return []
    paths = reply["restored"]
    what = typed_path(paths[0]) if len(paths) == 1 else "."
    return [command("restore", what, "--at", str(reply["step"] - 1))]


def doctor_lines(checks: Sequence[Json]) -> list[str]:
    """One row for each check."""
    out = []
    for check in checks:
        state = "fixed" if check["fixed"] else check["state"]
        message = f": {clean(check['message'])}" if check.get("message") else ""
        out.append(f"{state:<5}  {check['name']}{message}")
    return out


def uninstall_lines(reply: Json) -> list[str]:
    """What is gone."""
    return [f"removed {clean(str(one))}" for one in reply["removed"]] or ["Nothing to remove."]


def daemon_lines(reply: Json) -> list[str]:
    """The two processes and what they watch, one fact a line."""
    out = [f"The daemon runs, pid {reply['pid']}, recorder {reply.get('recorder_pid') or 'not started'}."]
    names = (
        ("version", "version", ""),
        ("uptime_s", "up", " s"),
        ("sessions", "open sessions", ""),
        ("clients", "clients", ""),
        ("locks", "locks", ""),
        ("connections", "connections", ""),
        ("watches", "watched directories", ""),
        ("watcher", "watcher", ""),
        ("saves", "saves", ""),
        ("overflows", "overflows", ""),
        ("left", "paths to record", ""),
        ("rss_mb", "memory", " MB"),
        ("log", "log", ""),
    )
    for key, words, unit in names:
        value = reply.get(key)
        if value is not None:
            shown = f"{value:.0f}" if isinstance(value, float) else clean(str(value))
            if isinstance(value, Mapping):
                shown = ", ".join(f"{count} {which}" for which, count in value.items() if isinstance(count, int))
                if value.get("degraded"):
                    shown += f"; in memory only, and lost with the daemon: {clean(str(value['degraded']))}"
            out.append(f"  {words}: {shown}{unit}")
    return out


def stopped_lines(held: Mapping[str, int]) -> list[str]:
    """What becomes of what a daemon had at hand when it was stopped; one that did not say has none."""
    told = []
    if sessions := held.get("sessions"):
        told.append(f"what changed in {plural(sessions, 'open session')} is recorded")
    if locks := held.get("locks"):
        lasts = "lasts its" if locks == 1 else "last their"
        told.append(f"{plural(locks, 'lock')}, held all the while, {lasts} whole time once more")
    return [f"When it runs again {listed(told)}."] if told else []


# Not shown as facts: what a line has anyway, or what only a program wants.
PLAIN = (
    "v", "seq", "ts", "type", "session", "id", "text", "by", "by_git", "channel", "resource", "resource_id", "named",
    "conflict_id", "conflict_type",
)  # fmt: skip


def event_line(event: Json, zone: tzinfo | None = None, today: date | None = None) -> str:
    """``41 18:02:33 saved shop/user.py (step: 12, edits: shop/user.py:3 to p)``; any type of event has such a line.

    With ``today`` given an event of another day has its date too.
    """
    words = [str(event.get("seq", "-"))]
    if event.get("ts"):
        at = local_time(str(event["ts"]), zone)
        words.append(f"{at:%H:%M:%S}" if today in (None, at.date()) else f"{at:%Y-%m-%d %H:%M:%S}")
    words.append(str(event["type"]))
    text, resource, path = event.get("text"), event.get("resource"), event.get("path")
    about = text or (spoken(str(resource)) if resource else path)
    if about:
        words.append(clean(str(about)))
    hidden = (*PLAIN, "paths") if text else (*PLAIN, "path")
    facts = [fact(key, value) for key, value in event.items() if key not in hidden]
    told = ", ".join(one for one in facts if one)
    return " ".join(words) + (f" ({told})" if told else "")


def fact(key: str, value: Any) -> str:
    """``key: words`` of one field of an event; nothing for what is empty."""
    if isinstance(value, Mapping):
        shown = clean(str(value["client"])) if key == "held_by" else name_in(value)
    elif isinstance(value, list):
        shown = listed(few([one_of_list(one) for one in value]))
    elif isinstance(value, bool):
        shown = "yes" if value else "no"
    else:
        shown = "" if value is None else clean(str(value))
    return f"{key.replace('_', ' ')}: {shown}" if shown else ""


def one_of_list(one: Any) -> str:
    """One member of a list in an event: a place, a name, or plain text."""
    if isinstance(one, Mapping):
        to = f" to {name_in(one['patch'])}" if one.get("patch") else ""
        return place(one) + to if "path" in one else name_in(one)
    return clean(str(one))


def checkpoint_lines(reply: Json) -> list[str]:
    """What plain git can read now."""
    return [f"All of {plural(len(reply['sessions']), 'session')} is where plain git reads it."]
