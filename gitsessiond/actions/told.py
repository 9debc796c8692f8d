"""Which agent speaks, by what its hooks tell; the patch it works for, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.actions.calls import file_in
from gitsessiond.actions.claims import meet, paths_of
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.patches import make_patch
from gitsessiond.actions.relearning import free_name
from gitsessiond.actions.saves import still_open
from gitsessiond.model.errors import BadRequest, NotFound, StateUnreadable
from gitsessiond.model.files import marks_of
from gitsessiond.model.names import quote_path, unquote_path
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
    """What is known of an agent."""
    return next((agent for agent in state.session.agents if name_of(agent) == told.agent), None)


def name_of(agent: Agent) -> str:
    """The agent, among all."""
    return f"{agent.tool} {agent.id}"


def own_patch(state: State, agent: Agent | None) -> str | None:
    """The patch that was made for an agent, while it can take edits."""
    return agent.patch if agent is not None and agent.patch and still_open(state.patches.get(agent.patch)) else None


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
    return own_patch(state, agent_of(state, told))


def with_agent(ctx: Context, live: Live, state: State, told: Told, by: str) -> tuple[State, Patch]:
    """The State in which the agent has a patch: the one it was started for, the one it has, or a new one.

    What people use stays in use.
    """
    known, pid = agent_of(state, told), patch_for(ctx, live, state, told)
    own = own_patch(state, known)
    if pid is None:
        in_use = state.session.patch_in_use
        name = free_name(told.label, [patch.name for patch in state.patches.values()])
        state, patch = make_patch(ctx, live, state, name, "", by)
        state = replace(state, session=state.session.model_copy(update={"patch_in_use": in_use}))
        pid = own = patch.id
    same = known is not None and told.pid is not None and (known.pid, known.started) == (told.pid, told.started)
    agent = Agent(tool=told.tool, id=told.id, patch=own, pid=told.pid, started=told.started, sure=same)
    if agent != known:
        others = (one for one in state.session.agents if one is not known and is_at_work(state, one))
        state = replace(state, session=state.session.model_copy(update={"agents": (*others, agent)}))
    return state, state.patches[pid]


def is_at_work(state: State, agent: Agent) -> bool:
    """Whether an agent has an open patch of its own, or has claimed anything."""
    holds = any(is_held_by(claim, name_of(agent), agent.patch) for claim in state.session.claims)
    return holds or own_patch(state, agent) is not None


def is_held_by(claim: Claim, agent: str, own: str | None) -> bool:
    """Whether an agent has claimed it; where the record is of earlier days, whether its own patch holds it."""
    return claim.proven and (claim.agent == agent if claim.agent else claim.patch == own)


def without_gone(session: Session, paths: Sequence[bytes]) -> Session:
    """The session without the claims on these paths of agents whose process has certainly ended."""
    gone = [agent for agent in session.agents if agent.sure and is_gone(agent.pid, agent.started)]
    claims = tuple(
        claim
        for claim in session.claims
        if not any(is_held_by(claim, name_of(agent), agent.patch) for agent in gone)
        or not any(meet(one, path) for one in paths_of(claim) for path in paths)
    )
    return session if claims == session.claims else session.model_copy(update={"claims": claims})


def without_own(state: State, told: Told, *, idle_only: bool) -> Session:
    """The session without the claims of an agent; ``idle_only``: where its patch has no edits."""
    known, claims = agent_of(state, told), list[Claim]()
    for claim in state.session.claims:
        kept = claim.paths
        if is_held_by(claim, told.agent, known.patch if known is not None else None):
            kept = tuple(one for one in kept if idle_only and has_edits(state, claim.patch, unquote_path(one)))
        if kept or not claim.paths:
            claims.append(claim if kept == claim.paths else claim.model_copy(update={"paths": kept}))
    return state.session.model_copy(update={"claims": tuple(claims)})


def has_edits(state: State, pid: str, path: bytes) -> bool:
    """Whether a patch has edits in the file at a path, be it that it deletes it."""
    file = file_in(state.owners, path)
    return file is not None and pid in marks_of(file).labels
