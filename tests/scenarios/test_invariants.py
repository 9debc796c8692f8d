"""I1, I2, I3, I4 and I6 over random days of work; git is the judge (tests/judge.py).

``GITSESSIOND_SOAK_EDITS`` makes the long days longer or shorter (500 edits each, forty days).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.story import DeskBench, Story

EDITS = int(os.environ.get("GITSESSIOND_SOAK_EDITS", "500"))  # read before a test's environment is sealed


def run_story(repo: Path, seed: int, edits: int, every: int) -> None:
    """A day of so many edits, what else is done on top; judged after each ``every`` edits and at the end."""
    bench = DeskBench(repo)
    story = Story(bench, seed)
    try:
        while story.edits < edits:
            story.step()
            if story.edits >= (bench.judged + 1) * every:
                bench.judge(seed)
        bench.judge(seed)
    except BaseException:
        print(f"seed {seed}, {story.edits} edits, {len(story.log)} acts: {story.log[-12:]}")
        raise
    finally:
        bench.desk.close()
    acts = ", ".join(f"{count} {what}" for what, count in sorted(story.acts.items()))
    print(f"seed {seed}: {story.edits} edits, {acts}, {bench.judged} judged")


@pytest.mark.parametrize("seed", range(1, 5))
def test_invariants_hold_over_a_random_day(repo: Path, seed: int) -> None:
    """The recorded work is the disk, patches fold to it, and every order merges cleanly."""
    run_story(repo, seed, edits=50, every=15)


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(100, 140))
def test_invariants_hold_over_20000_edits(repo: Path, seed: int) -> None:
    """Forty days of 500 edits, commands and plain commits on top, judged every 50 edits."""
    run_story(repo, seed, edits=EDITS, every=50)
