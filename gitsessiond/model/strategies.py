"""The ways a patch lands on its target, and the words of the commits that this makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from gitsessiond.model.commits import subject_line, trailer_values, with_our_trailers, with_trailers
from gitsessiond.model.records import Patch, Session

Strategy = Literal["merge", "rebase", "squash"]
HowLanded = Literal["merge", "rebase", "squash", "elsewhere"]  # by plain git, or because the target had it all
LandingKind = Literal["merge", "rebase", "squash", "revert"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

COAUTHOR = "Co-authored-by"


def words_of(patch: Patch) -> str:
    """What a patch says of itself: its description, else its name."""
    return patch.description if patch.description.strip() else patch.name


def merge_message(session: Session, patch: Patch, needs: Sequence[str]) -> bytes:
    """The message of a merge commit; ``needs``: the patches that this one depends on."""
    subject = f"Merge patch '{patch.name}' of session '{session.name}'"
    text = f"{subject}\n\n{patch.description}" if patch.description.strip() else subject
    return with_our_trailers(_encoded(text), session.id, patch.id, needs)


def squash_message(
    session: Session, patch: Patch, needs: Sequence[str], messages: Sequence[bytes], others: Sequence[str]
) -> bytes:
    """The message of the one commit that stands for a series: the only one's own, else the patch's and all subjects.

    ``others`` are the authors (``Name <email>``) besides the one who lands it.
    """
    if len(messages) == 1:
        named = [*trailer_values(messages[0], COAUTHOR), *others]
        words = with_trailers(messages[0], [(COAUTHOR, one) for one in dict.fromkeys(named)])
    else:
        listed = "\n".join(f"* {subject_line(message)}" for message in messages)
        text = f"{words_of(patch).rstrip()}\n\n{listed}"
        words = with_trailers(_encoded(text), [(COAUTHOR, one) for one in others])
    return with_our_trailers(words, session.id, patch.id, needs)


def revert_message(session: Session, patch: Patch, landed: str) -> bytes:
    """The message of the commit that takes a landing back; ``landed`` names what it reverts."""
    text = f"Revert patch '{patch.name}' of session '{session.name}'\n\nThis reverts {landed}."
    return with_our_trailers(_encoded(text), session.id, patch.id)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
