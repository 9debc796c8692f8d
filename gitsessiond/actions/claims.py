"""Claims: whose the future edits of some paths are, who holds what, and who may not have it meanwhile.

The patch holds a claim, not the person or agent that made it: whoever works for one patch shares its claims, and
another patch gets such a path only after it was released (docs/decisions/agents.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.model.errors import Locked, NotFound
from gitsessiond.model.names import quote_path, unquote_path, within
from gitsessiond.model.records import Claim, Patch, Session, time_text
from gitsessiond.store.steps import State


def with_claim(
    state: State, patch: Patch, paths: Iterable[bytes], by: str, at: datetime, *, agent: str = ""
) -> Session:
    """The session in which a patch holds these paths; those it holds already, alone or by a directory, are not twice.

    ``agent``: whose claim it is, which then gives the patch only what is proven. Several agents of one patch each have
    their own, so that one's end is not the other's.

    Raises:
        Locked: another patch holds one of them, a directory above it, or something below it.
    """
    session = state.session
    wanted = list(dict.fromkeys(paths))
    for path in wanted:
        held = held_by_another(session, patch.id, path)
        if held is not None:
            raise Locked(
                f"{shown(path)} is claimed for {holder_words(state, held)}",
                hint=" ".join(
                    ["git session patch use -", *(quote(shown(one)) for one in paths_of(held) if meet(one, path))]
                ),
                reason="claimed",
            )
    own = [
        one
        for claim in session.claims
        if claim.patch == patch.id and (not agent or claim.agent in ("", agent))
        for one in paths_of(claim)
    ]
    new = [path for path in wanted if not any(within(path, one) for one in own)]
    if not new:
        return session
    quoted = tuple(quote_path(path) for path in new)
    claim = Claim(paths=quoted, patch=patch.id, by=by, at=at, proven=bool(agent), agent=agent)
    return session.model_copy(update={"claims": (*session.claims, claim)})


def without_paths(session: Session, paths: Sequence[bytes]) -> Session:
    """The session in which nobody holds these paths, nor anything below them.

    Raises:
        NotFound: nobody holds one of them; of a claimed directory a part cannot be released.
    """
    every = [one for claim in session.claims for one in paths_of(claim)]
    for path in paths:
        if not any(within(one, path) for one in every):
            above = next((one for one in every if within(path, one)), None)
            words = (
                f"{shown(path)} is claimed with {shown(above)}" if above is not None else f"nobody claims {shown(path)}"
            )
            hint = f"git session patch use - {quote(shown(above))}" if above is not None else "git session status"
            raise NotFound(words, hint=hint)
    claims = []
    for claim in session.claims:
        kept = tuple(text for text in claim.paths if not any(within(unquote_path(text), path) for path in paths))
        if kept or not claim.paths:  # one without paths is `--strict`
            claims.append(claim.model_copy(update={"paths": kept}))
    return session.model_copy(update={"claims": tuple(claims)})


def held_by_another(session: Session, pid: str, path: bytes) -> Claim | None:
    """The claim of another patch on this path, on a directory above it or on something below it.

    A strict patch in use claims what nobody has claimed by name, and stands in nobody's way.
    """
    for claim in session.claims:
        if claim.patch != pid and any(meet(one, path) for one in paths_of(claim)):
            return claim
    return None


def claimed_by(session: Session, pid: str, path: bytes) -> bool:
    """Whether a patch has claimed this path, or a directory above it."""
    return any(claim.patch == pid and any(within(path, one) for one in paths_of(claim)) for claim in session.claims)


def paths_of(claim: Claim) -> list[bytes]:
    """The paths a claim names."""
    return [unquote_path(text) for text in claim.paths]


def meet(one: bytes, other: bytes) -> bool:
    """Whether two paths are one, or one is below the other."""
    return within(one, other) or within(other, one)


def shown(path: bytes) -> str:
    """A path for people: the whole worktree is a dot."""
    return quote_path(path) or "."


def holder_words(state: State, claim: Claim) -> str:
    """``validation, by Ann <a@b>``."""
    name = views.name_of(state, claim.patch)
    return f"{name}, by {claim.by}" if claim.by not in ("", name) else name


def claims_view(state: State) -> list[dict[str, Any]]:
    """The standing claims, oldest first."""
    return [claim_view(state, claim) for claim in state.session.claims]


def claim_view(state: State, claim: Claim) -> dict[str, Any]:
    """A standing claim as ``status`` and ``patch use`` give it; no paths: every path that nobody claims by name."""
    return {
        "paths": [path or "." for path in claim.paths],
        "patch": {"id": claim.patch, "name": views.name_of(state, claim.patch)},
        "by": claim.by or None,
        "at": time_text(claim.at) if claim.at else None,
        "proven": claim.proven,
    }
