"""Publishing a patch for review, and pushing the target: with a bare remote, a second person, and what goes wrong."""

from __future__ import annotations

import base64
import os
import pty
import shlex
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bench import SCRIPT, Workbench, wait_for
from tests.faces.schemas import SCHEMAS


class Team:
    """A bare remote, one person with sessions, and one with a plain clone."""

    def __init__(self, bench: Workbench, tmp: Path) -> None:
        self.ann, self.remote = bench, tmp / "hub.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(bench.root), str(self.remote)], check=True)
        bench.git("remote", "add", "origin", str(self.remote))
        bench.git("fetch", "-q", "origin")
        bench.git("branch", "-q", "-u", "origin/main", "main")
        subprocess.run(["git", "clone", "-q", str(self.remote), str(tmp / "bob")], check=True, capture_output=True)
        self.bob = Workbench(tmp / "bob")

    def hub(self, *args: str, check: bool = True) -> str:
        """What the remote has."""
        done = subprocess.run(["git", "--git-dir", str(self.remote), *args], capture_output=True, text=True)
        assert not check or done.returncode == 0, done
        return done.stdout.strip()

    def heads(self) -> dict[str, str]:
        """Every branch of the remote."""
        lines = self.hub("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return dict(line.split(" ") for line in lines)

    def hook(self, name: str, text: str) -> Path:
        """A hook of the remote."""
        path = self.remote / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def bob_pushes(self, branch: str, path: str, text: str, start: str | None = None) -> str:
        """A commit of the other person's on a branch of the remote."""
        self.bob.git("fetch", "-q", "origin")
        self.bob.git("checkout", "-q", "-B", branch, start or f"origin/{branch}")
        self.bob.write(path, text)
        self.bob.git("add", "-A")
        self.bob.git("commit", "-q", "-m", f"bob on {branch}")
        self.bob.git("push", "-q", "origin", branch)
        return self.bob.git("rev-parse", "HEAD").out.strip()

    def state(self) -> tuple[Any, ...]:
        """All that a command that fails must leave as it was."""
        known = published(self.ann)
        refs = self.ann.git("for-each-ref", "refs/heads", "refs/remotes", "refs/gitsession/patches").out
        return refs, self.heads(), self.ann.git("status", "--porcelain").out, known


def published(bench: Workbench) -> dict[str, Any]:
    """What is remembered of each patch."""
    return {patch["name"]: patch["published"] for patch in bench.status()["patches"]}


@pytest.fixture
def team(bench: Workbench, tmp_path: Path) -> Team:
    """Ann has a session with a patch that is committed."""
    made = Team(bench, tmp_path)
    bench.run("start", "x", "--here")
    bench.run("patch", "new", "fix")
    bench.edit("a.txt", "line 2", "LINE 2")
    bench.run("commit", "-m", "fix two")
    return made


def test_publish_review_publish_again(team: Team) -> None:
    """New, unchanged, changed: the branch is the patch's series, and each time the words say what happened."""
    ann = team.ann
    assert ann.run("publish", "fix").out == "Published fix to origin as fix: 1 commit, new.\n"
    assert team.heads()["fix"] == ann.patch("fix")["tip"]
    assert ann.run("publish", "fix").out == "Nothing to publish: origin has all of fix as fix.\n"
    ann.edit("a.txt", "LINE 2", "Line two")
    ann.git("commit", "-q", "-a", "--amend", "-m", "fix two, as reviewed")
    reply = ann.json("publish", "fix")
    SCHEMAS["publish"].model_validate(reply)
    assert [row["outcome"] for row in reply["branches"]] == ["replaced"]
    assert (
        team.heads()["fix"] == ann.patch("fix")["tip"]
        and team.hub("log", "-1", "--format=%s", "fix") == "fix two, as reviewed"
    )
    (known,) = published(ann)["fix"]
    assert (known["remote"], known["branch"], known["commit"], known["current"]) == (
        "origin",
        "fix",
        team.heads()["fix"],
        True,
    )
    ann.judge(full=False)


@pytest.mark.soak
def test_a_commit_that_was_published_comes_back_as_ours(team: Team) -> None:
    """Reset away and back: that the remote has it too makes it nobody else's; what others put on top is theirs."""
    ann = team.ann
    ann.run("publish", "fix")
    ann.git("reset", "-q", "--hard", "HEAD~1")
    assert ann.patch("fix")["commits"] == 0
    ann.git("reset", "-q", "--hard", "ORIG_HEAD")
    assert ann.patch("fix")["commits"] == 1 and ann.status()["unassigned"] == []
    team.bob_pushes("fix", "bob.txt", "bob\n")
    ann.git("pull", "-q", "--ff-only", "origin", "fix")
    (row,) = ann.status()["unassigned"]
    assert (row["path"], row["code"]) == ("bob.txt", "foreign")
    ann.judge(full=False)


@pytest.mark.soak
def test_a_stack_goes_dependencies_first(team: Team) -> None:
    """q stands on fix: both have their branch, q's has fix's commits below its own; both follow when fix is amended."""
    ann = team.ann
    ann.run("patch", "new", "Better: words")
    ann.run("patch", "use", "Better: words", "--strict")
    ann.edit("a.txt", "LINE 2", "LINE TWO")
    ann.run("commit", "-m", "words")
    out = ann.run("publish", "Better: words").out
    assert out == (
        "Published fix to origin as fix: 1 commit, new.\n"
        "Published Better: words to origin as Better-words: 1 commit, new.\n"
    )
    heads = team.heads()
    assert team.hub("rev-parse", "Better-words~1") == heads["fix"]
    ann.git("rebase", "-q", "-x", "git commit --amend --no-edit --reset-author -m again", "main")
    out = ann.run("publish", "Better: words").out
    assert out.count("in place of") == 2, out
    assert team.hub("rev-parse", "Better-words~1") == team.heads()["fix"] == ann.patch("fix")["tip"]
    assert ann.run("publish", "fix").out.startswith("Nothing to publish: ")
    hook = team.hook("update", '[ "$1" != refs/heads/fix ] || { echo no fix today; exit 1; }')
    ann.git("rebase", "-q", "-x", "git commit --amend --no-edit --reset-author -m 3rd", "main")
    before = team.state()
    assert "no fix today" in ann.run("publish", "Better: words", code=4).err
    assert team.state() == before, "all or none"
    hook.unlink()
    ann.run("publish", "Better: words")
    ann.judge(full=False)


@pytest.mark.soak
def test_what_others_pushed_is_never_replaced_unasked(team: Team) -> None:
    """Exit 12 with both commits named; --replace takes exactly the one that was looked at."""
    ann = team.ann
    ann.run("publish", "fix")
    bobs = team.bob_pushes("fix", "bob.txt", "review\n")
    ann.git("commit", "-q", "--amend", "-m", "fix two, again")
    before = team.state()
    told = ann.run("publish", "fix", code=12).err
    assert told.count("error:") == 1 and bobs[:7] in told and f"--replace {bobs[:12]}" in told
    ann.git("fetch", "-q", "origin")  # as editors do: the lease is not the remote-tracking branch
    assert ann.run("publish", "fix", code=12).err == told
    ann.run("publish", "fix", "--replace", "1234567", code=12)
    assert team.state()[1:] == before[1:] and team.heads()["fix"] == bobs
    newer = team.bob_pushes("fix", "bob.txt", "review, part two\n")
    ann.run("publish", "fix", "--replace", bobs, code=12)
    ann.git("fetch", "-q", "origin", "fix")
    ann.git("cherry-pick", f"{bobs}~1..FETCH_HEAD")  # as the hint says: what is wanted of it is ours now
    assert "in place of" in ann.run("publish", "fix", "--replace", newer[:9]).out
    assert team.hub("show", "fix:bob.txt") == "review, part two" and team.hub("rev-list", "--count", "fix") == "4"
    assert team.heads()["fix"] == ann.patch("fix")["tip"]
    team.hub("update-ref", "-d", "refs/heads/fix")
    assert ann.run("publish", "fix").out == "Published fix to origin as fix: 3 commits, new.\n"


@pytest.mark.soak
def test_a_branch_that_is_there_is_not_taken(team: Team) -> None:
    """Somebody's branch of that name, the target, and no name at all are refused; --branch is remembered."""
    ann = team.ann
    team.bob_pushes("fix", "bob.txt", "bob's fix\n", "origin/main")
    before = team.state()
    told = ann.run("publish", "fix", code=4).err
    assert "has a branch fix already" in told and "--branch OTHER" in told
    assert "what patches merge into" in ann.run("publish", "fix", "--branch", "main", code=4).err
    ann.run("publish", "fix", "--branch", "no..name", code=2)
    ann.run("publish", "fix", "--remote", "nowhere", code=10)
    ann.run("publish", "nobody", code=10)
    ann.run("patch", "new", "empty")
    assert "git session commit --patch empty" in ann.run("publish", "empty", code=4).err
    assert team.state()[:3] == before[:3] and published(ann) == {"fix": [], "empty": []}
    assert ann.run("publish", "fix", "--branch", "ann/fix").out.startswith("Published fix to origin as ann/fix: ")
    ann.edit("a.txt", "LINE 2", "LINE II")
    ann.run("commit", "-m", "II", "--patch", "fix")
    assert ann.run("publish", "fix").out == "Published fix to origin as ann/fix: 2 commits.\n"
    assert "published to origin/ann/fix)" in ann.run("status").out
    ann.edit("a.txt", "LINE II", "LINE 2")
    told = ann.run("publish", "fix").err
    assert "uncommitted edits of fix are not published" in told


@pytest.mark.soak
def test_hooks_answer_and_refuse(team: Team) -> None:
    """Addresses of the remote are shown, remembered and in --json; a refusal of either side is one error, nothing moved."""
    ann, before = team.ann, team.state()
    hook = team.hook("pre-receive", "echo policy: say why, see https://hub.example/rules.; exit 1")
    told = ann.run("publish", "fix", code=4).err
    assert told.count("error:") == 1 and "origin refused fix: pre-receive hook declined\n" in told
    assert told.count("policy: say why") == 1
    error = ann.json("publish", "fix", code=4)["error"]
    assert error["code"] == "refused" and "https://hub.example/rules" in error["message"] and error["hint"]
    assert team.state() == before
    hook.unlink()
    mine = ann.root / ".git" / "hooks" / "pre-push"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("#!/bin/sh\ncat\necho error: tests are red >&2\necho 2 of 3 >&2\nexit 1\n")
    mine.chmod(0o755)
    told = ann.run("publish", "fix", code=4).err
    assert (
        "the pre-push hook refused fix\n" in told and "error: tests are red\n2 of 3\n" in told and "--no-verify" in told
    )
    assert "tests are red / 2 of 3" in ann.json("publish", "fix", code=4)["error"]["message"]
    assert team.state() == before
    team.hook("post-receive", "echo; echo Create a pull request:; echo '  https://hub.example/new/fix'; echo")
    out = ann.run("publish", "fix", "--no-verify")
    assert out.out.endswith("new.\nhttps://hub.example/new/fix\n") and "Create a pull request" in out.err
    assert ann.json("publish", "fix", "--no-verify")["urls"] == ["https://hub.example/new/fix"]
    assert published(ann)["fix"][0]["url"] == "https://hub.example/new/fix"
    team.hook("pre-receive", "echo main is protected; exit 1")
    ann.run("merge", "fix", "--ready")
    told = ann.run("push", "--no-verify", code=4).err
    assert told.count("error:") == 1 and "origin refused main: pre-receive hook declined\n" in told
    assert told.count("main is protected") == 1


@pytest.mark.soak
def test_a_remote_that_cannot_be_reached(team: Team) -> None:
    """No remote, one that is gone, one that asks for a password: one error, the exit code, all as before."""
    ann = team.ann
    before = team.state()
    for url in ("https://127.0.0.1:1/x.git", "/nowhere/x.git", "ssh://-oProxyCommand=false/x"):
        ann.git("remote", "set-url", "origin", url)
        told = ann.run("publish", "fix", code=15, env={"GIT_SSH_COMMAND": "false"}).err
        assert told.count("error:") == 1 and "could not be pushed to origin" in told and "hint: " in told
        assert ann.run("push", code=15).err.count("error:") == 1
        assert ann.json("publish", "fix", code=15)["error"]["code"] == "store_failed"
    ann.git("remote", "set-url", "origin", str(team.remote))
    assert team.state() == before
    ann.git("remote", "remove", "origin")
    assert "this repository has no remote" in ann.run("publish", "fix", code=4).err
    assert "git remote add origin URL" in ann.run("push", code=4).err
    assert ann.run("publish", "fix", "--remote", str(team.remote)).out.endswith(" as fix: 1 commit, new.\n")


def begin(bench: Workbench, *args: str) -> subprocess.Popen[str]:
    """A command of ours in a process group of its own, as a shell starts it."""
    words = [SCRIPT, *args]
    return subprocess.Popen(
        words, cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


@pytest.mark.soak
def test_a_remote_that_hangs(team: Team, tmp_path: Path) -> None:
    """The daemon answers meanwhile, the next push is told whom it waits for, Ctrl-C leaves all as it was."""
    ann, before = team.ann, team.state()
    team.hook("pre-receive", f"echo $$ >> {tmp_path}/there; sleep 60")
    first = begin(ann, "publish", "fix")
    wait_for((tmp_path / "there").exists, why="for the remote to hang")
    assert ann.status()["session"]["name"] == "x"
    second = begin(ann, "push")
    assert second.stderr is not None
    assert second.stderr.readline() == f"waiting for git session publish fix (process {first.pid})\n"
    os.killpg(second.pid, signal.SIGINT)
    assert second.wait(60) == 130
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait(60) == 130
    assert "interrupted" in first.communicate()[1].splitlines()
    assert team.state() == before
    team.hook("pre-receive", "true")
    assert ann.run("publish", "fix").out.startswith("Published fix to origin as fix: ")


@pytest.mark.soak
def test_killed_between_push_and_record(team: Team, tmp_path: Path) -> None:
    """The remote has it, the record does not: changed or not, what is there counts as ours, and as nobody else's."""
    ann = team.ann
    team.hook("post-receive", f"while [ ! -s {tmp_path}/pid ]; do sleep 0.05; done; kill -9 $(cat {tmp_path}/pid)")
    for number in range(2):
        child = begin(ann, "publish", "fix")
        (tmp_path / "pid").write_text(f"{child.pid}\n")
        assert child.wait(60) == -signal.SIGKILL
        wait_for(lambda: team.heads().get("fix") == ann.patch("fix")["tip"])
        (tmp_path / "pid").unlink()
        assert len(published(ann)["fix"]) == number
        team.hook("post-receive", "true")
        ann.git("commit", "-q", "--amend", "-m", f"fix two, version {number}")
        assert "in place of" in ann.run("publish", "fix").out
        assert published(ann)["fix"][0]["commit"] == team.heads()["fix"] == ann.patch("fix")["tip"]
        ann.git("commit", "-q", "--amend", "-m", f"fix two, version {number} b")
        kill = f"while [ ! -s {tmp_path}/pid ]; do sleep 0.05; done; kill -9 $(cat {tmp_path}/pid)"
        team.hook("post-receive", kill)


@pytest.mark.soak
def test_two_publish_at_once(team: Team) -> None:
    """One after the other: both end well, the second has nothing to do."""
    children = [begin(team.ann, "publish", "fix") for _ in range(3)]
    outs = sorted(child.communicate(timeout=60)[0] for child in children)
    assert [child.returncode for child in children] == [0, 0, 0]
    assert [out.partition(" ")[0] for out in outs] == ["Nothing", "Nothing", "Published"], outs


@pytest.mark.soak
def test_only_the_patch_is_published_where_main_is_not_pushed(team: Team) -> None:
    """The session stands on a landing that only this repository has: the branch has the patch's commit alone."""
    ann, side = team.ann, team.ann.at(team.ann.root.parent / "side")
    ann.git("worktree", "add", "-q", str(side.root), "main")
    side.edit("a.txt", "line 9", "not pushed")
    side.git("commit", "-qam", "at home")
    ann.git("rebase", "-q", "main")
    ann.run("patch", "new", "apart")
    ann.edit("src/b.txt", "b 3", "B 3")
    ann.run("commit", "-m", "apart")
    ann.run("patch", "new", "above")
    ann.edit("a.txt", "not pushed", "not pushed, and more")
    ann.run("commit", "-m", "above")
    assert "main is 1 ahead of origin/main" in ann.run("status").out
    shown = ann.run("publish", "apart")
    assert shown.out == "Published apart to origin as apart: 1 commit, new.\n" and "put on origin/main at" in shown.err
    assert team.hub("rev-parse", "apart~1") == team.heads()["main"]
    assert team.hub("diff", "--name-only", "main", "apart") == "src/b.txt"
    assert ann.run("publish", "apart").out.startswith("Nothing to publish: ")
    told = ann.run("publish", "above", code=4).err
    assert "changes lines of main that origin/main does not have, in a.txt" in told and "git session push" in told
    ann.run("push")
    ann.run("publish", "above")
    assert team.hub("rev-parse", "above~1") == team.heads()["main"]


@pytest.mark.soak
def test_push_merges_what_the_remote_has(team: Team) -> None:
    """Pushed, nothing to push, behind, both went on, both changed the same: what each comes to, never forced."""
    ann = team.ann
    ann.run("merge", "fix", "--ready")
    reply = ann.json("push")
    SCHEMAS["push"].model_validate(reply)
    assert (reply["outcome"], reply["tries"]) == ("updated", 1) and team.heads()["main"] == reply["commit"]
    assert ann.run("push").out == "Nothing to push: origin/main has all of main.\n"
    bobs = team.bob_pushes("main", "bob.txt", "bob\n")
    shown = ann.run("push")
    assert (shown.out, shown.err) == (
        "Nothing to push: main is 1 commit behind origin/main.\n",
        "hint: git fetch origin main:main\nhint: git session update\n",
    )  # fmt: skip
    assert "main is 1 behind origin/main" in ann.run("status").out
    side = ann.root.parent / "side"
    ann.git("worktree", "add", "-q", str(side), "main")
    ann.run("patch", "new", "more")
    ann.edit("src/b.txt", "b 3", "B 3")
    ann.run("merge", "more", "--ready")
    for key, value in (("pull.ff", "only"), ("pull.rebase", "true")):
        ann.git("config", key, value)
        told = ann.run("push", code=4).err
        (hint,) = [line.removeprefix("hint: ") for line in told.splitlines() if line.startswith("hint: ")]
        assert key in told and hint.startswith(f"git -C {side} pull ")
        before = ann.git("rev-parse", "main").out.strip()
        subprocess.run([*shlex.split(hint), "-q"], cwd=ann.root, check=True)
        assert ann.git("merge-base", "--is-ancestor", bobs, "main", check=False).code == 0
        ann.at(side).git("checkout", "-q", "-B", "main", before)
        ann.git("config", "--unset", key)
    lines = ann.run("push").out.splitlines()
    assert lines[0].startswith("Merged origin/main into main as ") and lines[1].startswith("Pushed main to origin/main")
    assert team.hub("rev-parse", "main^2") == bobs and (side / "bob.txt").read_text() == "bob\n"
    assert ann.at(side).git("status", "--porcelain").out == ""
    ann.run("patch", "new", "clash")
    ann.edit("src/b.txt", "b 5", "B 5")
    ann.run("merge", "clash", "--ready")
    team.bob_pushes("main", "src/b.txt", "bob's\n")
    before = team.state()
    told = ann.run("push", code=3).err
    assert "main and origin/main clash in src/b.txt; nothing was pushed" in told and f"git -C {side} pull" in told
    assert team.state()[1:] == before[1:] and not ann.git("for-each-ref", "refs/gitsession/held").out
    assert "reset: moving" not in ann.git("reflog", "main").out


@pytest.mark.soak
def test_five_push_at_once(team: Team, tmp_path: Path) -> None:
    """Five clones with a patch each, landed at home: all get in, merged, none forced."""
    clones = []
    for number in range(5):
        where = tmp_path / f"clone{number}"
        subprocess.run(["git", "clone", "-q", str(team.remote), str(where)], check=True)
        one = Workbench(where)
        clones.append(one)
        one.run("start", "x", "--here")
        one.run("patch", "new", f"p{number}")
        one.write(f"new{number}.txt", f"{number}\n")
        one.run("merge", f"p{number}", "--ready")
    try:
        children = [begin(one, "push") for one in clones]
        told = [child.communicate(timeout=120) for child in children]
        again = [one for one, child in zip(clones, children, strict=True) if child.returncode == 12]
        assert {child.returncode for child in children} <= {0, 12}, told
        for one in again:  # three tries, and others were faster each time
            one.run("push")
        names = team.hub("ls-tree", "--name-only", "main").splitlines()
        assert {f"new{number}.txt" for number in range(5)} <= set(names)
        assert all(
            team.hub("merge-base", "--is-ancestor", one.git("rev-parse", "main").out.strip(), "main", check=False) == ""
            for one in clones
        )
    finally:
        for one in clones:
            one.stop()


@pytest.mark.soak
def test_a_week_of_two_people(team: Team) -> None:
    """Published, reviewed, published again, squash-merged by the other, taken in by update; the dependent goes on.

    No file differs at any moment from what the two wrote.
    """
    ann, bob = team.ann, team.bob
    ann.run("patch", "new", "on-top")
    ann.run("patch", "use", "on-top", "--strict")
    ann.edit("a.txt", "LINE 2", "LINE 2 and a half")
    ann.run("commit", "-m", "on top")
    ann.edit("src/b.txt", "b 9", "not committed")
    wrote = {path: ann.read(path) for path in ("a.txt", "src/b.txt", "README")}

    def as_written() -> None:
        assert {path: ann.read(path) for path in wrote} == wrote

    ann.run("publish", "on-top")
    as_written()
    bob.git("fetch", "-q", "origin")
    review = bob.git("diff", "origin/main...origin/fix").out
    assert "+LINE 2\n" in review and "a half" not in review
    ann.run("patch", "use", "fix", "--strict")
    ann.edit("README", "shop\n", "shop\nfixed two\n")
    wrote["README"] = ann.read("README")
    ann.run("commit", "-m", "as asked for", "--patch", "fix")
    ann.run("publish", "on-top")
    as_written()
    bob.git("fetch", "-q", "origin")
    bob.git("checkout", "-q", "main")
    bob.write("bob.txt", "bob\n")
    bob.git("add", "-A")
    bob.git("commit", "-q", "-m", "bob's own")
    bob.git("merge", "-q", "--squash", "origin/fix")
    bob.git("commit", "-q", "-m", "fix (#1)")
    bob.git("push", "-q", "origin", "main")
    ann.git("fetch", "-q", "origin", "main:main")
    as_written()
    reply = ann.json("update")
    assert [one["name"] for one in reply["merged"]] == ["fix"] or ann.patch("fix")["status"] == "merged"
    wrote["bob.txt"] = "bob\n"
    as_written()
    assert "is merged into main" in ann.run("publish", "fix", code=4).err
    out = ann.run("publish", "on-top").out
    assert "Published on-top to origin as on-top: 1 commit, in place of" in out and "fix" not in out
    assert team.hub("rev-parse", "on-top~1") == team.heads()["main"]
    bob.git("fetch", "-q", "origin")
    bob.git("merge", "-q", "--ff-only", "origin/on-top")
    bob.git("push", "-q", "origin", "main")
    ann.git("fetch", "-q", "origin", "main:main")
    assert ann.patch("on-top")["status"] == "merged"
    as_written()
    assert bob.read("a.txt") == wrote["a.txt"] and bob.read("README") == wrote["README"]
    ann.judge(full=False)


@pytest.mark.soak
def test_from_wherever_one_stands(team: Team) -> None:
    """By -s from another worktree, parked, without a daemon, by url.insteadOf, from within a hook that must not wait."""
    ann, side = team.ann, team.ann.at(team.ann.root.parent / "side")
    ann.git("remote", "set-url", "origin", "hub:hub.git")
    ann.git("config", f"url.{team.remote.parent}/.insteadOf", "hub:")
    ann.git("worktree", "add", "-q", str(side.root), "main")
    assert "no session" in side.run("publish", "fix", code=10).err
    assert side.run("publish", "fix", "-s", "x").out == "Published fix to origin as fix: 1 commit, new.\n"
    ann.git("commit", "-q", "--amend", "-m", "two, with care")
    assert "git session publish fix" in ann.run("status").out
    ann.git("switch", "-q", "-c", "elsewhere")
    assert "in place of" in ann.run("publish", "fix").out
    ann.git("switch", "-q", "session/x")
    ann.git("commit", "-q", "--amend", "-m", "two, with more care")
    ann.stop()
    assert "in place of" in ann.run("publish", "fix", env={"GITSESSION_DAEMON": "never"}).out
    hook = ann.root / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\ncat >/dev/null\ngit session status >/dev/null || exit 1\ngit session push; test $? = 11\n"
    )
    hook.chmod(0o755)
    ann.git("commit", "-q", "--amend", "-m", "two, hooked")
    assert "in place of" in ann.run("publish", "fix").out


class Guarded(BaseHTTPRequestHandler):
    """A server that wants a name and a password, and is never content."""

    told: list[str] = []

    def do_GET(self) -> None:
        self.told.append(self.headers.get("Authorization", ""))
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="hub"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.soak
def test_a_password_is_asked_for_at_the_terminal(team: Team) -> None:
    """git's prompt is the person's, not the daemon's; with --json nobody is asked, and the error says why."""
    ann, before = team.ann, team.state()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ann.git("remote", "set-url", "origin", f"http://127.0.0.1:{server.server_port}/x.git")
    asked_too = {"GIT_TERMINAL_PROMPT": "1"}
    try:
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(ann.root)
            os.execvpe(SCRIPT, [SCRIPT, "publish", "fix"], {**os.environ, **asked_too})
        shown = b""
        for prompt, answer in ((b"Username for", b"ann\n"), (b"Password for", b"secret\n"), (b"hint: ", b"")):
            while prompt not in shown:
                shown += os.read(terminal, 4096)
            os.write(terminal, answer)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 15, shown
        assert shown.count(b"error:") == 1 and b"Authentication failed" in shown and b"secret" not in shown
        assert base64.b64encode(b"ann:secret").decode() in Guarded.told[-1]
        error = ann.json("publish", "fix", code=15)["error"]
        assert "terminal prompts disabled" in error["message"]
    finally:
        server.shutdown()
    ann.git("remote", "set-url", "origin", str(team.remote))
    assert team.state() == before
