"""Who may do what in a session: four roles, and how people are told apart. Pure.

Roles begin to count when somebody besides the one who made the session is named; until then everybody may do all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from gitsessiond.model.errors import BadRequest

Role = Literal["viewer", "contributor", "maintainer", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
LONGEST = 200

_PERSON = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>\s]+)>")


class Person(NamedTuple):
    """Somebody of a session; ``user`` is ``Name <email>`` or an address alone."""

    user: str
    role: Role


def key_of(user: str) -> str:
    """By what two texts are the same person: the address, without regard to case; where there is none, the text."""
    found = _PERSON.fullmatch(user.strip())
    return (found["address"] if found else user.strip()).casefold()


def checked_user(text: str) -> str:
    """Somebody as a record has them: ``Name <email>``, or ``email``.

    Raises:
        BadRequest: there is no address in it, or it is too long or would garble a terminal.
    """
    user = text.strip()
    if len(user) > LONGEST or not user.isprintable():
        raise BadRequest("a person is named by at most 200 printable characters", hint="git session invite ADDRESS")
    found = _PERSON.fullmatch(user)
    if found is not None and not found["name"]:
        user = found["address"]
    address = found["address"] if found is not None else user
    if "@" not in address.strip("@") or re.search(r"[\s<>]", address):
        raise BadRequest(
            f"{text!r} is no address: people are known by git's user.email", hint="git session invite bob@example.org"
        )
    return user


def counts(people: Iterable[Person], maker: str) -> bool:
    """Whether roles count: somebody is named besides the one who made the session."""
    return any(key_of(one.user) != key_of(maker) for one in people)


def role_of(people: Iterable[Person], user: str) -> Role | None:
    """The role of somebody; None: they are not named."""
    wanted = key_of(user)
    return next((one.role for one in people if key_of(one.user) == wanted), None)


def suffices(role: Role | None, needed: Role) -> bool:
    """Whether a role is as much as is needed; somebody who is not named may look, as a viewer."""
    return ROLES.index(role or "viewer") >= ROLES.index(needed)


def has_owner(people: Iterable[Person]) -> bool:
    """Whether there is still somebody who can name others."""
    return any(one.role == "owner" for one in people)
