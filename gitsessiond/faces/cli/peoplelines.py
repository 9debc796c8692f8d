"""Replies about the people of a session as lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from gitsessiond.faces.cli.times import stamp
from gitsessiond.faces.cli.words import clean

Json = Mapping[str, Any]


def people_lines(reply: Json, zone: tzinfo | None = None) -> list[str]:
    """One row for each person, ``*`` before whoever asks; then what that one may do, if not named."""
    you = reply["you"]
    width = max((len(clean(one["user"])) for one in reply["collaborators"]), default=0)
    out = []
    for one in reply["collaborators"]:
        invited = f"invited by {clean(one['invited_by'])} {stamp(one['at'], zone)}" if one["invited_by"] else ""
        own = you["role"] is not None and same(one["user"], you["user"])
        out.append(f"{'*' if own else ' '} {clean(one['user']):<{width}}  {one['role']:<11}  {invited}".rstrip())
    if reply["counts"] and you["role"] is None:
        out.append(f"{clean(you['user'] or 'Somebody git does not know')} is not named here, and may look.")
    return out


def same(one: str, other: str) -> bool:
    """Whether two texts are one person (model/roles.py, ``key_of``)."""
    return one.rpartition("<")[2].rstrip(">").casefold() == other.rpartition("<")[2].rstrip(">").casefold()


def people_hints(reply: Json) -> list[str]:
    """What roles mean here."""
    if not reply["counts"]:
        return ["nobody else is named, so everybody may do everything: git session invite ADDRESS"]
    return []


def invited_lines(reply: Json) -> list[str]:
    """What changed."""
    words = f"{clean(reply['user'])} is {with_article(reply['role'])} of session {clean(reply['session']['name'])}"
    return [words + ("." if reply["changed"] else " already.")]


def uninvited_lines(reply: Json) -> list[str]:
    """What changed."""
    return [f"{clean(reply['user'])} is not named in session {clean(reply['session']['name'])} any more."]


def with_article(role: str) -> str:
    """``an owner``, ``a viewer``."""
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"
