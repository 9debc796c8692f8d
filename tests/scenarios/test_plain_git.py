"""What plain git does in a session's worktree is noticed and understood, hooks absent."""

from __future__ import annotations

from tests.bench import Workbench


def test_a_plain_commit_gives_each_patch_its_part(bench: Workbench) -> None:
    """One `git commit -am` over two patches: one commit on the branch, one more in each series, owners kept."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line 2 p\n")
    bench.run("patch", "new", "q")
    bench.edit("a.txt", "line 9\n", "line 9 q\n")
    bench.git("commit", "-qam", "both")
    head = bench.git("rev-parse", "HEAD").out
    assert bench.patch("p")["commits"] == 1 and bench.patch("q")["commits"] == 1
    assert bench.git("rev-parse", "HEAD").out == head
    assert bench.git("status", "--porcelain").out == ""
    sid = bench.status()["session"]["id"]
    for name, line in (("p", "line 2 p"), ("q", "line 9 q")):
        ref = f"refs/gitsession/patches/{sid}/{bench.patch(name)['id']}"
        diff = bench.git("diff", "--unified=0", f"{ref}~1", ref).out
        added = [found for found in diff.splitlines() if found.startswith("+") and not found.startswith("+++")]
        assert added == [f"+{line}"]
        assert bench.git("log", "-1", "--format=%s", ref).out == "both\n"
    bench.judge()
