"""Random plain git in a session's worktree: whatever is done, record, chain and series agree with git."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from gitsessiond.model.errors import Refused
from tests.actions.desk import Desk
from tests.conftest import git

NAMES = ("a.txt", "src/b.txt", "c.txt")
PATCHES = ("p", "q", "r")


class Day:
    """A random day's work; every act is one method, chosen by its weight."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.it = Desk(root)
        for name in PATCHES:
            self.it.patch(name)
        self.log: list[str] = []
        self.count = 0

    def lines(self, name: str) -> list[str]:
        path = self.it.root / name
        return path.read_text().splitlines() if path.exists() else []

    def act_save(self) -> None:
        name = self.random.choice(NAMES)
        lines = self.lines(name)
        self.it.use(self.random.choice((*PATCHES, None)))
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(lines))
            self.count += 1
            kind = self.random.random()
            if kind < 0.5 or not lines:
                lines.insert(at, f"new {self.count}")
            elif kind < 0.8:
                lines[at % len(lines)] = f"changed {self.count}"
            else:
                del lines[at % len(lines)]
        self.it.save(name, "".join(f"{line}\n" for line in lines))

    def act_delete(self) -> None:
        name = self.random.choice(NAMES)
        if (self.it.root / name).exists():
            self.it.save(name, None)

    def act_commit_all(self) -> None:
        self.it.git("add", "-A", look=False)
        self.it.git("commit", "-qm", f"all {self.count}", check=False)

    def act_commit_file(self) -> None:
        name = self.random.choice(NAMES)
        self.it.git("add", name, look=False, check=False)
        self.it.git("commit", "-qm", f"one {self.count}", "--", name, check=False)

    def act_commit_patch(self) -> None:
        try:
            self.it.commit_patch(self.random.choice(PATCHES), f"ours {self.count}")
        except Refused:
            pass  # nothing to commit, or a dependency first

    def act_amend(self) -> None:
        if self.it.session.chain:
            self.it.git("commit", "-qa", "--amend", "--no-edit", check=False)

    def act_reword(self) -> None:
        if self.it.session.chain:
            self.it.git("commit", "-q", "--amend", "--only", "-m", f"reworded {self.count}", check=False)

    def act_reset(self) -> None:
        if self.it.session.chain:
            self.it.git("reset", "-q", self.random.choice(("--soft", "--mixed", "--hard")), "HEAD~1", check=False)

    def act_stash(self) -> None:
        self.it.git("stash", "-q", "-u", check=False)

    def act_pop(self) -> None:
        if not self.it.git("stash", "pop", "-q", check=False) and self.unmerged():
            self.it.git("checkout", "-q", "--theirs", ".", check=False)
            self.it.git("reset", "-q", check=False)

    def unmerged(self) -> bool:
        return bool(git(self.it.root, "ls-files", "-u"))

    def act_reorder(self) -> None:
        editor = self.random.choice(("tac", "tail -n +2", "sed 2d"))
        turn = f'f() {{ grep ^pick "$1" | {editor} > "$1.t"; mv "$1.t" "$1"; }}; f'
        base = self.it.session.base
        self.it.git("-c", f"sequence.editor={turn}", "rebase", "-q", "-i", "--autostash", base, check=False)
        self.end_rebase()

    def end_rebase(self) -> None:
        """Give up, or take what is there as the resolution."""
        for _ in range(10):
            if not os.path.isdir(self.it.root / ".git/rebase-merge"):
                break
            if self.random.random() < 0.5:
                self.it.git("rebase", "--abort", check=False)
            else:
                self.it.git("add", "-A")
                self.it.git("-c", "core.editor=true", "rebase", "--continue", check=False)
        if self.unmerged():
            self.it.git("reset", "-q")

    def act_revert(self) -> None:
        if self.it.session.chain:
            self.it.git("revert", "--no-edit", self.random.choice(self.it.session.chain), check=False)
            self.it.git("revert", "--abort", check=False)

    def act_move_main(self) -> None:
        tree = self.it.root.parent / "main"
        git(self.it.root, "worktree", "add", "-q", str(tree), "main")
        name = self.random.choice((*NAMES, "README"))
        path = tree / name
        lines = path.read_text().splitlines() if path.exists() else []
        self.count += 1
        lines.insert(self.random.randint(0, len(lines)), f"main {self.count}")
        path.write_text("".join(f"{line}\n" for line in lines))
        git(tree, "add", "-A")
        git(tree, "commit", "-qm", f"main {self.count}")
        git(self.it.root, "worktree", "remove", "--force", str(tree))

    def act_merge_main(self) -> None:
        self.it.git("merge", "-q", "--no-edit", "main", check=False)
        if os.path.exists(self.it.root / ".git/MERGE_HEAD"):
            if self.random.random() < 0.5:
                self.it.git("merge", "--abort", check=False)
            else:
                self.it.git("add", "-A")
                self.it.git("commit", "-q", "--no-edit", check=False)

    def act_rebase_main(self) -> None:
        self.it.git("rebase", "-q", "--autostash", "main", check=False)
        self.end_rebase()

    def act_switch(self) -> None:
        self.it.git("switch", "-q", "-c", f"other-{self.count}", check=False)
        if self.random.random() < 0.5:
            self.act_save()
        self.it.git("switch", "-q", self.it.session.branch, check=False)
        if self.it.session.parked:
            self.it.git("switch", "-q", "--discard-changes", self.it.session.branch)

    def act_checkout(self) -> None:
        self.it.git("checkout", "-q", "HEAD", "--", self.random.choice(NAMES), check=False)

    def act_restart(self) -> None:
        self.it.restart()

    def step(self) -> None:
        acts = [name for name in dir(self) if name.startswith("act_")]
        weights = [6 if name == "act_save" else 2 if "commit" in name else 1 for name in acts]
        (act,) = self.random.choices(acts, weights)
        self.log.append(act)
        getattr(self, act)()
        self.it.look()
        if not self.it.session.parked and not self.unmerged():
            self.it.check(whole=len(self.log) % 10 == 0)


def a_day(root: Path, seed: int, steps: int) -> None:
    day = Day(root, seed)
    try:
        for _ in range(steps):
            day.step()
        git(day.it.root, "fsck", "--strict", "--no-dangling")
    except BaseException:
        print(seed, len(day.log), day.log)
        raise
    print(f"seed {seed}: {len(day.log)} acts of plain git")
    day.it.store.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_short_day(repo: Path, seed: int) -> None:
    """After each of some random acts of plain git the record is the disk, and chain and series are git's."""
    a_day(repo, seed, 25)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 160))
def test_a_long_day(repo: Path, seed: int) -> None:
    """The same for long."""
    a_day(repo, seed, 120)
