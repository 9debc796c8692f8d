"""The hooks of Claude Code, Codex and Cursor: what their JSON says, and how each is answered. Pure, cheap to import.

- Claude Code: https://code.claude.com/docs/en/hooks (``hook_event_name``, ``tool_name``, ``tool_input``; a PreToolUse
  is refused by ``hookSpecificOutput.permissionDecision``; exit code 2 would refuse too, so we never end with it)
- Codex: https://developers.openai.com/codex/hooks (the same form; ``apply_patch`` has its patch in
  ``tool_input.command``)
- Cursor: https://cursor.com/docs/hooks (``conversation_id``; ``permission``, ``user_message``, ``agent_message``,
  after a tool ``additional_context``); ``beforeShellExecution`` is understood, and not installed: "allow" there may be
  taken for a person's approval

Cursor runs the hooks of Claude Code too: whoever gives its version is Cursor.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitsessiond.faces.cli.applypatch import Written, patch_in, written_by

TOOLS = ("claude", "codex", "cursor")

BEFORE = ("PreToolUse", "preToolUse", "beforeShellExecution")
AFTER = (
    "PostToolUse", "PostToolUseFailure", "postToolUse", "postToolUseFailure", "afterShellExecution", "afterFileEdit",
)  # fmt: skip
ENDS = {
    "UserPromptSubmit": False, "Stop": False, "stop": False, "Interrupt": False, "SessionEnd": True, "sessionEnd": True,
}  # fmt: skip
"""The ends of a turn, of which one may be missing (Claude Code tells nothing of an interrupt), and of the agent."""
SHELLS = ("Bash", "Shell", "shell", "local_shell", "exec_command")
EDITORS = ("Write", "Edit", "MultiEdit", "NotebookEdit", "StrReplace", "Delete", "ApplyPatch", "apply_patch")

Json = Mapping[str, Any]


class Event(NamedTuple):
    """What a hook tells, whichever tool's it is. ``command`` None: it is no shell command."""

    kind: str  # before, after, end, stop
    name: str  # as the tool calls it
    tool: str
    id: str
    cwd: str
    call: str = ""
    command: str | None = None
    writes: tuple[Written, ...] = ()
    roots: tuple[str, ...] = ()  # the directories that the tool has open, if it tells


def event_of(tool: str, told: Json) -> Event | None:
    """What a hook's JSON says; None: nothing that matters here."""
    tool = speaker(tool, told)
    name, sid = text(told, "hook_event_name"), text(told, "conversation_id" if tool == "cursor" else "session_id")
    roots = roots_in(told)
    cwd = text(told, "cwd") or next(iter(roots), os.curdir)
    if not sid:
        return None
    if name in ENDS:
        return Event("end" if ENDS[name] else "stop", name, tool, sid, cwd, roots=roots)
    kind = "before" if name in BEFORE else "after" if name in AFTER else None
    if kind is None:
        return None
    given = told.get("tool_input")
    given = given if isinstance(given, dict) else {}
    used = text(told, "tool_name")
    command = text(given, "command") or text(told, "command")
    if used in SHELLS or name in ("beforeShellExecution", "afterShellExecution"):
        patched = patch_in(command)
        if patched is None:
            return Event(kind, name, tool, sid, cwd, text(told, "tool_use_id") or command, command)
        cwd, used, given = os.path.join(cwd, patched[0]), "apply_patch", {"patch": patched[1]}
    writes = written_in(used, given, cwd) if name != "afterFileEdit" else [edited(told, cwd)]
    writes = [one for one in writes if one.path]
    return Event(kind, name, tool, sid, cwd, writes=tuple(writes)) if writes else None


def written_in(used: str, given: Json, cwd: str) -> list[Written]:
    """What a tool that edits files was told to write; nothing for other tools."""
    path = os.path.join(cwd, text(given, "file_path") or text(given, "notebook_path") or text(given, "path"))
    if used not in EDITORS:
        return []
    if used in ("apply_patch", "ApplyPatch"):
        return [
            one._replace(path=os.path.join(cwd, one.path), origin=one.origin and os.path.join(cwd, one.origin))
            for one in written_by(text(given, "patch") or text(given, "command") or text(given, "input"))
        ]
    if path == os.path.join(cwd, ""):
        return []
    if used == "Delete":
        return [Written(path, deleted=True)]
    if used == "NotebookEdit":
        return [Written(path, cell=None if given.get("edit_mode") == "delete" else text(given, "new_source"))]
    content = next((given[key] for key in ("content", "contents") if isinstance(given.get(key), str)), None)
    if content is not None:
        return [Written(path, content=content)]
    edits = given.get("edits")
    return [Written(path, pieces=pieces_in(edits if isinstance(edits, list) else [given]))]


def edited(told: Json, cwd: str) -> Written:
    """What Cursor's ``afterFileEdit`` says was edited."""
    edits = told.get("edits")
    path = text(told, "file_path")
    pieces = pieces_in(edits if isinstance(edits, list) else [])
    return Written(os.path.join(cwd, path) if path else "", pieces=pieces)


def pieces_in(edits: Sequence[Any]) -> tuple[tuple[str, str, bool], ...]:
    """The replaced and the new texts of some edits."""
    return tuple(
        (one["old_string"], one["new_string"], one.get("replace_all") is True)
        for one in edits
        if isinstance(one, dict) and isinstance(one.get("old_string"), str) and isinstance(one.get("new_string"), str)
    )


def refusal(event: Event, reason: str) -> dict[str, Any]:
    """The answer that keeps a tool from writing."""
    if event.tool == "cursor":
        return {"permission": "deny", "user_message": reason, "agent_message": reason}
    decision = {"permissionDecision": "deny", "permissionDecisionReason": reason}
    return {"hookSpecificOutput": {"hookEventName": event.name, **decision}}


def going_on(tool: str, told: Json) -> dict[str, Any] | None:
    """The answer for "go on"; None: to say nothing is. Cursor wants a word before each tool, Codex at a turn's end.

    Also for what is not understood, such as a tool of Cursor's that is new.
    """
    tool, name = speaker(tool, told), text(told, "hook_event_name")
    if tool == "cursor":
        return {"permission": "allow"} if not name or name in BEFORE else {}
    return {"continue": True} if (tool, name) == ("codex", "Stop") else None


def remark(event: Event, words: str) -> dict[str, Any] | None:
    """The answer that tells an agent something after its tool has run; None: this one cannot be told."""
    if event.name == "postToolUse":
        return {"additional_context": words}
    if event.name != "PostToolUse":
        return None
    return {"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": words}}


def speaker(tool: str, told: Json) -> str:
    """Whose hook it is, whatever the word says."""
    return "cursor" if told.get("cursor_version") else tool


def text(told: Json, key: str) -> str:
    """A text field; empty where there is none."""
    value = told.get(key)
    return value if isinstance(value, str) else ""


def roots_in(told: Json) -> tuple[str, ...]:
    """The directories that Cursor has open."""
    roots = told.get("workspace_roots")
    return tuple(one for one in roots if isinstance(one, str)) if isinstance(roots, list) else ()
