"""When control files are shown and acted on: a recorder of the test's own answers what is asked."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import control_saves, controls
from gitsessiond.daemon.control_held import GONE_AT_MOST_S, GONE_S
from gitsessiond.daemon.controls import Controls
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.model.errors import Unreachable
from tests.daemon.test_control_files import ONE, TWO, patch, view


class Recorder:
    """Answers the next thing in the outbox."""

    def __init__(self, root: Path) -> None:
        (root / ".git").mkdir()
        self.root, self.home = root, root / ".gitsession"
        self.outbox = Outbox()
        self.told = view(ONE, TWO) | {"tracked": False, "tracked_own": [], "index_locked": False}
        self.asked: list[dict[str, Any]] = []  # the arguments of all that was answered
        self.flushed = 0
        self.polled = False
        self.settles = True  # what is being shown is shown at once
        self.controls = Controls(self.outbox, lambda status: ["panel"], self.own, self.flush, lambda root: self.polled)
        self.controls.set([str(root)])

    def own(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"pid": 1}

    def flush(self, now: float) -> None:
        self.flushed += 1

    def answer(self, reply: dict[str, Any] | None = None) -> str:
        """Answer what comes next; its verb, "" where nothing waits."""
        message = self.outbox.next(time.monotonic())
        if message is None:
            return ""
        item = self.outbox.done()
        assert isinstance(item, Ask)
        if item.answer is None:
            return "client's"
        self.asked.append(message["args"])
        files = message["verb"] == "session.files"
        item.answer(reply or {"ok": self.told if files else {"moved": [1], "refused": [], "merged": True}})
        if self.settles:
            self.settle()
        return str(message["verb"])

    def settle(self) -> None:
        """Do all steps of what is being shown, and nothing else."""
        while self.controls.next_look() == 0.0:
            self.controls.tick(0.0)

    def all(self, after: float = 60.0) -> list[str]:
        """Tick as if so long had passed, and answer everything."""
        self.controls.tick(time.monotonic() + after)
        found = []
        while verb := self.answer():
            found.append(verb)
        return found

    def save(self, path: str, content: str, what: Any = "closed") -> None:
        (self.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.home / path).write_text(content)
        assert self.controls.takes(Notice(what, str(self.root), f".gitsession/{path}".encode()), time.monotonic())

    def read(self, path: str) -> str:
        return (self.home / path).read_text()


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """With the files of two patches shown; every save is quiet at once."""
    for name in ("SETTLE_S", "NEW_S", "GIT_S"):
        monkeypatch.setattr(controls, name, 0.0)
    monkeypatch.setattr(control_saves, "NEW_S", 0.0)
    made = Recorder(tmp_path)
    assert made.all() == ["session.files"] and made.read("patches/one/status") == "draft\n"
    return made


def test_nothing_is_asked_while_nothing_happens(recorder: Recorder) -> None:
    """No timer runs, and what was written by us is no news."""
    assert recorder.controls.next_look() is None and recorder.all() == []
    for path in recorder.home.rglob("*"):
        name = str(path.relative_to(recorder.root)).encode()
        assert recorder.controls.takes(Notice("moved_in", str(recorder.root), name), time.monotonic())
    assert recorder.controls.next_look() is None and recorder.all() == []


def test_who_started_the_daemon_is_nobody(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not their session, patch, name, client nor lock."""
    for name, value in (("", "x"), ("_PATCH", "p"), ("_USER", "u"), ("_CLIENT", "c"), ("_LOCK_TOKEN", "9")):
        monkeypatch.setenv(f"GITSESSION{name}", value)
    recorder.controls = Controls(recorder.outbox, lambda status: ["panel"], recorder.own, recorder.flush, bool)
    recorder.controls.set([str(recorder.root)])
    recorder.controls.tick(time.monotonic() + 60.0)
    message = recorder.outbox.next(time.monotonic())
    assert message is not None
    who = message["who"]
    assert who["token"] is None and not who.get("client") and not [one for one in who["env"] if "SESSION" in one]


def test_a_save_is_asked_about_and_shown(recorder: Recorder) -> None:
    """Other saves are handed on first; the files are shown with an answer from after the act."""
    recorder.save("patches/one/status", "ready\n")
    assert recorder.all() == ["session.files", "patch.ready"]
    assert recorder.flushed == 1
    assert recorder.all() == ["session.files"] and recorder.read("patches/one/status") == "draft\n"


def test_a_save_goes_before_a_request_that_came_after_it(recorder: Recorder) -> None:
    """All that it wants, in order; so do requests in files."""
    recorder.save("patches/one/depends-on", "two\n")
    recorder.save("requests/b.json", '{"verb": "patch.list"}')
    recorder.save("requests/a.json", '{"verb": "conflicts"}')
    recorder.save("use", "two\n")
    recorder.controls.flush(time.monotonic())
    recorder.outbox.put_ask(Ask(1, {"verb": "session.status"}, True, time.monotonic()))
    asked = recorder.all(0.0)
    at = asked.index("client's")
    assert asked[0] == "session.files"
    assert sorted(asked[1:at]) == ["conflicts", "patch.depend", "patch.list", "patch.use"]
    assert asked.index("conflicts") < asked.index("patch.list")
    assert json.loads(recorder.read("requests/a.reply"))["ok"] and not (recorder.home / "requests/a.taken").exists()


def test_showing_takes_a_twentieth_at_most(recorder: Recorder) -> None:
    """After an answer that took long the next question waits; a save does not."""
    now = time.monotonic()
    recorder.controls.changed(str(recorder.root), now)
    recorder.controls.tick(now + 1.0)  # asked "in a second", answered now: it took that long
    held = recorder.controls._held[str(recorder.root)]
    held.asked_at = now - 0.5
    recorder.answer()
    recorder.controls.changed(str(recorder.root), now)
    due = recorder.controls.next_look()
    assert due is not None and due - now > 0.4 * controls.SHARE
    recorder.save("use", "one\n")
    due = recorder.controls.next_look()
    assert due is not None and due - now < 2.0


def test_changes_elsewhere_are_shown_later(recorder: Recorder) -> None:
    """A worktree's own changes at once, those of others after a while."""
    now = time.monotonic()
    recorder.controls._held[str(recorder.root)].not_before = recorder.controls._others_from = 0.0
    recorder.controls.changed("/elsewhere", now)
    assert recorder.controls.next_look() == pytest.approx(now + controls.LATER_S)
    recorder.controls.changed("s", now)
    assert recorder.controls.next_look() == pytest.approx(now + controls.SOON_S)


def test_many_worktrees_take_turns(recorder: Recorder) -> None:
    """Those that changed come first; of the others one is asked about at a time, no more often than that takes."""
    roots = [recorder.root / f"w{n}" for n in range(20)]
    for root in roots:
        (root / ".git").mkdir(parents=True)
    recorder.controls.set([str(recorder.root), *map(str, roots)])
    for _ in range(len(roots)):
        recorder.controls.tick(time.monotonic() + 60)
        assert recorder.answer() == "session.files"
    assert recorder.all() == []
    now = time.monotonic()
    recorder.controls.changed("/elsewhere", now)
    recorder.controls._others_from = now + 100.0
    assert recorder.controls.next_look() == pytest.approx(now + 100.0)
    recorder.controls.changed(str(roots[7]), now)
    recorder.controls.tick(now + 5.0)
    asked = recorder.outbox.next(now)
    assert asked is not None and asked["who"]["cwd"] == str(roots[7])
    assert recorder.all(5.0) == []


def test_nobody_can_tell(recorder: Recorder) -> None:
    """A recorder that died: STATUS says so, what was under way is refused, a request is answered; then all goes on."""
    recorder.save("patches/one/description", "lost\n")
    recorder.save("requests/a.json", '{"verb": "conflicts"}')
    recorder.controls.tick(time.monotonic() + 60)
    recorder.answer()  # what is; the act and the request are queued
    recorder.outbox.clear()
    recorder.controls.failed(Unreachable("the recorder ended", hint="git session daemon logs"))
    assert recorder.read("STATUS").startswith("# Not kept current since ") and "recorder ended" in recorder.read(
        "STATUS"
    )
    assert json.loads(recorder.read("requests/a.reply"))["error"]["exit"] == 13
    assert recorder.read("patches/one/description.refused").endswith("lost\n")
    assert recorder.all() == ["session.files"]
    assert recorder.read("STATUS").startswith("# Changed ")
    assert recorder.read("patches/one/description") == "Words\n"
    recorder.controls.changed(str(recorder.root), time.monotonic())
    recorder.controls.tick(time.monotonic() + 60)
    recorder.answer({"error": {"code": "unreadable", "message": "the journal is damaged", "hint": None, "exit": 14}})
    assert "the journal is damaged" in recorder.read("STATUS")


def test_lost_events_are_made_up_for(recorder: Recorder) -> None:
    """When watches are put in place again, and where there are none, saves are looked for."""
    (recorder.home / "use").write_text("one\n")
    (recorder.home / "patches" / "three").mkdir()
    assert recorder.all() == []
    assert not recorder.controls.takes(Notice("watched", str(recorder.root)), time.monotonic())
    assert recorder.all(0.0) == ["session.files", "patch.new", "patch.use"]
    recorder.polled = True
    recorder.controls.takes(Notice("watched", str(recorder.root)), time.monotonic())
    recorder.controls.tick(time.monotonic() + 1)
    assert recorder.controls.next_look() is not None


def test_git_at_work_is_waited_for(recorder: Recorder) -> None:
    """What is saved while git holds the index waits; what git tracks is left alone."""
    recorder.told["index_locked"] = True
    recorder.save("use", "two\n")
    assert recorder.all() == ["session.files"] and recorder.read("use") == "two\n"
    recorder.told["index_locked"] = False
    assert recorder.all() == ["session.files", "patch.use"]
    recorder.told["tracked"] = True
    recorder.save("use", "one\n")
    recorder.save("requests/a.json", '{"verb": "conflicts"}')
    assert recorder.all() == ["session.files"] and recorder.all() == []
    assert recorder.read("use") == "one\n" and (recorder.home / "requests/a.json").exists()


def test_deleted_files_come_back_when_no_more_are_deleted(recorder: Recorder) -> None:
    """Not while the worktree may be on its way out; deletions without end hold them back for a while only."""
    gone = Notice("gone", str(recorder.root), b"src/a.o")
    now = time.monotonic()
    assert not recorder.controls.takes(gone, now) and recorder.controls.next_look() is None
    (recorder.home / "use").unlink()
    assert recorder.controls.takes(Notice("gone", str(recorder.root), b".gitsession/use"), now)
    assert recorder.controls.next_look() == pytest.approx(now + GONE_S)
    for n in range(1, 60):
        recorder.controls.takes(gone, now + n * 0.9)
        due = recorder.controls._held[str(recorder.root)].hold_until
        assert due == pytest.approx(min(now + n * 0.9 + GONE_S, now + GONE_AT_MOST_S))
        if due < now + n * 0.9:
            break
    else:
        pytest.fail("held back for ever")


def test_while_they_are_removed_nothing_comes_back(recorder: Recorder) -> None:
    """Until somebody acts again."""
    recorder.controls.pause(True)
    recorder.save("use", "two\n")
    recorder.controls.changed(None, time.monotonic())
    assert recorder.all() == [] and recorder.controls.next_look() is None
    (recorder.home / "requests/a.json").write_text('{"verb": "conflicts"}')
    recorder.controls.pause(False)
    assert recorder.all(0.0) == ["session.files", "patch.use", "conflicts"]


def test_a_new_directory_with_an_old_inode_is_no_rename(recorder: Recorder) -> None:
    """`rm -r one; mkdir three`: the file system gives three what was one's; one with its files in it is moved."""
    held = recorder.controls._held[str(recorder.root)]
    shutil.rmtree(recorder.home / "patches/one")
    (recorder.home / "patches/three").mkdir()
    held.places[ONE["id"]] = (recorder.home / "patches/three").stat().st_ino
    recorder.controls.takes(Notice("dir", str(recorder.root), b".gitsession/patches/three/"), time.monotonic())
    recorder.controls.takes(Notice("closed", str(recorder.root), b".gitsession/patches/three/"), time.monotonic())
    assert "patch.new" in recorder.all() and {"name": "three"} in recorder.asked
    (recorder.home / "patches/two").rename(recorder.home / "patches/four")
    recorder.controls.takes(Notice("closed", str(recorder.root), b".gitsession/patches/four/"), time.monotonic())
    assert "patch.rename" in recorder.all() and {"patch": TWO["id"], "name": "four"} in recorder.asked


def test_a_save_under_the_name_before_a_rename_is_of_that_patch(recorder: Recorder) -> None:
    """A command renamed it and the files are not shown yet: its words come to it, its name stays."""
    recorder.told["status"]["patches"][0] = ONE | {"name": "new"}
    recorder.save("patches/one/description", "other words\n")
    recorder.save("patches/one/status", "nonsense\n")
    assert recorder.all() == ["session.files", "patch.rename"]
    assert recorder.asked[-1] == {"patch": ONE["id"], "description": "other words"}
    recorder.told["status"]["patches"][0] = ONE | {"name": "new", "description": "other words"}
    assert recorder.all() == ["session.files"]
    recorder.controls._held[str(recorder.root)].hold_until = 0.0  # the new directory's files look deleted at first
    assert recorder.all() == ["session.files"] and not (recorder.home / "patches/one").exists()
    assert recorder.read("patches/new/description") == "other words\n"
    assert recorder.read("patches/new/status.refused").endswith("nonsense\n")


@pytest.mark.parametrize("why", ["error", "bug", "locked"])
def test_what_stays_wrong_is_asked_about_less_and_less(
    recorder: Recorder, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save that waits is asked about again after one second, two, four; when all is well it is acted on."""
    monkeypatch.setattr(controls, "GIT_S", 0.1)
    held = recorder.controls._held[str(recorder.root)]
    fine = recorder.told
    recorder.save("use", "two\n")
    waits = []
    for _ in range(12):
        held.not_before = 0.0
        recorder.controls.tick(time.monotonic() + 10_000.0)
        held.asked_at = time.monotonic()
        if why == "locked":
            recorder.told = fine | {"index_locked": True}
        elif why == "bug":
            recorder.told = {"tracked": False}
        error = {"code": "unreadable", "message": "no", "hint": None, "exit": 14}
        assert recorder.answer({"error": error} if why == "error" else None) == "session.files"
        held.due = None
        due = recorder.controls.next_look()
        assert due is not None
        waits.append(due - time.monotonic())
    longest = 5.0 if why == "locked" else 60.0
    assert sum(waits[:5]) > (2.0 if why == "locked" else 20.0) and longest - 1 < waits[-1] <= longest
    recorder.told = fine
    assert recorder.all() == ["session.files", "patch.use"] and held.rest_s == 0.0


@pytest.mark.parametrize("length", [205, 243, 250])
def test_a_request_with_a_long_name_is_refused_once(recorder: Recorder, length: int) -> None:
    """Its other names would be too long for the disk; the request is kept beside, and nothing is asked again."""
    name = f"requests/{'y' * length}.json"
    for number in range(2):
        recorder.save(name, '{"verb": "nope"}')
        assert recorder.all() == ["session.files"] and recorder.all() in (["session.files"], [])
        assert recorder.controls.next_look() is None and not (recorder.home / name).exists()
        kept = [path.name for path in (recorder.home / "requests").iterdir()]
        assert len(kept) == number + 1 and all(".refused" in one for one in kept), kept
    assert recorder.controls._held[str(recorder.root)].asked == {}


def test_a_request_that_cannot_be_taken_away_is_refused(recorder: Recorder) -> None:
    """Something has the name in the way: it is told once, with the command that removes it, not looked at for ever."""
    (recorder.home / "requests/a b.taken").mkdir()
    recorder.save("requests/a b.json", '{"verb": "conflicts"}')
    assert "conflicts" not in recorder.all() + recorder.all() and recorder.controls.next_look() is None
    assert "rm -r '.gitsession/requests/a b.taken'" in recorder.read("errors")
    assert (recorder.home / "requests/a b.json.refused").exists()


def test_what_cannot_be_told_of_a_failure_ends_nothing(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the control files is logged; front goes on, and shows them again."""
    held = recorder.controls._held[str(recorder.root)]

    def broken(error: Any) -> None:
        raise ValueError("bug")

    monkeypatch.setattr(held.files, "lapse", broken)
    recorder.controls.failed(Unreachable("the recorder ended", hint="git session daemon logs"))
    assert recorder.all() == ["session.files"]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_git_tracked_is_no_wish_when_it_is_untracked(recorder: Recorder, restarted: bool) -> None:
    """A branch brought files and `git reset` left them there: they are refused, also by the next daemon."""
    recorder.told["tracked"] = True
    for path, content in BROUGHT_FILES.items():
        recorder.save(path, content)
    assert recorder.all() == ["session.files"]
    assert recorder.read("STATUS").startswith("# Not kept current since ") and recorder.read("use") == "two\n"
    before = recorder.read("STATUS")
    recorder.save("use", "two\n")
    assert recorder.all() == ["session.files"] and recorder.read("STATUS") == before
    if restarted:
        recorder.outbox.clear()
        recorder.controls = Controls(recorder.outbox, lambda status: ["panel"], recorder.own, recorder.flush, bool)
        recorder.controls.set([str(recorder.root)])
    recorder.told["tracked"] = False
    recorder.controls.takes(Notice("watched", str(recorder.root)), time.monotonic())
    recorder.controls.changed(str(recorder.root), time.monotonic())
    for after in (0.0, 60.0, 60.0):
        assert set(recorder.all(after)) <= {"session.files"}
    assert recorder.read("patches/one/status") == "draft\n" and recorder.read("use") == ""
    assert recorder.read("errors").count("came with the repository's content") == len(BROUGHT_FILES)
    assert recorder.read("patches/one/status.refused").endswith("abandoned\n")
    assert (recorder.home / "requests/x.json.refused").exists() and recorder.read("STATUS").startswith("# Changed ")
    recorder.save("use", "two\n")
    assert recorder.all() == ["session.files", "patch.use"]


@pytest.mark.parametrize("description", ["", "Words", "Others"])
def test_a_directory_with_an_unfit_name_goes_when_its_patch_is_there(recorder: Recorder, description: str) -> None:
    """The patch is shown as `a-b~ID`; what was made for it is neither kept nor asked for again, save other words."""
    recorder.controls.takes(Notice("closed", str(recorder.root), b".gitsession/patches/a:b/"), time.monotonic())
    (recorder.home / "patches/a:b").mkdir()
    if description:
        recorder.save("patches/a:b/description", description + "\n")
    assert recorder.all() == ["session.files", "patch.new"]
    recorder.told["status"]["patches"].append(patch("a:b", description="Words"))
    assert recorder.all() == ["session.files"] and recorder.read("patches/a-b~a:bkkk/description") == "Words\n"
    assert (recorder.home / "patches/a:b").exists() == (description == "Others")
    recorder.controls.takes(Notice("watched", str(recorder.root)), time.monotonic())
    assert set(recorder.all(0.0)) <= {"session.files"} and recorder.read("errors") == ""


def test_a_directory_that_was_moved_while_no_daemon_ran_is_a_rename(recorder: Recorder) -> None:
    """Known by what the former daemon left in it; where two could have been it, it is a new patch."""
    recorder.controls.stop()
    (recorder.home / "patches/one").rename(recorder.home / "patches/moved")
    recorder.controls = Controls(recorder.outbox, lambda status: ["panel"], recorder.own, recorder.flush, bool)
    recorder.controls.set([str(recorder.root)])
    assert recorder.all() == ["session.files", "patch.rename"]
    assert recorder.asked[-1] == {"patch": ONE["id"], "name": "moved"}
    recorder.told["status"]["patches"] = [patch("a"), patch("b"), ONE | {"name": "moved"}]
    assert recorder.all() == ["session.files"]
    recorder.controls.stop()
    (recorder.home / "patches/a").rename(recorder.home / "patches/c")
    shutil.rmtree(recorder.home / "patches/b")
    recorder.controls = Controls(recorder.outbox, lambda status: ["panel"], recorder.own, recorder.flush, bool)
    recorder.controls.set([str(recorder.root)])
    assert "patch.rename" not in recorder.all() + recorder.all(0.0) + recorder.all()


BROUGHT_FILES = {
    "patches/one/status": "abandoned\n",
    "patches/new/description": "words\n",
    "requests/x.json": '{"verb": "conflicts"}',
    "use": "two\n",
}
