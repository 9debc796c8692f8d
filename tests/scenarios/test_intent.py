"""Edits reach the patch the person meant (tests/intent.py says how it is asked)."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from gitsessiond.model import place
from gitsessiond.model.deciding import Rules, Verdict, decide
from gitsessiond.model.zones import Zone
from tests.conftest import git
from tests.intent import ByCommand, ByDesk, Tally, branches_of, play


def made_history(root: Path, commits: int, seed: int) -> None:
    """A history like a person's: functions changed, added, moved and removed, now and then over several files."""
    rng = random.Random(seed)
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    names = [f"part{n}/mod{n}.py" for n in range(6)]
    texts = {
        name: [f"def f{n}_{k}(x):\n    y = x + {k}\n    return y * {n}\n\n\n" for k in range(8)]
        for n, name in enumerate(names)
    }
    for number in range(commits):
        for name in rng.sample(names, rng.choice([1, 1, 2])):
            parts = texts[name]
            at = rng.randrange(len(parts))
            act = rng.choice(["change", "change", "change", "add", "remove", "append"])
            if act == "change":
                parts[at] = parts[at].replace("return", f"y += {number}\n    return", 1)
            elif act == "add":
                parts.insert(at, f"def g{number}(x):\n    return {number}\n\n\n")
            elif act == "append":
                parts.append(f"def h{number}(x):\n    return x\n\n\n")
            elif len(parts) > 3:
                parts.pop(at)
        for name, parts in texts.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("".join(parts))
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", f"change {number}")


def judged(tally: Tally) -> None:
    lines = tally.intended + tally.told + len(tally.wrong)
    share = tally.intended / max(1, lines)
    print(
        f"{tally.branches} branches, {tally.commits} commits, {lines} lines: {share:.1%} in the intended patch,"
        f" {tally.told} elsewhere and told, {len(tally.wrong)} without a word, {tally.otherwise} read otherwise,"
        f" {tally.ignored} ignored; {tally.trees} trees equal,"
        f" {len(tally.other_trees)} not"
    )
    assert tally.wrong == []
    assert share >= 0.9
    assert not tally.other_trees


@pytest.mark.parametrize(("hands", "wanted"), [(ByDesk, 4), (ByCommand, 1)])
def test_made_branches_arrive(tmp_path: Path, hands: type[ByDesk] | type[ByCommand], wanted: int) -> None:
    """0 lines in a wrong patch without a word, 90 % where they were meant, and equal trees; made branches."""
    made_history(tmp_path / "made", 60, seed=5)
    tally = Tally()
    for commits in branches_of(tmp_path / "made", wanted, seed=6):
        play(tmp_path / "made", commits, tmp_path, tally, hands)
    judged(tally)
    assert tally.branches == wanted


def give_some_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break placing: every second edit that the patch in use should get goes to another patch, as if that were in use."""
    edits = itertools.count(1)
    used: dict[str, None] = {}

    def broken(zones: Sequence[Zone], rules: Rules) -> list[tuple[Verdict, ...]]:
        if rules.current is not None:
            used.setdefault(rules.current)
        others = [patch for patch in used if patch != rules.current and rules.state(patch) == "open"]
        return [
            tuple(
                Verdict(others[0], "current") if one.why == "current" and others and not next(edits) % 2 else one
                for one in found
            )
            for found in decide(zones, rules)
        ]

    monkeypatch.setattr(place, "decide", broken)


def test_a_line_in_a_wrong_patch_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure can fail: placing that gives some edits to another patch, as if that were in use, is found out."""
    made_history(tmp_path / "made", 60, seed=5)
    tally = Tally()
    give_some_away(monkeypatch)
    for commits in branches_of(tmp_path / "made", 3, seed=6):
        play(tmp_path / "made", commits, tmp_path, tally, ByDesk)
    assert tally.wrong
    with pytest.raises(AssertionError):
        judged(tally)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_real_branches_arrive(tmp_path: Path) -> None:
    """The same over 100 branches of the repositories in GITSESSIOND_REPOSITORIES (paths joined by ':'), else made ones.

    By the command and a daemon, half of them from each of two repositories.
    """
    paths = [Path(part) for part in os.environ.get("GITSESSIOND_REPOSITORIES", "").split(":") if part]
    if not paths:
        for seed in (1, 2):
            made_history(tmp_path / f"made{seed}", 240, seed=seed)
        paths = [tmp_path / "made1", tmp_path / "made2"]
    tally = Tally()
    for path in paths:
        for commits in branches_of(path, -(-100 // len(paths)), seed=7):
            play(path, commits, tmp_path, tally, ByCommand)
    judged(tally)
    assert tally.branches >= 100
