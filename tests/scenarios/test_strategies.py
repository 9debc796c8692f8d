"""Landing by rebase and squash, signed and with hooks, and taking a landing back: what git itself would have made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench import Workbench


def clone_of(bench: Workbench) -> Workbench:
    """A scratch clone in which git alone works, with the patches' series."""
    where = bench.root.parent / "scratch"
    subprocess.run(["git", "clone", "-q", str(bench.root), str(where)], check=True, capture_output=True)
    made = Workbench(where)
    made.git("fetch", "-q", "origin", "+refs/gitsession/patches/*:refs/patches/*")
    made.git("checkout", "-q", "-B", "main", "origin/main")
    return made


def two_patches(bench: Workbench) -> None:
    """A session beside main: p and q take turns in one file, p in three commits; main moves on in another."""
    bench.run("start", "x", "--here")
    for number, (patch, old, new) in enumerate(
        [("p", "line 2", "LINE 2"), ("q", "line 5", "LINE 5"), ("p", "line 8", "LINE 8"), ("p", "b 3", "B 3")]
    ):
        if number < 2:
            bench.run("patch", "new", patch)
        bench.run("patch", "use", patch)
        bench.edit("src/b.txt" if old == "b 3" else "a.txt", old, new)
        env = {"GIT_AUTHOR_NAME": f"Author {number}", "GIT_AUTHOR_DATE": f"2020-01-0{number + 1}T10:00:00+0200"}
        bench.run("commit", "-m", f"{patch} {number}\n\nWhy {number}.", env=env)
    side = bench.root.parent / "side"
    bench.git("worktree", "add", "-q", "--detach", str(side), "main")
    other = bench.at(side)
    other.write("README", "moved on\n")
    other.git("commit", "-qam", "upstream")
    other.git("push", "-q", ".", "HEAD:main")
    bench.git("worktree", "remove", "--force", str(side))


def told(bench: Workbench, span: str) -> list[str]:
    """Tree, author, date and words of each commit, newest first."""
    shown = bench.git("log", "--format=%T %an %ae %ad%n%B%x00", span)
    return [one.strip() for one in shown.out.split("\0") if one.strip()]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["p", "q"])
def test_rebase_is_what_git_rebase_makes(bench: Workbench, name: str) -> None:
    """The commits of the patch on top of the target, each with the tree, author, date and words git gives it."""
    two_patches(bench)
    old = bench.git("rev-parse", "main").out.strip()
    scratch = clone_of(bench)
    patch = bench.patch(name)
    scratch.git("checkout", "-q", "--detach", patch["tip"])
    scratch.git("rebase", "-q", "origin/main")
    reply = bench.json("merge", name, "--ready", "--strategy", "rebase")
    assert reply["merged"] and reply["strategy"] == "rebase" and reply["commits"] == (3 if name == "p" else 1)
    assert told(bench, f"{old}..main") == told(scratch, "origin/main..HEAD")
    assert bench.git("rev-list", "--merges", "--count", f"{old}..main").out.strip() == "0"
    shown = bench.run("patch", "show", name).out
    assert "(rebase)" in shown and bench.patch(name)["merge_strategy"] == "rebase"
    assert "rebase" in bench.git("reflog", "-1", "main").out
    bench.judge()


def test_squash_is_what_git_merge_squash_makes(bench: Workbench) -> None:
    """One commit on the target with the tree of `git merge --squash`, the patch's words, and whoever asked as author."""
    two_patches(bench)
    old = bench.git("rev-parse", "main").out.strip()
    scratch = clone_of(bench)
    scratch.git("merge", "-q", "--squash", bench.patch("p")["tip"])
    scratch.git("commit", "-q", "-m", "squashed")
    bench.git("config", "gitsession.merge", "squash")
    said = bench.run("merge", "p", "--ready").out
    assert "(squash)" in said
    assert bench.git("rev-parse", "main^{tree}").out == scratch.git("rev-parse", "HEAD^{tree}").out
    assert bench.git("rev-parse", "main^@").out.strip() == old
    words = bench.git("log", "-1", "--format=%B", "main").out
    assert words.startswith("p\n\n* p 0\n* p 2\n* p 3\n") and f"Patch-Id: {bench.patch('p')['id']}" in words
    assert "(squash)" in bench.run("patch", "show", "p").out
    assert "squash" in bench.run("status").out
    assert "squash" in bench.run("history").out
    bench.run("merge", "q", "--ready", "--strategy", "merge")
    assert bench.git("show", "main:a.txt").out == bench.read("a.txt")
    assert [p["status"] for p in bench.status()["patches"]] == ["merged", "merged"]
    bench.judge()


@pytest.mark.soak
def test_strategies_one_after_the_other_give_the_files(bench: Workbench) -> None:
    """A chain of patches, each on the one before it, landed by squash, merge and rebase: main is what the files are."""
    bench.run("start", "x", "--here")
    for name, old, new in [("one", "line 5", "FIVE"), ("two", "FIVE", "FIVE and\nmore"), ("three", "more", "MORE")]:
        bench.run("patch", "new", name)
        bench.run("patch", "use", name, "--strict")
        bench.edit("a.txt", old, new)
        bench.run("commit", "-m", name)
    refused = bench.run("merge", "two", "--ready", "--strategy", "squash", code=4)
    assert "depends on one" in refused.err
    for name, how in [("one", "squash"), ("two", "merge"), ("three", "rebase")]:
        assert bench.json("merge", name, "--ready", "--strategy", how)["merged"]
    assert bench.git("show", "main:a.txt").out == bench.read("a.txt")


def trailers_of(bench: Workbench, commit: str) -> list[str]:
    """The trailers of a commit's message, as git reads them."""
    words = bench.git("log", "-1", "--format=%B", commit).out
    return bench.git("interpret-trailers", "--parse", input=words.encode()).out.splitlines()


@pytest.mark.soak
def test_dependencies_are_trailers(bench: Workbench) -> None:
    """Found and declared ones: in what `commit` makes, in the series and its mails, in merge and squash commits."""
    bench.run("start", "x", "--here")
    for name, old, new in [("one", "line 5", "FIVE"), ("two", "FIVE", "FIVE and\nmore"), ("three", "b 3", "B 3")]:
        bench.run("patch", "new", name)
        bench.run("patch", "use", name, "--strict")
        bench.edit("src/b.txt" if name == "three" else "a.txt", old, new)
        if name == "three":
            bench.run("patch", "depend", name, "--on", "two")
            bench.run("patch", "depend", name, "--on", "one")
        bench.run("commit", "-m", f"{name}\n\nDepends-On: https://review.example/12")
    sid = bench.status()["session"]["id"]
    ids = {name: bench.patch(name)["id"] for name in ("one", "two", "three")}

    def ours(name: str, *needs: str) -> list[str]:
        told = [f"Session-Id: {sid}", f"Patch-Id: {ids[name]}"]
        return told + [f"Depends-On: {ids[need]}" for need in needs]

    theirs = "Depends-On: https://review.example/12"
    tip = bench.patch("three")["tip"]
    assert trailers_of(bench, "HEAD") == trailers_of(bench, tip) == [theirs, *ours("three", "one", "two")]
    assert trailers_of(bench, "HEAD~1") == [theirs, *ours("two", "one")]
    assert trailers_of(bench, "HEAD~2") == [theirs, *ours("one")]
    mails = bench.git("format-patch", "--stdout", f"main..{tip}").out
    other = bench.root.parent / "other"
    bench.git("worktree", "add", "-q", "--detach", str(other), "main")
    bench.at(other).git("am", "-q", input=mails.encode())
    applied = bench.at(other).git("log", "--format=%T %B", "main..HEAD").out
    assert applied == bench.git("log", "--format=%T %B", f"main..{tip}").out and theirs in applied
    bench.run("merge", "one", "--ready")
    assert trailers_of(bench, "main") == ours("one")
    bench.run("merge", "two", "--ready")
    assert trailers_of(bench, "main") == ours("two", "one")
    bench.run("merge", "three", "--ready", "--strategy", "squash")
    assert trailers_of(bench, "main") == [theirs, *ours("three", "one", "two")]


@pytest.mark.soak
def test_a_hook_that_refuses_leaves_everything(bench: Workbench) -> None:
    """pre-commit and commit-msg say no: one error with their words, nothing has moved; --no-verify skips both."""
    bench.run("start", "x", "--here")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2", "LINE 2")
    hooks = bench.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name, text in [
        ("pre-commit", "echo first; echo tests are red >&2; exit 1"),
        ("commit-msg", 'grep -q "^Ticket" "$1" || { echo no ticket named >&2; exit 1; }'),
    ]:
        (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
        (hooks / name).chmod(0o755)
    before = (bench.git("show-ref").out, bench.git("status", "--porcelain").out)
    red = bench.run("merge", "p", "--ready", "--strategy", "squash", code=4).err
    assert "no ticket named" in red and red.count("error:") == 1 and "--no-verify" in red
    (hooks / "commit-msg").unlink()
    red = bench.run("merge", "p", "--ready", "--strategy", "rebase", code=4).err
    assert "tests are red" in red and "first" in red and red.count("error:") == 1 and "--no-verify" in red
    assert (bench.git("show-ref").out, bench.git("status", "--porcelain").out) == before
    assert bench.patch("p")["status"] == "draft"
    assert bench.json("merge", "p", "--ready", "--strategy", "squash", "--no-verify")["merged"]
    refused = bench.run("revert", "nobody", code=10)
    assert "no patch" in refused.err


def signing(bench: Workbench, tmp_path: Path) -> None:
    """An ssh key that signs every commit, and git able to verify it."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "allowed").write_text("ann@example.org " + (tmp_path / "key.pub").read_text())
    for name, value in [
        ("gpg.format", "ssh"), ("user.signingKey", str(key)), ("commit.gpgSign", "true"),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "allowed")),
    ]:  # fmt: skip
        bench.git("config", name, value)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["merge", "rebase", "squash"])
def test_what_lands_is_signed_with_an_ssh_key(bench: Workbench, tmp_path: Path, how: str) -> None:
    """commit.gpgSign, gpg.format=ssh: every commit that lands is signed; without the key nothing moves."""
    bench.git("config", "user.email", "ann@example.org")
    two_patches(bench)
    signing(bench, tmp_path)
    old = bench.git("rev-parse", "main").out.strip()
    bench.git("config", "user.signingKey", str(tmp_path / "none"))
    before = bench.git("show-ref").out
    failed = bench.run("merge", "p", "--ready", "--strategy", how, code=15).err
    assert len(failed.splitlines()) == 2 and "signingKey" in failed and "none" in failed
    assert bench.git("show-ref").out == before and bench.patch("p")["status"] == "draft"
    bench.git("config", "user.signingKey", str(tmp_path / "key"))
    bench.run("merge", "p", "--ready", "--strategy", how)
    assert set(bench.git("log", "--first-parent", "--format=%G?", f"{old}..main").out.split()) == {"G"}
    bench.run("revert", "p")
    assert bench.git("log", "-1", "--format=%G?", "main").out.strip() == "G"


@pytest.mark.soak
@pytest.mark.parametrize("how", ["merge", "rebase", "squash"])
def test_a_landing_is_taken_back(bench: Workbench, how: str) -> None:
    """A revert commit on the target with the tree git's own revert gives; the patch is a draft with its edits again."""
    two_patches(bench)
    bench.run("merge", "q", "--ready")
    old = bench.git("rev-parse", "main").out.strip()
    tip = bench.patch("p")["tip"]
    bench.run("merge", "p", "--ready", "--strategy", how)
    scratch = clone_of(bench)
    landed = bench.patch("p")["merge_commit"]
    scratch.git("revert", "-n", *(["-m", "1", landed] if how == "merge" else [f"{old}..{landed}"]))
    scratch.git("commit", "-qm", "reverted")
    files = {name: bench.read(name) for name in ("a.txt", "src/b.txt")}
    reply = bench.json("revert", "p")
    assert reply["reverted"] and reply["commit"] == bench.git("rev-parse", "main").out.strip()
    assert bench.git("rev-parse", "main^{tree}").out == scratch.git("rev-parse", "HEAD^{tree}").out
    assert bench.git("rev-parse", "main^@").out.strip() == landed
    words = bench.git("log", "-1", "--format=%B", "main").out
    assert words.startswith("Revert patch 'p' of session 'x'\n\nThis reverts") and landed in words
    assert {name: bench.read(name) for name in files} == files
    patch = bench.patch("p")
    assert (patch["status"], patch["tip"], patch["merged_at"], patch["ops"]) == ("draft", tip, None, 2)
    assert "revert" in bench.git("reflog", "-1", "main").out and "revert" in bench.run("history").out
    bench.judge()
    bench.edit("a.txt", "LINE 8", "LINE EIGHT")
    for again in ("merge", "squash"):
        assert bench.json("merge", "p", "--ready", "--strategy", again)["files"] == 2
        assert bench.git("show", "main:a.txt").out == bench.read("a.txt")
        bench.run("revert", "p")
    bench.run("merge", "p", "--ready", "--strategy", "rebase")
    assert bench.git("show", "main:a.txt").out == bench.read("a.txt")


@pytest.mark.soak
def test_a_revert_that_cannot_be_is_refused(bench: Workbench) -> None:
    """Not merged; a merged patch builds on it; what it changed was changed again: plain errors, nothing moves."""
    bench.run("start", "x", "--here")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2", "LINE 2")
    refused = bench.run("revert", "p", code=4)
    assert "draft" in refused.err
    bench.run("merge", "p", "--ready", "--strategy", "squash")
    bench.run("patch", "new", "q")
    bench.run("patch", "use", "q", "--strict")
    bench.edit("a.txt", "LINE 2", "LINE TWO")
    bench.run("merge", "q", "--ready", "--strategy", "squash")
    refused = bench.run("revert", "p", code=4)
    assert "q" in refused.err and "git session revert q" in refused.err
    bench.run("revert", "q")
    side = bench.root.parent / "side"
    bench.git("worktree", "add", "-q", str(side), "main")
    other = bench.at(side)
    other.edit("a.txt", "LINE 2", "line two")
    other.git("commit", "-qam", "by hand")
    at = bench.git("rev-parse", "main").out
    clash = bench.run("revert", "p", code=3)
    assert "a.txt" in clash.out and "git session revert p --abort" in clash.err
    assert bench.git("rev-parse", "main").out == at and other.git("status", "--porcelain").out == ""
    assert bench.patch("p")["status"] == "merged"
