"""The hooks of coding agents in a worktree's settings. Only these verbs touch those files."""

from __future__ import annotations

from typing import Any

from gitsessiond.actions.context import Asked, Context
from gitsessiond.model.errors import BadRequest
from gitsessiond.store import agentfiles
from gitsessiond.store.agententries import FORMS
from gitsessiond.store.agentfiles import Settings, settings_of
from gitsessiond.store.repository import open_repository


def install_agent(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks install --agent TOOL``: again is no harm, and mends what has changed.

    Raises:
        Refused: the settings that are there cannot be read.
    """
    settings = settings_asked(ctx, asked)
    return looked_at(settings, changed=agentfiles.install(settings))


def agent_status(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks status --agent TOOL``."""
    return looked_at(settings_asked(ctx, asked), changed=False)


def uninstall_agent(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks uninstall --agent TOOL``: the file as it was, or as its owner has made it since, without ours."""
    settings = settings_asked(ctx, asked)
    return looked_at(settings, changed=agentfiles.uninstall(settings))


def left_behind(ctx: Context, asked: Asked) -> list[str]:
    """What still calls us when we are taken out: the settings are the user's, and nobody asked to change them."""
    found = [settings_here(ctx, asked, tool) for tool in FORMS]
    return [
        f"{one.path} still calls git session; git session hooks uninstall --agent {one.tool} takes that out"
        for one in found
        if agentfiles.state_of(one) in ("installed", "outdated")
    ]


def settings_asked(ctx: Context, asked: Asked) -> Settings:
    """The settings of the tool that the request names."""
    tool = asked.text("agent")
    if tool not in FORMS:
        raise BadRequest(f"{tool!r} is no agent known here", hint="git session hooks install -h")
    return settings_here(ctx, asked, tool)


def settings_here(ctx: Context, asked: Asked, tool: str) -> Settings:
    """The settings of a tool in the worktree one stands in."""
    at = open_repository(asked.who.cwd)
    name = "main" if at.git_dir == at.common_dir else f"worktree-{at.git_dir.rpartition('/')[2]}"
    return settings_of(tool, at.worktree, ctx.repository.state_dir, name)


def looked_at(settings: Settings, *, changed: bool) -> dict[str, Any]:
    """What became of the file."""
    state = agentfiles.state_of(settings)
    return {"agent": settings.tool, "file": settings.path, "state": state, "changed": changed}
