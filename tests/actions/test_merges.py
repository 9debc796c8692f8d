"""Merging one patch: it lands alone, or nothing of the user's moves and it is said why."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions import landings, merges
from gitsessiond.actions.context import Who
from gitsessiond.model.errors import BadRequest, Moved, Refused
from gitsessiond.store import authoring
from gitsessiond.store import merge as store_merge
from gitsessiond.store.git import run_git
from gitsessiond.store.intents import read_intents
from tests.actions.asking import LINES, Asking, it
from tests.conftest import git

__all__ = ["it"]


def test_a_patch_lands_alone(it: Asking) -> None:
    """One of two patches in one file is on the target; the files here, and the other patch, are as before."""
    it.patch("one", "a.txt", "line 2", "LINE 2", description="Shout the second")
    it.patch("two", "a.txt", "line 8", "LINE 8")
    old, before = it.rev("main"), it.files()
    reply = it.merge("one")
    assert reply["merged"] and reply["files"] == 1 and reply["target"] == "main"
    assert it.on_target("a.txt") == LINES.replace("line 2", "LINE 2")
    assert it.rev("main") == reply["commit"] and it.rev("main^1") == old
    after = it.files()
    assert {name: after[name] for name in after if name != "refs"} == {
        name: before[name] for name in before if name != "refs"
    }
    assert it.status_of("one") == "merged" and it.status_of("two") == "draft"
    assert it.merge("two")["merged"]
    assert it.on_target("a.txt") == (it.root / "a.txt").read_text()


def test_the_merge_commit_says_what_it_is(it: Asking) -> None:
    """Subject, description, trailers; the person who asked is author and committer; second parent is the series."""
    it.patch("one", "a.txt", "line 2", "LINE 2", description="Why:\nbecause.")
    it.env = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@example.org"}
    patch = it.merge("one")["patch"]
    message = it.git("log", "-1", "--format=%B", "main")
    session = it.ask("session.status")["session"]["id"]
    assert message.rstrip() == (
        f"Merge patch 'one' of session 'x'\n\nWhy:\nbecause.\n\nSession-Id: {session}\nPatch-Id: {patch['id']}"
    )
    assert it.git("log", "-1", "--format=%an %ae %cn", "main").strip() == "Eve eve@example.org Ann"
    assert it.rev("main^2") == patch["tip"] and patch["merge_commit"] == it.rev("main")


def test_a_draft_is_not_merged(it: Asking) -> None:
    """It must be ready, or declared so with the merge."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    with pytest.raises(Refused, match="draft") as refused:
        it.ask("merge", patch="one")
    assert refused.value.hint == "git session merge one --ready"
    it.ask("patch.ready", patch="one")
    assert it.ask("merge", patch="one")["merged"]


def test_an_unmerged_dependency_refuses(it: Asking) -> None:
    """The dependency is named with the command that merges it, and nothing is merged along."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.patch("two", "a.txt", "line 8", "LINE 8", depends_on=["one"])
    with pytest.raises(Refused, match="depends on one") as refused:
        it.merge("two")
    assert refused.value.hint == "git session merge one --ready"
    it.merge("one")
    assert it.merge("two")["merged"]


@pytest.mark.parametrize("again", ["merged", "abandoned"])
def test_what_has_ended_is_not_merged(it: Asking, again: str) -> None:
    """A merged patch is not merged twice, an abandoned one not at all."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    if again == "merged":
        it.merge("one")
    else:
        it.ask("patch.abandon", patch="one")
    with pytest.raises(Refused, match=again):
        it.merge("one")


def test_an_empty_patch_has_nothing_to_merge(it: Asking) -> None:
    """Neither without edits nor with edits that were taken back."""
    it.ask("patch.new", name="one")
    with pytest.raises(Refused, match="nothing to merge"):
        it.merge("one")
    it.edit("a.txt", "line 2", "LINE 2")
    it.ask("commit", message="there")
    it.edit("a.txt", "LINE 2", "line 2")
    it.ask("commit", message="and back")
    with pytest.raises(Refused, match="nothing to merge"):
        it.merge("one")


def test_a_dry_run_changes_nothing(it: Asking) -> None:
    """No commit, no step, no branch moves; uncommitted edits are counted in."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    before, step = it.files(), it.ask("session.status")["session"]["step"]
    reply = it.ask("merge", patch="one", dry_run=True)
    assert (reply["merged"], reply["dry_run"], reply["files"], reply["conflicts"]) == (False, True, 1, [])
    it.move_target("a.txt", LINES.replace("line 2", "two"))
    (conflict,) = it.ask("merge", patch="one", dry_run=True)["conflicts"]
    assert conflict["path"] == "a.txt" and it.ask("conflicts")["conflicts"] == []
    assert it.ask("session.status")["session"]["step"] == step
    assert it.files()["a.txt"] == before["a.txt"] and it.rev("HEAD") == it.rev("main~1")


def test_the_target_must_exist_and_have_the_base(it: Asking) -> None:
    """Refused with the command that helps: a missing branch, or commits that a merge would drag in."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.ask("patch.ready", patch="one")
    base = it.rev("main")
    it.git("branch", "-D", "main")
    with pytest.raises(Refused, match="does not exist") as refused:
        it.merge("one")
    assert refused.value.hint == f"git branch main {base[:12]}"
    other = it.git("commit-tree", "-m", "other", f"{base}^{{tree}}").strip()
    it.git("branch", "main", other)
    with pytest.raises(Refused, match="no commit in common") as refused:
        it.merge("one")
    assert refused.value.hint and "branch -f" not in refused.value.hint


def test_a_rewritten_target_is_not_moved_back(it: Asking) -> None:
    """The target was amended, or reset: proposed is what keeps its commits, and that goes through."""
    it.move_target("README", "as it was\n")
    assert it.ask("session.update")["updated"]
    it.patch("one", "a.txt", "line 2", "LINE 2")
    base, before = it.rev("main"), it.rev("main~1")
    it.git("branch", "-f", "main", before)
    with pytest.raises(Refused, match="does not have") as refused:
        it.merge("one")
    assert refused.value.hint == f"git branch -f main {base[:12]}", "nothing is lost by that"
    it.move_target("README", "amended\n")
    with pytest.raises(Refused, match="does not have") as refused:
        it.merge("one")
    assert refused.value.hint == "git session update"
    assert it.ask("session.update")["updated"]
    assert it.merge("one")["merged"]
    assert it.on_target("README") == "amended\n" and "LINE 2" in it.on_target("a.txt")


@pytest.mark.parametrize(("moves", "lands"), [(1, True), (2, True), (3, False)])
def test_a_target_that_moves_meanwhile_is_planned_for_again(
    it: Asking, monkeypatch: pytest.MonkeyPatch, moves: int, lands: bool
) -> None:
    """Three tries, each on the target as it is then; after that exit 12, and nothing has moved but the target."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    left = [moves]
    land = landings.land

    def overtaken(*args: Any) -> str:
        if left[0]:
            left[0] -= 1
            it.move_target("README", f"moved {left[0]}\n")
        return land(*args)

    monkeypatch.setattr(landings, "land", overtaken)
    if lands:
        assert it.merge("one")["merged"]
        assert it.on_target("README") == "moved 0\n" and "LINE 2" in it.on_target("a.txt")
    else:
        with pytest.raises(Moved):
            it.merge("one")
        assert "LINE 2" not in it.on_target("a.txt") and it.status_of("one") == "draft"
    assert read_intents(it.desk.ctx.repository.state_dir) == []


def test_a_checked_out_target_gets_the_files(it: Asking, tmp_path: Path) -> None:
    """The worktree that has main shows the patch; what is in the way there refuses and is named."""
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    it.patch("one", "a.txt", "line 2", "LINE 2")
    (other / "a.txt").write_text("mine\n")
    with pytest.raises(Refused, match=r"a\.txt"):
        it.merge("one")
    assert (other / "a.txt").read_text() == "mine\n"
    git(other, "checkout", "-q", "--", "a.txt")
    it.merge("one")
    assert (other / "a.txt").read_text() == LINES.replace("line 2", "LINE 2")
    assert git(other, "status", "--porcelain") == b""


def hook(repo: Path, name: str, script: str) -> None:
    path = repo / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_commit_msg_hook_sees_the_merge(it: Asking) -> None:
    """It may change the message or refuse; --no-verify skips it."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.ask("patch.ready", patch="one")
    hook(it.root, "commit-msg", 'grep -q "^Merge patch" "$1" && echo no merges today >&2 && exit 1\n')
    with pytest.raises(Refused, match="no merges today"):
        it.merge("one")
    assert "LINE 2" not in it.on_target("a.txt")
    hook(it.root, "commit-msg", 'echo "Reviewed-by: hook" >>"$1"; echo seen\n')
    reply = it.merge("one")
    assert "Reviewed-by: hook" in it.git("log", "-1", "--format=%B", "main") and "seen" in reply["output"]
    it.patch("two", "a.txt", "line 8", "LINE 8")
    hook(it.root, "commit-msg", "exit 1\n")
    assert it.merge("two", no_verify=True)["merged"]


def test_the_merge_commit_is_signed_when_git_signs(it: Asking, tmp_path: Path) -> None:
    """commit.gpgSign with the user's program, as for any commit."""
    program = tmp_path / "sign"
    program.write_text(
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n"
        "printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n"
    )
    program.chmod(0o755)
    it.git("config", "gpg.program", str(program))
    it.git("config", "commit.gpgSign", "true")
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.merge("one")
    assert "gpgsig -----BEGIN PGP" in it.git("cat-file", "commit", "main")


def git_children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands with which git makes merges and commits, as they are started from now on."""
    started: list[str] = []

    def noted(args: Any, **more: Any) -> Any:
        started.extend(word for word in args if word in ("merge-tree", "commit-tree"))
        return run_git(args, **more)

    for module in (store_merge, authoring):
        monkeypatch.setattr(module, "run_git", noted)
    return started


def remade_by_git(it: Asking, commit: str) -> str:
    """The commit that `git commit-tree` makes of the same facts."""
    author, committer, zone = it.git("log", "-1", "--format=%at%n%ct%n%ai", commit).splitlines()
    message = it.git("cat-file", "commit", commit).partition("\n\n")[2]
    done = subprocess.run(
        ["git", "commit-tree", "-p", f"{commit}^1", "-p", f"{commit}^2", f"{commit}^{{tree}}"],
        cwd=it.root,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_AUTHOR")},
            **{"GIT_AUTHOR_DATE": f"@{author} {zone[-5:]}", "GIT_COMMITTER_DATE": f"@{committer} {zone[-5:]}"},
            **it.env,
        },
        input=message.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_later_merges_are_made_without_git_as_git_makes_them(
    it: Asking, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Once git has made one commit of a person, the next ones are the same bytes without it."""
    monkeypatch.setenv("TZ", zone)
    it.git("config", "user.name", " Änn. <x> ")  # git takes some of it away
    it.env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.path.expanduser("~/.gitconfig")}
    started = git_children(monkeypatch)
    for name, line in (("one", "line 2"), ("two", "line 8")):
        it.patch(name, "a.txt", line, line.upper(), description="Grüße")
    it.merge("one")
    assert started == ["commit-tree"]  # and nobody else changed the file
    it.move_target("b.txt", "of the target\n")
    it.merge("two")
    assert started == ["commit-tree", "merge-tree"]  # the first merge changed the same file of the target
    assert it.rev("main") == remade_by_git(it, it.rev("main"))
    assert it.git("fsck", "--strict", "--no-dangling") == ""


def test_a_person_is_asked_for_again(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name in the config or in the asker's environment; dates and settings of one command go to git."""
    started = git_children(monkeypatch)
    lines = iter(("line 2", "line 4", "line 6", "line 8"))

    def author() -> str:
        line = next(lines)
        it.patch(f"p{line[5:]}", "a.txt", line, line.upper())
        it.merge(f"p{line[5:]}")
        return it.git("log", "-1", "--format=%an %as", "main").strip().removesuffix(it.git("log", "-1", "--format=%as"))

    author()
    it.git("config", "user.name", "Bob")
    assert author().startswith("Bob ")
    it.env = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_DATE": "@86400 +0000"}
    assert author() == "Eve 1970-01-02"
    it.env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Kim"}
    assert author().startswith("Kim ")
    assert started.count("commit-tree") == 4


def test_a_strategy_that_is_none(it: Asking) -> None:
    """A usage error, wherever the word comes from; nothing has moved."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    at = it.rev("main")
    with pytest.raises(BadRequest, match="sideways"):
        it.merge("one", strategy="sideways")
    it.git("config", "gitsession.merge", "sideways")
    with pytest.raises(BadRequest, match="sideways"):
        it.merge("one")
    assert it.rev("main") == at and it.merge("one", strategy="merge")["merged"]


def test_edits_after_the_merge_are_nobodys(it: Asking) -> None:
    """A merged patch is out of use, and a later edit of its lines is not its own: nobody's, with the reason."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.merge("one")
    it.edit("a.txt", "LINE 2", "LINE TWO")
    it.look()
    (row,) = it.ask("unassigned")["unassigned"]
    assert row["path"] == "a.txt" and row["reason"]
    assert it.ask("session.status")["session"]["patch_in_use"] is None


def test_a_crash_before_the_record_is_made_good(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target moved and nobody wrote it down: the next start records the patch as merged, once."""
    it.patch("one", "a.txt", "line 2", "LINE 2")

    def crash(*args: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(landings, "record_merged", crash)
        with pytest.raises(KeyboardInterrupt):
            it.merge("one")
    landed = it.rev("main")
    it.restart()
    patch = next(iter(it.ask("patch.list")["patches"]))
    assert (patch["status"], patch["merge_commit"]) == ("merged", landed)
    assert read_intents(it.desk.ctx.repository.state_dir) == [] and it.rev("main") == landed


@pytest.mark.parametrize("way", ["merge", "squash", "cherry-pick"])
def test_a_patch_landed_by_plain_git_is_noticed(it: Asking, tmp_path: Path, way: str) -> None:
    """Merged, squashed or picked onto the target by hand: the patch is merged; one that did not land is not."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.ask("commit", message="one")
    other = tmp_path / "main"
    git(it.root, "worktree", "add", "-q", str(other), "main")
    (other / "README").write_text("meanwhile\n")
    git(other, "commit", "-q", "-am", "meanwhile")
    if way == "merge":
        git(other, "merge", "-q", "session/x")
    elif way == "squash":
        git(other, "merge", "-q", "--squash", "session/x")
        git(other, "commit", "-q", "-m", "squashed")
    else:
        git(other, "cherry-pick", "session/x")
    it.patch("two", "src/b.txt", "b 3", "B 3")
    it.ask("commit", message="two", patch="two")
    assert it.status_of("one") == "merged" and it.status_of("two") == "draft"


def test_what_the_target_has_already_is_merged_without_a_commit(it: Asking) -> None:
    """The very edit came to main while the merge was planned: the patch is merged, main stays."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.ask("patch.ready", patch="one")
    it.move_target("a.txt", LINES.replace("line 2", "LINE 2"))
    at = it.rev("main")
    (live,) = it.desk.ctx.sessions.values()
    who = Who(cwd=str(it.root))
    pid = live.patch("one").id
    reply = merges.merge_patch(it.desk.ctx, live, pid, who, ready=False, dry_run=False, no_verify=False)
    assert reply["merged"] and reply["files"] == 0 and "already" in reply["message"]
    assert it.rev("main") == at and it.status_of("one") == "merged"


def test_validate_names_everything_at_once(it: Asking) -> None:
    """Draft, dependency, conflict and what is not committed; and nothing when it could be merged."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.patch("two", "a.txt", "line 8", "LINE 8", depends_on=["one"])
    found = it.ask("patch.validate", patch="two")
    assert [blocker["code"] for blocker in found["blockers"]] == ["draft", "dependency"]
    assert any("a.txt" in warning for warning in found["warnings"])
    it.ask("patch.ready", patch="one")
    assert it.ask("patch.validate", patch="one")["blockers"] == []
    it.move_target("a.txt", LINES.replace("line 2", "two"))
    (blocker,) = it.ask("patch.validate", patch="one")["blockers"]
    assert blocker["code"] == "conflicts" and "a.txt" in blocker["message"]
    assert it.ask("conflicts")["conflicts"] == []


def test_a_parked_session_merges_what_is_committed(it: Asking) -> None:
    """HEAD is on main: frozen series land, into this very checkout; a patch with uncommitted edits is refused."""
    it.patch("one", "a.txt", "line 2", "LINE 2")
    it.patch("two", "src/b.txt", "b 3", "B 3")
    it.ask("patch.ready", patch="one")
    it.git("stash")
    it.look()
    it.git("switch", "-q", "main")
    assert it.ask("session.status")["session"]["state"] == "parked"
    assert it.ask("merge", patch="one")["merged"]
    assert (it.root / "a.txt").read_text() == LINES.replace("line 2", "LINE 2")
    assert it.git("status", "--porcelain") == ""
    with pytest.raises(Refused):
        it.merge("two")
