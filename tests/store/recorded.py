"""A recorded worktree beside what git itself would store of it; for the tests of this floor."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.config import Config
from gitsessiond.store.readings import Reading
from gitsessiond.store.repository import open_repository
from gitsessiond.store.store import Store, open_store
from gitsessiond.store.trees import edit_tree
from gitsessiond.store.worktree import WorkTree
from tests.conftest import git

WID = "kkkkllllmmmm"


class Recorded:
    """A worktree with its store; :meth:`take` records a reading as the recorder does."""

    def __init__(self, repo: Path, work: str | None = "HEAD") -> None:
        self.repo = repo
        self.repository = open_repository(str(repo))
        self.store: Store = open_store(self.repository)
        self.config = Config(self.repository)
        tree = git(repo, "rev-parse", f"{work}^{{tree}}").decode().strip() if work else None
        self.tree = WorkTree.open(self.repository, WID, self.store, self.config, tree, None)

    def take(self, reading: Reading) -> Reading:
        self.tree.accept(reading)
        return reading

    def scan(self) -> Reading:
        """Record everything there is, in as many readings as it takes; returns the last with any change."""
        reading = self.take(self.tree.scan())
        while reading.left:
            reading = self.take(self.tree.read_paths([]))
        return reading

    def read(self, *paths: bytes) -> Reading:
        return self.take(self.tree.read_paths(paths))

    def entries(self) -> dict[bytes, Entry]:
        """What is recorded as stored by git."""
        return {path: known.entry for path, known in self.tree.known.items() if known.entry is not None}

    def raw(self, path: bytes) -> bytes:
        """The disk's bytes as recorded."""
        known = self.tree.known[path]
        assert known.entry is not None
        return self.store.blob(known.raw or known.entry.oid)

    def tree_ids(self) -> tuple[str, str]:
        """The trees a step would name: ``work`` and ``raw``."""
        known = self.tree.known.items()
        work = {path: found.entry for path, found in known if found.entry is not None}
        raw = {path: Entry(REGULAR, found.raw) for path, found in known if found.raw is not None}
        trees = edit_tree(self.store, None, work), edit_tree(self.store, None, raw)
        self.store.commit([])
        return trees

    def close(self) -> None:
        self.tree.close()
        self.store.close()


def as_git_adds(repo: Path) -> dict[bytes, Entry]:
    """What ``git add -A`` would put into the index, tried on a copy of the index and a scratch object store."""
    git_dir = Path(os.fsdecode(git(repo, "rev-parse", "--absolute-git-dir").rstrip(b"\n")))
    common = Path(os.fsdecode(git(repo, "rev-parse", "--path-format=absolute", "--git-common-dir").rstrip(b"\n")))
    scratch = git_dir / "judge-objects"
    scratch.mkdir(exist_ok=True)
    index = git_dir / "judge-index"  # copied with its time: git compares contents by it
    shutil.copy2(git_dir / "index", index)
    env = os.environ | {
        "GIT_INDEX_FILE": str(index),
        "GIT_OBJECT_DIRECTORY": str(scratch),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(common / "objects"),
    }
    words = ["-c", "advice.addEmbeddedRepo=false", "add", "-A"]
    subprocess.run(["git", *words], cwd=repo, env=env, check=True, capture_output=True)
    out = subprocess.run(["git", "ls-files", "-s", "-z"], cwd=repo, env=env, check=True, capture_output=True).stdout
    shutil.rmtree(scratch)
    index.unlink()
    found = {}
    for line in out.split(b"\0")[:-1]:
        facts, path = line.split(b"\t", 1)
        mode, oid, _ = facts.split()
        found[path] = Entry(int(mode, 8), oid.decode())
    return found


@pytest.fixture
def recorded(repo: Path) -> Iterator[Recorded]:
    """The checkout of the ``repo`` fixture, all of it recorded."""
    found = Recorded(repo)
    found.scan()
    yield found
    found.close()
