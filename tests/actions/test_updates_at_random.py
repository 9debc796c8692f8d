"""Random updates and merges beside random work, judged after every one by git alone.

After each: I1, I2, I6 and a sample of I3's orders; the index shows nothing staged, HEAD stands on its branch, and what
git's own merge has at each path that does not clash there is what the disk, or the target, has. One that stops at
conflicts has moved no file, no branch and no index. Each conflict is resolved, and comes out as exactly the bytes given.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.actions.others_story import OthersStory
from tests.bench import topological
from tests.judge import EMPTY, Broken, closure
from tests.quick_judge import JudgedBench

OPERATIONS = 500  # updates and merges together, of one test
IN_ONE_STORY = 25


class Given(NamedTuple):
    """What a conflict was resolved to: these bytes (None: no file) at this path; ``paths``: all it is about."""

    conflict: dict[str, Any]
    path: str
    text: bytes | None
    paths: frozenset[str]


class Updating(OthersStory):
    """A story in which others move main, the session is updated, and its patches are merged."""

    def update(self) -> None:
        """Update, whatever is in its way resolved."""
        given: dict[str, Given] = {}
        below, tree = self.below(), self.judge.recorded(f"work/{self.judge.wid}") or EMPTY
        before, main = self.stand(), self.judge.theirs.oid("main")
        rebased = self.rebased() if not self.rewritten and self.rng.random() < 0.03 else None
        for _ in range(30):
            reply = self.bench.ask("session.update")
            if "error" in reply:
                raise Broken(f"update: {reply}")
            done = reply["ok"]
            if not done["conflicts"]:
                break
            if self.stand() != before:
                raise Broken(f"an update that stopped has moved something: {done}")
            given |= {one["id"]: self.resolve(one) for one in done["conflicts"]}
        else:
            raise Broken(f"conflicts without end: {done}")
        self.done["updates" if done["updated"] else "idle"] += 1
        self.rewritten = False
        if not done["updated"]:
            return
        self.stands(main)
        if self.bench.git("rev-list", "--count", "HEAD..main") != "0":
            raise Broken("not on main")
        self.bench.judge(self.seed, full=False)
        self.compare(self.stood_on(*below), done["base"], tree, given)
        if rebased is not None and not given and rebased != "clashes":
            self.done["rebased" if rebased == self.shown(self.bench.root) else "unlike"] += 1
        for one in given.values():
            self.answer_of(one)
            self.arrived(one, self.given_to(one))

    def given_to(self, one: Given) -> bytes | None:
        """What whoever had a conflict in an update has now: a patch in its version, unassigned edits on disk."""
        owner = one.conflict["labels"][2].removesuffix(" (day)")
        if owner == "unassigned edits":
            at = self.bench.root / one.path
            return at.read_bytes() if at.is_file() else None
        pid = next(p["id"] for p in self.patches() if p["name"] == owner)  # an abandoned one's record names none
        return self.judge.stored.content(f"refs/sessions/{self.judge.sid}:patches/{pid}/tree/{one.path}")

    def arrived(self, one: Given, found: bytes | None) -> None:
        """Hold a resolution against what became of it."""
        if found != one.text:
            raise Broken(f"{one} has become {found!r}")
        self.done["exact"] += 1

    def below(self) -> tuple[str, dict[str, str], dict[str, set[str]]]:
        """What the session stands on: the base, the patches that are merged, each with its version, and their needs."""
        status = self.bench.do("session.status")
        self.bench.do("checkpoint")
        merged = {p["id"]: self.judge.patch_tree(p["id"]) for p in status["patches"] if p["status"] == "merged"}
        needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in status["patches"]}
        return self.judge.tree(status["session"]["base"]), merged, needs

    def stood_on(self, base: str, merged: Mapping[str, str], needs: Mapping[str, set[str]]) -> str:
        """The base and, on it, what was merged and has not been lost to a rewritten main since."""
        lost = {p["id"] for p in self.patches() if p["status"] != "merged"}
        there = {pid: needs[pid] & merged.keys() - lost for pid in merged if pid not in lost}
        done = base
        for pid in topological(list(there), there):
            context = self.stood_on(base, {one: merged[one] for one in closure(pid, there)}, there)
            done = self.judge.merge("below", context, done, merged[pid])
        return done

    def compare(self, old: str, new: str, tree: str, given: Mapping[str, Given]) -> None:
        """The disk beside git's merge of what was on it, but for what clashes there or was resolved."""
        wanted, clashing = self.judge.merge_of_trees(old, tree, self.judge.tree(new))
        aside = {path for one in given.values() for path in one.paths} | set(clashing)
        found = self.judge.recorded(f"work/{self.judge.wid}") or EMPTY  # the disk, says I1
        differ = [path for path in self.judge.differ(wanted, found) if path.split("~")[0] not in aside]
        if differ and aside - self.judge.paths_in(tree):  # one of them has another name here: it went there
            differ = [path for path in differ if path in self.judge.paths_in(old)]
        if differ:
            raise Broken(f"not as git in {differ}")

    # A merge.

    def merge_one(self) -> None:
        """Merge a patch that can be merged, whatever is in its way resolved; one is made where there is none."""
        ready = [p for p in self.patches() if self.can_merge(p)]
        if not ready:
            self.made += 1
            if "error" in self.bench.ask("patch.new", name=f"p{self.made}"):
                return
            self.create()
            self.edit()
            ready = [p for p in self.patches() if self.can_merge(p)]
            if not ready:
                return
        patch, given = self.rng.choice(ready), dict[str, Given]()
        if self.rng.random() < 0.6:
            self.bench.do("checkpoint")
            own = self.judge.differ(self.judge.tree(patch["base"]), self.judge.patch_tree(patch["id"]))
            for _ in range(2):
                self.move_main([path for path in own if path.endswith(".txt")])
        if self.rng.random() < 0.5:
            self.bench.ask("commit", message=f"work on {patch['name']}", patch=patch["name"])
        versions, before = self.bench.versions(), self.stand()
        for _ in range(30):
            main = self.judge.theirs.oid("main")
            reply = self.bench.ask("merge", patch=patch["id"], ready=True)
            after = self.stand()
            if after.files != before.files:
                raise Broken(f"a merge has written files: {reply}")
            if "error" in reply:
                assert reply["error"]["exit"] in (3, 4, 10, 12), reply
                self.done["refused"] += 1
                return
            done = reply["ok"]
            if done["merged"]:
                break
            self.stands(main)
            if given and after != before:
                raise Broken(f"a merge that stopped has moved something: {done}")
            before = after
            given |= {one["id"]: self.resolve(one) for one in done["conflicts"]}
        else:
            raise Broken(f"conflicts without end: {done}")
        assert main is not None
        self.done["merges"] += 1
        self.done["clashed"] += bool(given)
        self.stands(None)
        self.bench.judge(self.seed, full=False)
        self.landed(main, done["patch"], given)
        for pid, (_, tree) in versions.items():
            if self.judge.patch_tree(pid) != tree:
                raise Broken(f"I4: the merge of {patch['id']} changed the version of {pid}")
        for one in given.values():
            self.answer_of(one)

    def can_merge(self, patch: Mapping[str, Any]) -> bool:
        """Whether a patch has something, and what it needs is merged."""
        codes = {one["code"] for one in patch["blockers"]}
        return patch["status"] in ("draft", "ready", "conflicts") and patch["ops"] and "dependency" not in codes

    def landed(self, main: str, patch: Mapping[str, Any], given: Mapping[str, Given]) -> None:
        """What the target has is git's merge, and at each path that was resolved exactly the bytes given."""
        try:
            self.is_merge(given, *self.judge.merge_of(main, patch["tip"]))
        except Broken:  # where main has what it needs by other commits, git would merge those once more
            before, closed = self.judge.tree(main), closure(patch["id"], self.below()[2])
            others = {p["id"] for p in self.patches() if p["status"] == "merged" and p["merge_strategy"] != "merge"}
            if not closed or any(self.alone(before, pid) != (before, []) for pid in closed - others):
                raise
            self.is_merge(given, *self.alone(before, patch["id"]))
        for one in given.values():
            self.arrived(one, self.judge.theirs.content(f"main:{one.path}"))

    def is_merge(self, given: Mapping[str, Given], wanted: str, clashing: list[str]) -> None:
        """The target has this merge, but for what was resolved."""
        aside = {path for one in given.values() for path in one.paths}
        if not set(clashing) <= aside:
            raise Broken(f"merged although {clashing} clash, and {aside} was resolved")
        found = self.judge.differ(wanted, self.judge.tree("main"))
        differ = [path for path in found if path.split("~")[0] not in aside or not clashing]
        if differ:
            raise Broken(f"main is not as git in {differ}")

    def alone(self, tree: str, pid: str) -> tuple[str, list[str]]:
        """A patch without what it needs merged into a tree, by git."""
        base, _, needs = self.below()
        context = self.judge.fold("alone", base, topological(sorted(closure(pid, needs)), needs), needs)
        return self.judge.merge_of_trees(context, tree, self.judge.patch_tree(pid))

    # Conflicts.

    def resolve(self, conflict: dict[str, Any]) -> Given:
        """Bytes of our own, a side, or no file."""
        how = self.rng.choice(["file", "file", "file", "ours", "theirs"])
        sides = [conflict[name] for name in ("ours", "theirs", "base") if conflict[name]]
        names = sorted({side["path"] for side in sides if side["path"]} | {conflict["path"]})
        args: dict[str, Any] = {"id": conflict["id"], "how": how}
        path, text = conflict["path"], b"".join(self.text() for _ in range(self.rng.randrange(1, 8)))
        if how == "file":
            args["content"] = base64.b64encode(text).decode()
            if len(names) > 1:
                path = self.rng.choice(names)
                args["as"] = str(self.bench.root / path)
        reply = self.bench.ask("resolve", **args)
        if "error" in reply and "conflicts of its own" in reply["error"]["message"]:
            return self.resolve(conflict)  # git merged a renamed file into that side: another way
        assert "ok" in reply, reply
        self.done["conflicts"] += 1
        if how == "file":
            return Given(conflict, path, text, frozenset(names))
        side = conflict[how] or {"oid": None, "path": None}
        found = self.judge.theirs.content(side["oid"]) if side["oid"] else None
        if side["oid"] and found is None:
            self.bench.do("checkpoint")
            found = self.judge.stored.content(side["oid"])
            assert found is not None, conflict
        return Given(conflict, side["path"] or path, found, frozenset(names))

    def answer_of(self, one: Given) -> None:
        """The record of a conflict has its answer, byte for byte."""
        found = self.judge.stored.content(f"refs/sessions/{self.judge.sid}:conflicts/{one.conflict['id']}/result")
        if found != one.text:
            raise Broken(f"{one} is recorded as {found!r}")


def play(repo: Path, seed: int, operations: int) -> Counter[str]:
    """Some work, then main moves, then an update or a merge; again and again."""
    bench = JudgedBench(repo)
    story = Updating(bench, seed)
    done = story.done
    try:
        while done["updates"] + done["merges"] < operations:
            for _ in range(story.rng.choice([0, 1, 2, 4])):
                story.step()
            at = f"seed {seed}, after {done['updates']} updates and {done['merges']} merges"
            try:
                if story.rng.random() < 0.5:
                    for _ in range(story.rng.choice([1, 1, 2])):
                        story.move_main()
                    story.update()
                else:
                    story.merge_one()
            except (Broken, AssertionError) as exc:
                raise AssertionError(at) from exc
        bench.judge(seed)
        return done
    finally:
        story.judge.close()
        bench.desk.close()


def beginning(root: Path) -> None:
    """A repository with one commit, and no waiting for the disk: nothing is killed here."""
    root.mkdir(parents=True)
    for words in (
        ["init", "-q", "-b", "main"],
        ["config", "gitsession.fsync", "never"],
        ["config", "core.fsync", "none"],
        ["commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


def test_a_few_updates(repo: Path) -> None:
    """A few, so that the long test below cannot rot."""
    play(repo, 1, 4)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(10))
def test_updates_and_merges_at_random(tmp_path: Path, seed: int) -> None:
    """A tenth of 5,000, in many repositories; what differs from git, or from what a conflict was resolved to, fails."""
    done = Counter[str]()
    for number in range(OPERATIONS // IN_ONE_STORY):
        root = tmp_path / str(number) / "shop"
        beginning(root)
        done += play(root, 1000 * seed + number, IN_ONE_STORY)
        shutil.rmtree(root.parent)
    assert done["updates"] + done["merges"] == OPERATIONS
    assert done["conflicts"] > 20 and done["exact"] == done["conflicts"], done
    assert done["unlike"] <= done["rebased"], done
    print(f"seed {seed}: " + ", ".join(f"{count} {what}" for what, count in sorted(done.items())))
