"""The settings as they are here, and who said so: ``git session config``, and what ``doctor`` makes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gitsessiond.actions.context import Asked, Context
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.settings import MAX_CONNECTIONS, NOT_FOR_PEOPLE, SECTION, SETTINGS, Setting, default_of, find
from gitsessiond.store.config import canonical_key

ELSEWHERE = ("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "WS_HEARTBEAT_INTERVAL")
"""Variables that other programs of this kind know, and that have no meaning here."""


def show_settings(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``config``: every setting, its value, its default, and where the value comes from."""
    env = surroundings(asked.who.env)
    return {"settings": [shown(ctx, setting, env) for setting in SETTINGS], "unknown": unknown_keys(ctx)}


def surroundings(theirs: Mapping[str, str]) -> dict[str, str]:
    """The variables that count: the asker's before the daemon's, but what is the daemon's alone."""
    env = {name: os.environ.get(name, "") for setting in SETTINGS for name in setting.variables}
    named = {name for setting in SETTINGS if setting is not MAX_CONNECTIONS for name in setting.variables}
    for setting in SETTINGS:
        if any(theirs.get(name, "").strip() for name in setting.variables if name in named):
            env |= {name: theirs.get(name, "") for name in setting.variables}
    return env


def shown(ctx: Context, setting: Setting, env: Mapping[str, str]) -> dict[str, Any]:
    """One setting; ``wrong``: what is written means nothing, so the default holds, or the command refuses."""
    default, wrong, hint = default_of(setting), None, None
    try:
        found = find(setting, ctx.config.all(setting.key), env)
    except BadRequest as exc:
        found, wrong, hint = default, exc.message, exc.hint
    origin = found.origin
    if origin == "git config" or (wrong or "").startswith(setting.key):
        origin = ctx.config.origin(setting.key) or origin
    return {
        "key": setting.key,
        "value": list(found.value) if isinstance(found.value, tuple) else found.value,
        "text": setting.default if found.text is None else found.text,
        "default": setting.default,
        "origin": origin,
        "variables": list(setting.variables),
        "what": setting.what,
        "wrong": wrong,
        "hint": hint,
    }


def unknown_keys(ctx: Context) -> list[str]:
    """Keys of our section that mean nothing: mistyped, or of another version."""
    known = {canonical_key(setting.key) for setting in SETTINGS} | {canonical_key(key) for key in NOT_FOR_PEOPLE}
    return [key for key in ctx.config.keys(SECTION) if key not in known]


def config_faults(ctx: Context, asked: Asked) -> tuple[list[str], list[str]]:
    """What is wrong with the settings, and what is said of nobody's use, each as sentences."""
    env = surroundings(asked.who.env)
    wrong = [str(one["wrong"]) for one in (shown(ctx, setting, env) for setting in SETTINGS) if one["wrong"]]
    idle = [f"{key} is no setting of ours" for key in unknown_keys(ctx)]
    idle += [f"{name} is ignored" for name in ELSEWHERE if asked.who.env.get(name)]
    return wrong, idle
