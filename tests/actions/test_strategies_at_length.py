"""Random days - renames, modes, binary files, commits of several patches - landed by any strategy, some taken back."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gitsessiond.actions.strategies import committed_tree, with_frozen
from tests.story import DeskBench, Story

WAYS = ("merge", "rebase", "squash")
EDITS = int(os.environ.get("GITSESSIOND_SOAK_EDITS", "60"))  # read before a test's environment is sealed


class Landings:
    """What lands on main, and what main has to be then."""

    def __init__(self, bench: DeskBench, seed: int) -> None:
        self.bench, self.rng = bench, random.Random(seed)
        self.landed, self.back, self.refused, self.clashed = 0, 0, 0, 0

    def patches(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.bench.do("patch.list")["patches"]
        return found

    def act(self) -> bool:
        """Land one patch, or take one back; False: there is nothing left to land."""
        patches = self.patches()
        free = [p for p in patches if p["status"] in ("draft", "ready") and p["ops"] and not p["blockers"]]
        merged = [p for p in patches if p["status"] == "merged"]
        if merged and self.rng.random() < 0.3:
            reply = self.bench.ask("revert", patch=self.rng.choice(merged)["name"])
            assert "ok" in reply or reply["error"]["exit"] == 4, reply
            self.back += "ok" in reply
        elif free:
            self.land(str(self.rng.choice(free)["name"]))
        else:
            return False
        self.check()
        return True

    def land(self, name: str) -> None:
        before = self.bench.git("rev-parse", "main")
        reply = self.bench.ask("merge", patch=name, ready=True, strategy=self.rng.choice(WAYS))
        if "error" in reply:
            assert reply["error"]["exit"] == 4 and self.bench.git("rev-parse", "main") == before, reply
            self.refused += 1
            self.bench.ask("patch.abandon", patch=name)
            return
        assert reply["ok"]["merged"], (name, reply)
        self.landed += 1

    def check(self) -> None:
        """main is the base with the lines of what is merged, and nothing else."""
        (live,) = self.bench.desk.ctx.sessions.values()
        merged = frozenset(pid for pid, patch in live.state.patches.items() if patch.status == "merged")
        if live.state.session.chain:
            expected = committed_tree(self.bench.desk.ctx, live.state, with_frozen(live.state, merged), merged)
            assert self.bench.git("rev-parse", "main^{tree}") == expected


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("seed", "edits"), [*((seed, EDITS) for seed in range(400, 440)), (401, 200), (413, 200), (437, 200)]
)
def test_a_random_day_lands_by_any_strategy(repo: Path, seed: int, edits: int) -> None:
    """No order and no strategy makes a conflict between patches of one session; main has exactly what landed.

    The three long days are known ones: half of a rename committed after the file's patch had landed, a dependent
    that seemed to have landed with the revert of what it builds on, and an edit in a file that had come back.
    """
    bench = DeskBench(repo)
    story, landings = Story(bench, seed), Landings(bench, seed)
    try:
        for way in WAYS:
            bench.git("config", "gitsession.merge", way)
            while story.edits < edits * (WAYS.index(way) + 1) // 3:
                story.step()
            for _ in range(3):
                landings.act()
        for _ in range(40):
            if not landings.act():
                break
        bench.judge(seed)
        bench.git("fsck", "--strict", "--no-dangling")
    except BaseException:
        print(f"seed {seed}, {story.edits} edits: {story.log[-12:]}")
        raise
    finally:
        bench.desk.close()
    print(
        f"seed {seed}: {story.edits} edits, {landings.landed} landed, {landings.back} reverted, {landings.refused} refused"
    )
