"""Which agent speaks, by what its hooks tell; the patch it works for, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.actions.claims import meet, paths_of
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.patches import make_patch
from gitsessiond.actions.relearning import free_name
from gitsessiond.actions.saves import still_open
from gitsessiond.model.errors import BadRequest, NotFound, StateUnreadable
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Agent, Claim, Patch, Session
from gitsessiond.store.processes import is_gone
from gitsessiond.store.steps import State

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Told(NamedTuple):
    """Which agent speaks, by its tool and the tool's id of its session; and of which call."""

    tool: str
    id: str
    call: str
    pid: int | None
    started: str
    patch: str | None  # the patch it was started for, if somebody said so
    session: str | None  # the session which that patch is of, if somebody said so

    @property
    def label(self) -> str:
        """How people see it: by the beginning of its id, or by the end where that begins with the time (UUIDv7)."""
        return f"{self.tool}-{self.id[-8:] if UUID7.fullmatch(self.id) else self.id[:8]}"

    @property
    def agent(self) -> str:
        """The agent, among all."""
        return f"{self.tool} {self.id}"

    def key_of(self, path: bytes | None) -> str:
        """A call among all that are under way: an agent writes a path once at a time; commands have names."""
        return f"{self.agent} {self.call if path is None else quote_path(path)}"


def told_by(asked: Asked) -> Told:
    """Who speaks.

    Raises:
        BadRequest: the request does not say.
    """
    tool, sid, pid = asked.text("tool"), asked.text("id"), asked.args.get("pid")
    if not tool or not sid:
        raise BadRequest("an agent is known by its tool and its id", hint="see docs/protocol.md")
    known = (pid if isinstance(pid, int) else None, asked.text("started"))
    return Told(tool, sid, asked.text("call"), *known, asked.text("patch") or None, asked.text("session") or None)


def agent_of(state: State, told: Told) -> Agent | None:
    """What is known of an agent, if its patch can still take edits."""
    for agent in state.session.agents:
        if (agent.tool, agent.id) == (told.tool, told.id) and still_open(state.patches.get(agent.patch)):
            return agent
    return None


def patch_told(ctx: Context, live: Live, told: Told) -> str | None:
    """The patch an agent was started for, while that is an open one of this session."""
    if told.patch is None:
        return None
    try:
        if told.session is not None and ctx.find_state(told.session).session.id != live.sid:
            return None
        patch = live.patch(told.patch)
    except (NotFound, StateUnreadable):
        return None  # renamed since, or another session's: the agent goes on with its own
    return patch.id if still_open(patch) else None


def patch_for(ctx: Context, live: Live, state: State, told: Told) -> str | None:
    """The patch an agent works for: the one it was started for, while that is open, else its own; None: none yet."""
    named = patch_told(ctx, live, told)
    if named is not None:
        return named
    agent = agent_of(state, told)
    return agent.patch if agent is not None else None


def with_agent(ctx: Context, live: Live, state: State, told: Told, by: str) -> tuple[State, Patch]:
    """The State in which the agent has a patch: the one it was started for, the one it has, or a new one.

    What people use stays in use.
    """
    known, pid = agent_of(state, told), patch_for(ctx, live, state, told)
    if pid is not None and (known is None or known.patch != pid):
        return state, state.patches[pid]
    same = known is not None and (known.pid, known.started) == (told.pid, told.started)
    if known is not None and same and (known.sure or told.pid is None):
        return state, state.patches[known.patch]
    if known is None:
        in_use = state.session.patch_in_use
        name = free_name(told.label, [patch.name for patch in state.patches.values()])
        state, patch = make_patch(ctx, live, state, name, "", by)
        state = replace(state, session=state.session.model_copy(update={"patch_in_use": in_use}))
    else:
        patch = state.patches[known.patch]
    agent = Agent(tool=told.tool, id=told.id, patch=patch.id, pid=told.pid, started=told.started, sure=same)
    others = (one for one in state.session.agents if one is not known and still_open(state.patches.get(one.patch)))
    session = state.session.model_copy(update={"agents": (*others, agent)})
    return replace(state, session=session), patch


def is_held_by(claim: Claim, agent: str, own: str | None) -> bool:
    """Whether an agent has claimed it; where the record is of earlier days, whether its own patch holds it."""
    return claim.proven and (claim.agent == agent if claim.agent else claim.patch == own)


def without_gone(session: Session, paths: Sequence[bytes]) -> Session:
    """The session without the claims on these paths of agents whose process has certainly ended."""
    gone = {agent.patch for agent in session.agents if agent.sure and is_gone(agent.pid, agent.started)}
    if not gone:
        return session
    claims = tuple(
        claim
        for claim in session.claims
        if not (
            claim.proven and claim.patch in gone and any(meet(one, path) for one in paths_of(claim) for path in paths)
        )
    )
    return session if claims == session.claims else session.model_copy(update={"claims": claims})
