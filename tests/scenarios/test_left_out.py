"""What must reach no object of ours, and what uninstall must leave."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench import Workbench


def everything_stored(bench: Workbench) -> bytes:
    """All blobs of the store and of the repository, one after the other."""
    bench.checkpoint()
    out = b""
    for git_dir in (bench.root / ".git", bench.root / ".git" / "gitsession" / "store.git"):
        listed = subprocess.run(
            ["git", "--git-dir", git_dir, "cat-file", "--batch-all-objects", "--batch-check"],
            capture_output=True,
            check=True,
        ).stdout
        names = b"\n".join(line.split()[0] for line in listed.splitlines() if b" blob " in line)
        out += subprocess.run(
            ["git", "--git-dir", git_dir, "cat-file", "--batch"], input=names, capture_output=True, check=True
        ).stdout
    journal = bench.root / ".git" / "gitsession"
    return out + b"".join(path.read_bytes() for path in journal.rglob("journal*") if path.is_file())


def test_ignored_files_and_secrets_reach_no_object(bench: Workbench) -> None:
    """Ignored files and `gitsession.never` leave no byte in store, journal or repository."""
    bench.write(".gitignore", "dist/\n*.log\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "ignore")
    bench.run("start", "day")
    secret = "hunter2-" + os.urandom(8).hex()
    for path in ("dist/bundle.js", "build.log", ".env", "deploy/server.pem", "keys/id_rsa", "a.key"):
        bench.write(path, f"{secret} in {path}\n")
    bench.write("seen.txt", f"marker of {secret[:3]}\n")
    status = bench.status()
    assert [row["path"] for row in status["unassigned"]] == ["seen.txt"]
    assert secret.encode() not in everything_stored(bench)
    bench.judge(full=False)


def test_uninstall_hard_leaves_nothing(bench: Workbench) -> None:
    """After uninstall --hard there is no ref, config, file or branch of ours; files and user's refs are as they were."""
    bench.git("config", "gitsession.start", "here")
    config = (bench.root / ".git" / "config").read_bytes()
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("merge", "p", "--ready")
    bench.run("start", "second", "--worktree", str(bench.root.parent / "it's second"))
    refused = bench.run("uninstall", "--hard", "--yes", code=4)
    assert "hint: git" in refused.err
    bench.run("close", "--yes")
    bench.run("close", "--yes", "-s", "second")
    refused = bench.run("uninstall", "--hard", "--yes", code=4)
    for line in refused.err.splitlines():
        if line.startswith("hint: "):
            subprocess.run(["sh", "-ec", line.removeprefix("hint: ")], cwd=bench.root, check=True, capture_output=True)
    assert bench.git("branch", "--show-current").out == "main\n"
    content = bench.read("a.txt")
    bench.run("uninstall", "--hard", "--yes")
    assert not (bench.root / ".git" / "gitsession").exists()
    listed = bench.git("for-each-ref", "--format=%(refname)").out.split()
    assert listed == ["refs/heads/main"]
    assert b"gitsession" not in (bench.root / ".git" / "config").read_bytes()
    assert (
        config.replace(b"[gitsession]\n\tstart = here\n", b"").strip()
        == (bench.root / ".git" / "config").read_bytes().strip()
    )
    left = [
        p
        for p in Path(bench.root / ".git").rglob("*")
        if "gitsession" in p.name or b"gitsession" in (p.read_bytes() if p.is_file() and p.name == "exclude" else b"")
    ]
    assert left == []
    assert bench.read("a.txt") == content
    bench.git("fsck", "--strict")


def test_gc_and_repack_lose_nothing(bench: Workbench) -> None:
    """`git gc --prune=now`, `repack -ad` and expired reflogs: every save and series is still there."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("commit", "-m", "two")
    bench.run("patch", "new", "q")
    bench.edit("a.txt", "line 9\n", "line nine\n")
    bench.git("commit", "-qam", "nine")
    for n in range(20):
        bench.write("notes.txt", f"note {n}\n")
        bench.status()
    before = bench.json("history", "-n", "100")
    bench.checkpoint()
    bench.git("reflog", "expire", "--expire=now", "--all")
    bench.git("gc", "-q", "--prune=now")
    bench.git("repack", "-adq")
    bench.stop()
    assert bench.json("history", "-n", "100") == before
    bench.run("restore", "notes.txt", "--at", str(before["steps"][10]["number"]))
    bench.judge()


def test_two_repositories_share_nothing(bench: Workbench, tmp_path: Path) -> None:
    """Two repositories at once: two daemons, two sockets; a save in one is no step in the other."""
    subprocess.run(["git", "clone", "-q", bench.root, tmp_path / "twin"], check=True)
    twin = Workbench(tmp_path / "twin")
    try:
        bench.run("start", "one")
        twin.run("start", "two")
        first, second = bench.daemon(), twin.daemon()
        assert first["pid"] != second["pid"] and first["socket"] != second["socket"]
        bench.write("a.txt", "in one\n")
        assert bench.status()["session"]["step"] == 2
        assert twin.status()["session"]["step"] == 1
        bench.kill("pid")
        twin.write("a.txt", "in two\n")
        assert twin.status()["session"]["step"] == 2
    finally:
        twin.stop()


UNRECORDED = [".env", "keys/id_rsa", "dist/out.bin", "clone/.git/HEAD", "clone/mine.txt", "big", "src/b.txt"]


def test_no_worktree_goes_with_a_file_that_nobody_recorded(bench: Workbench) -> None:
    """`close --remove` refuses for what git ignores and for what we leave out; the session stays open."""
    bench.write(".gitignore", "dist/\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "ignore")
    bench.git("config", "gitsession.maxFileSize", "1k")
    side = bench.root.parent / "side"
    bench.run("start", "s", "--worktree", str(side))
    there = bench.at(side)
    there.edit("a.txt", "line 2\n", "line two\n")
    for path in UNRECORDED:
        if path.startswith("clone"):
            bench.git("clone", "-q", str(bench.root), str(side / "clone"))
        there.write(path, "x" * 2000)
        refused = there.run("close", "--remove", "--yes", code=4)
        assert "recorded nowhere" in refused.err and path.split("/")[0] in refused.err, path
        assert (side / path).read_text() == "x" * 2000
        assert there.status()["session"]["status"] == "open"
        if path.startswith("clone"):
            shutil.rmtree(side / "clone")
        else:
            (side / path).unlink()


def test_a_worktree_all_of_which_is_recorded_goes(bench: Workbench) -> None:
    """Also what was saved last, and a link to a directory; it can all be brought back."""
    side = bench.root.parent / "side"
    bench.run("start", "s", "--worktree", str(side))
    there = bench.at(side)
    (side / "link").symlink_to("src")
    there.write("last.txt", "last\n")
    bench.run("close", "--remove", "--yes", "-s", "s")
    assert not side.exists()
    steps = bench.json("history", "-s", "s")["steps"]
    assert {"last.txt", "link"} <= {one["path"] for step in steps for one in step["paths"]}


def test_a_start_that_cannot_move_head_leaves_nothing(bench: Workbench) -> None:
    """A held HEAD: the start fails whole, and the same name can be started afterwards, once."""
    (bench.root / ".git/HEAD.lock").touch()
    bench.run("start", "s", code=15)
    assert bench.git("branch", "--list").out.split() == ["*", "main"]
    (bench.root / ".git/HEAD.lock").unlink()
    assert bench.json("list")["sessions"] == []
    bench.run("start", "s")
    bench.stop()
    assert [one["branch"] for one in bench.json("list")["sessions"]] == ["session/s"]
