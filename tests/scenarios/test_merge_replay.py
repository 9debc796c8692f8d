"""Real merge commits, made again by two sessions: clean or conflicting as git says, and landed to the committed tree.

For a merge commit with parents P and Q and the merge base B, session ``a`` writes P's files over B's and is merged, then
session ``b`` writes Q's and is merged. Where that clashes, what people committed at the path is given by
``resolve --file``. Judge of all of it is git, by processes of its own.
"""

from __future__ import annotations

import base64
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitsessiond.daemon.desk import Desk, open_desk
from gitsessiond.model.names import quote_path, unquote_path
from tests.conftest import git
from tests.judge import never

MERGES = int(os.environ.get("GITSESSIOND_MERGES", "250"))
SEED = int(os.environ.get("GITSESSION_TEST_SEED", "4"))
SETTINGS = ("-c", "merge.directoryRenames=false", "-c", "merge.renameLimit=0")
IN_ONE_CLONE = 10


class Merge(NamedTuple):
    """A merge commit, its two parents and what they stand on."""

    commit: str
    ours: str
    theirs: str
    base: str


def lines(root: Path, *args: str, check: bool = True) -> list[str]:
    return [line for line in os.fsdecode(git(root, *args, check=check)).splitlines() if line]


def merges_of(source: Path, count: int, rng: random.Random) -> Iterator[Merge]:
    """Merges of two parents with one merge base that neither parent is, in a random order."""
    found = lines(source, "log", "--all", "--min-parents=2", "--max-parents=2", "--format=%H %P")
    rng.shuffle(found)
    for line in found:
        commit, ours, theirs = line.split()
        bases = lines(source, "merge-base", "--all", ours, theirs, check=False)
        if len(bases) != 1 or bases[0] in (ours, theirs):
            continue
        trees = [lines(source, "rev-parse", f"{one}^{{tree}}")[0] for one in (bases[0], ours, theirs)]
        if len(set(trees)) < 3:
            continue
        changed = lines(source, "diff", "--raw", "--no-renames", "-z", bases[0], ours) + lines(
            source, "diff", "--raw", "--no-renames", "-z", bases[0], theirs
        )
        names = "\0".join(changed).split("\0")
        if any("160000" in name or never(name) for name in names):
            continue  # submodules are not written as files; some names are never recorded
        yield Merge(commit, ours, theirs, bases[0])
        count -= 1
        if not count:
            return


class Replay:
    """A clone with two worktrees, one for each session; the target is checked out nowhere."""

    def __init__(self, source: Path, top: Path) -> None:
        self.root, self.other = top / "replay", top / "other"
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(source), str(self.root)], check=True)
        git(self.root, "config", "gitsession.fsync", "never")
        git(self.root, "config", "core.fsync", "none")
        self.counts: Counter[str] = Counter()
        self.desk: Desk | None = None
        self.number = 0

    def begin(self, merge: Merge) -> None:
        git(self.root, "checkout", "-q", "--detach", merge.base)
        git(self.root, "worktree", "add", "-q", "--detach", str(self.other), merge.base)
        self.desk = open_desk(str(self.root), lambda event: None)

    def ask(self, at: Path, verb: str, **args: Any) -> dict[str, Any]:
        assert self.desk is not None
        reply = self.desk.request({"v": 1, "id": 1, "verb": verb, "args": args, "who": {"cwd": str(at), "env": {}}})
        assert "ok" in reply, (verb, args, reply)
        done: dict[str, Any] = reply["ok"]
        return done

    def write(self, at: Path, merge: Merge, side: str) -> bool:
        """The files of a commit over those of the base, as a person's tools would write them.

        False: git ignores one that is new, so it is recorded only once somebody forces it into the index.
        """
        assert self.desk is not None
        names = os.fsdecode(git(at, "diff", "--name-status", "--no-renames", "-z", merge.base, side)).split("\0")
        changed = dict(zip(names[1::2], names[::2], strict=False))
        for path, status in changed.items():
            if status == "D":
                (at / path).unlink()
                for above in (at / path).parents:
                    if above == at or any(above.iterdir()):
                        break
                    above.rmdir()
        env = {**os.environ, "GIT_INDEX_FILE": str(self.root / ".git" / "replay-index")}
        subprocess.run(["git", "read-tree", side], cwd=at, env=env, check=True)
        there = "\0".join(path for path, status in changed.items() if status != "D")
        if there:
            subprocess.run(
                ["git", "checkout-index", "-f", "-z", "--stdin"], cwd=at, env=env, input=os.fsencode(there), check=True
            )
        new = "\0".join(path for path, status in changed.items() if status == "A")
        if git(at, "check-ignore", "-z", "--stdin", stdin=os.fsencode(new), check=False):
            return False
        paths = [quote_path(os.fsencode(path)) for path in changed]
        done = self.desk.batch({"n": 1, "worktree": str(at), "paths": paths})
        assert "error" not in done["recorded"], done
        return True

    def land(self, at: Path, name: str, merge: Merge, side: str) -> dict[str, Any] | None:
        """One session with one patch that makes a parent of the base, merged; None: not all of it is recorded."""
        git(at, "checkout", "-q", "-f", "--detach", merge.base)
        git(at, "clean", "-q", "-fdx")
        self.ask(at, "session.start", name=name, here=True, target=f"t{self.number}")
        self.ask(at, "patch.new", name="p")
        if not self.write(at, merge, side):
            return None
        if self.ask(at, "unassigned")["unassigned"]:
            self.ask(at, "assign", all=True, patch="p")  # binary and large new files
        return self.ask(at, "merge", patch="p", ready=True)

    def play(self, merge: Merge) -> None:
        """One merge commit, made again."""
        if self.desk is None:
            self.begin(merge)
        self.number += 1
        target = f"refs/heads/t{self.number}"
        git(self.root, "update-ref", target, merge.base)
        first = self.land(self.other, f"a{self.number}", merge, merge.ours)
        landed = tree_of(self.root, target)
        done = first and self.land(self.root, f"b{self.number}", merge, merge.theirs)
        if not first or not done:
            self.counts["left out, with ignored files"] += 1
            return self.close()
        assert first["merged"] and landed == tree_of(self.root, merge.ours), merge
        told = subprocess.run(
            ["git", *SETTINGS, "merge-tree", "--write-tree", "--no-messages", merge.ours, merge.theirs],
            cwd=self.root, capture_output=True, text=True,
        )  # fmt: skip
        by_git = told.stdout.split("\n")[0]
        assert done["merged"] == (told.returncode == 0), (merge, done)
        self.counts["merges"] += 1
        if done["merged"]:
            self.counts["clean"] += 1
            assert tree_of(self.root, target) == by_git, merge
        else:
            self.counts["conflicting"] += 1
            settled = {path for one in done["conflicts"] for path in self.settle(merge, one)}
            again = self.ask(self.root, "merge", patch="p")
            assert again["merged"], (merge, again)
            self.check(merge, target, by_git, settled)
        return self.close()

    def close(self) -> None:
        """End what is open, so that both worktrees are free."""
        assert self.desk is not None
        for session in self.ask(self.root, "session.list")["sessions"]:
            if session["status"] == "open":
                self.ask(Path(session["worktree"]), "session.abandon")

    def settle(self, merge: Merge, conflict: dict[str, Any]) -> set[str]:
        """Give what people committed; the paths that the conflict was about."""
        self.counts["conflicts"] += 1
        sides = [conflict[name]["path"] for name in ("ours", "theirs", "base")]
        paths = [os.fsdecode(unquote_path(one)) for one in dict.fromkeys([*sides, conflict["path"]]) if one]
        there = [path for path in paths if git(self.root, "ls-tree", merge.commit, "--", path)]
        if there:
            content = git(self.root, "cat-file", "blob", f"{merge.commit}:{there[0]}")
            sent = base64.b64encode(content).decode()
            at = str(self.root / there[0])
            self.ask(self.root, "resolve", id=conflict["id"], how="file", content=sent, **{"as": at})
            self.counts["given as a file"] += 1
        else:
            self.ask(self.root, "resolve", id=conflict["id"], how="delete")
            self.counts["deleted"] += 1
        return set(paths)

    def check(self, merge: Merge, target: str, by_git: str, settled: set[str]) -> None:
        """What landed is the committed tree; where people changed more than what clashed, it is git's merge there."""
        names = os.fsdecode(git(self.root, "diff", "--raw", "-z", "--no-renames", target, merge.commit)).split("\0")
        differs = dict(zip(names[1::2], names[::2], strict=False))
        more = [path for path in differs if path not in settled]
        modes = [path for path in differs if path in settled and same_content(differs[path])]
        assert sorted(differs) == sorted([*more, *modes]), (merge, differs)
        for path in more:
            ours, automatic = (git(self.root, "ls-tree", "-z", tree, "--", path) for tree in (target, by_git))
            assert ours == automatic, (merge, path)
        self.counts["landed to the committed tree"] += not differs
        self.counts["with changes by people beside what clashed"] += bool(more)
        self.counts["with another mode"] += bool(modes)

    def end(self) -> None:
        if self.desk is not None:
            self.desk.close()


def same_content(raw: str) -> bool:
    """Whether a raw diff row is about a mode alone."""
    _, _, old, new, _ = raw.split(" ")
    return old == new


def tree_of(root: Path, name: str) -> str:
    return lines(root, "rev-parse", f"{name}^{{tree}}")[0]


def replay(sources: list[Path], top: Path, count: int) -> Counter[str]:
    """So many merges of each of these repositories; prints what came of them."""
    counts: Counter[str] = Counter()
    for source in sources:
        rng = random.Random(SEED)
        one: Replay | None = None
        for n, merge in enumerate(merges_of(source, count, rng)):
            if n % IN_ONE_CLONE == 0:
                if one is not None:
                    one.end()
                    counts += one.counts
                place = top / f"{source.parent.name}-{n}"
                place.mkdir()
                one = Replay(source, place)
            assert one is not None
            one.play(merge)
        if one is not None:
            one.end()
            counts += one.counts
    print(f"seed {SEED}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))
    return counts


def made_merges(root: Path, count: int) -> None:
    """A repository with merges, every second of which had to be settled by hand."""
    rng = random.Random(SEED)
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    texts = {f"f{n}.txt": [f"{n} line {k}\n" for k in range(20)] for n in range(3)}

    def commit(words: str) -> None:
        for name, text in texts.items():
            (root / name).write_text("".join(text))
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", words)

    commit("files")
    for n in range(count):
        git(root, "checkout", "-q", "-b", f"side{n}")
        before = {name: list(text) for name, text in texts.items()}
        at = rng.randrange(2, 9)
        texts["f0.txt"][at] = f"theirs {n}\n"
        texts["f1.txt"].insert(3, f"more {n}\n")
        commit(f"side {n}")
        git(root, "checkout", "-q", "main")
        theirs = texts["f1.txt"]
        texts.update(before)
        texts["f0.txt"][at if n % 2 else 12] = f"ours {n}\n"
        commit(f"main {n}")
        git(root, "merge", "-q", "--no-commit", f"side{n}", check=False)
        texts["f0.txt"][at] = f"both {n}\n" if n % 2 else f"theirs {n}\n"
        texts["f1.txt"] = theirs
        commit(f"merge {n}")


def test_made_merges_replay(tmp_path: Path) -> None:
    """Made merge commits land to their own trees, clean ones and settled ones."""
    made_merges(tmp_path / "made", 2)
    counts = replay([tmp_path / "made"], tmp_path, 2)
    assert (counts["clean"], counts["conflicting"]) == (1, 1) and counts["landed to the committed tree"] == 1


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_real_merges_replay(tmp_path: Path) -> None:
    """GITSESSIOND_MERGES merges of the repositories of GITSESSIOND_REPOSITORIES together; without them, made ones."""
    paths = [Path(part) for part in os.environ.get("GITSESSIOND_REPOSITORIES", "").split(":") if part]
    if not paths:
        made_merges(tmp_path / "made", 30)
        paths = [tmp_path / "made"]
    counts = replay(paths[:2], tmp_path, max(1, min(MERGES, 30 if len(paths) < 2 else MERGES) // len(paths[:2])))
    assert counts["merges"] and (counts["conflicting"] or MERGES < 100)
