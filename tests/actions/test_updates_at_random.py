"""Random updates beside random work: clean ones judged by git alone, conflicts resolved to bytes that must come out.

After every update: the index shows nothing staged that was not, HEAD stands on main, and the disk is what git's own
merge makes of it wherever that is clean and no resolution was needed. Now and then all of tests/judge.py.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.store.trees import entry_at
from tests.judge import Broken, Judge
from tests.story import DeskBench, Story


class Updating(Story):
    """A story in which others move main, and the session is updated."""

    def __init__(self, bench: DeskBench, seed: int) -> None:
        super().__init__(bench, seed, files=3)
        self.done: Counter[str] = Counter()
        self.rewritten = False  # since the last update; git rebase would keep what main has lost
        self.given: dict[tuple[str, str], bytes] = {}  # (patch id, path) -> the resolution

    def watched(self, act: Callable[[], None]) -> None:
        """I4 is another test's."""
        act()

    def git_in(self, index: Path, *args: str, stdin: bytes | None = None) -> str:
        """git on an index of its own."""
        env = {**os.environ, "GIT_INDEX_FILE": str(index)}
        done = subprocess.run(["git", *args], cwd=self.bench.root, env=env, input=stdin, capture_output=True)
        assert done.returncode == 0, (args, done)
        return done.stdout.decode().strip()

    def move_main(self) -> None:
        """A commit on main by somebody else: edits, a new file, a deletion; what a patch has; or main rewritten."""
        git, index = self.bench.git, self.bench.root.parent / "others-index"
        index.unlink(missing_ok=True)
        onto = "main"
        if self.rng.random() < 0.04 and git("rev-parse", "-q", "--verify", "main~1", check=False):
            onto, self.rewritten = "main~1", True
            self.done["rewritten"] += 1
        self.git_in(index, "read-tree", onto)
        paths = [path for path in self.git_in(index, "ls-files").splitlines() if path[0] in "fnr"]
        if self.rng.random() < 0.08 and (tips := [p["tip"] for p in self.patches() if p["tip"]]):
            told = self.bench.git("merge-tree", "--write-tree", onto, self.rng.choice(tips), check=False).split("\n")
            if len(told) == 1:
                self.git_in(index, "read-tree", told[0])
                self.done["squashed"] += 1
        else:
            for _ in range(self.rng.choice([1, 1, 2])):
                self.change_one(index, onto, paths)
        tree = self.git_in(index, "write-tree")
        self.made += 1
        commit = git("commit-tree", tree, "-p", onto, "-m", f"others {self.made}")
        git("update-ref", "refs/heads/main", commit)

    def change_one(self, index: Path, onto: str, paths: list[str]) -> None:
        """One file of somebody else's commit."""
        if not paths or self.rng.random() < 0.15:
            self.made += 1
            path, text = f"f-others{self.made}.txt", b"".join(self.text() for _ in range(6))
        else:
            path = self.rng.choice(paths)
            if self.rng.random() < 0.04:
                self.git_in(index, "update-index", "--force-remove", path)
                return
            done = subprocess.run(["git", "show", f"{onto}:{path}"], cwd=self.bench.root, capture_output=True)
            lines = done.stdout.splitlines(keepends=True)
            at = self.rng.randrange(len(lines) + 1)
            lines[at : at + self.rng.choice([0, 1, 1, 2])] = [self.text() for _ in range(self.rng.choice([0, 1, 1, 2]))]
            text = b"".join(lines)
        oid = self.git_in(index, "hash-object", "-w", "--stdin", stdin=text)
        self.git_in(index, "update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")

    def patches(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.bench.do("patch.list")["patches"]
        return found

    def stand(self) -> dict[str, Any]:
        """What an update that does not happen must leave."""
        names = [*self.paths(), "a.txt", "README"]
        at = [self.bench.root / name for name in names]
        files = {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in at if path.exists()}
        refs = self.bench.git("for-each-ref", "refs/heads") + self.bench.git("diff", "--cached", "--raw")
        return {**files, "refs": refs}

    def update(self) -> None:
        """Update, whatever is in its way resolved."""
        plain, resolved, look = True, set[str](), self.rng.random() < 0.2
        for _ in range(30):
            before, tree = self.stand(), self.disk() if look else None
            rebased = self.rebased() if look and not self.rewritten and self.rng.random() < 0.5 else None
            session = self.bench.do("session.status")["session"]
            merged = {one["id"] for one in self.patches() if one["status"] == "merged"}
            reply = self.bench.ask("session.update")
            if "error" in reply:
                raise Broken(f"update: {reply}")
            done = reply["ok"]
            if not done["conflicts"]:
                break
            if self.stand() != before:
                raise Broken(f"an update that stopped has moved something: {done}")
            for conflict in done["conflicts"]:
                self.resolve(conflict)
                resolved.add(conflict["path"])
            plain = False
        else:
            raise Broken(f"conflicts without end: {done}")
        self.done["updates" if done["updated"] else "nothing to do"] += 1
        self.rewritten = False
        self.done["conflicts"] += len(resolved)
        if not done["updated"]:
            return
        if self.bench.git("diff", "--cached", "--raw") and "others-staged" not in self.done:
            raise Broken(f"the index shows what nobody staged: {self.bench.git('status')}")
        self.bench.git("merge-base", "--is-ancestor", "main", "HEAD")
        after = self.bench.do("session.status")["session"]
        if after["behind"] or after["state"] != "live":
            raise Broken(f"not on main: {after}")
        if plain and not merged and tree is not None:
            self.compare(session["base"], done["base"], tree)
        if rebased is not None and plain and rebased != "clashes":
            same = rebased == self.shown(self.bench.root)
            self.done["as git rebase" if same else "not as git rebase"] += 1
        self.check_given()

    def rebased(self) -> str:
        """What `git rebase --autostash` makes of a copy: trees and words of the commits, and the files."""
        copy = self.bench.root.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.bench.root, copy, symlinks=True)
        words = ["git", "-c", "merge.directoryRenames=false", "rebase", "-q", "--autostash", "main"]
        done = subprocess.run(words, cwd=copy, capture_output=True)
        clashed = done.returncode or b"CONFLICT" in done.stdout + done.stderr or b"conflicts" in done.stderr
        return "clashes" if clashed else self.shown(copy)

    def shown(self, root: Path) -> str:
        """The commits beyond main, and every file with its content."""
        words = ["git", "log", "--format=%T %an %ad %s", "main.."]
        told = subprocess.run(words, cwd=root, check=True, capture_output=True).stdout
        files = sorted(path for path in root.rglob("*") if not {".git", ".gitsession"} & set(path.parts))
        return repr([told, *((str(path.relative_to(root)), path.read_bytes()) for path in files if path.is_file())])

    def disk(self) -> str:
        """The tree of what is on disk."""
        self.bench.do("checkpoint")
        return self.judge.disk_tree()

    @cached_property
    def judge(self) -> Judge:
        """One for the whole story: it keeps the trees it made."""
        session = self.bench.do("session.status")["session"]
        return Judge(self.bench.root, session["id"], session["worktree_id"])

    def compare(self, old: str, new: str, tree: str) -> None:
        """The disk beside git's merge of what was on it."""
        base, ours = (self.judge.out(["rev-parse", oid + "^{tree}"]) for oid in (old, new))
        try:
            wanted = self.judge.merge("disk", base, ours, tree)
        except Broken:
            self.done["clean only patch by patch"] += 1
            return
        self.done["as git" if wanted == self.disk() else "not as git"] += 1

    def resolve(self, conflict: dict[str, Any]) -> None:
        """Bytes of our own, or a side."""
        bench, how = self.bench, self.rng.choice(["file", "file", "ours", "theirs"])
        args: dict[str, Any] = {"id": conflict["id"], "how": how}
        text = b"".join(self.text() for _ in range(self.rng.randrange(1, 8)))
        if how == "file":
            args["content"] = base64.b64encode(text).decode()
        bench.do("resolve", **args)
        self.done["resolved " + how] += 1
        if conflict["patch"]:
            key = (conflict["patch"]["id"], conflict["path"])
            self.given.pop(key, None)
            if how == "file":
                self.given[key] = text

    def check_given(self) -> None:
        """What a conflict was resolved to is what the patch has, where no other patch is in the file."""
        live = next(iter(self.bench.desk.ctx.sessions.values()))
        store = self.bench.desk.ctx.store
        for (pid, path), text in self.given.items():
            entry = entry_at(store, live.state.trees[pid], os.fsencode(path))
            found = store.blob(entry.oid) if entry is not None else None
            self.done["exactly the bytes" if found == text else "other bytes"] += 1
            if found != text:
                print(f"seed {self.seed}: {path} was resolved to {text!r}, and is {found!r}")
        self.given.clear()


def a_story(repo: Path, seed: int, rounds: int, until: float) -> Counter[str]:
    """Some work, then main moves, then an update; again and again."""
    bench = DeskBench(repo)
    try:
        story = Updating(bench, seed)
        for number in range(rounds):
            for _ in range(story.rng.choice([0, 1, 3, 6])):
                story.step()
            for _ in range(story.rng.choice([1, 1, 2])):
                story.move_main()
            try:
                story.update()
                if number % 12 == 3:
                    bench.judge(seed)
                    story.done["judged"] += 1
            except (Broken, AssertionError) as exc:
                raise AssertionError(f"seed {seed}, round {number}") from exc
            if time.monotonic() > until:
                break
        story.done["merges"] += story.acts["merges"]
        return story.done
    finally:
        bench.desk.close()


def test_a_few_updates(repo: Path) -> None:
    """A few, so that the long test below cannot rot."""
    a_story(repo, 1, 3, time.monotonic() + 60)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_updates_and_merges_at_random(tmp_path: Path) -> None:
    """As many as two minutes hold; what git merges too, it merges to the same."""
    done, until, seed = Counter[str](), time.monotonic() + 110, 1000
    while time.monotonic() < until:
        root = tmp_path / str(seed) / "shop"
        root.mkdir(parents=True)
        beginning(root)
        done += a_story(root, seed, 40, until)
        seed += 1
    print(dict(done))
    assert done["updates"] > 50 and done["as git"] > 10 * done["not as git"]
    assert done["exactly the bytes"] > 10 * done["other bytes"]


def beginning(root: Path) -> None:
    """A repository with one commit."""
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
