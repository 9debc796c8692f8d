"""Which entries in the settings of coding agents are ours; put beside those of others, and taken out again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gitsessiond.model.errors import Refused

COMMAND = "git session agent-hook"
WAITS_S = 30  # how long the tool waits for the hook; ours answers within some seconds, or not at all


class Form(NamedTuple):
    """Where a tool has its hooks, and which entries are ours, by event."""

    path: str
    entries: Mapping[str, dict[str, Any]]
    top: Mapping[str, Any]  # what the file has besides, where there is none yet


def _nested(tool: str, matchers: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Entries as Claude Code and Codex have them."""
    hook = {"type": "command", "command": f"{COMMAND} {tool}", "timeout": WAITS_S}
    return {
        event: ({"matcher": matcher} if matcher else {}) | {"hooks": [dict(hook)]}
        for event, matcher in matchers.items()
    }


CLAUDE_TOOLS = "Write|Edit|MultiEdit|NotebookEdit|Bash"
CODEX_TOOLS = "Bash|apply_patch"
CURSOR_TOOLS = "Write|Edit|StrReplace|Delete|ApplyPatch|Shell"

FORMS = {
    "claude": Form(
        ".claude/settings.json",
        _nested(
            "claude",
            {
                "PreToolUse": CLAUDE_TOOLS,
                "PostToolUse": CLAUDE_TOOLS,
                "PostToolUseFailure": CLAUDE_TOOLS,
                "UserPromptSubmit": None,
                "Stop": None,
                "SessionEnd": None,
            },
        ),
        {},
    ),
    "codex": Form(
        ".codex/hooks.json",
        _nested(
            "codex",
            {
                "PreToolUse": CODEX_TOOLS,
                "PostToolUse": CODEX_TOOLS,
                "UserPromptSubmit": None,
                "Interrupt": None,
                "Stop": None,
                "SessionEnd": None,
            },
        ),
        {},
    ),
    "cursor": Form(
        ".cursor/hooks.json",
        {
            event: {"command": f"{COMMAND} cursor"} | ({"matcher": CURSOR_TOOLS} if "Tool" in event else {})
            for event in ("preToolUse", "postToolUse", "postToolUseFailure", "afterFileEdit", "stop", "sessionEnd")
        },
        {"version": 1},
    ),
}


def with_entries(found: dict[str, Any], tool: str, path: str) -> dict[str, Any]:
    """The settings with our entries of today, each behind what others have for that event."""
    form = FORMS[tool]
    out = without_entries(found)
    hooks = out.get("hooks", {})
    if not isinstance(hooks, dict) or not all(isinstance(rows, list) for rows in hooks.values()):
        raise Refused(f"{path}: its hooks are not as {tool} has them", hint=f"put them right by hand: {path}")
    there = found.get("hooks", {})
    entries = form.entries.items()
    ours = sum(len(rows) for rows in there.values()) - sum(len(rows) for rows in hooks.values())
    if out != found and ours == len(entries) and all(entry in there.get(event, []) for event, entry in entries):
        return found  # all of them are there, and no others of ours
    hooks = {**hooks, **{event: [*hooks.get(event, []), entry] for event, entry in entries}}
    return {**form.top, **out, "hooks": hooks}


def without_entries(found: dict[str, Any]) -> dict[str, Any]:
    """The settings without any entry that calls us; events that had nothing else are gone too."""
    hooks = found.get("hooks")
    if not isinstance(hooks, dict):
        return found
    left = {}
    for event, rows in hooks.items():
        if not isinstance(rows, list):
            left[event] = rows
            continue
        kept = [row for row in map(_without_ours, rows) if row is not None]
        if kept or not rows:
            left[event] = kept
    if left == hooks:
        return found
    out = {**found, "hooks": left}
    return out if left else {key: value for key, value in out.items() if key != "hooks"}


def _without_ours(row: Any) -> Any:
    """An entry without our command; None: it was nothing else."""
    if not isinstance(row, dict):
        return row
    if _is_ours(row):
        return None
    nested = row.get("hooks")
    if not isinstance(nested, list) or not any(_is_ours(one) for one in nested):
        return row
    kept = [one for one in nested if not _is_ours(one)]
    return {**row, "hooks": kept} if kept else None


def _is_ours(hook: Any) -> bool:
    """Whether a hook is one of ours."""
    return isinstance(hook, dict) and str(hook.get("command", "")).startswith(COMMAND)
