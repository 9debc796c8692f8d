"""Replies about git hooks as lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitsessiond.faces.cli.words import clean, command, listed

Json = Mapping[str, Any]
GOOD = ("installed", "chained by pre-commit")


def installed_lines(reply: Json) -> list[str]:
    """What was written, and whose hooks are called."""
    first = f"Installed {listed(reply['written'])}." if reply["written"] else "All hooks are installed."
    return [first, *status_lines(reply)[1:]]


def status_lines(reply: Json) -> list[str]:
    """Where git looks, and one row for each hook."""
    wide = max(len(str(one["name"])) for one in reply["hooks"])
    out = [f"git looks for hooks in {clean(str(reply['directory']))}."]
    if reply["former"]:
        out.append(f"Hooks in {clean(str(reply['former']))} are called first.")
    for one in reply["hooks"]:
        before = ": " if one["state"] == "not called" else ", after "
        own = f"{before}{clean(str(one['own']))}" if one["own"] else ""
        out.append(f"  {one['name']:<{wide}}  {one['state']}{own}")
    return out


def hints(reply: Json) -> list[str]:
    """What puts them right, if some are there and others are not as they should be."""
    states = {str(one["state"]) for one in reply["hooks"]}
    return [] if states <= set(GOOD) else [command("hooks", "install")]


def uninstalled_lines(reply: Json) -> list[str]:
    """What is gone, and what is back."""
    gone = [f"removed {clean(str(one))}" for one in reply["removed"]]
    return [*gone, *(f"restored {clean(str(one))}" for one in reply["restored"])] or ["No hook of ours was there."]


def agent_lines(reply: Json, verb: str) -> list[str]:
    """What became of an agent's hooks, and where they are."""
    file = clean(str(reply["file"]))
    done = {"install": f"Installed in {file}.", "uninstall": f"Taken out of {file}."}.get(verb)
    first = done if done is not None and reply["changed"] else f"{reply['agent']}: {reply['state']} ({file})"
    trust = "Codex skips them, without a word, until they are trusted: /hooks in Codex shows and asks."
    return [first, trust] if (reply["agent"], reply["state"]) == ("codex", "installed") else [first]
