"""The judge of the invariants: it runs git processes only, reads what plain git can read, and imports nothing of ours.

It runs few of them: what it asks of the store is asked at once, a commit that git is to merge is written as the file
that ``git commit-tree`` would write, and a merge of which two sides are the same tree is not asked. It looks at a repository after ``git session daemon checkpoint``: the store is an ordinary bare repository with
``refs/sessions/<sid>``, whose tree docs/format.md describes. Each check returns nothing or raises
:class:`Broken` with the invariant's name. What needs the dependency graph takes it as data (``status --json``).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

NEVER = (
    ":(exclude,glob)**/.env",
    ":(exclude,glob)**/*.pem",
    ":(exclude,glob)**/id_*",
    ":(exclude,glob)**/*.key",
)


EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without files


class Broken(AssertionError):
    """An invariant does not hold."""


class Judge:
    """Judges one repository's session."""

    def __init__(self, worktree: Path, sid: str, wid: str) -> None:
        self.worktree, self.sid, self.wid = worktree, sid, wid
        told = self.out(["rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir"])
        self.common, self.own = (Path(line) for line in told.split("\n"))
        self.store = self.common / "gitsession" / "store.git"
        self.scratch = tempfile.mkdtemp(prefix="judge-", dir=os.environ.get("TMPDIR"))  # tempfile keeps to the first
        self.merged: dict[tuple[str, str, str], str] = {}

    def run(
        self, args: Sequence[str], env: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *args],
            cwd=self.worktree,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
        )

    def out(self, args: Sequence[str], env: Mapping[str, str] | None = None) -> str:
        done = self.run(args, env)
        if done.returncode:
            raise Broken(f"git {args} failed: {os.fsdecode(done.stderr)}")
        return os.fsdecode(done.stdout).strip()

    @property
    def objects(self) -> dict[str, str]:
        """Scratch objects that see the store and the repository; nothing is written into either."""
        both = f"{self.store / 'objects'}:{self.common / 'objects'}"
        return {"GIT_OBJECT_DIRECTORY": self.scratch, "GIT_ALTERNATE_OBJECT_DIRECTORIES": both}

    def recorded(self, inside: str) -> str | None:
        """An object of the last step, by its path in the step's tree."""
        return self.all_recorded([inside])[0]

    def all_recorded(self, insides: Sequence[str]) -> list[str | None]:
        """The same for several of them, by one process."""
        names = "".join(f"refs/sessions/{self.sid}:{inside}\n" for inside in insides)
        done = self.run(
            ["--git-dir", str(self.store), "cat-file", "--batch-check=%(objectname)"], stdin=os.fsencode(names)
        )
        told = os.fsdecode(done.stdout).splitlines()
        if done.returncode or len(told) != len(insides):
            raise Broken(f"the store cannot be read: {os.fsdecode(done.stderr)}")
        return [None if line.endswith(" missing") else line for line in told]

    def disk_tree(self) -> str:
        """What ``git add -A`` would store now, computed beside the user's index and objects."""
        index = Path(self.scratch) / "judge-index"
        env = {**self.objects, "GIT_INDEX_FILE": str(index)}
        if index.exists():
            index.unlink()
        real = self.own / "index"
        if real.exists():
            shutil.copy2(real, index)  # with its time: git tells a racy entry by it
        tracked = set(self.out(["ls-files"]).splitlines())
        done = self.run(["add", "-A"], env)
        if done.returncode:
            raise Broken(f"judge cannot add: {os.fsdecode(done.stderr)}")
        staged = self.out(["ls-files"], env).splitlines()
        hidden = [path for path in staged if path not in tracked and never(path)]
        if hidden:
            self.out(["rm", "-q", "--cached", "--", *hidden], env)
        return self.out(["write-tree"], env)

    def i1(self) -> None:
        """The recorded work equals the disk."""
        found, wanted = self.recorded(f"work/{self.wid}"), self.disk_tree()
        if (found or EMPTY) != wanted:
            diff = self.out(["diff", "--stat", found or EMPTY, wanted], self.objects)
            raise Broken(f"I1: recorded work is not the disk (recorded -> disk):\n{diff}")

    def commit(self, tree: str, parents: Iterable[str]) -> str:
        """A commit for merging: fixed author, one message."""
        above = "".join(f"parent {one}\n" for one in parents)
        body = f"tree {tree}\n{above}author J <j@x> 0 +0000\ncommitter J <j@x> 0 +0000\n\njudge\n".encode()
        whole = b"commit %d\0" % len(body) + body
        oid = hashlib.sha1(whole).hexdigest()
        at = Path(self.scratch) / oid[:2] / oid[2:]
        if not at.exists():
            at.parent.mkdir(exist_ok=True)
            at.write_bytes(zlib.compress(whole, 1))
        return oid

    def merge(self, name: str, ancestor: str, ours: str, theirs: str) -> str:
        """Tree of the three-way merge of three trees, by git; each is merged once."""
        if ours in (ancestor, theirs):
            return theirs
        if ancestor == theirs:
            return ours
        if (ancestor, ours, theirs) in self.merged:
            return self.merged[ancestor, ours, theirs]
        base = self.commit(ancestor, ())
        left, right = self.commit(ours, (base,)), self.commit(theirs, (base,))
        done = self.run(
            [
                "-c",
                "merge.directoryRenames=false",
                "-c",
                "merge.renameLimit=0",
                "merge-tree",
                "--write-tree",
                left,
                right,
            ],
            self.objects,
        )
        if done.returncode:
            raise Broken(f"{name}: merge conflicts: {os.fsdecode(done.stdout)}")
        tree = self.merged[ancestor, ours, theirs] = os.fsdecode(done.stdout).split("\n")[0]
        return tree

    def patch_trees(self, pids: Sequence[str]) -> dict[str, str]:
        """The trees of the patches' versions."""
        return {
            pid: tree or EMPTY
            for pid, tree in zip(pids, self.all_recorded([f"patches/{pid}/tree" for pid in pids]), strict=True)
        }

    def patch_tree(self, pid: str) -> str:
        return self.patch_trees([pid])[pid]

    def fold(
        self,
        name: str,
        base: str,
        order: Sequence[str],
        needs: Mapping[str, set[str]],
        trees: Mapping[str, str] | None = None,
    ) -> str:
        """The patches of ``order`` merged one by one onto ``base``, each with its own context as ancestor.

        ``trees``: those of :meth:`patch_trees` where they are known.
        """
        trees = self.patch_trees(order) if trees is None else trees
        done: str = base
        for pid in order:
            below = [other for other in order if other in closure(pid, needs)]
            context = self.fold(name, base, below, needs, trees) if below else base
            done = self.merge(name, context, done, trees[pid])
        return done

    def i2(
        self,
        base: str,
        order: Sequence[str],
        needs: Mapping[str, set[str]],
        loose: Collection[str] = (),
        renamed: int = 0,
    ) -> str:
        """All patches folded give all assigned work: the disk, but for what is unassigned.

        ``loose``: the paths of unassigned edits; ``renamed``: how many of them are renames, each from another path.
        """
        folded = self.fold("I2", base, order, needs)
        work = self.recorded(f"work/{self.wid}") or EMPTY
        if folded != work:
            others = [f":(exclude,literal){path}" for path in loose]
            args = ["--no-renames", folded, work, "--", ".", *others]
            found = [
                line.split("\t")[0] for line in self.out(["diff", "--name-status", *args], self.objects).splitlines()
            ]
            if found and not (set(found) == {"D"} and len(found) <= renamed):
                diff = self.out(["diff", *args], self.objects)
                raise Broken(f"I2: patches folded are not the work (folded -> work):\n{diff}")
        return folded

    def i3(self, base: str, order: Sequence[str], needs: Mapping[str, set[str]], seed: int, most: int = 6) -> None:
        """Every order that respects dependencies merges without conflict to the same tree (a sample of the orders)."""
        trees = self.patch_trees(order)
        everything = self.fold("I3", base, order, needs, trees)
        rng = random.Random(seed)
        orders = [o for o in itertools.permutations(order) if respects(o, needs)] if len(order) <= 4 else []
        rng.shuffle(orders)
        for chosen in orders[:most]:
            if self.fold("I3", base, chosen, needs, trees) != everything:
                raise Broken(f"I3: order {chosen} gives another tree")
        for _ in range(2):
            wanted = {pid for pid in order if rng.random() < 0.5}
            closed = [pid for pid in order if pid in wanted or any(pid in closure(w, needs) for w in wanted)]
            self.fold("I3 subset", base, closed, needs, trees)

    def landing(self, base: str, order: Sequence[str], series: Mapping[str, str]) -> str:
        """Merge the real series tips one after the other onto the base commit with plain git merges."""
        done = base
        for pid in order:
            merged = self.run(
                ["-c", "merge.directoryRenames=false", "merge-tree", "--write-tree", done, series[pid]],
                self.objects,
            )
            if merged.returncode:
                raise Broken(f"I3 series: {os.fsdecode(merged.stdout)}")
            done = self.commit(os.fsdecode(merged.stdout).split("\n")[0], (done, series[pid]))
        return self.out(["rev-parse", f"{done}^{{tree}}"], self.objects)

    def i6(self, needs: Mapping[str, set[str]]) -> None:
        """The dependency graph is acyclic."""
        for pid in needs:
            if pid in closure(pid, needs):
                raise Broken(f"I6: {pid} depends on itself")

    def fsck(self) -> None:
        """Both repositories are sound.

        git lists the objects first and then the refs, and calls missing what somebody put there in between: it is asked
        again, for what is really missing stays so (builtin/fsck.c, ``check_reachable_object``).
        """
        for where in (["-C", str(self.worktree)], ["--git-dir", str(self.store)]):
            words = [*where, "fsck", "--strict", "--no-dangling"]
            done = self.run(words)
            if done.returncode:
                done = self.run(words)
            if done.returncode:
                raise Broken(f"fsck {where}: {os.fsdecode(done.stdout + done.stderr)}")


EDITORS_OWN = re.compile(
    r"(\..*)?\.sw[a-px]|\.#.*|#.*#|\..*\.kate-swp|\.~lock\..*#|.*___jb_(tmp|old)___|\.goutputstream-.{6}", re.DOTALL
)


def never(path: str) -> bool:
    """The patterns that are recorded nowhere while untracked, and the control files."""
    if path.startswith(".gitsession/"):
        return True
    name = path.rpartition("/")[2]
    if EDITORS_OWN.fullmatch(name):
        return True
    return name == ".env" or name.startswith("id_") or name.endswith((".pem", ".key"))


def unassigned_paths(status: Mapping[str, Any]) -> tuple[set[str], int]:
    """Of ``status --json``: the paths of unassigned edits, and how many may stand for one more, a rename's old path."""
    rows = status["unassigned"]
    return {row["path"] for row in rows}, sum(row["kind"] in ("rename", "add") for row in rows)


def closure(pid: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Everything ``pid`` depends on, directly or not."""
    seen: set[str] = set()
    todo = list(needs.get(pid, ()))
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += needs.get(one, ())
    return seen


def respects(order: Sequence[str], needs: Mapping[str, set[str]]) -> bool:
    """Whether each patch comes after all it depends on."""
    place = {pid: at for at, pid in enumerate(order)}
    return all(place[other] < place[pid] for pid in order for other in needs.get(pid, ()) if other in place)
