"""The people of a session: ``invite``, ``uninvite``, ``collaborators``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.permitting import named, people_of
from gitsessiond.actions.publishing import publish
from gitsessiond.model.errors import BadRequest, GitSessionError, NotFound, Refused
from gitsessiond.model.records import Collaborator, Session, time_text
from gitsessiond.model.roles import ROLES, Person, Role, checked_user, counts, has_owner, key_of, role_of
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State


def list_collaborators(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``collaborators``: who is named, in which role, and who asks."""
    state = ctx.find_state(asked.who.session) if asked.who.session else ctx.live(asked).state
    try:
        user: str | None = identity_of(asked.who.env, asked.who.cwd)
    except GitSessionError:
        user = None  # git does not know; whoever only looks need not be known
    return reply_of(state, user)


def invite(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``invite USER [--role R]``: name somebody, or give them another role.

    Raises:
        BadRequest: no address, or no role.
        Refused: nobody would be left who can name others.
    """
    live, by = ctx.live(asked), identity_of(asked.who.env, asked.who.cwd)
    user, role = checked_user(asked.text("user")), role_asked(asked)
    people = live.state.session.collaborators
    before = named(people, user)
    if before is not None and before.role == role:
        return reply_of(live.state, by) | {"changed": False, "user": before.user, "role": role}
    new = Collaborator(user=before.user if before else user, role=role, invited_by=by, at=ctx.now())
    after = tuple(new if one is before else one for one in people) if before else (*people, new)
    record(ctx, live, after, "invite", by, f"{new.user} as {role}")
    told = {"session": live.sid, "user": new.user, "role": role, "by": by, "step": live.state.number}
    ctx.tell({"type": "collaborator_added", **told})
    return reply_of(live.state, by) | {"changed": True, "user": new.user, "role": role}


def uninvite(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``uninvite USER``: name somebody no more; what they did stays theirs.

    Raises:
        NotFound: they are not named.
        Refused: nobody would be left who can name others.
    """
    live, by = ctx.live(asked), identity_of(asked.who.env, asked.who.cwd)
    people = live.state.session.collaborators
    gone = named(people, asked.text("user"))
    if gone is None:
        raise NotFound(
            f"{asked.text('user')} is not named in session {live.state.session.name}", hint="git session collaborators"
        )
    record(ctx, live, tuple(one for one in people if one is not gone), "uninvite", by, gone.user)
    told = {"session": live.sid, "user": gone.user, "role": gone.role, "by": by, "step": live.state.number}
    ctx.tell({"type": "collaborator_removed", **told})
    return reply_of(live.state, by) | {"changed": True, "user": gone.user, "role": gone.role}


def record(ctx: Context, live: Live, people: tuple[Collaborator, ...], verb: str, by: str, text: str) -> None:
    """Make the step.

    Raises:
        Refused: there would be no owner.
    """
    if not has_owner(Person(one.user, one.role) for one in people):
        raise Refused(
            f"session {live.state.session.name} would have no owner, and nobody could name one",
            hint="git session invite ADDRESS --role owner",
        )
    session: Session = live.state.session.model_copy(update={"collaborators": people})
    publish(ctx, live, replace(live.state, session=session), verb, by=by, text=text)


def role_asked(asked: Asked) -> Role:
    """The role that is given.

    Raises:
        BadRequest: there is no such role.
    """
    wanted = asked.text("role", "contributor")
    for role in ROLES:
        if role == wanted:
            return role
    raise BadRequest(f"no role {wanted!r}", hint=f"one of {', '.join(ROLES)}")


def reply_of(state: State, user: str | None) -> dict[str, Any]:
    """Everybody who is named, and what that means for whoever asks."""
    people = people_of(state)
    shown = [
        {
            "user": one.user,
            "role": one.role,
            "invited_by": one.invited_by or None,
            "at": time_text(one.at) if one.at is not None else None,
        }
        for one in state.session.collaborators
    ]
    role = role_of(people, user) if user is not None else None
    own = sum(key_of(patch.created_by) == key_of(user) for patch in state.patches.values()) if user is not None else 0
    return {
        "session": {"id": state.session.id, "name": state.session.name},
        "collaborators": shown,
        "counts": counts(people, state.session.created_by),
        "you": {"user": user, "role": role, "patches": own},
    }
