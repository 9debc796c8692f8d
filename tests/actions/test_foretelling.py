"""What is foretold of a commit for the hook that says it is what the commit then brings."""

from __future__ import annotations

import random

import pytest

from gitsessiond.actions.foretelling import foretold
from gitsessiond.actions.telling import counted
from tests.actions.desk import Desk, desk
from tests.conftest import git

__all__ = ["desk"]
NAMES = ("a.txt", "src/b.txt", "c d.txt", "é.txt", 'quo"ted')


def brought(it: Desk, told: list[str]) -> dict[str, int] | None:
    """The sum of what was foretold of each file of the last commit, by name; None: not of each."""
    many = int(told[0].split()[0])
    names, rows = told[1 : 1 + many], dict(split(row, many) for row in told[1 + many :])
    sums = dict.fromkeys(names, 0)
    said = git(it.root, "-c", "core.quotePath=false", "diff-tree", "-r", "--no-renames", "--no-commit-id", "HEAD")
    for line in said.decode().splitlines():
        if line not in rows:
            return None
        for name, count in zip(names, rows[line], strict=True):
            sums[name] += count
    return {name: count for name, count in sums.items() if count}


def split(row: str, many: int) -> tuple[str, list[int]]:
    *counts, line = row.split(" ", many)
    return line, [int(count) for count in counts]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 8))])
def test_as_foretold(desk: Desk, seed: int) -> None:
    """Random edits of three patches, some of them nobody's, and a commit of all: where it is foretold, it is so."""
    it, dice, count, known = desk, random.Random(seed), 0, 0
    it.patch("r")
    for _ in range(6 if seed == 1 else 12):
        for _ in range(dice.randint(1, 6)):
            name = dice.choice(NAMES)
            path = it.root / name
            if path.is_symlink():
                path.unlink()
            lines = path.read_text().splitlines() if path.exists() else []
            it.use(dice.choice("pqr") if dice.random() < 0.93 else None)
            for _ in range(dice.randint(1, 3)):
                count += 1
                at = dice.randint(0, len(lines))
                kind = dice.random()
                if kind < 0.5 or not lines:
                    lines.insert(at, f"new {count}")
                elif kind < 0.8:
                    lines[at % len(lines)] = f"changed {count}"
                else:
                    del lines[at % len(lines)]
            kind = dice.random()
            if path.exists() and kind < 0.1:
                it.save(name, None)
            elif path.exists() and kind < 0.17:
                path.chmod(0o755 if path.stat().st_mode & 0o100 == 0 else 0o644)
                it.look(name)
            elif kind < 0.22:
                path.unlink(missing_ok=True)
                path.symlink_to(f"nowhere {count}")
                it.look(name)
            elif path.exists() and kind < 0.27:
                path.rename(it.root / f"moved {count}")
                it.look()
            else:
                it.save(name, "".join(f"{line}\n" for line in lines))
        told = foretold(it.ctx, it.live)
        git(it.root, "add", "-A")
        if not git(it.root, "diff", "--cached", "--name-only"):
            continue
        it.git("commit", "-qm", f"commit {count}")
        found = brought(it, told)
        if found is not None:
            known += 1
            state = it.live.state
            names = {pid: patch.name for pid, patch in state.patches.items()}
            assert {names.get(pid, pid): n for pid, n in counted(state, it.head()).items()} == found, told
    assert known or seed != 1
