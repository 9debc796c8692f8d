"""Edits reach the patch the person meant (tests/intent.py says how it is asked)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.conftest import git
from tests.intent import Tally, branches_of, play


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
    lines = tally.intended + tally.told + tally.wrong
    share = tally.intended / max(1, lines)
    print(
        f"{tally.branches} branches, {lines} lines: {share:.1%} in the intended patch, {tally.told} elsewhere with a"
        f" reason, {tally.wrong} without; {tally.trees} trees equal, {len(tally.other_trees)} not"
    )
    assert tally.wrong == 0
    assert share >= 0.9
    assert not tally.other_trees


def test_made_branches_arrive(tmp_path: Path) -> None:
    """0 lines in a wrong patch without a reason, 90 % where they were meant, and equal trees; 6 made branches."""
    made_history(tmp_path / "made", 60, seed=5)
    tally = Tally()
    for commits in branches_of(tmp_path / "made", 6, seed=6):
        play(tmp_path / "made", commits, tmp_path, tally)
    judged(tally)
    assert tally.branches == 6


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_real_branches_arrive(tmp_path: Path) -> None:
    """The same over 100 branches of the repositories in GITSESSIOND_REPOSITORIES (paths joined by ':'), else made ones."""
    paths = [Path(part) for part in os.environ.get("GITSESSIOND_REPOSITORIES", "").split(":") if part]
    if not paths:
        for seed in (1, 2):
            made_history(tmp_path / f"made{seed}", 240, seed=seed)
        paths = [tmp_path / "made1", tmp_path / "made2"]
    tally = Tally()
    for path in paths:
        for commits in branches_of(path, 60, seed=7):
            play(path, commits, tmp_path, tally)
    judged(tally)
    assert tally.branches >= 100
