"""What publish and push came to: as the objects of ``--json``, and as lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from gitsessiond.faces.cli.gitpush import Pushed, RefResult
from gitsessiond.faces.cli.words import clean, name_in, plural, short

Json = Mapping[str, Any]

OUTCOMES = {"*": "created", " ": "updated", "+": "replaced", "=": "unchanged"}


def published_reply(plan: Json, pushed: Pushed) -> dict[str, Any]:
    """The reply of ``publish``."""
    rows = []
    for row in plan["branches"]:
        found = pushed.of(f"refs/heads/{row['branch']}")
        facts = {name: row[name] for name in ("patch", "branch", "commit", "commits")}
        rows.append(facts | {"was": row["expected"], "outcome": OUTCOMES[found.flag] if found else "unchanged"})
    urls = pushed.urls or [row["url"] for row in plan["branches"][-1:] if row["url"]]
    names = ("patch", "remote", "target", "onto", "notes")
    return {name: plan[name] for name in names} | {"branches": rows, "urls": urls, "output": "\n".join(pushed.said)}


def urls_for(branch: str, urls: Sequence[str]) -> list[str]:
    """The addresses that name a branch, or the only one there is."""
    named = [url for url in urls if unquote(url).rstrip("/").endswith((branch, f"={branch}"))]
    return named or (list(urls) if len(urls) == 1 else [])


def publish_lines(reply: Json) -> list[str]:
    """``Published p to origin as p: 2 commits, new.`` for each branch; addresses last."""
    remote, out = clean(reply["remote"]), []
    if all(row["outcome"] == "unchanged" for row in reply["branches"]):
        last = reply["branches"][-1]
        out.append(f"Nothing to publish: {remote} has all of {name_in(last['patch'])} as {clean(last['branch'])}.")
    else:
        out += [publish_row(row, remote) for row in reply["branches"]]
    return out + [clean(url) for url in reply["urls"]]


def publish_row(row: Json, remote: str) -> str:
    """One branch."""
    name, branch, count = name_in(row["patch"]), clean(row["branch"]), plural(row["commits"], "commit")
    if row["outcome"] == "unchanged":
        return f"{name} is unchanged on {remote} as {branch}."
    how = f"in place of {short(row['was'])}" if row["outcome"] == "replaced" else ""
    how = "new" if row["outcome"] == "created" else how
    return f"Published {name} to {remote} as {branch}: {count}{', ' + how if how else ''}."


def pushed_reply(found: Json, result: RefResult) -> dict[str, Any]:
    """The reply of ``push``."""
    outcome = "behind" if found["behind"] else OUTCOMES[result.flag]
    branch = result.goal.removeprefix("refs/heads/")
    return {**found, "branch": branch, "outcome": outcome, "output": "\n".join(found["output"])}


def push_lines(reply: Json) -> list[str]:
    """What was merged, what was pushed, or why nothing was."""
    target, there = clean(reply["target"]), f"{clean(reply['remote'])}/{clean(reply['branch'])}"
    out = [f"Merged {there} into {target} as {short(reply['merged'])}."] if reply["merged"] else []
    if reply["outcome"] == "behind":
        out.append(f"Nothing to push: {target} is {plural(reply['behind'], 'commit')} behind {there}.")
    elif reply["outcome"] == "unchanged":
        out.append(f"Nothing to push: {there} has all of {target}.")
    else:
        new = " (new)" if reply["outcome"] == "created" else ""
        out.append(f"Pushed {target} to {there}{new} at {short(reply['commit'])}.")
    return out + [clean(url) for url in reply["urls"]]


def push_hints(reply: Json) -> list[str]:
    """How to get what the remote has."""
    if reply["merged"]:
        return ["git session update"]
    return [clean(reply["pull"]), "git session update"] if reply["pull"] else []
