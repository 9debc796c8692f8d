"""Control files that are there and that nobody wished: from before the session, copied from elsewhere, copied along."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta

import pytest

from gitsessiond.daemon import control_held
from gitsessiond.daemon.controls import Controls
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Outbox
from tests.daemon.test_control_files import ONE, TWO, patch, view
from tests.daemon.test_controls import Recorder, recorder

__all__ = ["recorder"]


def restarted(recorder: Recorder) -> Recorder:
    """The same with another daemon."""
    recorder.controls.stop()
    recorder.outbox = Outbox()
    recorder.controls = Controls(
        recorder.outbox, lambda status: ["panel"], recorder.own, recorder.flush, lambda _: False
    )
    recorder.controls.set([str(recorder.root)])
    return recorder


def test_what_is_older_than_the_session_asks_for_nothing(recorder: Recorder) -> None:
    """It is refused, once, and its words stay; what was saved since the session began is acted on."""
    recorder.controls.set([])
    for path in ("requests/late.json", "use", "patches/fix/description"):
        (recorder.home / path).parent.mkdir(parents=True, exist_ok=True)
        (recorder.home / path).write_text("two\n")
    (recorder.home / "patches/empty").mkdir()
    session = recorder.told["status"]["session"]
    session["created_at"] = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    assert restarted(recorder).all() == ["session.files"]
    names = {str(path.relative_to(recorder.home)) for path in recorder.home.rglob("*.refused")}
    assert names == {"requests/late.json.refused", "use.refused", "patches/fix.refused", "patches/empty.refused"}
    assert recorder.read("errors").count("before the session was started") == 4
    assert not (recorder.home / "patches/empty").exists() and recorder.read("use.refused").endswith("two\n")
    assert restarted(recorder).all() == ["session.files"] and recorder.read("errors").count("before the session") == 4
    assert (recorder.home / "patches/fix/description").exists()
    session["created_at"] = "2026-01-02T03:04:05.678Z"
    (recorder.home / "patches/new").mkdir()
    assert "patch.new" in restarted(recorder).all() and {"name": "new"} in recorder.asked


def test_a_copy_of_another_worktrees_files_is_no_wish(
    recorder: Recorder, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of its status for a patch of the same name, and not of a patch; what somebody changed in it is one."""
    other = Recorder(tmp_path_factory.mktemp("other"))
    other.told = view(ONE | {"status": "abandoned"}, TWO, patch("three")) | {"tracked": False, "index_locked": False}
    other.all()
    (other.home / "use").write_text("two\n")
    for name in ("GATHER_S", "GATHER_AT_MOST_S"):
        monkeypatch.setattr(control_held, name, 60.0)
    shutil.copytree(other.home, recorder.home, dirs_exist_ok=True)
    told(recorder)
    assert recorder.all(30.0) == [], "more may come"
    recorder.controls._held[str(recorder.root)].gather_until = 0.0
    assert recorder.all() == ["session.files", "patch.use"] and recorder.all() == ["session.files"]
    assert recorder.read("patches/one/status") == "draft\n" and not (recorder.home / "patches/three").exists()
    assert recorder.read("errors") == "" and '"patches/three' not in recorder.read(".known")
    recorder.save("patches/one/status", "abandoned\n")
    assert recorder.all() == ["session.files", "patch.abandon"], "saved by somebody it is a wish"


def told(recorder: Recorder) -> None:
    """Tell of all files as of saves."""
    for path in sorted(recorder.home.rglob("*")):
        name = str(path.relative_to(recorder.root)) + ("/" if path.is_dir() else "")
        recorder.controls.takes(Notice("closed", str(recorder.root), name.encode()), time.monotonic())


def test_a_copy_of_a_patch_has_its_description_alone(recorder: Recorder) -> None:
    """`cp -r` of an abandoned one: no status comes along, ops and diff are not refused; what is written over is meant."""
    recorder.told["status"]["patches"][0] = ONE | {"status": "abandoned"}
    recorder.controls.changed(None, time.monotonic())
    recorder.all()
    shutil.copytree(recorder.home / "patches/one", recorder.home / "patches/copy")
    shutil.copytree(recorder.home / "patches/one", recorder.home / "patches/over")
    (recorder.home / "patches/over/status").write_text("merged\n")
    told(recorder)
    recorder.controls._held[str(recorder.root)].gather_until = 0.0
    assert recorder.all() == ["session.files", "patch.new", "patch.new"]
    assert {"name": "copy", "description": "Words"} in recorder.asked
    recorder.told["status"]["patches"] += [patch(name, description="Words") for name in ("copy", "over")]
    assert recorder.all() == ["session.files"]
    told(recorder)
    assert recorder.all() == ["session.files", "merge"]
    assert recorder.read("patches/copy/status") == "draft\n" and recorder.read("errors") == ""
