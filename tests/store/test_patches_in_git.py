"""Patches as git commits: merged one by one in any order, git makes of them what the weave says."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings

from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import judge
from gitsessiond.model.values import Entry
from tests.model.any_session import BASE, Player, Step, steps
from tests.model.many_files import Desk

WHO = pygit2.Signature("Ann", "ann@example.org", 1_700_000_000, 0)


class Landing:
    """The patches of a desk as commits, and git's merges of them."""

    def __init__(self, repo: pygit2.Repository, desk: Desk) -> None:
        self.repo, self.desk = repo, desk
        self.base = self.commit(desk.base, ())
        self.tips: dict[str, str] = {}
        graph = graph_of(desk.owners)
        for patch in graph.order():
            under = graph.closure(patch)
            parents = [self.tips[one] for one in sorted(under)] or [self.base]
            context = self.commit(desk.version(under), parents) if len(parents) > 1 else parents[0]
            self.tips[patch] = self.commit(desk.version(under | {patch}), [context])

    def tree(self, tree: Mapping[bytes, Entry]) -> str:
        index = pygit2.Index()
        for path, entry in tree.items():
            self.repo.create_blob(self.desk.blobs[entry.oid])
            index.add(pygit2.IndexEntry(path.decode(), pygit2.Oid(hex=entry.oid), pygit2.enums.FileMode(entry.mode)))
        return str(index.write_tree(self.repo))

    def commit(self, tree: Mapping[bytes, Entry] | str, parents: Iterable[str]) -> str:
        oid = tree if isinstance(tree, str) else self.tree(tree)
        hexes = [pygit2.Oid(hex=parent) for parent in parents]
        return str(self.repo.create_commit(None, WHO, WHO, "patch", pygit2.Oid(hex=oid), hexes))

    def merge(self, ours: str, theirs: str) -> tuple[bool, str]:
        """git's merge of two commits: whether it is clean, and its tree."""
        config = ["-c", "merge.directoryRenames=false", "-c", "merge.renameLimit=0"]
        command = ["git", *config, "merge-tree", "--write-tree", ours, theirs]
        done = subprocess.run(command, cwd=self.repo.path, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0, done.stdout.split("\n")[0]

    def land(self, order: Sequence[str]) -> None:
        """Merge the patches one by one; each result is exactly their version."""
        target, landed = self.base, set[str]()
        for patch in order:
            clean, tree = self.merge(target, self.tips[patch])
            landed.add(patch)
            assert clean, (order, patch)
            assert tree == self.tree(self.desk.version(landed)), (order, patch)
            target = self.commit(tree, [target, self.tips[patch]])


def orders(desk: Desk) -> list[tuple[str, ...]]:
    """Every order of the patches that respects dependencies."""
    graph = graph_of(desk.owners)
    return [
        order
        for order in permutations(desk.patches)
        if all(graph.closure(patch) <= set(order[:at]) for at, patch in enumerate(order))
    ]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    return pygit2.init_repository(str(tmp_path_factory.mktemp("git")), bare=True)


def landed_in_every_order(repo: pygit2.Repository, played: Sequence[Step], whole_files: bool) -> None:
    desk = Desk(BASE, "pqr")
    player = Player(desk, whole_files=whole_files, commits=False)
    for step in played:
        player.play(step)
    desk.owners = judge(desk.owners, desk.tools)
    landing = Landing(repo, desk)
    for order in orders(desk):
        landing.land(order)


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(steps)
def test_edits_of_lines_merge_in_every_order(repo: pygit2.Repository, played: Sequence[Step]) -> None:
    """Edits of lines in several files: every order that respects dependencies is clean and gives the version."""
    landed_in_every_order(repo, played, whole_files=False)


@QUICK
@given(steps)
def test_whole_files_merge_in_every_order(repo: pygit2.Repository, played: Sequence[Step]) -> None:
    """New, deleted, renamed, binary and linked files, and modes, the same."""
    landed_in_every_order(repo, played, whole_files=True)


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 3000, 300))
def test_long_sessions_merge_in_every_order(repo: pygit2.Repository, start: int) -> None:
    """The same over many long sessions."""
    for seed in range(start, start + 300):
        rnd = random.Random(seed)
        played = [tuple(rnd.randrange(12) for _ in range(5)) for _ in range(16)]
        landed_in_every_order(repo, played, whole_files=bool(seed % 3))  # type: ignore[arg-type]
    print(f"seeds {start} to {start + 299}: 300 sessions")


def test_paths_are_bytes(repo: pygit2.Repository, tmp_path: Path) -> None:
    """The repository of these tests reads what the desk wrote."""
    desk = Desk({"a": b"one\n"})
    desk.save({"b": b"two\n"}, current="p")
    landing = Landing(repo, desk)
    found = repo[landing.tips["p"]].peel(pygit2.Tree)
    assert [entry.name for entry in found] == ["a", "b"]
