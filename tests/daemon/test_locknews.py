"""The recorder is told that locks have changed: soon, seldom, and again where it died over it."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.daemon.denied import MOST
from gitsessiond.daemon.locknews import AGAIN_S, APART_S, LOCKS_CHANGED, LOST_S, SOON_S, LockNews
from gitsessiond.daemon.outbox import Ask, Outbox


class Told:
    """An outbox whose requests are answered on demand, at a clock of one's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.outbox, self.events = Outbox(), list[dict[str, Any]]()
        self.news = LockNews(self.outbox, self.events.append, "/r/.git")
        monkeypatch.setattr("gitsessiond.daemon.locknews.time.monotonic", lambda: self.now)

    def happens(self, kind: str = "lock_acquired", mode: str = "X") -> None:
        self.news.publish({"type": kind, "mode": mode})

    def after(self, seconds: float) -> int:
        """Time passes; how many requests wait then."""
        self.now += seconds
        self.news.tick(self.now)
        return sum(isinstance(item, Ask) for item in self.outbox._queue)

    def answer(self) -> None:
        message = self.outbox.next(self.now)
        assert message is not None and message["verb"] == LOCKS_CHANGED
        item = self.outbox.done()
        assert isinstance(item, Ask) and item.answer is not None
        item.answer({"ok": {}})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def test_many_changes_are_one_request(told: Told) -> None:
    for kind in ("lock_acquired", "lock_released", "lock_expired", "lock_broken"):
        told.happens(kind)
    assert told.after(0.0) == 0 and told.after(SOON_S) == 1
    told.happens()
    assert told.after(1.0) == 1  # it has not read yet, and will find this too
    told.answer()
    assert told.after(0.0) == 1 and told.after(0.0) == 1
    told.answer()
    assert told.news.next_look() is None and len(told.events) == 5


def test_what_was_in_memory_only_is_news_once_it_is_written(told: Told) -> None:
    told.news.publish({"type": "degraded", "session": None, "what": "locks", "reason": "no room"})
    assert told.news.next_look() is None
    told.news.publish({"type": "restored", "session": None, "what": "locks", "reason": None})
    assert told.after(SOON_S) == 1


def test_two_are_apart(told: Told) -> None:
    told.happens()
    assert told.after(SOON_S) == 1
    told.answer()
    told.happens()
    assert told.after(SOON_S) == 0 and told.after(APART_S) == 1


def test_what_a_dead_recorder_was_told_is_told_again(told: Told) -> None:
    told.happens()
    told.after(SOON_S)
    told.outbox.clear()
    told.happens()
    assert told.after(APART_S) == 0 and told.after(LOST_S) == 1


@pytest.mark.parametrize(("kind", "mode"), [("lock_acquired", "intent"), ("lock_acquired", "S"), ("lock_renewed", "X")])
def test_what_changes_nothing_is_only_published(told: Told, kind: str, mode: str) -> None:
    told.happens(kind, mode)
    assert told.news.next_look() is None and told.events == [{"type": kind, "mode": mode}]


def denied(told: Told, resource: str = "path/a.txt", reason: str = "held", holder: str | None = "bob") -> None:
    """Ann asks for a lock in vain."""
    other = holder and {"client": holder, "who": None, "named": True, "session": None, "branch": None, "token": 7}
    told.news.publish(
        {"type": "lock_denied", "client": "ann", "resource": resource, "reason": reason, "held_by": other}
    )


def rows(told: Told) -> list[tuple[str, int]]:
    """What the next request tells of denials; it is answered."""
    message = told.outbox.next(told.now)
    assert message is not None
    item = told.outbox.done()
    assert isinstance(item, Ask) and item.answer is not None
    item.answer({"ok": {}})
    return [(row["name"], row["times"]) for row in message["args"].get("denied", ())]


def test_a_storm_of_denials_is_a_request_a_second(told: Told) -> None:
    for _ in range(1000):
        denied(told)
    assert told.after(0.0) == 0 and told.after(SOON_S) == 1 and rows(told) == [("path/a.txt", 1000)]
    for _ in range(1000):
        denied(told)
    assert told.after(AGAIN_S / 2) == 0 and told.after(AGAIN_S / 2) == 1 and rows(told) == [("path/a.txt", 1000)]
    assert told.news.next_look() is None


def test_a_request_comes_after_what_was_denied_before_it(told: Told) -> None:
    denied(told)
    told.news.flush(told.now)
    assert rows(told) == [("path/a.txt", 1)]
    denied(told)
    told.news.flush(told.now)
    assert rows(told) == [("path/a.txt", 1)]  # once more
    denied(told, "path/b.txt")
    told.happens()
    told.news.flush(told.now)
    assert rows(told) == [("path/b.txt", 1)] and told.news.next_look() is None
    for number in range(MOST + 1):
        denied(told, f"path/{number}")
    assert told.after(APART_S) == 1 and len(rows(told)) == MOST
    assert told.after(AGAIN_S) == 1 and len(rows(told)) == 1


def test_what_only_waits_or_is_taken_back_is_no_denial(told: Told) -> None:
    denied(told, reason="cancelled")
    denied(told, reason="gone")
    denied(told, holder=None)
    assert told.news.next_look() is None and len(told.events) == 3
