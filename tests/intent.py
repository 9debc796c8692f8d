"""Intent: a branch somebody really made, written again as saves, one patch a commit; does each line arrive?

For a branch c1..cn on a base: patches p1..pn, and for each commit ``patch use p_i``, then every file of the commit is
saved as it is there. Asked after each: which lines does git say that the commit changed, which does git say that the
patch changed (its recorded tree against the recorded trees of what it depends on), and, for each line that is missing,
was it told: does a row of the save's event, or of ``unassigned --json``, name that path and that line with a reason
that fits? Where all lines arrived, the patches so far must give the commit's tree.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gitsessiond.model.names import unquote_path
from gitsessiond.wire.client import Client
from tests.bench import Workbench
from tests.judge import Judge, closure
from tests.story import DeskBench

# The reasons (docs/ownership.md, section 3) by which an edit goes to a patch that is not in use.
ELSEWHERE = {"lines", "between", "returned", "moved", "format", "near", "file"}
# Those by which it goes to none although one is in use.
NOBODY = {
    "abandoned", "before", "beside", "cycle", "file", "foreign", "format", "guard", "merged", "moved", "on", "over",
    "touches", "unknown",
}  # fmt: skip


EVERYWHERE = (0, 1 << 30)


class Line(NamedTuple):
    """One changed line, or one fact of a whole file, as git shows it. ``at``: its place in the file after."""

    path: str
    what: str  # "+text", "-text", "mode ...", "binary ..."
    at: tuple[int, int]


@dataclass
class Tally:
    """What became of changed lines."""

    branches: int = 0
    commits: int = 0
    intended: int = 0
    told: int = 0  # elsewhere, or nowhere, and a row names the place and why
    wrong: list[tuple[str, Line]] = field(default_factory=list)  # elsewhere without a word
    otherwise: int = 0  # held to be an old line with the same text, by a diff as good as git's
    ignored: int = 0  # in files that somebody forced into git against its own ignore rules: recorded nowhere
    trees: int = 0
    other_trees: list[str] = field(default_factory=list)


class Hands(Protocol):
    """By what a branch is written: the recorder's desk, or the installed command and a daemon."""

    root: Path

    def start(self, patches: Sequence[str]) -> None: ...
    def use(self, patch: str) -> None: ...
    def saved(self, path: str) -> None: ...
    def status(self) -> Any: ...
    def rows(self) -> list[Any]: ...  # since the last `use`
    def close(self) -> None: ...


class ByDesk:
    """The recorder's desk in this process."""

    def __init__(self, root: Path) -> None:
        self.root, self.bench = root, DeskBench(root)

    def start(self, patches: Sequence[str]) -> None:
        self.bench.do("session.start", name="intent")
        for name in patches:
            self.bench.do("patch.new", name=name, take=None)

    def use(self, patch: str) -> None:
        self.bench.do("patch.use", patch=patch)

    def saved(self, path: str) -> None:
        self.bench.saved(path)

    def status(self) -> Any:
        self.bench.do("checkpoint")
        return self.bench.do("session.status")

    def rows(self) -> list[Any]:
        return rows_since_use([message["event"] for message in self.bench.events if "event" in message]) + list(
            self.bench.do("unassigned")["unassigned"]
        )

    def close(self) -> None:
        self.bench.desk.close()


class ByCommand:
    """`git session` and a daemon, which hears of saves by itself; what goes before and the measure use the socket."""

    def __init__(self, root: Path) -> None:
        self.root, self.bench = root, Workbench(root)
        self.client = Client(str(root), autostart=False)
        self.bench.quiet = False  # nobody else is here; tests/bystanders.py would look at every file each time

    def start(self, patches: Sequence[str]) -> None:
        self.bench.git("config", "gitsession.scanEvery", "0")
        self.bench.run("start", "intent", "--here")
        for name in patches:
            self.client.call("patch.new", {"name": name, "take": None})

    def use(self, patch: str) -> None:
        self.bench.run("patch", "use", patch)

    def saved(self, path: str) -> None:
        """The kernel tells."""

    def status(self) -> Any:
        self.client.call("daemon.checkpoint", {})
        return self.client.call("session.status", {})

    def rows(self) -> list[Any]:
        printed = self.bench.run("events", "--json").out.splitlines()
        return rows_since_use([json.loads(line) for line in printed]) + list(
            self.bench.json("unassigned")["unassigned"]
        )

    def close(self) -> None:
        assert self.client.call("daemon.status", {})["scans"] == 1, "every save is heard of"
        self.bench.stop()


def rows_since_use(events: list[Any]) -> list[Any]:
    """Where edits went since `patch use`, by the events."""
    last = max(number for number, event in enumerate(events) if event["type"] == "patch use")
    return [edit for event in events[last:] for edit in event.get("edits", [])]


def out(root: Path, *args: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, check=True, env={**os.environ, **(env or {})})
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


def play(source: Path, commits: list[str], top: Path, tally: Tally, hands: type[ByDesk] | type[ByCommand]) -> None:
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
    at_work: Hands = hands(root)
    try:
        at_work.start([f"c{number}" for number in range(len(commits))])
        complete = True
        for number, commit in enumerate(commits):
            at_work.use(f"c{number}")
            write_commit(at_work, commit)
            complete &= count(at_work, commit, number, tally, complete)
            tally.commits += 1
        tally.branches += 1
    finally:
        at_work.close()
        shutil.rmtree(root)


def write_commit(hands: Hands, commit: str) -> None:
    """Save each file of a commit."""
    raw = out(hands.root, "diff-tree", "-r", "-z", "--no-commit-id", "--no-renames", commit).split("\0")
    for meta, path in zip(raw[::2], raw[1::2], strict=False):
        write_file(hands.root, commit, meta.split()[1], meta.split()[4], path)
        hands.saved(path)


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


def count(hands: Hands, commit: str, number: int, tally: Tally, complete: bool) -> bool:
    """Count the lines of one commit; tells whether all of them arrived in their patch.

    ``complete``: so did those of all commits before; then the patches must give the commit's tree.
    """
    status = hands.status()
    session, patch = status["session"], status["patches"][number]
    assert patch["name"] == f"c{number}"
    judge = Judge(hands.root, session["id"], session["worktree_id"])
    judge.i1()
    needs = {p["id"]: {d["id"] for d in p["depends_on"]} for p in status["patches"]}
    base = judge.out(["rev-parse", session["base"] + "^{tree}"])
    below = [p["id"] for p in status["patches"] if p["id"] in closure(patch["id"], needs)]
    context = judge.fold("context", base, in_order(below, needs), needs)
    wanted = changed_lines(hands.root, f"{commit}^", commit, judge)
    ignored = ignored_paths(hands.root, {line.path for line in wanted})
    tally.ignored += sum(line.path in ignored for line in wanted)
    wanted = [line for line in wanted if line.path not in ignored]
    found = changed_lines(hands.root, context, judge.patch_tree(patch["id"]), judge)
    missing = Counter(line[:2] for line in wanted) - Counter(line[:2] for line in found)
    tally.intended += len(wanted) - missing.total()
    if missing:
        rows = hands.rows()
        told, wrong = sort_missing(wanted, missing, rows, patch["id"])
        tally.told += told
        for line in wrong:
            if read_otherwise(hands.root, commit, line, rows):
                tally.otherwise += 1
            else:
                tally.wrong.append((commit, line))
    complete &= not missing and not ignored
    if complete:
        order = in_order([p["id"] for p in status["patches"]], needs)
        # Not by the trees' ids: old commits have modes (100664) that no git writes any more.
        if not judge.out(["diff-tree", "-r", judge.fold("intent", base, order, needs), commit], judge.objects):
            tally.trees += 1
        else:
            tally.other_trees.append(commit)
    shutil.rmtree(judge.scratch)
    return complete


def ignored_paths(root: Path, paths: set[str]) -> set[str]:
    """Those of these paths that git ignores and does not track here."""
    asked = "".join(f"{path}\0" for path in sorted(paths))
    done = subprocess.run(["git", "check-ignore", "-z", "--stdin"], cwd=root, input=asked.encode(), capture_output=True)
    return set(os.fsdecode(done.stdout).split("\0")) - {""}


def in_order(pids: list[str], needs: dict[str, set[str]]) -> list[str]:
    """Dependencies first."""
    return sorted(pids, key=lambda pid: (len(closure(pid, needs)), pids.index(pid)))


def sort_missing(
    wanted: list[Line], missing: Counter[tuple[str, str]], rows: list[Any], patch: str
) -> tuple[int, list[Line]]:
    """Of the lines that are not in the patch: how many were told, and which were not.

    Of lines with the same text those that were told are taken to be the missing ones.
    """
    told, wrong = 0, []
    left = Counter(missing)
    for line in sorted(wanted, key=lambda line: not any(tells(row, line, patch) for row in rows)):
        if left[line[:2]]:
            left[line[:2]] -= 1
            if any(tells(row, line, patch) for row in rows):
                told += 1
            else:
                wrong.append(line)
    return told, wrong


def read_otherwise(root: Path, commit: str, line: Line, rows: list[Any]) -> bool:
    """Whether the save was read as a diff in which this added line is an old one, and that diff is as good as git's.

    Of a block put between two equal lines either line can be the new one. As good: without the lines that the rows
    name, the file is a part of the one before.
    """
    said = [row["lines"] for row in rows if row["path"] == line.path and row["lines"] and "code" not in row]
    named = {number for first, last in said for number in range(first, last + 1)}
    if not line.what.startswith("+") or line.at[0] in named or not named:
        return False
    old, new = (out(root, "show", f"{one}:{line.path}").split("\n") for one in (f"{commit}^", commit))
    rest = iter(old)
    return all(text in rest for number, text in enumerate(new, 1) if number not in named)


def tells(row: Any, line: Line, patch: str) -> bool:
    """Whether a row of an event, or of the unassigned edits, says of this line that it went elsewhere, and why."""
    if os.fsdecode(unquote_path(row["path"])) != line.path:
        return False
    if "code" in row:  # of `unassigned`
        reason = row["code"] in NOBODY
    elif row["patch"] is None:
        reason = row["why"].split(" ")[0] in NOBODY
    else:
        reason = row["patch"]["id"] != patch and row["why"] in ELSEWHERE
    if row["lines"] is None:
        return reason and row["kind"] != "line"
    first, last = row["lines"]
    if line.what.startswith("+"):
        return reason and first <= line.at[0] <= last
    return reason and first - 1 <= line.at[1] and last + 1 >= line.at[0]


def changed_lines(root: Path, before: str, after: str, judge: Judge) -> list[Line]:
    """What git says that two trees differ in, line by line; compared with git's own count of them."""
    options = ["--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"]
    found: list[Line] = []
    raw = out(root, "diff", "--raw", "-z", "--no-abbrev", *options, before, after, env=judge.objects).split("\0")
    stats = out(root, "diff", "--numstat", "-z", *options, before, after, env=judge.objects).split("\0")
    whole = out(root, "diff", "-U0", *options, before, after, env=judge.objects)
    texts = ("\n" + whole).split("\ndiff --git ")[1:]
    assert len(raw) // 2 == len(stats) - 1 == len(texts), "a file that became a link is shown as two"
    for meta, path, stat, text in zip(raw[::2], raw[1::2], stats, texts, strict=False):
        old_mode, new_mode, _, blob, _ = meta.removeprefix(":").split()
        if old_mode != new_mode:
            found.append(Line(path, f"mode {old_mode} {new_mode}", EVERYWHERE))
        added, gone, _ = stat.split("\t")
        if added == "-":
            found.append(Line(path, f"binary {blob}", EVERYWHERE))
            continue
        lines = hunk_lines(path, text)
        assert len(lines) == int(added) + int(gone), (path, stat)
        found += lines
    return found


def hunk_lines(path: str, diff: str) -> list[Line]:
    """The lines of a diff of one file without context."""
    found: list[Line] = []
    at, span, inside = 0, (0, 0), False
    for text in diff.split("\n"):
        if text.startswith("@@ "):
            first, _, size = text.split()[2][1:].partition(",")
            at, span, inside = int(first), (int(first), int(first) + int(size or 1)), True
        elif inside and text.startswith("+"):
            found.append(Line(path, text, (at, at)))
            at += 1
        elif inside and text.startswith("-"):
            found.append(Line(path, text, span))
    return found
