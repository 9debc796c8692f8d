"""Words and content that mean nothing are a person's mistake, said so, and never a bug of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions import judging
from gitsessiond.actions.answering import content_asked
from gitsessiond.actions.context import Asked, Who
from gitsessiond.actions.judging import judge_session
from gitsessiond.actions.recorded import moment_of, step_at
from gitsessiond.model.errors import BadRequest, StoreFailed
from gitsessiond.model.names import within
from gitsessiond.store.identity import identity_of
from gitsessiond.wire.requests import who_asks
from tests.actions.desk import Desk, desk  # noqa: F401  (a fixture)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("when", ["99999999999 weeks ago", "9999999999999999999 seconds ago", "25:61", "at noon", "²"])
def test_a_time_that_is_none(desk: Desk, when: str) -> None:  # noqa: F811
    with pytest.raises(BadRequest):
        moment_of(when, NOW)
    with pytest.raises(BadRequest):
        step_at(desk.ctx, desk.live.state, when, b"")


def test_a_person_may_say_who_they_are(repo: Path) -> None:
    """`$GITSESSION_USER` crosses the socket, and is who made a patch; git's own identity otherwise."""
    told = who_asks(str(repo), None, {"GITSESSION_USER": "Bob <bob@example.org>", "HOME": "/root"})["env"]
    assert identity_of(told, str(repo)) == "Bob <bob@example.org>"
    assert identity_of({}, str(repo)) == "Ann <ann@example.org>"


@pytest.mark.parametrize("content", [None, 7, "é", "no base64!"])
def test_content_that_is_none(content: object) -> None:
    with pytest.raises(BadRequest, match="content"):
        content_asked(Asked("resolve", {"content": content}, Who("/")))


@pytest.mark.parametrize("place", [b"", b".", b"a", b"a/", b"a/b", b"a/b/"])
def test_a_path_is_within_its_directories(place: bytes) -> None:
    assert within(b"a/b/c", place)
    assert place in (b"", b".") or not within(b"ab/c", place)


def test_a_dependency_that_could_not_be_recorded_stays_due(
    desk: Desk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*args: Any, **named: Any) -> None:
        raise StoreFailed("the disk refused")

    desk.live.judge_due = True
    with monkeypatch.context() as full:
        full.setattr(judging, "judge", lambda owners, tools: replace(owners))
        full.setattr(judging, "publish", refused)
        with pytest.raises(StoreFailed):
            judge_session(desk.ctx, desk.live)
    assert desk.live.judge_due
    judge_session(desk.ctx, desk.live)
    assert not desk.live.judge_due
