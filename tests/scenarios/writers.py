"""Everything that saves a file: the recorded sequences of editors and tools, and real editors at a terminal of their own.

A writer appends a line to one file and saves it, again and again. :class:`Steps` reads with plain git what was recorded.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench import Workbench

Save = Callable[[Path, bytes], None]


# -- sequences: each puts new content into an existing file ---------------------------------------------------


def in_place(path: Path, content: bytes) -> None:
    """Truncate and write, as ed, cp, `>` and node's writeFile do."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(descriptor, content)
    os.close(descriptor)


def in_pieces(path: Path, content: bytes) -> None:
    """Truncate and write piece by piece, with pauses between."""
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), max(1, len(content) // 4)):
            file.write(content[start : start + max(1, len(content) // 4)])
            time.sleep(0.005)


def tmp_and_rename(path: Path, content: bytes) -> None:
    """A temporary file beside it, synced, renamed over it."""
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def gio(path: Path, content: bytes) -> None:
    """GIO (gedit): `.goutputstream-XXXXXX`, then a rename."""
    temporary = path.with_name(".goutputstream-Q1W2E3")
    temporary.write_bytes(content)
    temporary.replace(path)


def jetbrains_renames(path: Path, content: bytes) -> None:
    """JetBrains' older SafeFileOutputStream: written beside, both renamed, the old one deleted."""
    temporary = path.with_name(f"{path.name}___jb_tmp___")
    old = path.with_name(f"{path.name}___jb_old___")
    temporary.write_bytes(content)
    path.rename(old)
    temporary.rename(path)
    old.unlink()


def jetbrains_in_place(path: Path, content: bytes) -> None:
    """JetBrains' newer SafeFileOutputStream: a copy `f~`, then in place with O_SYNC, then the copy is deleted."""
    backup = path.with_name(f"{path.name}~")
    shutil.copyfile(path, backup)
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_SYNC)
    os.write(descriptor, content)
    os.close(descriptor)
    backup.unlink()


def jetbrains_slow(path: Path, content: bytes) -> None:
    """The same on a disk whose syncs take their time."""
    backup = path.with_name(f"{path.name}~")
    shutil.copyfile(path, backup)
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    time.sleep(0.08)
    os.write(descriptor, content)
    time.sleep(0.04)
    os.close(descriptor)
    backup.unlink()


def vscode(path: Path, content: bytes) -> None:
    """VS Code: truncate, write, fdatasync, close; an empty file is there in between."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    time.sleep(0.002)
    os.write(descriptor, content)
    os.fdatasync(descriptor)
    os.close(descriptor)


def vim_renames(path: Path, content: bytes) -> None:
    """vim's recorded sequence: a probe `4913`, f to `f~`, f anew, `f~` deleted."""
    probe, backup = path.with_name("4913"), path.with_name(f"{path.name}~")
    probe.write_bytes(b"")
    probe.unlink()
    path.rename(backup)
    in_place(path, content)
    path.chmod(0o644)
    backup.unlink()


def vim(path: Path, content: bytes) -> None:
    """All of a vim session on one file: the swap file and its probe, a first change, the save, the swap file's end."""
    swap, probe = path.with_name(f".{path.name}.swp"), path.with_name(f".{path.name}.swx")
    swap.write_bytes(b"b0VIM 9.0")
    probe.write_bytes(b"")
    probe.unlink()
    swap.unlink()
    with swap.open("wb", buffering=0) as dirty:
        dirty.write(b"b0VIM 9.0" + bytes(1000))
        time.sleep(0.02)
        dirty.write(b"U" + bytes(3000))
        if path.exists():
            vim_renames(path, content)
        else:
            in_place(path, content)
        dirty.write(b"saved")
    swap.unlink()


def emacs(path: Path, content: bytes) -> None:
    """emacs: the link `.#f` at the first change, `#f#` kept meanwhile, f in place, both gone after the save."""
    link, kept = path.with_name(f".#{path.name}"), path.with_name(f"#{path.name}#")
    link.symlink_to("ann@desk.4242:1767323045")
    kept.write_bytes(content[: len(content) // 2])
    time.sleep(0.02)
    in_place(path, content)
    kept.unlink()
    link.unlink()


def git_checkout(path: Path, content: bytes) -> None:
    """As git writes a file: the old one is deleted, a new one made."""
    path.unlink()
    in_place(path, content)


def sed(path: Path, content: bytes) -> None:
    """`sed -i`: a temporary file `sedXXXXXX` renamed over it. The last line is what was added."""
    added = content.decode().splitlines()[-1]
    subprocess.run(["sed", "-i", f"$a {added}", str(path)], check=True)


SEQUENCES: dict[str, Save] = {
    save.__name__: save
    for save in (
        in_place, in_pieces, tmp_and_rename, gio, jetbrains_renames, jetbrains_in_place, jetbrains_slow, vscode,
        vim_renames, vim, emacs, git_checkout, sed,
    )
}  # fmt: skip


# -- editors at a terminal -----------------------------------------------------------------------------------


class Editor(NamedTuple):
    """How one editor is started and told things. ``line``: keys that append ``{}`` as a line."""

    command: list[str]
    package: str  # Debian's
    line: str
    save: str
    leave: str


# 'backupskip' has /tmp, where tests are: without this vim would save as it does nowhere else.
EDITORS = {
    "vim": Editor(["vim", "--cmd", "set backupskip="], "vim", "Go{}\x1b", ":w\r", "\x1b:q!\r"),
    "vim-in-place": Editor(["vim", "--cmd", "set backupcopy=yes"], "vim", "Go{}\x1b", ":w\r", "\x1b:q!\r"),
    "nano": Editor(["nano"], "nano", "\x1b/{}", "\x13", "\x18"),
    "nano-with-lock": Editor(["nano", "--locking"], "nano", "\x1b/{}", "\x13", "\x18"),
    "emacs": Editor(["emacs", "-nw", "-Q"], "emacs-nox", "\x1b>{}\r", "\x18\x13", "\x18\x03"),
}


def editor(name: str) -> Editor:
    """An editor of :data:`EDITORS`; the test is skipped where it is not installed."""
    found = EDITORS[name]
    if shutil.which(found.command[0]) is None:
        pytest.skip(f"{found.command[0]} is not installed (Debian package {found.package})")
    return found


class Terminal:
    """A program at a terminal of its own; what it prints is read, so that it never waits."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._read = b""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "80"})

    @property
    def printed(self) -> bytes:
        """All of it."""
        return self._read

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self, seconds: float) -> None:
        """Take in what it prints for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                return
            try:
                self._read += os.read(self._master, 65536)
            except OSError:  # it has ended
                return

    def wait(self, what: Callable[[], bool], why: str, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"waited in vain for {why}: {self.printed[-2000:]!r}"
            self.read(0.005)

    def end(self, keys: str) -> None:
        """Leave it as a person does, or else kill it."""
        self.type(keys)
        end = time.monotonic() + 5
        while not (ended := self.has_ended()) and time.monotonic() < end:
            self.read(0.02)
        if ended:
            self.close()
        else:
            self.kill()

    def has_ended(self) -> bool:
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        os.close(self._master)


class Tmux(Terminal):
    """The same in a tmux of its own, as on another machine; ``printed`` is what the screen shows."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed (Debian package tmux)")
        self._directory = tempfile.mkdtemp()  # a socket's path is to be short
        self._ask("new-session", "-d", "-x", "80", "-y", "24", "-c", str(cwd), "--", *command)
        self.pid = int(self._ask("list-panes", "-F", "#{pane_pid}"))

    def _ask(self, *words: str) -> bytes:
        server = ["tmux", "-S", f"{self._directory}/tmux", "-f", "/dev/null"]
        return subprocess.run([*server, *words], capture_output=True, check=True).stdout

    @property
    def printed(self) -> bytes:
        return self._ask("capture-pane", "-p")

    def type(self, keys: str) -> None:
        self._ask("send-keys", "-H", *(f"{byte:02x}" for byte in keys.encode()))

    def read(self, seconds: float) -> None:
        """tmux takes it in."""
        time.sleep(seconds)

    def has_ended(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        subprocess.run(["tmux", "-S", f"{self._directory}/tmux", "kill-server"], capture_output=True)
        shutil.rmtree(self._directory)


# -- n saves -------------------------------------------------------------------------------------------------


def lines(count: int) -> list[bytes]:
    """The contents of a file at the beginning and after each of ``count`` saves."""
    return [b"".join(b"line %d\n" % n for n in range(1, saves + 4)) for saves in range(count + 1)]


def save_each(saves: dict[Path, Save], count: int, apart: float = 0.2) -> None:
    """Each file saved ``count`` times by its writer; between two saves of a file so many seconds."""
    contents = lines(count)
    for content in contents[1:]:
        started = time.monotonic()
        for path, save in saves.items():
            save(path, content)
        time.sleep(max(0.0, started + apart - time.monotonic()))


def save_by(one: Editor, path: Path, count: int, apart: float = 0.2) -> int:
    """The same by a real editor; returns how many inodes the file had."""
    inodes = {path.stat().st_ino}
    contents = lines(count)
    terminal = Terminal([*one.command, path.name], path.parent)
    try:
        terminal.wait(lambda: path.name.encode() in terminal.printed, "the first screen")
        terminal.read(0.5)
        for number, content in enumerate(contents[1:], 4):
            terminal.type(one.line.format(f"line {number}"))
            terminal.read(0.08)  # modified for a while, as every buffer is: lock files are there
            terminal.type(one.save)
            terminal.wait(partial(holds, path, content), f"save {number}")
            terminal.read(apart)
            inodes.add(path.stat().st_ino)
    finally:
        terminal.end(one.leave)
    return len(inodes)


def holds(path: Path, content: bytes) -> bool:
    """Whether the file has this content now; while it is saved it may not be there at all."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


# -- what was recorded ---------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One step of a session as git shows it."""

    number: int
    commit: str


class Steps:
    """The steps of a worktree's session, by plain git after a checkpoint."""

    def __init__(self, bench: Workbench) -> None:
        bench.checkpoint()
        self.bench = bench
        session = bench.status()["session"]
        common = bench.git("rev-parse", "--path-format=absolute", "--git-common-dir").out.strip()
        self.store, self.wid = f"{common}/gitsession/store.git", session["worktree_id"]
        self.last = f"refs/sessions/{session['id']}"
        log = self.git(
            "log", "--first-parent", "--reverse", "--format=%H %(trailers:key=Seq,valueonly,separator=)", self.last
        )
        rows = [line.split() for line in log.splitlines()]
        self.all = [Step(int(row[1]), row[0]) for row in rows if len(row) == 2]

    def git(self, *args: str) -> str:
        return self.bench.git("--git-dir", self.store, *args).out

    def read(self, path: str, steps: list[Step]) -> list[bytes | None]:
        """The file's bytes in the work tree of each of these steps; None: it is not there."""
        asked = "".join(f"{step.commit}:work/{self.wid}/{path}\n" for step in steps)
        command = ["git", "--git-dir", self.store, "cat-file", "--batch"]
        out = subprocess.run(command, input=asked.encode(), capture_output=True, check=True).stdout
        found: list[bytes | None] = []
        at = 0
        for _ in steps:
            end = out.index(b"\n", at)
            head, at = out[at:end].split(), end + 1
            if head[-1] == b"missing":
                found.append(None)
                continue
            size = int(head[-1])
            found.append(out[at : at + size])
            at += size + 1
        return found

    def versions(self, path: str) -> list[bytes | None]:
        """Its contents from the first step to the last, each once where steps in a row have the same."""
        found = self.read(path, self.all)
        return [one for before, one in zip([b"", *found], found, strict=False) if one != before]

    def names(self) -> set[str]:
        """Every path that was in any step's work tree."""
        work = f"work/{self.wid}/"
        asked = ("log", "-z", "--first-parent", "-m", "--root", "--no-renames", "--name-only", "--format=", self.last)
        told = self.git(*asked).split("\0")  # -z: no name is quoted
        return {name.removeprefix(work) for name in told if name.startswith(work)}

    def contents(self, path: str, limit: int = 5000) -> list[bytes]:
        """The contents of a file in the steps that ``history`` says changed it, oldest first."""
        found = self.bench.json("history", path, "--limit", str(limit))["steps"]
        by_number = {step.number: step for step in self.all}
        return [one or b"" for one in self.read(path, [by_number[step["number"]] for step in reversed(found)])]
