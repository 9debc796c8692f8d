"""Our histogram merge and git's are the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsessiond.model.histogram import histogram_hunks, histogram_merge
from gitsessiond.model.values import Hunk
from gitsessiond.store.text import diff_lines

LINES = st.lists(st.sampled_from([b"x\n", b"\n", b"y\n", b"}\n", b"1\n", b"2\n"]), max_size=14)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WHO = pygit2.Signature("Ann", "ann@example.org", 1_700_000_000, 0)
HEADER = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@QUICK
@given(LINES, LINES)
def test_hunks_are_those_of_git_diff(tmp_path: Path, old: list[bytes], new: list[bytes]) -> None:
    """``git diff --histogram`` without its indent heuristic finds the same differing lines."""
    (tmp_path / "a").write_bytes(b"".join(old))
    (tmp_path / "b").write_bytes(b"".join(new))
    options = ["--no-index", "--histogram", "--no-indent-heuristic", "-U0"]
    told = subprocess.run(["git", "diff", *options, "a", "b"], cwd=tmp_path, capture_output=True).stdout
    wanted = []
    for found in HEADER.finditer(told):
        i, gone, j, came = (int(part) if part else 1 for part in found.groups())
        i, j = i - bool(gone), j - bool(came)
        wanted.append(Hunk(i, i + gone, j, j + came))
    assert histogram_hunks(old, new, diff_lines) == wanted


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    return pygit2.init_repository(str(tmp_path_factory.mktemp("git")), bare=True)


@QUICK
@given(LINES, LINES, LINES)
def test_merges_are_those_of_git(
    repo: pygit2.Repository, base: list[bytes], one: list[bytes], two: list[bytes]
) -> None:
    """``git merge-tree`` is clean where ours is, and then gives the same text."""
    texts = [b"".join(side) for side in (base, one, two)]
    if len(set(texts)) < 3:
        return
    commits: list[pygit2.Oid] = []
    for text in texts:
        tree = repo.TreeBuilder()
        tree.insert("f", repo.create_blob(text), pygit2.enums.FileMode.BLOB)
        commits.append(repo.create_commit(None, WHO, WHO, "side", tree.write(), commits[:1]))
    command = ["git", "merge-tree", "--write-tree", str(commits[1]), str(commits[2])]
    done = subprocess.run(command, cwd=repo.path, capture_output=True, text=True)
    merged = None if done.returncode else repo[repo[done.stdout.split("\n")[0]]["f"].id].data
    assert histogram_merge(*texts, diff_lines) == merged


def test_lines_that_occur_too_often_are_left_to_the_classic_diff() -> None:
    """Seventy equal lines say nothing to the histogram; the merge is clean all the same."""
    base = b"x\n" * 70 + b"end\n"
    assert histogram_merge(base, b"top\n" + base, base + b"more\n", diff_lines) == b"top\n" + base + b"more\n"
