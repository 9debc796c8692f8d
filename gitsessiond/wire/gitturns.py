"""Turns at git's own locks, for many processes in one repository: who comes later waits instead of failing.

``turn-git`` stands over one ``turn-index@WORKTREE`` for each worktree. A git that only needs the index of one worktree
takes that, and ``turn-git`` above it shared; any other takes ``turn-git`` alone, and with it all below. All are flocks
on files of ours: they need no daemon, the kernel keeps the queue, and gives back what a killed holder had.

Whoever has a turn must not wait for one that waits for him. So what a command has is handed down to all that it starts,
and there is none for our own commands, which wait for the recorder, nor for the hooks that the recorder runs.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from gitsessiond.model.errors import Locked
from gitsessiond.wire.place import Place, common_dir_of, find_git_dir
from gitsessiond.wire.starting import open_lock

TELL_AFTER_S = 2.0
INSIDE = "GITSESSION_TURN"  # in the environment of whoever has turns: each as ``repository:pid:turn``
AT_WORK = "GITSESSION_AT_WORK"  # in that of the hooks of a command of ours
WHOLE, DOOR, INDEX = "turn-git", "turn-door", "turn-index@"
ONLY_INDEX = frozenset({"add", "rm", "mv", "commit", "reset", "restore", "apply", "update-index", "read-tree", "stage"})
"""git commands that write nothing two worktrees share but objects and their own branch."""


def git_command(words: Sequence[str]) -> tuple[str, str]:
    """Which git command this is, if it is one, and the directory its ``-C`` leads to."""
    directory, rest = "", iter(words[1:])
    name = os.path.basename(words[0]) if words else ""
    if name != "git":
        return name.removeprefix("git-") if name == "git-session" else "", directory
    for word in rest:
        if word == "-C":
            directory = os.path.join(directory, next(rest, ""))
        elif word == "-c":
            next(rest, None)
        else:
            return word, directory
    return "", directory


class GitTurn:
    """A turn at git's locks for one command; ``tell`` is called once, with the holder's words, where that takes long.

    ``within``: seconds to wait at most; None: as long as it takes.
    """

    def __init__(
        self, cwd: str, words: Sequence[str], tell: Callable[[str], None], *, within: float | None = None
    ) -> None:
        command, directory = git_command(words)
        git_dir = find_git_dir(os.path.join(cwd, directory))
        self._place = Place(common_dir_of(git_dir))
        self._is_ours = command == "session"
        self._own = f"{INDEX}{os.path.basename(git_dir) if git_dir != self._place.common_dir else ''}"
        self._index_only, self._within = command in ONLY_INDEX, within
        self._words, self._tell = " ".join(words)[:200], tell
        self._files: list[int] = []
        self._wanted = DOOR
        self.waited_s = 0.0

    def __enter__(self) -> GitTurn:
        began = time.monotonic()
        if self._is_ours or os.environ.get(AT_WORK) or self._is_inside(os.environ):
            return self
        try:
            with Patience(self._within, self._holder_words, self._tell):
                # the door keeps the order: else those who share ``git`` could pass a waiter who wants it alone for ever
                door = self._take(DOOR, fcntl.LOCK_EX)
                self._take(WHOLE, fcntl.LOCK_SH if self._index_only else fcntl.LOCK_EX)
                self._give_back(door)
                if self._index_only:
                    self._take(self._own, fcntl.LOCK_EX)
        except BaseException:
            self._give_all_back()
            raise
        self._sign()
        self.waited_s = time.monotonic() - began
        return self

    def __exit__(self, *exc: object) -> None:
        if self._files:
            os.ftruncate(self._files[-1], 0)
        self._give_all_back()

    def environment(self) -> dict[str, str]:
        """What tells a command that it, and what it starts, has a turn already, beside those that were handed down."""
        if not self._files:
            return {}
        turn = f"{self._repository()}:{os.getpid()}:{self._own if self._index_only else WHOLE}"
        return {INSIDE: f"{os.environ.get(INSIDE, '')} {turn}".strip()}

    def _repository(self) -> str:
        """What tells this repository from others, by whatever path it is reached."""
        facts = os.stat(self._place.common_dir)
        return f"{facts.st_dev:x}.{facts.st_ino:x}"

    def _is_inside(self, env: Mapping[str, str]) -> bool:
        """Whether whoever started this has a turn that holds this one.

        Raises:
            Locked: it has a smaller one, and to wait for more while holding it could go on for ever.
        """
        held = [name for name in self._handed_down(env) if self._is_held(name)]
        if WHOLE in held or (self._index_only and self._own in held):
            return True
        if not held:
            return False
        raise Locked(
            f"{self._words} was called from {self._signed(held[0])}, which holds only the index",
            hint="git session exec -- sh -c 'ALL OF IT'",
        )

    def _handed_down(self, env: Mapping[str, str]) -> list[str]:
        """The turns in this repository that are signed by one of those this was started by; not of what has ended."""
        turns = [turn.split(":", 2) for turn in env.get(INSIDE, "").split()]
        ours = [turn for turn in turns if len(turn) == 3 and turn[0] == self._repository()]
        return [name for _, pid, name in ours if self._signed(name).endswith(f"(process {pid})")]

    def _is_held(self, name: str, mode: int = fcntl.LOCK_EX) -> bool:
        """Whether anybody has this lock; with ``LOCK_SH``, whether anybody has it alone."""
        file = open_lock(self._place, name, "no turn at git can be taken")
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _take(self, name: str, mode: int) -> int:
        file = open_lock(self._place, name, "no turn at git can be taken")
        self._files.append(file)
        self._wanted = name
        fcntl.flock(file, mode)
        return file

    def _give_back(self, file: int) -> None:
        self._files.remove(file)
        os.close(file)

    def _give_all_back(self) -> None:
        for file in self._files:
            os.close(file)
        self._files = []

    def _sign(self) -> None:
        """Write into the lock who has it; one that is shared says nothing."""
        words = f"{self._words} (process {os.getpid()})\n".encode("utf-8", "surrogateescape")
        os.ftruncate(self._files[-1], 0)
        os.pwrite(self._files[-1], words, 0)

    def _signed(self, name: str) -> str:
        """Who last had a lock."""
        try:
            with open(os.path.join(self._place.state_dir, os.path.basename(name)), "rb") as file:
                return file.read(4096).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def _holder_words(self) -> str:
        """For whom this waits, if known: who has the index or all, or who has an index where all is wanted."""
        if self._wanted == self._own:
            holder = self._own
        elif self._is_held(WHOLE, fcntl.LOCK_SH):
            holder = WHOLE
        else:
            indexes = [name for name in sorted(os.listdir(self._place.state_dir)) if name.startswith(INDEX)]
            holder = next(filter(self._is_held, indexes), "")
        return (self._signed(holder) if holder else "") or "another git"


class Patience:
    """While it lasts: tell once after a while for whom one waits, and end the wait in time."""

    def __init__(self, within: float | None, holder: Callable[[], str], tell: Callable[[str], None]) -> None:
        self._within, self._holder, self._tell = within, holder, tell
        self._until = None if within is None else time.monotonic() + within
        self._told = False

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._rang)
        self._timer = signal.setitimer(signal.ITIMER_REAL, self._next())

    def __exit__(self, *exc: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, *self._timer)
        signal.signal(signal.SIGALRM, self._before)

    def _next(self) -> float:
        """Seconds to the next thing to do; not 0, which would be never."""
        left = None if self._until is None else max(0.001, self._until - time.monotonic())
        if self._told:
            return left or 0.0
        return TELL_AFTER_S if left is None else min(TELL_AFTER_S, left)

    def _rang(self, number: int, frame: FrameType | None) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            raise Locked(
                f"{self._holder()} was not done within {self._within:g} s", hint="run it again with a longer --wait"
            )
        if not self._told:
            self._told = True
            self._tell(self._holder())
        signal.setitimer(signal.ITIMER_REAL, self._next())
