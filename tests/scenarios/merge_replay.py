"""Real merge commits, made again by two sessions; used by test_merge_replay.

For a merge commit with parents P and Q and the merge base B, session ``a`` writes P's files over B's and is merged, then
session ``b`` writes Q's and is merged. Where that clashes, what people committed at the path is given by
``resolve --file``. Judge of all of it is git, by processes of its own.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from gitsessiond.daemon.desk import Desk, open_desk
from gitsessiond.model.names import quote_path, unquote_path
from tests.conftest import git
from tests.judge import never

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


def merges_of(source: Path, part: int = 0, parts: int = 1) -> Iterator[Merge]:
    """Merges of two parents with one merge base that neither parent is, in a random order; every so many-th."""
    found = lines(source, "log", "--all", "--min-parents=2", "--max-parents=2", "--format=%H %P")
    random.Random(SEED).shuffle(found)
    for line in found[part::parts]:
        commit, ours, theirs = line.split()
        bases = lines(source, "merge-base", "--all", ours, theirs, check=False)
        if len(bases) != 1 or bases[0] in (ours, theirs):
            continue
        changed = [raw_diff(source, bases[0], ours), raw_diff(source, bases[0], theirs)]
        if not all(changed) or changed[0] == changed[1]:
            continue
        if any("160000" in name or never(name) for names in changed for name in names):
            continue  # submodules are not written as files; some names are never recorded
        yield Merge(commit, ours, theirs, bases[0])


def raw_diff(root: Path, old: str, new: str) -> list[str]:
    """The fields of a raw diff."""
    told = git(root, "diff-tree", "-r", "--raw", "--no-renames", "-z", old, new)
    return [part for part in os.fsdecode(told).split("\0") if part]


def by_git(root: Path, merge: Merge) -> tuple[str, bool]:
    """git's own merge of the two parents: the tree, and whether it is clean."""
    args = ["git", *SETTINGS, "merge-tree", "--write-tree", "--no-messages", merge.ours, merge.theirs]
    told = subprocess.run(args, cwd=root, capture_output=True, text=True)
    assert told.returncode in (0, 1), told
    return told.stdout.split("\n")[0], told.returncode == 0


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
        who = {"cwd": str(at), "env": {"GITSESSION_USER": "Ann <ann@example.org>"}}
        reply = self.desk.request({"v": 1, "id": 1, "verb": verb, "args": args, "who": who})
        assert "ok" in reply, (verb, args, reply)
        done: dict[str, Any] = reply["ok"]
        return done

    def write(self, at: Path, merge: Merge, side: str) -> bool:
        """The files of a commit over those of the base, as a person's tools would write them.

        False: git ignores one that is new, so it is recorded only once somebody forces it into the index.
        """
        names = os.fsdecode(git(at, "diff-tree", "-r", "--name-status", "--no-renames", "-z", merge.base, side)).split(
            "\0"
        )
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
        self.saved(at, list(changed))
        return True

    def saved(self, at: Path, paths: list[str]) -> None:
        """Tell the desk what was written."""
        assert self.desk is not None
        names = [quote_path(os.fsencode(path)) for path in paths]
        done = self.desk.batch({"n": 1, "worktree": str(at), "paths": names})
        assert "error" not in done["recorded"], done

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
        """One merge commit, made again; it is counted unless git ignores some of its files."""
        if self.desk is None:
            self.begin(merge)
        self.number += 1
        target = f"refs/heads/t{self.number}"
        git(self.root, "update-ref", target, merge.base)
        first = self.land(self.other, f"a{self.number}", merge, merge.ours)
        landed = tree_of(self.root, target)
        done = first and self.land(self.root, f"b{self.number}", merge, merge.theirs)
        if not first or not done:
            self.counts["skipped for ignored files"] += 1
            return self.close()
        assert first["merged"] and landed == tree_of(self.root, merge.ours), merge
        automatic, clean = by_git(self.root, merge)
        assert done["merged"] == clean, (merge, done)
        self.counts["merges"] += 1
        if done["merged"]:
            self.counts["clean"] += 1
            assert tree_of(self.root, target) == automatic, merge
        else:
            self.counts["conflicting"] += 1
            settled = {path for one in done["conflicts"] for path in self.settle(merge, one)}
            again = self.ask(self.root, "merge", patch="p")
            assert again["merged"], (merge, again)
            self.check(merge, target, automatic, settled)
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

    def check(self, merge: Merge, target: str, automatic: str, settled: set[str]) -> None:
        """What landed is the committed tree; where people changed more than what clashed, it is git's merge there."""
        names = os.fsdecode(git(self.root, "diff", "--raw", "-z", "--no-renames", target, merge.commit)).split("\0")
        differs = dict(zip(names[1::2], names[::2], strict=False))
        more = [path for path in differs if path not in settled]
        modes = [path for path in differs if path in settled and same_content(differs[path])]
        assert sorted(differs) == sorted([*more, *modes]), (merge, differs)
        for path in more:
            ours, gits = (git(self.root, "ls-tree", "-z", tree, "--", path) for tree in (target, automatic))
            assert ours == gits, (merge, path)
        self.counts["landed to the committed tree"] += not differs
        self.counts["edited by people beside what clashed"] += bool(more)
        self.counts["modes changed by people"] += bool(modes)

    def end(self) -> None:
        if self.desk is not None:
            self.desk.close()


def same_content(raw: str) -> bool:
    """Whether a raw diff row is about a mode alone."""
    _, _, old, new, _ = raw.split(" ")
    return old == new


def tree_of(root: Path, name: str) -> str:
    return lines(root, "rev-parse", f"{name}^{{tree}}")[0]


def replay(merges: Iterable[Merge], source: Path, top: Path, count: int) -> Counter[str]:
    """So many of these merges; prints what came of them."""
    counts: Counter[str] = Counter()
    for n, some in enumerate(batched(merges, IN_ONE_CLONE)):
        place = top / f"{source.parent.name}-{n}"
        place.mkdir()
        one = Replay(source, place)
        for merge in some:
            if counts["merges"] + one.counts["merges"] < count:
                one.play(merge)
        one.end()
        counts += one.counts
        shutil.rmtree(place)
        if counts["merges"] == count:
            break
    tell(counts)
    return counts


def batched(merges: Iterable[Merge], size: int) -> Iterator[list[Merge]]:
    """So many at a time."""
    left = iter(merges)
    while some := list(islice(left, size)):
        yield some


def tell(counts: Counter[str]) -> None:
    """The line of the closing report."""
    print(f"seed {SEED}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))


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
