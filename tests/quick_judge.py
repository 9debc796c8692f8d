"""The judge of thousands of steps: the checks of tests/judge.py, asked of git with few processes.

One ``git cat-file --batch`` for each of the two repositories answers for a whole story.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import topological
from tests.judge import Broken, Judge, closure, never, unassigned_paths
from tests.story import DeskBench

MERGING = ("-c", "merge.directoryRenames=false", "-c", "merge.renameLimit=0")


class Objects:
    """What a repository has now, by any name that git knows."""

    def __init__(self, git_dir: Path) -> None:
        args = ["git", "--git-dir", str(git_dir), "cat-file", "--batch"]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, name: str) -> tuple[str, bytes] | None:
        """The id and the content, or None."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(os.fsencode(name) + b"\n")
        self.process.stdin.flush()
        words = os.fsdecode(self.process.stdout.readline()).split()
        if words[-1] == "missing":
            return None
        content = self.process.stdout.read(int(words[2]) + 1)[:-1]
        return words[0], content

    def oid(self, name: str) -> str | None:
        found = self.read(name)
        return found[0] if found is not None else None

    def content(self, name: str) -> bytes | None:
        found = self.read(name)
        return found[1] if found is not None else None

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class QuickJudge(Judge):
    """One for a whole story of files that git neither converts nor ignores."""

    def __init__(self, worktree: Path, sid: str, wid: str) -> None:
        super().__init__(worktree, sid, wid)
        self.theirs, self.stored = Objects(self.common), Objects(self.store)

    def close(self) -> None:
        self.theirs.close()
        self.stored.close()
        shutil.rmtree(self.scratch)

    def all_recorded(self, insides: Sequence[str]) -> list[str | None]:
        return [self.stored.oid(f"refs/sessions/{self.sid}:{inside}") for inside in insides]

    def tree(self, name: str) -> str:
        """The tree of a commit of the repository."""
        found = self.theirs.oid(name + "^{tree}")
        if found is None:
            raise Broken(f"no {name}")
        return found

    def disk_tree(self) -> str:
        hidden = [path for path in self.names() if never(path)]
        assert not hidden, "these need the slow judge"
        copy = Path(self.scratch) / "judge-index"
        shutil.copy2(self.own / "index", copy)  # with its time: git tells a racy entry by it
        env = {**self.objects, "GIT_INDEX_FILE": str(copy)}
        self.out(["add", "-A"], env)
        return self.out(["write-tree"], env)

    def names(self) -> list[str]:
        """The files on disk, but for git's and the control files."""
        found = []
        for directory, below, files in os.walk(self.worktree):
            below[:] = [name for name in below if name not in (".git", ".gitsession")]
            found += [os.path.relpath(os.path.join(directory, name), self.worktree) for name in files]
        return sorted(found)

    def merge_of(self, ours: str, theirs: str) -> tuple[str, list[str]]:
        """git's merge of two commits: the tree, and the paths that clash in it."""
        words = [*MERGING, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs]
        done = self.run(words, self.objects)
        if done.returncode not in (0, 1):
            raise Broken(f"merge-tree {ours} {theirs}: {os.fsdecode(done.stderr)}")
        tree, *paths = os.fsdecode(done.stdout).split("\0")
        return tree, [path for path in paths if path]

    def merge_of_trees(self, ancestor: str, ours: str, theirs: str) -> tuple[str, list[str]]:
        """git's merge of three trees, likewise."""
        base = self.commit(ancestor, ())
        return self.merge_of(self.commit(ours, (base,)), self.commit(theirs, (base,)))

    def paths_in(self, tree: str) -> set[str]:
        """The paths of the files of a tree."""
        told = self.out(["ls-tree", "-r", "--name-only", "-z", tree], self.objects)
        return {path for path in told.split("\0") if path}

    def differ(self, one: str, other: str) -> list[str]:
        """The paths at which two trees differ."""
        if one == other:
            return []
        told = self.out(["diff-tree", "-r", "--name-only", "--no-renames", "-z", one, other], self.objects)
        return [path for path in told.split("\0") if path]


class JudgedBench(DeskBench):
    """A desk whose requests say who asks, and one judge for all of them."""

    judge_of_all: QuickJudge

    def ask(self, verb: str, session: str | None = None, **args: Any) -> dict[str, Any]:
        self.sent += 1
        who = {"cwd": str(self.root), "session": session, "env": {"GITSESSION_USER": "Ann <ann@example.org>"}}
        return self.desk.request({"v": 1, "id": self.sent, "verb": verb, "args": args, "who": who})

    def versions(self) -> dict[str, tuple[frozenset[str], str]]:
        status = self.do("session.status")
        self.do("checkpoint")
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in status["patches"]}
        live = [p["id"] for p in status["patches"] if p["status"] not in ("merged", "abandoned")]
        trees = self.judge_of_all.patch_trees(live)
        return {pid: (frozenset(closure(pid, needs) | {pid}), trees[pid]) for pid in live}

    def judge(self, seed: int = 1, full: bool = True) -> None:
        """I1, I2, I3, I6; ``full``: of more orders."""
        status = self.do("session.status")
        self.do("checkpoint")
        patches, judge = status["patches"], self.judge_of_all
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in patches}
        judge.i1()
        judge.i6(needs)
        base, order = judge.tree(status["session"]["base"]), topological(list(needs), needs)
        judge.i2(base, order, needs, *unassigned_paths(status))
        judge.i3(base, order, needs, seed, 6 if full else 1)
        self.judged += 1
