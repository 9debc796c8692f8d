"""What a request names: a path, a session, a patch; and whether it can be worked on now."""

from __future__ import annotations

import os
from shlex import quote

from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.returning import way_back
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Patch
from gitsessiond.store.steps import State


def inside(live: Live, asked: Asked, path: str) -> bytes:
    """A path a person typed, from the worktree's root.

    Raises:
        BadRequest: it lies outside the session's worktree.
    """
    root = os.fsdecode(unquote_path(live.state.session.worktree))
    typed = os.fsdecode(unquote_path(path))
    cwd = os.path.realpath(asked.who.cwd)
    start = cwd if cwd == root or cwd.startswith(root + "/") else root
    joined = os.path.normpath(os.path.join(start, typed))
    directory, name = os.path.split(joined)
    joined = os.path.join(os.path.realpath(directory), name) if name else joined
    if joined == root:
        return b""
    if not joined.startswith(root.rstrip("/") + "/"):
        raise BadRequest(f"{path} is outside the worktree {root}", hint="name a path of this session")
    return os.fsencode(joined[len(root.rstrip("/")) + 1 :])


def state_asked(ctx: Context, asked: Asked) -> State:
    """The State a reading command is about; ended sessions can be named."""
    return ctx.find_state(asked.who.session) if asked.who.session else ctx.live(asked).state


def patch_asked(ctx: Context, asked: Asked, name: str = "patch") -> tuple[State, Patch]:
    """State and patch a reading command is about."""
    state = state_asked(ctx, asked)
    return state, Live(state=state).patch(asked.text(name))


def refuse_parked(live: Live) -> None:
    """Raise Refused while the session is parked: nothing is sorted then."""
    if live.state.session.parked:
        raise Refused(
            f"the session is parked: {live.state.session.parked}",
            hint=way_back(live),
            reason="parked",
        )


def status_words(patch: Patch) -> str:
    """A patch's status as a sentence has it."""
    return {"draft": "a draft", "conflicts": "in conflict"}.get(patch.status, patch.status)


def refuse_ended(patch: Patch) -> None:
    """Raise Refused for a merged or abandoned patch."""
    if patch.status == "merged":
        raise Refused(f"patch {patch.name} is merged", hint="git session patch new NAME", reason="merged")
    if patch.status == "abandoned":
        hint = f"git session patch reopen {quote(patch.name)}"
        raise Refused(f"patch {patch.name} is abandoned", hint=hint, reason="abandoned")
