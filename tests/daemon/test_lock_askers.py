"""Who asks for locks is looked at closely once, and again when anything about it may have changed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import locks
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.locks import Locks, LockTold
from gitsessiond.daemon.settings import Settings
from gitsessiond.model.clients import Client
from gitsessiond.wire.place import Place, peer_of
from gitsessiond.wire.starting import make_state_dir

WHO = {"client": "one", "cwd": "/", "env": {}}


class Seen:
    """Tells clients by the names they give themselves, and counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def client_of(self, link: Link, who: dict[str, Any]) -> Client:
        self.times += 1
        return Client(who["client"], "agent", who["client"], cwd=who["cwd"])

    def session_of(self, client: Client) -> str | None:
        return client.session


@pytest.fixture
def link() -> Iterator[Link]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Link(ours, peer_of(ours))


def test_who_asks_is_looked_at_again_when_it_may_be_another(
    repo: Path, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words over the same connection are the same client, but for one that is gone, or after a while."""
    place = Place(str(repo / ".git"))
    make_state_dir(place)
    seen = Seen()
    made = Locks(LockTold(lambda link, reply: None, lambda event: None), seen, place, Settings())

    def ask(**who: Any) -> int:
        """How often it has been looked at then."""
        made.answer(link, 1, "lock.list", {}, {**WHO, **who})
        return seen.times

    monkeypatch.setattr(locks, "SAME_S", 60.0)
    assert [ask(), ask(), ask(client="two"), ask(client="two"), ask(), ask()] == [1, 1, 2, 2, 3, 3]
    made.gone("one", 0.0)
    assert [ask(), ask()] == [4, 4]
    monkeypatch.setattr(made, "is_known", lambda client: False)
    assert [ask(), ask()] == [5, 6]
    monkeypatch.setattr(made, "is_known", lambda client: True)
    monkeypatch.setattr(locks, "SAME_S", 0.0)
    assert [ask(cwd="/tmp"), ask(cwd="/tmp")] == [7, 8]
    monkeypatch.setattr(locks, "SAME_S", 60.0)
    assert [ask(session=["odd"]), ask(session=["odd"]), ask(cwd="/" * 5000), ask(cwd="/" * 5000)] == [9, 10, 11, 12]
    assert [ask(env={"SECRET": "1"}), ask(env={"SECRET": "2"})] == [13, 13]
    assert "SECRET" not in repr(made._askers)  # an environment is kept for as long as its request takes
    made.close()
