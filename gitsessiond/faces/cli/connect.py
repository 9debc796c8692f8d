"""The client that a face talks through, and how it is made.

Commands see only :class:`Client`; the real one is :mod:`gitsessiond.wire.client`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from gitsessiond.model.errors import NotFound


class Client(Protocol):
    """One repository's daemon, as a person's command sees it."""

    def call(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """Ask one thing; raises the GitSessionError the reply carries."""
        ...

    def events(
        self, since: int | None, follow: bool, wanted: dict[str, Any], waits: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        """Events after ``since`` that are ``wanted``; with ``follow`` until the caller stops reading.

        ``waits``: called when the daemon has ended and the next one is waited for.
        """
        ...

    def log_path(self) -> str:
        """The daemon's log file, whether or not it runs."""
        ...


Dial = Callable[[str | None, bool], Client]  # (session named by -s, whether a daemon may be started) -> client


def open_client(session: str | None, start: bool) -> Client:
    """The client of the repository one stands in.

    Raises:
        NotFound: the directory is gone, or in no repository.
    """
    from gitsessiond.wire.client import Client as WireClient

    try:
        cwd = os.getcwd()
    except FileNotFoundError as gone:
        raise NotFound("this directory no longer exists", hint="cd to the repository") from gone
    from gitsessiond.faces.cli.progress import Told, Waiting

    dumb = not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb"
    return WireClient(cwd, session=session, autostart=start, patience=(Told if dumb else Waiting)(sys.stderr))
