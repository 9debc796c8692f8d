"""What is measured, each beside its yardstick in the same run."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gitsessiond.faces.cli.panel import MOST
from gitsessiond.store.outlasting import RECENT
from gitsessiond.wire.client import Client
from tests.benchmarks.ground import Ground, Row, median, ms, percentile, timed


class Ear:
    """Follows the daemon's events in a thread and notes when each save became durable."""

    def __init__(self, ground: Ground) -> None:
        self.heard: list[tuple[float, dict[str, Any]]] = []
        os.environ.update(ground.env)
        self.client = Client(str(ground.root))
        self.events: Iterator[dict[str, Any]] = iter(
            self.client.events(since=None, follow=True, wanted={"types": ["saved"]})
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        for event in self.events:
            self.heard.append((time.perf_counter(), event))

    def wait(self, path: str, after: float, seconds: float = 10.0) -> float:
        """When the save of ``path`` was published, in perf_counter seconds."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for when, event in reversed(self.heard[-50:]):
                if when >= after and event.get("type") == "saved" and path in event.get("paths", []):
                    return when
            time.sleep(0.0002)
        raise RuntimeError(f"no event for {path}")


def save(ground: Ground, times: int = 200) -> list[Row]:
    """From the editor's close to the published, durable save; the file cycles over the tree."""
    ear = Ear(ground)
    time.sleep(0.3)
    took = []
    for n in range(times):
        name = ground.path((n * 37) % ground.files)
        text = (ground.root / name).read_text()
        with open(ground.root / name, "w") as file:
            file.write(text.replace("line 5", f"line 5 save {n},", 1))
        closed = time.perf_counter()
        took.append((ear.wait(name, closed - 0.001) - closed) * 1000)
        time.sleep(0.02)

    def add_and_commit() -> None:
        name = yard.path(3)
        (yard_root / name).write_text(f"{time.perf_counter()}\n")
        ground.git("add", name, cwd=yard_root)
        ground.git("commit", "-qm", "x", cwd=yard_root)

    yard, yard_root = ground, clone(ground)
    yardstick = median(add_and_commit, 7)
    ours = f"p50 {ms(statistics.median(took))}, p99 {ms(percentile(took, 0.99))}"
    return [
        Row(
            "save -> recorded durably",
            size(ground),
            ours,
            f"git add + commit {ms(yardstick)}",
            "p50 <= 5, p99 <= 25 ms",
        )
    ]


def clone(ground: Ground) -> Path:
    """A second repository with the same files and no session: what git alone costs."""
    root = ground.top / f"alone-{ground.files}"
    if not root.exists():
        ground.git("clone", "-q", "-b", "main", "--no-local", str(ground.root), str(root), cwd=ground.top)
    return root


def size(ground: Ground) -> str:
    return f"{ground.files:,} files"


def burst(ground: Ground) -> list[Row]:
    """Every file written once by one process; nothing may be lost, and all is recorded soon."""
    mark = f"burst {time.time_ns()}"
    root = clone(ground)
    for n in range(ground.files):
        (root / ground.path(n)).write_text(f"{mark} {n}\n")
    yardstick = timed(lambda: ground.git("add", "-A", cwd=root))
    for n in range(ground.files):
        with open(ground.root / ground.path(n), "w") as file:
            file.write(f"{mark} {n}\n")
    took = timed(lambda: settled(ground))
    lost = lost_states(ground)
    overflows = ground.json("daemon", "status").get("overflows", 0)
    ours = f"{lost} lost, {overflows} overflows, complete after {ms(took)}"
    ground.git("checkout", "-q", "--", ".")
    settled(ground)
    return [Row("write burst", size(ground), ours, f"git add -A {ms(yardstick)}", "0 lost, <= 1.5 x")]


def settled(ground: Ground) -> None:
    """Wait until everything on disk is recorded."""
    os.environ.update(ground.env)
    client = Client(str(ground.root))
    while client.call("session.status", {"most": 0})["recording_left"]:
        time.sleep(0.02)


def lost_states(ground: Ground) -> int:
    """Files whose recorded content is not the disk's."""
    ground.session("daemon", "checkpoint")
    session = ground.json("status")["session"]
    store = ground.root / ".git" / "gitsession" / "store.git"
    listed = ground.git(
        "--git-dir",
        str(store),
        "ls-tree",
        "-r",
        f"refs/sessions/{session['id']}:work/{session['worktree_id']}",
    )
    recorded = {line.split("\t")[1]: line.split()[2] for line in listed.splitlines()}
    names = [
        str(path.relative_to(ground.root))
        for path in ground.root.rglob("*")
        if path.is_file() and ".git" not in path.parts[len(ground.root.parts) :][:1] and ".gitsession" not in path.parts
    ]
    import subprocess

    done = subprocess.run(
        ["git", "hash-object", "--stdin-paths"],
        cwd=ground.root,
        env=ground.env,
        input="\n".join(names).encode(),
        capture_output=True,
        check=True,
    )
    actual = dict(zip(names, done.stdout.decode().split(), strict=True))
    return sum(1 for name, oid in actual.items() if recorded.get(name) != oid)


def new_directories(ground: Ground) -> list[Row]:
    """2,700 files in 300 new directories, at once."""
    top = ground.root / "fresh"
    for d in range(300):
        directory = top / f"a{d % 10}" / f"b{d}"
        directory.mkdir(parents=True)
        for n in range(9):
            (directory / f"n{n}.txt").write_text(f"{d} {n}\n")
    settled(ground)
    missed = lost_states(ground)
    import shutil

    shutil.rmtree(top)
    settled(ground)
    return [Row("2,700 files in 300 new directories", size(ground), f"{missed} missed", "-", "0 missed")]


def panel(ground: Ground) -> list[Row]:
    """`git session` as a person waits for it, beside `git status`; and the daemon's share."""
    yardstick = median(lambda: ground.git("status", cwd=clone(ground)))
    ours = median(ground.session)
    os.environ.update(ground.env)
    client = Client(str(ground.root))
    inside = median(lambda: client.call("session.status", {"most": MOST}))
    return [
        Row(
            "`git session` panel",
            size(ground),
            f"{ms(ours)} in all, {ms(inside)} request",
            f"git status {ms(yardstick)}",
            "<= 60 / 10 ms",
        )
    ]


def merge(ground: Ground) -> list[Row]:
    """One committed patch merged: target not checked out, then checked out elsewhere."""
    os.environ.update(ground.env)
    client = Client(str(ground.root))
    rows = []
    time.sleep(RECENT + 1)  # beside packs that came just now, as in a repository just made, a landing is held by a ref
    ways = (("not checked out", "merge-tree", "<= 15 ms"), ("checked out", "merge --ff-only", "<= 1.5 x"))
    for where, yardstick, reach in ways:
        target = ground.top / f"target-{ground.files}"
        if where == "checked out":
            ground.git("worktree", "add", "-q", str(target), "main")
        ours, yard = [], []
        for n in range(7):
            name = f"m{n}-{where[:3]}"
            ground.session("patch", "new", name)
            path = ground.root / ground.path(50 + n + (20 if where == "checked out" else 0))
            path.write_text(path.read_text().replace("line 9", f"line 9 {name}"))
            ground.session("patch", "ready", name)
            tip = next(p["tip"] for p in ground.json("patch", "list")["patches"] if p["name"] == name)
            if where == "checked out":
                probe = ground.top / f"probe-{ground.files}"
                if not probe.exists():
                    ground.git("worktree", "add", "-q", "--detach", str(probe), "main")
                ground.git("checkout", "-q", "--detach", "main", cwd=probe)
                done = ground.git(
                    "commit-tree",
                    f"{ground.git('merge-tree', '--write-tree', 'main', tip).split()[0]}",
                    "-p",
                    "main",
                    "-p",
                    tip,
                    "-m",
                    "probe",
                ).strip()
                yard.append(
                    timed(lambda done=done, probe=probe: ground.git("merge", "-q", "--ff-only", done, cwd=probe))
                )
            else:
                yard.append(timed(lambda tip=tip: ground.git("merge-tree", "--write-tree", "main", tip)))
            client.call("session.status", {})
            time.sleep(0.3)  # what the commit before stirred up (a rewritten index) is not the merge's
            ours.append(timed(lambda name=name: client.call("merge", {"patch": name})))
        rows.append(
            Row(
                f"merge, target {where}",
                size(ground),
                median_and_least(ours),
                f"git {yardstick} {median_and_least(yard)}",
                reach,
            )
        )
        if where == "checked out":
            ground.git("worktree", "remove", "--force", str(target))
    return rows


def median_and_least(took: list[float]) -> str:
    """The median of some times, and the least: what is left where other work comes in between."""
    return f"{ms(statistics.median(took))} (least {ms(min(took))})"


def update(ground: Ground, times: int = 5) -> list[Row]:
    """A patch of ten commits put on new commits of its target, which touch some of its files; git rebases the same."""
    os.environ.update(ground.env)
    client, alone, other = Client(str(ground.root)), clone(ground), ground.top / f"others-{ground.files}"
    ground.session("patch", "new", "series")
    for n in range(10):
        path = ground.root / ground.path(80 + n)
        path.write_text(path.read_text().replace("line 2 ", "LINE 2 "))
        ground.session("commit", "-m", f"series {n}")
    ground.git("worktree", "add", "-q", "--detach", str(other), "main")
    branch = client.call("session.status", {})["session"]["branch"]
    ground.git("fetch", "-q", "origin", f"{branch}:series", cwd=alone)
    ground.git("switch", "-q", "series", cwd=alone)
    looked, ours, yard = [], [], []
    for n in range(times):
        ground.git("checkout", "-q", "--detach", "main", cwd=other)
        for number in (81, 84, 88, 95):
            path = other / ground.path(number)
            path.write_text(path.read_text() + f"others {n}\n")
        ground.git("commit", "-qam", f"others {n}", cwd=other)
        ground.git("update-ref", "refs/heads/main", ground.git("rev-parse", "HEAD", cwd=other).strip())
        ground.git("fetch", "-q", "origin", "+main:upstream", cwd=alone)
        yard.append(timed(lambda: ground.git("rebase", "-q", "upstream", cwd=alone)))
        client.call("session.status", {})
        time.sleep(0.3)
        looked.append(timed(lambda: client.call("session.update", {"dry_run": True})))
        ours.append(timed(lambda: client.call("session.update", {})))
    ground.git("worktree", "remove", "--force", str(other))
    told = f"git rebase {ms(statistics.median(yard))}"
    return [
        Row("series of 10 worked out on a new base", size(ground), ms(statistics.median(looked)), told, "<= 50 ms"),
        Row("update under a series of 10, whole", size(ground), ms(statistics.median(ours)), told, "<= 1 x"),
    ]


def rest(ground: Ground) -> list[Row]:
    """Memory and processor of the daemon when nothing happens."""
    return [Row("daemon at rest", size(ground), at_rest(ground), "-", "<= 90 MB, 0 % CPU")]


def ten(ground: Ground) -> list[Row]:
    """The same with ten sessions, each in a worktree of its own."""
    names = [f"rest{n}" for n in range(9)]
    made = [ground.json("start", name)["session"]["worktree"] for name in names]
    try:
        used = at_rest(ground)
    finally:
        for name, worktree in zip(names, made, strict=True):
            ground.session("abandon", "--yes", "-s", name)
            ground.git("worktree", "remove", "--force", worktree)
    return [Row("daemon at rest, ten worktrees", size(ground), used, "-", "<= 160 MB, 0 % CPU")]


def at_rest(ground: Ground, seconds: float = 5.0) -> str:
    """What both processes of the daemon use."""
    status = ground.json("daemon", "status")
    pids = [int(status["pid"]), int(status["recorder_pid"])]
    time.sleep(1.0)
    before = sum(cpu(pid) for pid in pids)
    time.sleep(seconds)
    used = (sum(cpu(pid) for pid in pids) - before) / os.sysconf("SC_CLK_TCK") / seconds * 100
    memory = sum(rss(pid) for pid in pids)
    return f"{memory:.0f} MB, {used:.1f} % CPU"


def cpu(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def users_git(ground: Ground, saves: int = 20000) -> list[Row]:
    """The user's own git with many saves recorded, beside a clone without a session."""
    from gitsessiond.model.names import quote_path

    ground.close()
    time.sleep(0.2)
    os.environ.update(ground.env)
    from tests.story import DeskBench

    bench = DeskBench(ground.root)
    for n in range(saves):
        name = ground.path(n % 40)
        text = (ground.root / name).read_text()
        (ground.root / name).write_text(f"save {n}\n" + text.partition("\n")[2])
        bench.desk.batch(
            {
                "n": n,
                "worktree": str(ground.root),
                "paths": [quote_path(name.encode())],
                "scan": False,
                "git": False,
            }
        )
        if n % 500 == 499:
            bench.desk.idle()
    bench.desk.ctx.store.checkpoint()
    bench.desk.close()
    alone = clone(ground)
    rows = []
    commands: list[tuple[str, Callable[[Path], Any]]] = [
        ("git fetch", lambda root: ground.git("fetch", "-q", str(alone), "main", cwd=root)),
        (
            "git log --graph --all",
            lambda root: ground.git("log", "--graph", "--all", "--oneline", "-20", cwd=root),
        ),
        ("git gc", lambda root: ground.git("gc", "-q", cwd=root)),
        ("git status", lambda root: ground.git("status", cwd=root)),
    ]
    for name, command in commands:
        ours, yard = median(lambda c=command: c(ground.root), 5), median(lambda c=command: c(alone), 5)
        rows.append(
            Row(
                f"{name} with {saves:,} saves",
                size(ground),
                ms(ours),
                f"without {ms(yard)}",
                "equal within noise",
            )
        )
    ours, yard = (len(ground.git("rev-parse", "--short", "HEAD", cwd=root).strip()) for root in (ground.root, alone))
    rows.append(Row(f"short id with {saves:,} saves", size(ground), f"{ours} letters", f"without {yard}", "equal"))
    return rows


FIGURES: dict[str, Callable[[Ground], list[Row]]] = {
    "save": save,
    "burst": burst,
    "directories": new_directories,
    "panel": panel,
    "merge": merge,
    "update": update,
    "rest": rest,
    "ten": ten,
    "git": users_git,
}
