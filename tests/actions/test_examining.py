"""What `doctor` says of the surroundings, and the figures of what is kept."""

from __future__ import annotations

import os
from typing import Any

import pytest

from gitsessiond.actions import examining
from gitsessiond.actions.context import Asked, Who
from gitsessiond.store.room import Room, bytes_below
from tests.actions.asking import Asking, it
from tests.conftest import git

__all__ = ["it"]


def check(it: Asking, name: str) -> dict[str, Any]:
    """One check of `doctor`."""
    checks = {one["name"]: one for one in it.desk.examine(asked(it))["checks"]}
    found = checks[name]
    assert found["ok"] == (found["state"] != "fail") and not found["fixed"]
    return found


def asked(it: Asking) -> Asked:
    """The request, as somebody types it."""
    return Asked("doctor", {}, Who(cwd=str(it.root), session=None, tty=None, pid=1, env=it.env))


def test_all_is_well(it: Asking) -> None:
    """Every check has a sentence; none fails in a repository that nothing is wrong with."""
    checks = it.desk.examine(asked(it))["checks"]
    names = [one["name"] for one in checks]
    assert names[-5:] == ["store", "refs", "disk", "conflicts", "config"] and len(set(names)) == len(names)
    assert all(one["message"] and one["ok"] for one in checks), checks


def test_settings_of_nobody(it: Asking) -> None:
    """A key that is mistyped, a value that means nothing, variables of other programs: said, and no failure."""
    git(it.root, "config", "gitsession.mergge", "squash")
    git(it.root, "config", "gitsession.merge", "octopus")
    it.env = {"REDIS_HOST": "localhost", "REDIS_PORT": ""}
    found = check(it, "config")
    assert found["state"] == "warn" and found["hint"] == "git session config --show-origin"
    assert found["message"] == (
        "gitsession.merge = 'octopus' is none of merge, rebase, squash; gitsession.mergge is no setting of ours; "
        "REDIS_HOST is ignored"
    )


def test_a_full_disk(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is a warning, none a failure."""
    monkeypatch.setattr(examining, "room_at", lambda path: Room(200 << 20, 1 << 40, 5, 10))
    assert check(it, "disk")["state"] == "warn"
    monkeypatch.setattr(examining, "room_at", lambda path: Room(1 << 19, 1 << 40, 5, 10))
    found = check(it, "disk")
    assert found["state"] == "fail" and found["hint"].startswith("df -h ")


def test_a_store_that_takes_nothing(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk is found before the next save is."""

    def refuse(descriptor: int) -> None:
        raise OSError(30, "Read-only file system")

    before = sorted(os.listdir(it.desk.ctx.repository.state_dir))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        found = examining.store_takes(it.desk.ctx)
    assert found.state == "fail" and "Read-only file system" in found.message
    assert sorted(os.listdir(it.desk.ctx.repository.state_dir)) == before


def test_a_ref_that_leads_nowhere(it: Asking) -> None:
    """git says which."""
    assert check(it, "refs")["state"] == "ok"
    path = it.root / ".git/refs/gitsession/sessions/zzzzzzzzzzzz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("0123456789012345678901234567890123456789\n")
    found = check(it, "refs")
    assert found["state"] == "fail" and "zzzzzzzzzzzz" in found["message"]


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
