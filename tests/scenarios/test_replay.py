"""Real commits written as plain files, recorded by events alone to git's own tree each time."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from gitsessiond.wire.client import Client
from tests.bench import Workbench
from tests.intent import out, write_file
from tests.judge import never
from tests.scenarios.test_intent import made_history


def replay(source: Path, top: Path, count: int) -> None:
    """Clone, go back ``count`` commits, write one commit after the other as files, compare trees."""
    commits = out(source, "log", "--first-parent", "--reverse", "--format=%H", "-n", str(count + 1), "HEAD").split()
    root = top / "replay"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(source), str(root)], check=True)
    bench = Workbench(root)
    bench.git("checkout", "-q", "-B", "main", commits[0])
    bench.git("config", "gitsession.scanEvery", "0")
    try:
        bench.run("start", "replay")
        client, session = Client(str(root), autostart=False), bench.status()["session"]
        store = root / ".git" / "gitsession" / "store.git"
        work = f"refs/sessions/{session['id']}:work/{session['worktree_id']}"
        skipped = 0
        for before, commit in pairwise(commits):
            write_between(root, before, commit)
            client.call("daemon.checkpoint", {})
            recorded = out(root, "--git-dir", str(store), "rev-parse", work).strip()
            wanted = out(root, "rev-parse", f"{commit}^{{tree}}").strip()
            if recorded != wanted:
                other = out(root, "--git-dir", str(store), "diff-tree", "-r", "--name-only", recorded, wanted).split()
                assert other and all(never(path) for path in other), (commit, other)
                skipped += 1
        daemon = bench.daemon()
        print(
            f"{len(commits) - 1} commits replayed, {skipped} with names that are never recorded; {daemon['saves']} saves, {daemon['scans']} scans"
        )
        assert daemon["scans"] <= 1, "what is recorded must have come by events"
    finally:
        bench.stop()


def write_between(root: Path, before: str, commit: str) -> None:
    """The files that differ between two commits, as a person's tools would write them."""
    raw = out(root, "diff-tree", "-r", "-z", "--no-renames", before, commit).split("\0")
    for meta, path in sorted(zip(raw[::2], raw[1::2], strict=False), key=lambda pair: pair[0].split()[4] != "D"):
        if "160000" in meta:
            pytest.fail("submodules cannot be written as files")
        write_file(root, commit, meta.split()[1], meta.split()[4], path)
        if meta.split()[4] == "D":
            prune(root / path, root)


def prune(path: Path, root: Path) -> None:
    """Remove directories that became empty, as git does."""
    for parent in path.parents:
        if parent == root or any(parent.iterdir()):
            return
        parent.rmdir()


def test_made_commits_replay(tmp_path: Path) -> None:
    """20 made commits written as files are recorded to git's trees."""
    made_history(tmp_path / "made", 25, seed=9)
    replay(tmp_path / "made", tmp_path, 20)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_real_commits_replay(tmp_path: Path) -> None:
    """300 commits of the first repository of GITSESSIOND_REPOSITORIES, else made ones."""
    paths = [Path(part) for part in os.environ.get("GITSESSIOND_REPOSITORIES", "").split(":") if part]
    if not paths:
        made_history(tmp_path / "made", 320, seed=10)
        paths = [tmp_path / "made"]
    replay(paths[0], tmp_path, 300)
