"""What front answers beside the recorder: verbs that need no barrier, told apart by their first word."""

from __future__ import annotations

from typing import Any, Protocol

from gitsessiond.daemon.link import Link

Message = dict[str, Any]


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
