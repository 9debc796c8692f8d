"""Real merge commits, made again by two sessions: clean or conflicting as git says, and landed to the committed tree."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Workbench
from tests.scenarios.merge_replay import Merge, Replay, by_git, made_merges, merges_of, replay, tell

MERGES = int(os.environ.get("GITSESSIOND_MERGES", "250"))
PARTS = 8  # of them, for the workers to share
BY_COMMAND = 12  # conflicting ones


class ByCommand(Replay):
    """The same by the installed command and its daemon."""

    def __init__(self, source: Path, top: Path) -> None:
        super().__init__(source, top)
        self.answer = top / "answer"

    def begin(self, merge: Merge) -> None:
        super().begin(merge)
        assert self.desk is not None
        self.desk.close()

    def saved(self, at: Path, paths: list[str]) -> None:
        """The daemon sees it by itself."""

    def ask(self, at: Path, verb: str, **args: Any) -> dict[str, Any]:
        words: Any = {
            "session.start": ["start", args.get("name"), "--here", "--target", args.get("target")],
            "session.list": ["list"],
            "session.abandon": ["abandon", "--yes"],
            "patch.new": ["patch", "new", args.get("name")],
            "unassigned": ["unassigned"],
            "assign": ["assign", "--all", "--patch", args.get("patch")],
            "merge": ["merge", args.get("patch"), *(["--ready"] if args.get("ready") else [])],
            "resolve": ["resolve", args.get("id"), *self.answer_of(args)],
        }[verb]
        done = subprocess.run(["git", "session", *words, "--json"], cwd=at, capture_output=True, timeout=120)
        assert done.returncode in (0, 3), (words, done)
        self.counts["commands"] += 1
        reply: dict[str, Any] = json.loads(done.stdout)
        return reply

    def answer_of(self, args: Mapping[str, Any]) -> list[str]:
        """A resolution's options."""
        if "content" not in args:
            return ["--delete"]
        self.answer.write_bytes(base64.b64decode(args["content"]))
        return ["--file", str(self.answer), "--as", args["as"]]

    def end(self) -> None:
        Workbench(self.root).stop()


def test_made_merges_replay(tmp_path: Path) -> None:
    """Made merge commits land to their own trees, clean ones and settled ones."""
    made = tmp_path / "made"
    made_merges(made, 2)
    counts = replay(merges_of(made), made, tmp_path, 2)
    assert (counts["clean"], counts["conflicting"]) == (1, 1) and counts["landed to the committed tree"] == 1


def sources(tmp_path: Path) -> list[Path]:
    """The repositories of GITSESSIOND_REPOSITORIES; without them, a made one."""
    paths = [Path(part) for part in os.environ.get("GITSESSIOND_REPOSITORIES", "").split(":") if part]
    if not paths:
        made_merges(tmp_path / "made", 32)
        paths = [tmp_path / "made"]
    return paths


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_real_merges_replay(tmp_path: Path, part: int) -> None:
    """An eighth of GITSESSIOND_MERGES merges of the given repositories together, or of a few made ones."""
    given = sources(tmp_path)
    source, nth = given[part % len(given)], part // len(given)
    of_it = len(range(part % len(given), PARTS, len(given)))
    counts = replay(merges_of(source, nth, of_it), source, tmp_path, max(1, MERGES // PARTS))
    assert counts["merges"]


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_conflicting_merges_by_the_command(tmp_path: Path) -> None:
    """What people settled is accepted by `resolve --file` and landed, each step by the installed command."""
    given, counts = sources(tmp_path), Counter[str]()
    for number, source in enumerate(given):
        place = tmp_path / f"by-command-{number}"
        place.mkdir()
        one = ByCommand(source, place)
        wanted = -(-BY_COMMAND // len(given))
        try:
            for merge in merges_of(source):
                if not by_git(one.root, merge)[1]:
                    one.play(merge)
                if one.counts["conflicting"] == wanted:
                    break
        finally:
            one.end()
        counts += one.counts
    tell(counts)
    assert counts["conflicting"] >= 10
