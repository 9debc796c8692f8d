"""What `doctor` says of the surroundings, and the figures of what is kept."""

from __future__ import annotations

import os

import pytest

from gitsessiond.actions import examining
from gitsessiond.actions.context import Asked, Who
from gitsessiond.store.room import Room, bytes_below
from tests.actions.asking import Asking, it
from tests.conftest import git

__all__ = ["it"]


def asked(it: Asking) -> Asked:
    """The request, as somebody types it."""
    return Asked("doctor", {}, Who(cwd=str(it.root), session=None, tty=None, pid=1, env=it.env))


def test_each_check(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """All well at first; then settings of nobody, a full disk, a store that takes nothing, a ref that leads nowhere."""
    checks = it.desk.examine(asked(it))["checks"]
    names = [one["name"] for one in checks]
    assert names[-7:] == ["store", "refs", "disk", "conflicts", "write bits", "hooks", "config"]
    assert len(set(names)) == len(names)
    assert all(one["message"] and one["ok"] for one in checks), checks
    settings_of_nobody(it)
    with monkeypatch.context() as patched:
        patched.setattr(examining, "room_at", lambda path: Room(200 << 20, 1 << 40, 5, 10))
        assert examining.disk(it.desk.ctx).state == "warn"
        patched.setattr(examining, "room_at", lambda path: Room(1 << 19, 1 << 40, 5, 10))
        found = examining.disk(it.desk.ctx)
        assert found.state == "fail" and str(found.hint).startswith("df -h ")
    before = sorted(os.listdir(it.desk.ctx.repository.state_dir))

    def refuse(descriptor: int) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        found = examining.store_takes(it.desk.ctx)
    assert found.state == "fail" and "Read-only file system" in found.message
    assert sorted(os.listdir(it.desk.ctx.repository.state_dir)) == before
    path = it.root / ".git/refs/gitsession/sessions/zzzzzzzzzzzz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("0123456789012345678901234567890123456789\n")
    found = examining.refs_read(it.desk.ctx)
    assert found.state == "fail" and "zzzzzzzzzzzz" in found.message


def settings_of_nobody(it: Asking) -> None:
    """A key that is mistyped, a value that means nothing, variables of other programs: said, and no failure."""
    git(it.root, "config", "gitsession.mergge", "squash")
    git(it.root, "config", "gitsession.merge", "octopus")
    it.env = {"REDIS_HOST": "localhost", "REDIS_PORT": ""}
    (found,) = [one for one in it.desk.examine(asked(it))["checks"] if one["name"] == "config"]
    assert (found["state"], found["ok"], found["hint"]) == ("warn", True, "git session config --show-origin")
    assert found["message"] == (
        "gitsession.merge = 'octopus' is none of merge, rebase, squash; gitsession.mergge is no setting of ours; "
        "REDIS_HOST is ignored"
    )
    git(it.root, "config", "--unset", "gitsession.merge")


def test_figures_of_what_is_kept(it: Asking) -> None:
    """Sessions, patches, conflicts that wait, disk space."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.move_target("a.txt", "".join(f"line {n}\n" for n in range(1, 11)).replace("line 2\n", "theirs\n"))
    assert not it.merge("one")["merged"]
    found = {one["name"]: one["samples"] for one in it.ask("metrics")["metrics"]}
    assert found["gitsession_active_sessions"] == found["gitsession_sessions"] == [{"labels": {}, "value": 1}]
    assert found["gitsession_patches"] == [{"labels": {"status": "conflicts"}, "value": 1.0}]
    assert found["gitsession_conflicts_open"] == [{"labels": {"kind": "git_merge"}, "value": 1.0}]
    sizes = {one["labels"]["part"]: one["value"] for one in found["gitsession_state_bytes"]}
    assert 0 < sizes["objects"] <= sizes["all"]
    assert sizes["all"] == pytest.approx(bytes_below(str(it.root / ".git/gitsession")), rel=0.1)
    assert found["gitsession_disk_free_bytes"][0]["value"] > 0
