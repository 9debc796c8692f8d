"""Marks of editors' work: who holds them, when they end, and that X comes only where the recorder says so."""

from __future__ import annotations

import pytest

from gitsessiond.daemon import marking
from gitsessiond.daemon.editors import Mark
from gitsessiond.daemon.marking import LockMarks
from gitsessiond.daemon.outbox import Ask
from gitsessiond.model.clients import Client


class Front:
    """Clients, locks and recorder, as far as marks need them."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.asks: list[Ask] = []
        self.ttl, self.over = 300.0, set[str]()
        self.marks = LockMarks(self, self, self.asks.append, lambda: self.ttl)

    def editor(self, pid: int, program: str, cwd: str) -> Client | None:
        return Client(f"{program}_{pid}", "editor", program, pid=pid, cwd=cwd) if pid < 100 else None

    def mark(self, client: Client, name: str, mode: str, reason: str, now: float) -> None:
        self.done.append((client.id, name, mode))

    def unmark(self, client: str, name: str, now: float) -> None:
        self.done.append((client, name, "-"))

    def keep(self, client: str, name: str, now: float) -> bool:
        self.done.append((client, name, "+"))
        return name not in self.over

    def answer(self, *modes: str) -> None:
        """The recorder's reply to what it was asked last."""
        ask = self.asks.pop()
        assert ask.message["verb"] == "editors.mode" and ask.reads and ask.answer is not None
        assert len(ask.message["args"]["paths"]) == len(modes) and not self.asks
        ask.answer({"ok": {"modes": [{"mode": mode, "why": None} for mode in modes]}})


def work(path: bytes = b"a.txt", pid: int | None = 7, place: bytes = b"/w/.a.txt.swp") -> Mark:
    return Mark("/w", "kkkk", path, "vim", pid, place)


def test_intent_and_where_nobody_can_merge_x() -> None:
    front = Front()
    assert front.marks.begin(work()) == "vim_7"
    front.answer("intent")
    front.marks.end(work())
    front.marks.begin(work(b"logo[1].png"))
    front.answer("X")
    front.marks.end(work(b"logo[1].png"))
    assert front.done == [
        ("vim_7", "path/a.txt", "intent"), ("vim_7", "path/a.txt", "-"),
        ("vim_7", "path/logo\\[1].png", "intent"), ("vim_7", "path/logo\\[1].png", "X"),
        ("vim_7", "path/logo\\[1].png", "-"),
    ]  # fmt: skip


def test_the_recorder_is_asked_one_thing_at_a_time() -> None:
    """However many files an editor has; what was marked meanwhile is the next question. One may fail."""
    front = Front()
    for number in range(4):
        front.marks.begin(work(b"%d.bin" % number, place=b"/w/.%d.bin.swp" % number))
    front.answer("X")
    front.marks.begin(work(b"4.bin", place=b"/w/.4.bin.swp"))
    front.answer("intent", "X", "X")
    assert [name for _, name, mode in front.done if mode == "X"] == ["path/0.bin", "path/2.bin", "path/3.bin"]
    (ask,) = front.asks
    assert ask.answer is not None
    ask.answer({"error": {"code": "refused", "message": "no"}})
    front.asks.clear()
    front.marks.begin(work(b"5.bin", place=b"/w/.5.bin.swp"))
    front.answer("X")
    assert front.done[-1] == ("vim_7", "path/5.bin", "X")


def test_an_answer_that_comes_too_late_locks_nothing() -> None:
    front = Front()
    front.marks.begin(work())
    front.marks.end(work())
    front.answer("X")
    assert [mode for _, _, mode in front.done] == ["intent", "-"]


def test_no_process_no_mark() -> None:
    """What no process of this machine proves; a name that no lock can have has a client, but no mark."""
    front = Front()
    assert front.marks.begin(work(pid=None)) is None and front.marks.begin(work(pid=100)) is None
    for name in (b"\xff", b"x\ny.txt", b"sub/.git/COMMIT_EDITMSG", b"n" * 5000):
        assert front.marks.begin(work(name)) == "vim_7"
    assert front.done == [] and front.asks == [] and front.marks.next_look() is None


def test_a_file_in_two_windows_is_marked_until_the_last_is_closed() -> None:
    front = Front()
    front.marks.begin(work())
    front.marks.begin(work(place=b"/w/.a.txt.swo"))
    front.marks.end(work())
    assert "-" not in [mode for _, _, mode in front.done]
    front.marks.end(work(place=b"/w/.a.txt.swo"))
    assert front.done[-1] == ("vim_7", "path/a.txt", "-")


def test_marks_last_as_long_as_their_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks end by themselves unless they are asked for again: just those of what is unsaved, long before they end."""
    front = Front()
    monkeypatch.setattr(marking.time, "monotonic", lambda: 1000.0)
    front.marks.begin(work())
    front.marks.begin(work(b"b.bin", place=b"/w/.b.bin.swp"))
    front.answer("X")
    due = front.marks.next_look()
    assert due == 1000.0 + marking.RENEW_S
    front.done.clear()
    front.marks.tick(due - 1)
    assert not front.done
    front.ttl, front.over = 30.0, {"path/a.txt"}
    front.marks.tick(due)
    assert front.done == [
        ("vim_7", "path/a.txt", "+"), ("vim_7", "path/a.txt", "intent"), ("vim_7", "path/b.bin", "+"),
    ]  # fmt: skip
    assert front.marks.next_look() == due + 10.0
    front.marks.end(work(b"b.bin", place=b"/w/.b.bin.swp"))
    front.done.clear()
    front.over.clear()
    front.marks.tick(due + 10.0)
    assert front.done == [("vim_7", "path/a.txt", "+")]
