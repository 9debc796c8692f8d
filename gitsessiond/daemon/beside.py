"""What front answers beside the recorder: verbs that need no barrier, told apart by their first word."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from gitsessiond.daemon.link import Link
from gitsessiond.model.health import Finding
from gitsessiond.model.rates import Family

Message = dict[str, Any]


class Looked(NamedTuple):
    """What one of them says of itself: for ``daemon.status``, for ``metrics``, for ``doctor``."""

    counts: Message
    families: list[Family]
    findings: list[Finding]


@runtime_checkable
class LookedAt(Protocol):
    """Who has figures."""

    def look(self, now: float, deep: bool) -> Looked:
        """How things are; ``deep``: what takes a while to find out, too."""
        ...


class Beside(Protocol):
    """Answers the verbs that begin with one word, in front's loop and as fast as that must be."""

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Answer a request, now or later, over the link.

        Raises:
            GitSessionError: the answer is an error.
        """
        ...

    def left(self, link: Link) -> None:
        """A connection has ended; whoever had it may live on."""
        ...

    def tick(self, now: float) -> None:
        """What time brings on; called at each turn of the loop."""
        ...

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do next, in monotonic seconds; None: nothing is due."""
        ...

    def close(self) -> None:
        """The daemon ends."""
        ...
