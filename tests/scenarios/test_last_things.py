"""What ending takes away: what is merged is no loss, what is not is said."""

from __future__ import annotations

from pathlib import Path

from tests.bench import Workbench


def two_merged(bench: Workbench) -> Workbench:
    """A session in a worktree of its own; two patches in it, both merged, one of them as a twin."""
    bench.run("start", "x", "--worktree")
    at = bench.at(bench.json("switch", "x")["worktree"])
    for patch, path in (("p", "a.txt"), ("q", "src/b.txt")):
        at.run("patch", "new", patch)
        at.write(path, f"{patch}\n")
        at.run("commit", "-m", patch)
    for patch in ("p", "q"):
        at.run("merge", patch, "--ready")
    return at


def test_uninstall_asks_nothing_when_all_is_merged(bench: Workbench) -> None:
    """The branch's own commits are not in the target, but their twins are; one commit more is."""
    at = two_merged(bench)
    bench.run("close", "--yes", "-s", "x")
    at.git("commit", "-q", "--allow-empty", "-m", "unknown to the session")
    bench.git("worktree", "remove", "--force", str(at.root))
    bench.run("uninstall", "--hard", code=4)
    bench.git("update-ref", "refs/heads/session/x", "session/x~1")
    bench.run("uninstall", "--hard")
    assert not Path(bench.root, ".git", "gitsession").exists()
