"""I1, I2, I3 and I6 over random days of work; git is the judge (tests/judge.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.story import DeskBench, Story


def run_story(repo: Path, seed: int, steps: int, every: int) -> None:
    bench = DeskBench(repo)
    story = Story(bench, seed)
    try:
        for _ in range(steps):
            story.step()
            if story.count % every == 0:
                bench.judge(seed)
        bench.judge(seed)
    except BaseException:
        print(f"seed {seed}, step {story.count}: {story.log[-12:]}")
        raise
    finally:
        bench.desk.close()


@pytest.mark.parametrize("seed", range(1, 5))
def test_invariants_hold_over_a_random_day(repo: Path, seed: int) -> None:
    """The recorded work is the disk, patches fold to it, and every order merges cleanly."""
    run_story(repo, seed, steps=60, every=15)


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(100, 140))
def test_invariants_hold_over_20000_edits(tmp_path: Path, repo: Path, seed: int) -> None:
    """20,000 random edits and commands, judged every 50."""
    run_story(repo, seed, steps=int(os.environ.get("GITSESSIOND_SOAK_STEPS", "500")), every=50)
