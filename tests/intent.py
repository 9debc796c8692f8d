"""Intent: a branch somebody really made, written again as saves, one patch a commit; does each line arrive?

For a branch c1..cn on a base: ``patch use p_i``, then every file of commit i is saved as it is in that commit. Asked
afterwards: of the lines each commit changed, how many are in its patch, how many elsewhere with a reason that was
told, how many elsewhere without; and, where all lines arrived, whether the patches up to i give commit i's tree.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from gitsessiond.model.names import quote_path
from tests.judge import Judge
from tests.story import DeskBench


@dataclass
class Tally:
    """What became of changed lines (an edit of a whole file counts as one)."""

    branches: int = 0
    intended: int = 0
    told: int = 0  # elsewhere, or nowhere, with the reason in the save's event
    wrong: int = 0  # elsewhere without a word
    trees: int = 0
    other_trees: list[str] = field(default_factory=list)


def out(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, check=True)
    return os.fsdecode(done.stdout)


def branches_of(root: Path, wanted: int, seed: int) -> list[list[str]]:
    """Runs of 2 to 5 consecutive commits of first-parent history, none a merge, none larger than a person's work."""
    log = out(root, "log", "--first-parent", "--no-merges", "--format=%H %P", "-n", "4000", "HEAD").split("\n")
    pairs = [line.split() for line in log if len(line.split()) == 2]
    parent = dict(pairs)
    rng = random.Random(seed)
    starts = [commit for commit, _ in pairs]
    rng.shuffle(starts)
    found: list[list[str]] = []
    for tip in starts:
        run = [tip]
        for _ in range(rng.randrange(1, 5)):
            before = parent.get(run[0])
            if before is None or before not in parent:
                break
            run.insert(0, before)
        if len(run) >= 2 and all(small(root, commit) for commit in run):
            found.append(run)
        if len(found) == wanted:
            return found
    return found


def small(root: Path, commit: str) -> bool:
    """At most 30 files and 3,000 lines; no submodules."""
    stat = out(root, "diff-tree", "-r", "--no-commit-id", "--numstat", commit).splitlines()
    lines = sum(int(n) for row in stat for n in row.split("\t")[:2] if n.isdigit())
    raw = out(root, "diff-tree", "-r", "--no-commit-id", "--raw", commit)
    return 0 < len(stat) <= 30 and lines <= 3000 and "160000" not in raw


def play(source: Path, commits: list[str], top: Path, tally: Tally) -> None:
    """Write one branch as saves in a fresh clone and count."""
    root = top / f"branch-{tally.branches}"
    base = out(source, "rev-parse", f"{commits[0]}^").strip()
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(source), str(root)], check=True)
    for command in (
        ["config", "user.name", "Ann"],
        ["config", "user.email", "ann@example.org"],
        ["checkout", "-q", "-B", "work", base],
    ):
        out(root, *command)
    bench = DeskBench(root)
    try:
        bench.do("session.start", name="intent")
        ids = []
        all_arrived = True
        for number, commit in enumerate(commits):
            ids.append(bench.do("patch.new", name=f"c{number}", take=None)["patch"]["id"])
            all_arrived &= write_commit(bench, commit, ids[-1], tally)
            if all_arrived:
                check_tree(bench, commit, tally)
        tally.branches += 1
    finally:
        bench.desk.close()
        shutil.rmtree(root)


def write_commit(bench: DeskBench, commit: str, patch: str, tally: Tally) -> bool:
    """Save each file of a commit; tells whether every edit went to the patch."""
    raw = out(bench.root, "diff-tree", "-r", "-z", "--no-commit-id", "--no-renames", commit).split("\0")
    arrived = True
    for meta, path in zip(raw[::2], raw[1::2], strict=False):
        before = len(bench.events)
        write_file(bench.root, commit, meta.split()[1], meta.split()[4], path)
        name = quote_path(os.fsencode(path))
        bench.desk.batch({"n": 1, "worktree": str(bench.root), "paths": [name], "scan": False, "git": False})
        for message in bench.events[before:]:
            for edit in message.get("event", {}).get("edits", []):
                size = weight(edit)
                if edit["patch"] and edit["patch"]["id"] == patch:
                    tally.intended += size
                elif edit["why"]:
                    tally.told += size
                    arrived = False
                else:
                    tally.wrong += size
                    arrived = False
    return arrived


def weight(edit: dict[str, object]) -> int:
    """Lines of an edit; a deletion or whole-file fact counts as one."""
    lines = edit["lines"]
    return max(1, lines[1] - lines[0] + 1) if isinstance(lines, list) else 1


def write_file(root: Path, commit: str, mode: str, kind: str, path: str) -> None:
    """The file as the commit has it."""
    full = root / path
    if kind == "D":
        if full.is_symlink() or full.exists():
            full.unlink()
        return
    full.parent.mkdir(parents=True, exist_ok=True)
    content = subprocess.run(
        ["git", "cat-file", "blob", f"{commit}:{path}"], cwd=root, capture_output=True, check=True
    ).stdout
    if full.is_symlink():
        full.unlink()
    if mode == "120000":
        full.unlink(missing_ok=True)
        os.symlink(content, os.fsencode(full))
    else:
        full.write_bytes(content)
        full.chmod(0o755 if mode == "100755" else 0o644)


def check_tree(bench: DeskBench, commit: str, tally: Tally) -> None:
    """The patches so far, merged by git in their order, give the commit's tree."""
    status = bench.do("session.status")
    bench.do("checkpoint")
    session = status["session"]
    judge = Judge(bench.root, session["id"], session["worktree_id"])
    needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in status["patches"]}
    base = judge.out(["rev-parse", session["base"] + "^{tree}"])
    found = judge.fold("intent", base, [p["id"] for p in status["patches"]], needs)
    if found == judge.out(["rev-parse", f"{commit}^{{tree}}"]):
        tally.trees += 1
    else:
        tally.other_trees.append(commit)
    shutil.rmtree(judge.scratch)
