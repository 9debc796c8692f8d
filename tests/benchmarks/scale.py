"""Large sessions: a series of a hundred commits, fifty patches, ten thousand unassigned edits, ten sessions; starts.

Each figure has a worktree and sessions of its own, so that none is measured on what another left behind.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitsessiond.faces.cli.panel import MOST
from gitsessiond.wire.client import Client
from tests.benchmarks.figures import clone, size
from tests.benchmarks.ground import Ground, Row, median, ms, timed

COMMITS, PATCHES, EDITS, SESSIONS = 100, 50, 10_000, 10


class Side:
    """A session in a worktree of its own."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.ground, self.name = ground, name
        os.environ.update(ground.env)
        self.root = Path(ground.json("start", name, "--worktree", "--target", "main")["session"]["worktree"])
        self.client = Client(str(self.root))

    def git(self, *args: str) -> str:
        return self.ground.git(*args, cwd=self.root)

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        return self.client.call(verb, args)

    def panel(self) -> dict[str, Any]:
        return self.call("session.status", most=MOST)

    def edit(self, path: str, line: int, text: str) -> None:
        """Save a file with one of its lines replaced."""
        lines = (self.root / path).read_text().splitlines(keepends=True)
        lines[line] = text + "\n"
        (self.root / path).write_text("".join(lines))

    def end(self) -> None:
        self.call("session.abandon")
        self.ground.git("worktree", "remove", "--force", str(self.root))


@contextmanager
def side(ground: Ground, name: str) -> Iterator[Side]:
    made = Side(ground, name)
    try:
        yield made
    finally:
        made.end()


def saved_and_seen(one: Side, path: str) -> Callable[[], None]:
    """One save, until the panel that knows of it."""
    count = iter(range(1_000_000))

    def act() -> None:
        one.edit(path, 3, f"seen {next(count)}")
        one.panel()

    return act


def series(ground: Ground) -> list[Row]:
    """A chain of a hundred commits, every other one for the same patch, nearly all twins: one more, and all made again."""
    with side(ground, f"series-{ground.files}") as one:
        for name in ("p", "q"):
            one.call("patch.new", name=name, description="")
        more, plain = [], []
        for n in range(COMMITS):
            one.call("patch.use", patch="p" if n % 2 else "q", paths=[], strict=False)
            one.edit(ground.path(1 + n % 2), n // 2 % 20, f"commit {n}")
            one.panel()
            plain.append(timed(lambda n=n: one.git("commit", "-qam", f"commit {n}")))
            more.append(timed(one.panel))
        git = timed(lambda: one.git("rebase", "-q", "--force-rebase", "main"))
        again = timed(one.panel)
        shown = {patch["name"]: patch["commits"] for patch in one.panel()["patches"]}
        assert min(shown.values()) >= COMMITS // 2, shown
        panel = median(one.panel)
        status = median(lambda: one.git("status"))
    return [
        Row(f"series of {COMMITS}: one more", size(ground), ms(statistics.median(more[-10:])), f"git commit {ms(statistics.median(plain[-10:]))}", "-"),
        Row(f"series of {COMMITS}: all made again", size(ground), ms(again), f"git rebase {ms(git)}", "<= 1 x"),
        Row(f"series of {COMMITS}: panel request", size(ground), ms(panel), f"git status {ms(status)}", "<= 10 ms"),
    ]  # fmt: skip


def patches(ground: Ground) -> list[Row]:
    """Fifty patches, five in each of ten files: a save, the panel, one of them merged."""
    with side(ground, f"patches-{ground.files}") as one:
        for n in range(PATCHES):
            one.call("patch.new", name=f"p{n}", description="")
            one.edit(ground.path(n % 10), n // 10 * 4, f"patch {n}")
            one.panel()
        save = median(saved_and_seen(one, ground.path(20)))
        panel = median(one.panel)
        status = median(lambda: one.git("status"))
        alone = clone(ground)
        (alone / ground.path(20)).write_text("x\n")
        add = median(lambda: ground.git("add", "-A", cwd=alone))
        names = [f"p{n}" for n in range(10, 20)]  # one in each file
        ready = statistics.median(timed(lambda name=name: one.call("patch.ready", patch=name)) for name in names)
        tips = {patch["name"]: patch["tip"] for patch in one.call("patch.list")["patches"]}
        tree, merge = [], []
        for name in names:
            tree.append(timed(lambda name=name: one.git("merge-tree", "--write-tree", "main", tips[name])))
            merge.append(timed(lambda name=name: one.call("merge", patch=name)))
        landed, told = statistics.median(merge), statistics.median(tree)
    return [
        Row(f"{PATCHES} patches: save until seen", size(ground), ms(save), f"git add {ms(add)}", "-"),
        Row(f"{PATCHES} patches: panel request", size(ground), ms(panel), f"git status {ms(status)}", "<= 10 ms"),
        Row(f"{PATCHES} patches: ready, merge of one", size(ground), f"{ms(ready)}, {ms(landed)}", f"git merge-tree {ms(told)}", "<= 15 ms (merge)"),
    ]  # fmt: skip


def unassigned(ground: Ground) -> list[Row]:
    """Ten thousand edits that belong to nobody, ten in a file: found, listed, given to a patch."""
    with side(ground, f"nobody-{ground.files}") as one:
        files = [ground.path(n) for n in range(min(ground.files, EDITS // 10))]
        each = EDITS // len(files)
        for path in files:
            lines = (one.root / path).read_text().splitlines(keepends=True)
            changed = [f"edit {n}\n" if n % 2 == 0 and n < 2 * each else line for n, line in enumerate(lines)]
            (one.root / path).write_text("".join(changed))
        alone = clone(ground)
        for path in files:
            (alone / path).write_bytes((one.root / path).read_bytes())
        found = timed(lambda: wait_recorded(one))
        add = timed(lambda: ground.git("add", "-A", cwd=alone))
        panel = median(one.panel)
        status = median(lambda: one.git("status"))
        listed = median(lambda: one.call("unassigned"), 3)
        count = len(one.call("unassigned")["unassigned"])
        diff = median(lambda: one.git("diff", "-U0"), 3)
        save = median(saved_and_seen(one, files[0]))
        one.call("patch.new", name="p", description="", take=None)
        taken = timed(lambda: one.call("assign", what=None, all=True, patch="p", new=None))
    return [
        Row(f"{count:,} unassigned edits: recorded", size(ground), ms(found), f"git add -A {ms(add)}", "-"),
        Row(f"{count:,} unassigned edits: panel request", size(ground), ms(panel), f"git status {ms(status)}", "<= 10 ms"),
        Row(f"{count:,} unassigned edits: listed", size(ground), ms(listed), f"git diff -U0 {ms(diff)}", "-"),
        Row(f"{count:,} unassigned edits: save until seen", size(ground), ms(save), f"git add -A {ms(add)}", "-"),
        Row(f"{count:,} unassigned edits: all to a patch", size(ground), ms(taken), f"git add -A {ms(add)}", "-"),
    ]  # fmt: skip


def wait_recorded(one: Side) -> None:
    while one.panel()["recording_left"]:
        pass


def sessions(ground: Ground) -> list[Row]:
    """Ten sessions that all changed the same twenty files: a save in one, its panel with the collisions, the list."""
    made = [Side(ground, f"s{n}-{ground.files}") for n in range(SESSIONS)]
    try:
        for n, one in enumerate(made):
            one.call("patch.new", name="p", description="")
            for k in range(20):
                one.edit(ground.path(k), n, f"session {n}")
            one.panel()
        first = made[0]
        assert len(first.call("session.status")["collisions"]) >= 20 * (SESSIONS - 1)
        save = median(saved_and_seen(first, ground.path(30)))
        panel = median(first.panel)
        listed = median(lambda: first.call("session.list", all=False))
        status = median(lambda: first.git("status"))
        trees = median(lambda: first.git("worktree", "list"))
    finally:
        for one in made:
            one.end()
    return [
        Row(f"{SESSIONS} sessions: save until seen", size(ground), ms(save), f"git status {ms(status)}", "-"),
        Row(f"{SESSIONS} sessions: panel request", size(ground), ms(panel), f"git status {ms(status)}", "<= 10 ms"),
        Row(f"{SESSIONS} sessions: list request", size(ground), ms(listed), f"git worktree list {ms(trees)}", "-"),
    ]


def start(ground: Ground, times: int = 3) -> list[Row]:
    """A session begun in a worktree of its own and in place, and the daemon begun, each by the installed command."""
    apart, plain, begun = [], [], []
    for n in range(times):
        name, beside = f"start-{ground.files}-{n}", ground.top / f"plain-{ground.files}-{n}"
        os.sync()
        plain.append(timed(lambda beside=beside: ground.git("worktree", "add", "-q", "--detach", str(beside), "main")))
        os.sync()
        apart.append(timed(lambda name=name: ground.session("start", name, "--worktree", "--target", "main")))
        ground.git("worktree", "remove", "--force", str(beside))
        where = ground.json("switch", name)["worktree"]
        ground.session("abandon", "--yes", "-s", name)
        ground.git("worktree", "remove", "--force", where)
    for _ in range(times):
        ground.close()
        begun.append(timed(lambda: ground.session("status")))
    status = median(lambda: ground.git("status"))
    here, first, switch = starts_here(ground, times)
    middle = statistics.median
    return [
        Row("start with a worktree", size(ground), ms(middle(apart)), f"git worktree add {ms(middle(plain))}", "-"),
        Row("start in place", size(ground), ms(middle(here)), f"git switch -c {ms(middle(switch))}", "-"),
        Row("start in place, daemon and all", size(ground), ms(first), f"git switch -c {ms(middle(switch))}", "-"),
        Row("first command of a daemon", size(ground), ms(middle(begun)), f"git status {ms(status)}", "-"),
    ]


def starts_here(ground: Ground, times: int) -> tuple[list[float], float, list[float]]:
    """Sessions begun in the one checkout of another repository: all but the first, the first, ``git switch -c``."""
    root = clone(ground)
    here, switch = [], []
    try:
        for n in range(times + 1):
            switch.append(timed(lambda n=n: ground.git("switch", "-q", "-c", f"other{n}", cwd=root)))
            ground.git("switch", "-q", "main", cwd=root)
            here.append(timed(lambda n=n: ground.git("session", "start", f"here{n}", cwd=root)))
            ground.git("session", "abandon", "--yes", cwd=root)
            ground.git("switch", "-q", "main", cwd=root)
    finally:
        ground.git("session", "daemon", "stop", check=False, cwd=root)
    return here[1:], here[0], switch


SCALE: dict[str, Callable[[Ground], list[Row]]] = {
    "series": series,
    "patches": patches,
    "unassigned": unassigned,
    "sessions": sessions,
    "start": start,
}
