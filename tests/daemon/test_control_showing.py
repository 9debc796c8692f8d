"""Showing control files step by step: whatever comes between two steps, at each of them."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import control_held, control_saves, control_showing, controls
from gitsessiond.daemon.control_dir import ControlDir, Signature
from gitsessiond.daemon.control_files import KNOWN
from gitsessiond.daemon.control_texts import STATUS, texts_of
from gitsessiond.daemon.controls import Controls
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Outbox
from gitsessiond.model.errors import Unreachable
from tests.daemon.test_control_files import ONE, TWO, patch, view
from tests.daemon.test_controls import Recorder

Do = Callable[["Bench"], object]
NOW = {"tracked": False, "tracked_own": [], "index_locked": False}
BEFORE = view(ONE, TWO, patch("old"))
AFTER = view(ONE | {"name": "new"}, TWO | {"status": "draft", "description": "Else"}, patch("more"), in_use=TWO["id"])
SHOWN = {one["id"]: {"id": one["id"], "key": "k", "ops": [], "diff": "+x\n"} for one in (ONE, TWO)}


class Bench(Recorder):
    """A recorder's worktree of which another view is about to be shown."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.panel = ["before"]
        self.told = BEFORE | NOW
        self.begin()
        assert self.all() == ["session.files"]

    def answer(self, reply: dict[str, Any] | None = None) -> str:
        """As asked; a patch that is made or renamed is there from then on."""
        verb = super().answer(reply)
        if verb == "patch.rename" and "name" in self.asked[-1]:
            named = {"name": self.asked[-1]["name"]}
            told = [one | named if one["id"] == self.asked[-1]["patch"] else one for one in self.patches()]
            self.told = {**self.told, "status": self.told["status"] | {"patches": told}}
        if verb == "patch.new":
            new = patch(self.asked[-1]["name"], description=self.asked[-1].get("description", ""))
            self.told = {**self.told, "status": self.told["status"] | {"patches": [*self.patches(), new]}}
        return verb

    def patches(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.told["status"]["patches"]
        return found

    def begin(self) -> None:
        """A daemon of its own; a former one is as if killed."""
        self.outbox = Outbox()
        self.controls = Controls(self.outbox, lambda status: self.panel, self.own, self.flush, lambda _: self.polled)
        self.controls.set([str(self.root)])

    @property
    def held(self) -> Any:
        return self.controls._held[str(self.root)]

    def begin_showing(self, told: dict[str, Any] = AFTER) -> None:
        """Have the view that is to be shown, and do no step."""
        self.panel = ["after"]
        self.told = told | NOW | {"patches": [one | {"key": "k"} for one in SHOWN.values()]}
        self.controls.changed(str(self.root), time.monotonic())
        self.settles = False
        self.held.not_before = 0.0
        self.controls.tick(time.monotonic() + 1.0)
        assert self.answer() == "session.files" and self.held.showing is not None
        self.settles = True

    def steps(self, number: int) -> bool:
        """Do so many; whether it was all by then."""
        for _ in range(number):
            if self.held.showing is None:
                return True
            self.controls.tick(0.0)
        return False

    def rest(self) -> list[str]:
        """Let all that was held back come, and act on all that was saved; what was asked."""
        asked: list[str] = []
        for number in range(8):
            self.settle()
            held = self.held
            if number > 2 and not held.touched and held.due is None and not held.missing:
                break
            held.hold_until = held.gather_until = held.not_before = held.rest_until = 0.0
            held.touched = dict.fromkeys(held.touched, 1.0)
            if number < 2 or held.due is not None:
                held.due = 1.0
            asked += self.all(0.0)
        return asked

    def wanted(self) -> dict[str, bytes]:
        texts = texts_of(self.told, self.held.cached, self.panel)
        return {os.fsdecode(path): text for path, text in texts.items() if path != STATUS}

    def check(self) -> None:
        """Each file holds what it should, and no other is there."""
        found = {str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()}
        assert {path: (self.home / path).read_bytes() for path in self.wanted()} == self.wanted()
        assert self.read("STATUS").endswith(f"\n\n{self.panel[0]}\n") and self.read("STATUS").startswith("# Changed ")
        more = {one for one in found if not one.endswith((".refused", ".reply"))} - {*self.wanted()}
        assert more == {"STATUS", "errors", ".known"}
        assert {path.name for path in (self.home / "patches").iterdir() if path.is_dir()} == {"new", "two", "more"}

    def says_nothing(self) -> None:
        """Nobody is told of a refusal."""
        assert self.read("errors") == "" and not list(self.home.rglob("*.refused"))


@pytest.fixture(params=[pytest.param(23, id="some"), pytest.param(1, id="each", marks=pytest.mark.soak)])
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One for each step that a showing has, or some; each is so many steps in it. Saves are quiet at once."""
    monkeypatch.setattr(control_showing, "STEP_S", 0.0)
    monkeypatch.setattr(control_held, "MANY", 1000)
    for name in ("SETTLE_S", "NEW_S", "GIT_S"):
        monkeypatch.setattr(controls, name, 0.0)
    monkeypatch.setattr(control_saves, "NEW_S", 0.0)

    def each() -> Iterator[Bench]:
        for number in itertools.count(step=request.param):
            (tmp_path / str(number)).mkdir()
            bench = Bench(tmp_path / str(number))
            bench.begin_showing()
            ended = bench.steps(number)
            yield bench
            if ended:
                assert number > 40
                return

    return each()


def test_a_showing_takes_many_steps(benches: Iterator[Bench]) -> None:
    """None of them puts more than one file; nothing is asked before the end, and the loop is to come back at once."""
    bench = next(benches)
    put: list[bytes] = []
    plain = ControlDir.put

    def noted(self: ControlDir, path: bytes, content: bytes, expected: Signature | None) -> Signature | None:
        put.append(path)
        return plain(self, path, content, expected)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ControlDir, "put", noted)
        while bench.held.showing is not None:
            before = len(put)
            assert bench.controls.next_look() == 0.0
            bench.controls.changed(str(bench.root), time.monotonic() - 60.0)
            bench.controls.tick(time.monotonic())
            assert len(put) - before <= 1
            assert bench.held.showing is None or bench.outbox.idle
    assert put.count(KNOWN) == 2 and len(put) > 10
    bench.rest()
    bench.check()
    bench.says_nothing()


def test_a_step_ends_when_its_time_is_over(tmp_path: Path) -> None:
    """By the clock that is passed in: fifty patches of which nothing changed are looked at in several."""
    bench = Bench(tmp_path)
    bench.begin_showing(view(*(patch(f"p{number}") for number in range(50))))
    ticks = itertools.count()
    number = 0
    while bench.held.showing is not None:  # each look at the clock is a tenth of a step later
        control_showing.go_on(bench.held, lambda: next(ticks) * control_showing.STEP_S / 10)
        number += 1
    assert 40 < number < 100, "250 files, each looked for, worked out and written"


@pytest.mark.parametrize("told", [True, False])
def test_a_save_between_two_steps_is_acted_on(benches: Iterator[Bench], told: bool) -> None:
    """It is not written over before, also where nobody tells of it; one of what is only read is kept beside."""
    for bench in benches:
        for path, words in (("patches/two/status", "abandoned\n"), ("assign", "a mess\n"), ("STATUS", "mine\n")):
            (bench.home / path).write_text(words)
            if told:
                assert bench.controls.takes(
                    Notice("closed", str(bench.root), f".gitsession/{path}".encode()), time.monotonic()
                )
        bench.settle()
        saved = {path: (bench.home / path).read_text() for path in ("patches/two/status", "assign", "STATUS")}
        assert list(saved.values()) == ["abandoned\n", "a mess\n", "mine\n"]
        bench.controls.takes(Notice("watched", str(bench.root)), time.monotonic())
        assert bench.rest().count("patch.abandon") == 1
        assert bench.read("assign.refused").endswith("a mess\n") and bench.read("STATUS.refused").endswith("mine\n")
        bench.check()


def test_a_save_that_nobody_told_of_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found when its file is to be written."""
    monkeypatch.setattr(control_showing, "STEP_S", 0.0)
    bench = Bench(tmp_path)
    bench.begin_showing()
    bench.steps(5)
    (bench.home / "use").write_text("old\n")
    assert bench.held.touched == {}
    bench.settle()
    assert set(bench.held.touched) == {b"use"} and bench.all() == ["session.files", "patch.use"]


@pytest.mark.parametrize("told", [True, False])
def test_a_deleted_file_comes_back_later(benches: Iterator[Bench], told: bool) -> None:
    """Not in the showing that is under way: more may be on their way out."""
    for bench in benches:
        ended = bench.held.showing is None
        for path in ("use", "README", "patches/two/status"):
            (bench.home / path).unlink()
            if told:
                notice = Notice("gone", str(bench.root), f".gitsession/{path}".encode())
                assert bench.controls.takes(notice, time.monotonic())
        bench.settle()
        assert not (bench.home / "patches/two/status").exists() and not (bench.home / "README").exists()
        bench.controls.changed(str(bench.root), time.monotonic())
        assert set(bench.rest()) == {"session.files"} and (ended or bench.held.missing == set())
        bench.check()
        bench.says_nothing()


@pytest.mark.parametrize("what", [".git", ".gitsession", "both"])
def test_nothing_comes_back_into_a_worktree_that_is_removed(benches: Iterator[Bench], what: str) -> None:
    """Nobody tells of it: it is seen by its ``.git``, or by what is gone already."""
    for bench in benches:
        if what != ".gitsession":
            (bench.root / ".git").rmdir()
        if what != ".git":
            shutil.rmtree(bench.home)
        before = sorted((path, path.lstat().st_mtime_ns) for path in bench.home.rglob("*"))
        bench.settle()
        assert sorted((path, path.lstat().st_mtime_ns) for path in bench.home.rglob("*")) == before
        (bench.root / ".git").mkdir(exist_ok=True)
        bench.controls.changed(str(bench.root), time.monotonic())
        bench.rest()
        bench.check()
        bench.says_nothing()


def test_the_session_ends(benches: Iterator[Bench]) -> None:
    """What would act goes."""
    for bench in benches:
        bench.controls.set([])
        assert {path.name for path in bench.home.iterdir()} == {"STATUS", "errors", ".known"} - {
            name for name in ("errors",) if not (bench.home / name).exists()
        }
        assert bench.read("STATUS").startswith("# Ended ") and bench.read("STATUS").endswith("\n\nafter\n")


WHOLE: dict[str, Do] = {
    "request": lambda bench: bench.controls.flush(time.monotonic()),
    "pause": lambda bench: bench.controls.pause(True),
    "failure": lambda bench: bench.controls.failed(Unreachable("it ended", hint="git session daemon logs")),
    "stop": lambda bench: bench.controls.stop(),
}


@pytest.mark.parametrize("why", WHOLE)
def test_what_needs_settled_files_has_them(benches: Iterator[Bench], why: str) -> None:
    """A client's request, the removal of all, the recorder's end, the daemon's."""
    for bench in benches:
        WHOLE[why](bench)
        assert bench.held.showing is None
        assert {path: (bench.home / path).read_bytes() for path in bench.wanted()} == bench.wanted()
        head = {"failure": "# Not kept", "stop": "# Stopped"}.get(why, "# Changed")
        assert bench.read("STATUS").startswith(head) and bench.read("STATUS").endswith("\n\nafter\n")
        if why == "pause":
            shutil.rmtree(bench.home)
            bench.controls.tick(time.monotonic() + 60.0)
            assert bench.controls.next_look() is None and not bench.home.exists()
            bench.controls.pause(False)
        if why == "stop":
            bench.begin()
        bench.controls.changed(str(bench.root), time.monotonic())
        assert set(bench.rest()) <= {"session.files"}
        bench.check()
        bench.says_nothing()


def test_a_disk_that_refuses_from_some_step_on(benches: Iterator[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has stays, and when it takes files again they are shown; the next daemon hears no wish."""

    def full(self: ControlDir, path: bytes, content: bytes, expected: Signature | None) -> Signature | None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for number, bench in enumerate(benches):
        with monkeypatch.context() as patched:
            patched.setattr(ControlDir, "put", full)
            bench.settle()
        if number % 2:
            bench.begin()
        bench.controls.changed(str(bench.root), time.monotonic())
        assert set(bench.rest()) == {"session.files"}
        bench.check()
        bench.says_nothing()


def test_a_daemon_that_was_killed_leaves_no_wish(benches: Iterator[Bench]) -> None:
    """Nor does the one after it; what somebody saved meanwhile is heard."""
    for number, bench in enumerate(benches):
        if number % 2:
            (bench.home / "patches/two/description").write_text("Words of mine\n")
        bench.begin()
        assert bench.rest().count("patch.rename") == number % 2
        assert set(bench.asked[-1]) == {"most", "known"}
        bench.says_nothing()
        bench.check()
        bench.begin()
        assert set(bench.rest()) == {"session.files"}
        bench.check()


def test_what_a_former_daemon_wrote_is_told_on(tmp_path: Path) -> None:
    """The next one could not look at saves, for git was at work, showed what it could, and was killed."""
    bench = Bench(tmp_path)
    for locked in (True, False):
        bench.begin()
        bench.panel, bench.told = ["after"], AFTER | NOW | {"index_locked": locked}
        assert set(bench.all()) == {"session.files"}
    assert set(bench.rest()) == {"session.files"}
    bench.check()
    bench.says_nothing()


def test_an_emptied_directory_goes_with_the_next_daemon(tmp_path: Path) -> None:
    """The former was killed when its files were taken away and it was not: it is no new patch."""
    bench = Bench(tmp_path)
    for path in (bench.home / "patches/one").iterdir():
        path.unlink()
    for _ in range(2):
        bench.begin()
        bench.panel, bench.told = ["after"], AFTER | NOW
        assert set(bench.rest()) == {"session.files"}
        bench.check()
        bench.says_nothing()


def test_what_was_held_back_is_no_wish_either(benches: Iterator[Bench]) -> None:
    """Somebody deletes a file, the showing is left as it is, and the daemon is killed."""
    for bench in benches:
        (bench.home / "README").unlink()
        bench.controls.takes(Notice("gone", str(bench.root), b".gitsession/README"), time.monotonic())
        bench.settle()
        bench.begin()
        assert set(bench.rest()) == {"session.files"}
        bench.check()
        bench.says_nothing()


def test_old_words_that_are_put_back_are_a_wish(benches: Iterator[Bench]) -> None:
    """As soon as the files are shown: also to the next daemon, however this one ended."""
    bench = next(benches)
    bench.settle()
    (bench.home / "patches/two/description").unlink()
    (bench.home / "patches/two/status").write_text("ready\n")
    (bench.home / "use").write_text("")
    bench.begin()
    asked = bench.rest()
    assert "patch.ready" in asked and "patch.use" in asked


def test_what_is_only_shown_takes_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is still none of a person's saves, to the next daemon; the next showing brings the list in order."""
    bench = Bench(tmp_path)
    put: list[bytes] = []
    plain = ControlDir.put

    def noted(self: ControlDir, path: bytes, content: bytes, expected: Signature | None) -> Signature | None:
        put.append(path)
        return plain(self, path, content, expected)

    monkeypatch.setattr(ControlDir, "put", noted)
    for panel in ("first", "second"):
        bench.panel = [panel]
        bench.controls.changed(str(bench.root), time.monotonic())
        bench.rest()
        assert put == [KNOWN, STATUS]
        put.clear()
    assert bench.read(".known").count('"') < 400 and len(bench.held.files.told()[STATUS]) == 1
    bench.told["status"] = bench.told["status"] | {"patches": [ONE, TWO | {"description": "x"}, patch("old")]}
    bench.controls.changed(str(bench.root), time.monotonic())
    bench.rest()
    assert put == [KNOWN, b"patches/two/description", KNOWN]
    bench.begin()
    assert set(bench.rest()) == {"session.files"}
    bench.says_nothing()


def test_a_status_that_lapsed_is_no_save(tmp_path: Path) -> None:
    """The daemon was killed while nobody could tell what is."""
    bench = Bench(tmp_path)
    bench.controls.failed(Unreachable("it ended", hint="git session daemon logs"))
    assert bench.read("STATUS").startswith("# Not kept")
    bench.begin()
    assert set(bench.rest()) == {"session.files"}
    bench.says_nothing()


def test_another_worktrees_files_come_between_two_steps(benches: Iterator[Bench], tmp_path: Path) -> None:
    """`cp -r` over the files that are being shown: what came along asks for nothing."""
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    other.told = view(ONE | {"name": "new", "status": "abandoned"}, TWO | {"status": "abandoned"}) | NOW
    other.controls.changed(None, time.monotonic())
    other.rest()
    for bench in benches:
        before = {*bench.home.rglob("*/")}
        shutil.copytree(other.home, bench.home, dirs_exist_ok=True)
        bench.settle()
        for path in sorted({*bench.home.rglob("*")} - before):
            name = str(path.relative_to(bench.root)) + ("/" if path.is_dir() else "")
            bench.controls.takes(Notice("closed", str(bench.root), name.encode()), time.monotonic())
        assert set(bench.rest()) == {"session.files"}
        bench.check()
        assert bench.read("errors") == ""


OLD = patch("old")
VIEWS = (
    BEFORE,
    view(TWO | {"status": "draft"}, ONE | {"name": "new"}, OLD, in_use=TWO["id"]),
    view(TWO | {"description": "Longer"}, ONE | {"name": "more"}, OLD, in_use=ONE["id"]),
    view(ONE | {"blockers": [{"message": "not yet"}]}, OLD | {"status": "merged"}, TWO | {"depends_on": [ONE]}),
)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 30))])
def test_no_word_of_a_person_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Steps, saves and views in any order: what was saved is in its file, beside it, or was asked for."""
    chance = random.Random(seed)
    monkeypatch.setattr(control_showing, "STEP_S", 0.0)
    monkeypatch.setattr(control_saves, "NEW_S", 0.0)
    bench = Bench(tmp_path)
    bench.settles = False
    words: dict[str, str] = {}  # by the file in which they were saved last
    for number in range(150):
        match chance.choice(("step", "step", "step", "step", "save", "view", "answer", "request", "kill")):
            case "step":
                bench.controls.tick(0.0)
            case "save":
                name = chance.choice([one for one in (*bench.wanted(), "STATUS") if not one.endswith(("ops", "diff"))])
                path = bench.home / name
                if path.parent.is_dir():
                    for one in [one for one in words if path.exists() and one in path.read_text()]:
                        del words[one]  # by another save of theirs
                    words[f"words {number}"] = name
                    path.write_text(f"words {number}\n")
                    if chance.random() < 0.7:
                        notice = Notice("closed", str(bench.root), f".gitsession/{name}".encode())
                        bench.controls.takes(notice, time.monotonic())
            case "view":
                bench.told, bench.panel = chance.choice(VIEWS) | NOW, [f"panel {number}"]
                bench.controls.changed(str(bench.root), time.monotonic())
                bench.held.not_before = 0.0
                bench.controls.tick(time.monotonic() + 60.0)
            case "answer":
                bench.answer()
            case "request":
                bench.controls.flush(time.monotonic())
            case "kill" if chance.random() < 0.1:
                bench.begin()
    bench.settles = True
    bench.controls.takes(Notice("watched", str(bench.root)), time.monotonic())
    bench.controls.changed(str(bench.root), time.monotonic())
    bench.rest()
    kept = "".join(path.read_text() for path in bench.home.rglob("*") if path.is_file()) + repr(bench.asked)
    assert [one for one in words if one not in kept] == []
    assert {path: (bench.home / path).read_bytes() for path in bench.wanted()} == bench.wanted()
