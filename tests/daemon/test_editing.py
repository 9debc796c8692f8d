"""Which editor has which file: locks that come, are written into and go, and processes that end, without a daemon."""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import editing, editors, swapwatch
from gitsessiond.daemon.editing import Editing
from gitsessiond.daemon.editors import Mark, Told
from gitsessiond.daemon.inotify import WatchLimitError
from gitsessiond.daemon.mailbox import Notice, What
from gitsessiond.model.errors import BadRequest
from tests.bench import wait_for
from tests.model.test_swapfiles import block

HERE = socket.gethostname().encode()[:31]


class Program:
    """A process that is called as an editor is."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            shutil.copy(shutil.which("sleep") or "/bin/sleep", path)
        self.process = subprocess.Popen([str(path), "1000"])
        self.pid = self.process.pid

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Room:
    """A worktree, front's loop without front, and what it tells."""

    def __init__(self, top: Path) -> None:
        self.root, self.home, self.bin = top / "shop", top / "home", top / "bin"
        for directory in (self.root, self.home, self.bin):
            directory.mkdir()
        self.file = self.root / "a.txt"
        self.file.write_text("one\n")
        self.events: list[dict[str, Any]] = []
        self.changed: list[str] = []
        self.marks: list[tuple[str, bytes]] = []
        self.programs: list[Program] = []
        self.sent: list[Any] = []
        self.select = selectors.DefaultSelector()
        told = Told(
            lambda link, reply: self.sent.append(reply),
            self.events.append,
            lambda at, now: self.changed.append(at),
        )
        self.editing = Editing(self.select, told, {"HOME": str(self.home)})
        self.editing.mark_by(self)
        self.editing.set([{"worktree": str(self.root), "session": "kkkk"}])

    def begin(self, mark: Mark) -> str | None:
        self.marks.append(("begin", mark.path))
        return "vim_1"

    def tick(self, now: float) -> None:
        """Marks need nothing."""

    def next_look(self) -> float | None:
        return None

    def end(self, mark: Mark) -> None:
        self.marks.append(("end", mark.path))

    def program(self, name: str = "vim") -> Program:
        self.programs.append(Program(self.bin / name))
        return self.programs[-1]

    def saw(self, what: What, name: str, other: bytes = b"") -> None:
        self.editing.saw(Notice(what, str(self.root), name.encode(), other), time.monotonic())

    def swap(self, pid: int, *, dirty: int = 0, name: str = ".a.txt.swp", version: bytes = b"VIM 9.0") -> Path:
        """An editor makes its swap file, and the watch tells."""
        path = self.root / name
        path.write_bytes(block(version, pid, host=HERE, dirty=dirty))
        self.saw("created", name)
        return path

    def turn(self) -> None:
        """One turn of the loop."""
        for key, mask in self.select.select(0.01):
            key.data(mask)
        self.editing.tick(time.monotonic())

    def until(self, what: Callable[[], Any]) -> Any:
        def found() -> Any:
            self.turn()
            return what()

        return wait_for(found, why=f"{self.rows()} {self.types()}")

    def rows(self) -> list[tuple[Any, ...]]:
        keys = ("path", "program", "state", "modified")
        return [tuple(row[key] for key in keys) for row in self.editing.rows()]

    def until_row(self, *wanted: Any) -> None:
        self.until(lambda: [row[1:] for row in self.rows()] == [wanted])

    def types(self) -> list[str]:
        return [event["type"].removeprefix("editor_") for event in self.events]

    def close(self) -> None:
        self.editing.close()
        for program in self.programs:
            program.end()
        assert not self.select.get_map()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def write_at(path: Path, at: int, byte: int) -> None:
    """Change one byte of a file, as editors that have it open do."""
    with open(path, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), bytes([byte]), at)


def test_what_is_no_file_of_the_users(room: Room) -> None:
    """Of git's own files in a repository below, and of names that are none, nobody is told."""
    nvim = room.program("nvim")
    directory = room.home / ".local/state/nvim/swap"
    directory.mkdir(parents=True)
    for path in ("sub/.git/COMMIT_EDITMSG", ".git/COMMIT_EDITMSG", ".gitsession/assign"):
        name = f"{room.root}/{path}"
        told = block(b"VIM 8.0", nvim.pid, host=HERE, file=name.encode(), dirty=0)
        (directory / (name.replace("/", "%") + ".swp")).write_bytes(told)
    for name in ("...swp", "....swp"):
        room.swap(nvim.pid, name=name)
    room.editing.flush(time.monotonic())
    assert room.rows() == [] and room.events == []


def test_a_lock_that_nobody_foresaw_ends_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Others are looked at all the same."""
    vim, begun = room.program(), room.begin

    def begin(mark: Mark) -> str | None:
        if mark.path == b"bad.txt":
            raise KeyError("boom")
        return begun(mark)

    monkeypatch.setattr(room, "begin", begin)
    room.swap(vim.pid, name=".bad.txt.swp", dirty=0x55)
    room.swap(vim.pid, name=".a.txt.swp", dirty=0x55)
    room.until(lambda: room.marks == [("begin", b"a.txt")])
    assert "KeyError" in capfd.readouterr().err


def test_from_open_to_quit(room: Room) -> None:
    """That the swap file is written into, nobody but its own watch tells; the file is open while it is clean."""
    vim = room.program()
    swap = room.swap(vim.pid)
    room.until_row("vim", "open", False)
    write_at(swap, 1007, 0x55)
    room.until_row("vim", "open", True)
    time.sleep(0.01)
    room.file.write_text("one\ntwo\n")
    write_at(swap, 1007, 0)
    room.until_row("vim", "open", False)
    write_at(swap, 1007, 0x55)
    room.until_row("vim", "open", True)
    write_at(swap, 1007, 0)  # taken back
    room.until_row("vim", "open", False)
    swap.unlink()
    room.saw("gone", ".a.txt.swp")
    room.until_row("vim", "quit", None)
    assert room.types() == ["opened", "changed", "saved", "changed", "changed", "quit"]
    assert room.events[0] == {
        "type": "editor_opened", "session": "kkkk", "path": "a.txt", "program": "vim", "pid": vim.pid,
        "modified": False, "resource": "path/a.txt",
    }  # fmt: skip
    assert room.marks == [("begin", b"a.txt"), ("end", b"a.txt")]  # from the first change to the end
    assert set(room.changed) == {str(room.root)}


def test_a_crash_is_told_from_a_quit(room: Room) -> None:
    """By the end of the process alone, no event comes; and when the swap file goes, nothing of it is left."""
    vim = room.program("vim.basic")
    swap = room.swap(vim.pid, dirty=0x55)
    room.until_row("vim", "open", True)
    vim.end()
    room.until_row("vim", "crashed", True)
    assert room.types() == ["opened", "changed", "crashed"] and room.marks[-1] == ("end", b"a.txt")
    again = room.program("vim.basic")
    room.swap(again.pid, name=".a.txt.swo")
    room.until(lambda: ("a.txt", "vim", "open", False) in room.rows())
    assert len(room.rows()) == 2
    swap.unlink()
    room.saw("gone", ".a.txt.swp")
    room.until_row("vim", "open", False)


def test_locks_from_before_the_daemon(room: Room) -> None:
    """Those of a process that lives are open, the others crashed; a pid that is used again does not live."""
    vim = room.program()
    path = room.root / ".a.txt.swp"
    path.write_bytes(block(pid=vim.pid, host=HERE, dirty=0x55))
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    room.saw("lock", ".a.txt.swp")
    room.until_row("vim", "crashed", True)
    path.touch()
    room.until_row("vim", "open", True)


def test_a_lock_made_anew_is_no_quit(room: Room) -> None:
    """nano deletes its lock and makes another when the text is changed."""
    nano = room.program("nano")
    swap = room.swap(nano.pid, version=b"nano 7.2")
    room.until_row("nano", "open", False)
    os.utime(room.file, (1, 1))
    swap.unlink()
    room.saw("gone", ".a.txt.swp")
    room.turn()
    room.swap(nano.pid, dirty=0x55, version=b"nano 7.2")
    room.until_row("nano", "open", True)
    room.file.write_text("saved\n")
    os.utime(room.file, (time.time() + 5, time.time() + 5))
    room.saw("closed", "a.txt")
    room.until_row("nano", "open", False)
    assert room.types() == ["opened", "changed", "saved"]


def test_a_link_is_there_while_the_text_is_changed(room: Room) -> None:
    """After it goes nobody knows whether the editor has the file still, until that ends."""
    emacs = room.program("emacs-nox")
    link = room.root / ".#a.txt"
    link.symlink_to(f"ann@{socket.gethostname()}.{emacs.pid}:1767323045")
    room.saw("created", ".#a.txt")
    room.until_row("emacs", "open", True)
    time.sleep(0.01)
    room.file.write_text("saved\n")
    link.unlink()
    room.saw("gone", ".#a.txt")
    room.until_row("emacs", "unknown", None)
    emacs.end()
    room.until_row("emacs", "quit", None)
    assert room.types() == ["opened", "changed", "saved", "quit"]


def test_neovim_keeps_swap_files_elsewhere(room: Room) -> None:
    """The directory need not be there when the daemon starts; of other repositories nothing is told."""
    nvim = room.program("nvim")
    directory = room.home / ".local/state/nvim/swap"
    directory.mkdir(parents=True)
    for path in ("/etc/passwd", f"{room.root}/a.txt", f"{room.root}-2/b.txt", f"{room.root}/.git/COMMIT_EDITMSG"):
        named = directory / (path.replace("/", "%") + ".swp")
        named.write_bytes(block(b"VIM 8.0", nvim.pid, host=HERE, file=path.encode(), dirty=0))
    room.editing.flush(time.monotonic())
    assert room.rows() == [("a.txt", "nvim", "open", False)]
    write_at(directory / (str(room.file).replace("/", "%") + ".swp"), 1007, 0x55)
    room.until_row("nvim", "open", True)
    nvim.end()
    room.until_row("nvim", "crashed", True)


def test_without_inotify_a_request_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written into locks is not told then, and seen all the same when somebody asks."""
    monkeypatch.setattr(swapwatch, "Inotify", no_inotify)
    room = Room(tmp_path)
    nvim = room.program("nvim")
    directory = room.home / ".local/share/nvim/swap"
    directory.mkdir(parents=True)
    named = directory / (str(room.file).replace("/", "%") + ".swp")
    named.write_bytes(block(b"VIM 8.0", nvim.pid, host=HERE, file=str(room.file).encode(), dirty=0))
    room.editing.flush(time.monotonic())
    assert room.rows() == [("a.txt", "nvim", "open", False)]
    write_at(named, 1007, 0x55)
    room.editing.flush(time.monotonic())
    assert room.rows() == [("a.txt", "nvim", "open", True)]
    room.close()


def no_inotify() -> None:
    raise WatchLimitError("none left")


def test_a_request_sees_what_was_written_just_before(room: Room) -> None:
    vim = room.program()
    swap = room.swap(vim.pid)
    room.editing.flush(time.monotonic())
    write_at(swap, 1007, 0x55)
    room.editing.flush(time.monotonic())
    assert room.rows() == [("a.txt", "vim", "open", True)]
    vim.end()
    swap.unlink()
    room.editing.flush(time.monotonic())
    assert room.rows() == [("a.txt", "vim", "quit", None)]


def test_a_lock_that_says_nothing_yet(room: Room) -> None:
    """It is looked at again; what stays nonsense is let be."""
    vim = room.program()
    swap = room.root / ".a.txt.swp"
    swap.touch()
    room.saw("created", ".a.txt.swp")
    room.turn()
    swap.write_bytes(block(pid=vim.pid, host=HERE, dirty=0))
    room.until_row("vim", "open", False)
    (room.root / ".b.txt.swp").write_bytes(b"nonsense")
    room.saw("created", ".b.txt.swp")
    room.until(lambda: room.editing.next_look() is None)
    assert len(room.rows()) == 1


def test_one_editor_with_many_files(room: Room) -> None:
    """One descriptor waits for the end of its process, and all its files are told of."""
    vim = room.program()
    before = len(room.select.get_map())
    for number in range(30):
        room.swap(vim.pid, name=f".f{number}.swp", dirty=0x55 if number % 2 else 0)
    room.until(lambda: len(room.rows()) == 30)
    assert len(room.select.get_map()) == before + 1
    (room.root / ".f0.swp").unlink()
    room.saw("gone", ".f0.swp")
    room.until(lambda: ("f0", "vim", "quit", None) in room.rows())
    vim.end()
    room.until(lambda: [row[2] for row in room.rows()].count("crashed") == 29)
    assert len(room.select.get_map()) == before and room.types().count("crashed") == 29


def test_other_things_in_a_locks_place(room: Room) -> None:
    """None of them is an editor, and none keeps anybody waiting."""
    os.mkfifo(room.root / ".fifo.swp")
    (room.root / ".dir.swp").mkdir()
    (room.root / ".loop.swp").symlink_to(".loop.swp")
    (room.root / ".#loop").symlink_to(".#loop")
    (room.root / ".#long").symlink_to("a" * 4000)
    (room.root / ".device.swp").symlink_to("/dev/zero")
    (room.root / ".zero.swp").write_bytes(bytes(4096))
    for name in (".fifo.swp", ".dir.swp", ".loop.swp", ".#loop", ".#long", ".device.swp", ".zero.swp", ".none.swp"):
        for what in ("lock", "created", "closed", "attrib", "gone"):
            room.saw(what, name)  # type: ignore[arg-type]
    room.saw("created", "." + "x" * 5000 + ".swp")
    room.until(lambda: room.editing.next_look() is None)
    assert room.rows() == [] and room.events == []


def test_manners_of_saving(room: Room) -> None:
    room.saw("moved_in", "a.txt", b"a.txt___jb_tmp___")
    assert room.rows() == [("a.txt", "JetBrains", "unknown", None)]
    room.saw("closed", "a.txt")  # in place: by anybody
    assert room.rows() == []
    room.saw("moved_in", "a.txt", b".goutputstream-ABC123")
    assert room.rows() == [("a.txt", "a GTK program", "unknown", None)]


def test_a_hidden_file_and_what_is_not_told(room: Room) -> None:
    """vim's swap file of .env is .env.swp; git's own files and ours are nobody's work."""
    vim = room.program()
    for name, file in ((".env.swp", b"/x/.env"), (".gitsession/.use.swp", b"/x/use"), (".git/.MSG.swp", b"/x/MSG")):
        path = room.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(block(pid=vim.pid, host=HERE, file=file, dirty=0))
        room.saw("created", name)
    room.until(lambda: room.rows() == [(".env", "vim", "open", False)])


def test_too_many_locks(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes thousands of them makes nobody wait."""
    monkeypatch.setattr(editors, "MOST", 5)
    monkeypatch.setattr(editors, "MOST_PAST", 5)
    monkeypatch.setattr(editing, "MOST_DUE", 8)
    vim = room.program()
    for number in range(20):
        room.swap(vim.pid, name=f".f{number}.swp")
    room.until(lambda: room.editing.next_look() is None)
    assert len(room.rows()) == 5
    assert len(room.editing._swaps._places) == 5  # no more is watched either
    for number in range(20):
        room.saw("moved_in", f"m{number}", f"m{number}___jb_tmp___".encode())
    assert len(room.rows()) == 5 + 5


def test_a_worktree_that_is_recorded_no_more(room: Room) -> None:
    vim = room.program()
    room.swap(vim.pid, dirty=0x55)
    room.until_row("vim", "open", True)
    room.editing.set([])
    assert room.rows() == [] and room.marks[-1][0] == "end"
    room.saw("created", ".a.txt.swp")
    assert room.editing.next_look() is None


def test_the_verb_of_front(room: Room) -> None:
    vim = room.program()
    room.swap(vim.pid)
    room.editing.answer(None, 7, "editor.list", {}, {})  # type: ignore[arg-type]
    (reply,) = room.sent
    (row,) = reply["ok"]["editors"]
    assert (row["worktree"], row["path"], row["pid"]) == (str(room.root), "a.txt", vim.pid)
    with pytest.raises(BadRequest):
        room.editing.answer(None, 8, "editor.nonsense", {}, {})  # type: ignore[arg-type]
