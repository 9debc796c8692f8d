"""What actions cost, counted: processes of git, graphs, objects looked for, sleeps and threads. No times."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gitsessiond.actions.context import Asked
from gitsessiond.actions.patches import ready_patch
from gitsessiond.model import graph
from gitsessiond.store import crossing, git, outlasting
from tests.actions.desk import Desk, desk

__all__ = ["desk"]

MANY = 5


class Counted:
    """What was done while looking."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.git: list[str] = []
        self.graphs, self.touched, self.threads, self.sleeps = 0, 0, 0, 0
        start, derive, freshen = git._start, graph.derive, crossing._freshen
        begin, sleep = threading.Thread.start, time.sleep

        def started(words: Any, *more: Any) -> subprocess.Popen[bytes]:
            self.git.append(git._verb(words[1:]))
            return start(words, *more)

        monkeypatch.setattr(git, "_start", started)
        monkeypatch.setattr(graph, "derive", self.counting("graphs", derive))
        monkeypatch.setattr(crossing, "_freshen", self.counting("touched", freshen))
        monkeypatch.setattr(threading.Thread, "start", self.counting("threads", begin))
        monkeypatch.setattr(time, "sleep", self.counting("sleeps", sleep))

    def counting(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            setattr(self, name, getattr(self, name) + 1)
            return act(*args, **named)

        return counted


@pytest.fixture
def many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Patches, each with an edit in a file of its own; the first is merged, so that git has named the person."""
    monkeypatch.setattr(outlasting, "packed_just_now", lambda common_dir: False)  # then refs hold what lands
    for n in range(MANY):
        desk.patch(f"r{n}")
        desk.save(f"d{n}/f.txt", f"patch {n}\n")
    desk.commit_patch("r0")
    desk.land("r0")
    return desk


def test_a_merge_starts_one_git_and_works_out_one_graph(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many patches there are, their blockers before and after it are told from what is known."""
    ready(many, "r1")
    ready(many, "r2")
    counted = Counted(monkeypatch)
    many.land("r2")
    assert counted.git == ["update-ref"]
    assert counted.graphs <= 1
    assert counted.sleeps == 0, "the end of git is waited for, not looked for now and then"


def test_a_landing_of_one_new_object_starts_no_thread(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target gets the whole session's tree, which is there: the merge commit alone is new."""
    for n in range(2, MANY):
        many.save(f"d{n}/f.txt", None)
    ready(many, "r1")
    counted = Counted(monkeypatch)
    many.land("r1")
    assert counted.threads == 0


def test_readiness_asks_once_who_asks_and_looks_once_at_what_an_anchor_reaches(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One git names the person, five make the commit, two move refs; and what is there is made young again once."""
    counted = Counted(monkeypatch)
    ready(many, "r3")
    assert counted.git.count("var") == 1
    assert len(counted.git) <= 8, counted.git
    assert counted.graphs <= 3
    assert counted.touched <= 75  # nearly 100 when all that was put there is gone through again


def ready(desk: Desk, name: str) -> None:
    ready_patch(desk.ctx, Asked("patch.ready", {"patch": name}, desk.who))
