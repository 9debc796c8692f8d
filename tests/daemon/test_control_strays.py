"""Control files that are there and that nobody wished: from before the session, copied from elsewhere, copied along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitsessiond.daemon.controls import Controls
from gitsessiond.daemon.outbox import Outbox
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
