"""What a role allows: looked at before an action begins, and said with the role that it takes.

The table is docs/security.md's. It keeps honest people from mistakes; it is no wall (the same page says why).
"""

from __future__ import annotations

from typing import NamedTuple

from gitsessiond.actions.conflicts import conflict_asked
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.editing import path_of
from gitsessiond.actions.editors import patch_to_use
from gitsessiond.actions.ending import ended_state
from gitsessiond.model.errors import GitSessionError, Refused
from gitsessiond.model.owners import Owners
from gitsessiond.model.ownership import edits_of
from gitsessiond.model.records import Collaborator, Patch
from gitsessiond.model.roles import Person, Role, counts, key_of, role_of, suffices
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State

OPEN = frozenset({"patch.checked", "agent.end"})
"""Open to everybody: how a check went that a look had to run; the end of what is the asker's own."""

OF_REPOSITORY = frozenset(
    {
        "session.start", "hooks.install", "hooks.uninstall", "hooks.agent.install", "hooks.agent.uninstall",
        "uninstall", "checkpoint",
    }
)  # fmt: skip
"""About no session in particular: no session's roles say anything of them."""

CONTRIBUTORS = frozenset({"patch.new", "restore", "agent.before", "agent.after"})

OF_A_PATCH = frozenset(
    {
        "patch.use", "patch.ready", "patch.depend", "patch.rename", "patch.abandon", "patch.reopen", "assign", "commit",
        "publish", "published", "resolve", "conflict.reopen", "editors.switch",
    }
)  # fmt: skip
"""A contributor's with their own patches, a maintainer's with any."""

MAINTAINERS = frozenset({"merge", "revert", "push", "push.merge", "session.update", "session.rename"})

OWNERS = frozenset({"session.close", "session.abandon", "session.reopen"})

ALWAYS_OWNERS = frozenset({"session.invite", "session.uninvite"})
"""Even where nobody else is named yet: who comes to a session is for those who made it."""


REHEARSED = frozenset({"merge", "session.close", "session.update"})
"""With ``dry_run`` these only say what would be; no other verb knows it."""


class Needed(NamedTuple):
    """The role that a request takes, and in which words; ``of``: whose patch it is about, if that is why."""

    role: Role
    of: Patch | None = None


def check_permitted(ctx: Context, asked: Asked, *, reads: bool) -> None:
    """Let a request pass, or say which role it takes. ``reads``: its verb changes nothing by itself.

    Raises:
        Refused: the asker's role is less than that.
    """
    looks = reads and asked.verb not in MAINTAINERS  # what `push` plans is only for its push
    if looks or asked.verb in OPEN | OF_REPOSITORY or only_asks(asked):
        return
    state = state_asked(ctx, asked)
    if state is None:
        return  # the action itself says what is wrong
    people = people_of(state)
    if not counts(people, state.session.created_by) and asked.verb not in ALWAYS_OWNERS:
        return
    user = identity_of(asked.who.env, asked.who.cwd)
    role, needed = role_of(people, user), needed_for(ctx, asked, state, user)
    if asked.verb == "session.uninvite" and key_of(asked.text("user")) == key_of(user):
        return  # anybody may go
    if not suffices(role, needed.role):
        raise refusal(state, asked.verb, needed, user, role)


def only_asks(asked: Asked) -> bool:
    """Whether a request asks what would be, and changes nothing."""
    nowhere = asked.args.get("patch") is None and asked.args.get("new") is None
    return (asked.verb in REHEARSED and asked.flag("dry_run")) or (asked.verb == "assign" and nowhere)


def people_of(state: State) -> list[Person]:
    """Who is named, as the model has it."""
    return [Person(one.user, one.role) for one in state.session.collaborators]


def state_asked(ctx: Context, asked: Asked) -> State | None:
    """The session that a request is about, open or ended; None: there is none, or it cannot be told."""
    try:
        return ctx.live(asked).state
    except GitSessionError:
        pass
    try:
        return ended_state(ctx, asked)
    except GitSessionError:
        return None


def needed_for(ctx: Context, asked: Asked, state: State, user: str) -> Needed:
    """The role that a request takes."""
    verb = asked.verb
    if verb in OWNERS | ALWAYS_OWNERS:
        return Needed("owner")
    if verb in CONTRIBUTORS:
        return Needed("contributor")
    if verb in OF_A_PATCH:
        live = ctx.sessions.get(state.session.id)
        others = [patch for patch in patches_asked(live, asked) if not is_of(patch, user)] if live is not None else []
        return Needed("maintainer", others[0]) if others else Needed("contributor")
    return Needed("maintainer")


def patches_asked(live: Live, asked: Asked) -> list[Patch]:
    """The patches that a request changes; none where it names none, or one that the action will not find."""
    state = live.state
    try:
        if asked.verb in ("resolve", "conflict.reopen"):
            pids = [conflict_asked(live, asked.text("id"), *(["resolved"] if asked.verb != "resolve" else [])).patch]
        elif asked.verb == "patch.use" and asked.text("patch") == "-":
            pids = [claim.patch for claim in state.session.claims] if asked.texts("paths") else []
        elif asked.verb == "commit" and not asked.text("patch"):
            pids = [state.session.patch_in_use]
        elif asked.verb == "editors.switch":
            pids = [patch_to_use(live, path_of(live, asked.args.get("editor")))]
        elif asked.text("patch") in ("", "-"):
            pids = []
        else:
            pids = [live.patch(asked.text("patch")).id]
    except GitSessionError:
        return []
    return [state.patches[pid] for pid in pids if pid is not None]


def is_of(patch: Patch, user: str) -> bool:
    """Whether somebody made a patch; its ``owner`` is whoever made the session."""
    return key_of(patch.created_by) == key_of(user)


def check_taken(state: State, after: Owners, user: str) -> None:
    """Let a contributor assign what is nobody's or their own.

    Raises:
        Refused: edits of somebody else's patch would become others'.
    """
    people = people_of(state)
    role = role_of(people, user)
    if not counts(people, state.session.created_by) or suffices(role, "maintainer"):
        return
    for patch in state.patches.values():
        if not is_of(patch, user) and edits_of(state.owners, patch.id) != edits_of(after, patch.id):
            raise refusal(state, "assign", Needed("maintainer", patch), user, role)


def refusal(state: State, verb: str, needed: Needed, user: str, role: Role | None) -> Refused:
    """Which role it needs, and which one the asker has."""
    command = verb.removeprefix("session.").replace(".", " ")
    of = f" with {needed.of.name}, made by {needed.of.created_by}," if needed.of is not None else ""
    has = f"is {'an' if role == 'owner' else 'a'} {role}" if role is not None else "is not named there"
    needs = "an owner" if needed.role == "owner" else f"a {needed.role}"
    needs += f" of session {state.session.name}; {user} {has}"
    return Refused(f"`git session {command}`{of} needs {needs}", hint="git session collaborators", reason="role")


def named(people: tuple[Collaborator, ...], user: str) -> Collaborator | None:
    """The record of somebody; None: they are not named."""
    return next((one for one in people if key_of(one.user) == key_of(user)), None)
