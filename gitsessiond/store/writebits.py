"""The write bits of files that others have locked: taken away, and given back exactly as they were.

Which bits were taken is on the disk before the first is (docs/format.md, "Write bits"), so that whatever ends the
daemon, the next one gives them back. Only plain files are touched, by their rights alone; no link is followed, and a
file with a second name is left alone: that may lie anywhere. Whoever changes the rights of such a file himself has the
last word: what is not as it was left here is not touched again. Rights are given back to the very file they were taken
of, known by its inode, and to no other: one that is not at its path is looked for, and remembered until it is found.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitsessiond.model.errors import NewerState, StateUnreadable
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.store.below import opened
from gitsessiond.store.generation import generation
from gitsessiond.store.layout import set_aside, write_durably

JOURNAL = "readonly.json"
FORMAT = 1
WRITE = 0o222
EXECUTE = 0o111
MOST_LOST = 1000  # of a worktree; files that were removed are among them, and never found
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


Seek = Callable[[Collection[int]], Iterable[bytes]]  # paths that may have one of these inodes now


class Taken(NamedTuple):
    """A file's rights as they were, and as they were left; its inode, and when it was written last (ns)."""

    before: int
    left: int
    inode: int
    written: int = 0


class Lost(NamedTuple):
    """A file that was not at its path when it was to get its rights back: moved, or no more."""

    path: bytes
    taken: Taken


class Place(NamedTuple):
    """A worktree, and what was taken in it: by path, and of files that are not there any more, by inode."""

    worktree: bytes
    files: dict[bytes, Taken]
    lost: dict[int, Lost]


def nowhere(inodes: Collection[int]) -> Iterable[bytes]:
    """Where files are looked for if nothing is known of a worktree."""
    return ()


class WriteBits:
    """What was taken in all worktrees, each known by its id: it may have moved meanwhile.

    ``trouble``: why the journal cannot be read. Then nothing is taken or given back, and it stays as it is.
    """

    def __init__(self, state_dir: str) -> None:
        self._path = os.path.join(state_dir, JOURNAL)
        self._places: dict[str, Place] = {}
        self._born: dict[str, dict[bytes, int | None]] = {}  # of a worktree's files that were taken since this began
        self.trouble: StateUnreadable | None = None
        try:
            self._places = read_journal(self._path)
        except StateUnreadable as exc:
            self.trouble = exc

    @property
    def worktrees(self) -> list[str]:
        """The ids of those where something was taken."""
        return list(self._places)

    def apply(self, wid: str, worktree: bytes, wanted: Collection[bytes], seek: Seek = nowhere) -> None:
        """Have these files of a worktree be without write bits, and give all others theirs back.

        What was taken once is not taken again before it was given back: whoever made it writable meant it. Another
        file in its place, as of a checkout there and back, is taken as the first was.

        Raises:
            OSError: what is taken cannot be written down; then nothing is.
        """
        if self.trouble is not None or not is_there(worktree):
            return
        place = self._places.get(wid, Place(worktree, {}, {}))
        born, kept = self._born.get(wid, {}), place.files.keys() & set(wanted)
        replaced = {path for path in kept if is_another(worktree, path, place.files[path], born.get(path))}
        after = returned(worktree, place, place.files.keys() - set(wanted) | replaced, seek)
        fresh = {}
        for path in set(wanted) - after.files.keys():
            found = found_at(worktree, path)
            if found is not None and found.before & WRITE:
                fresh[path] = found
        self._keep(wid, after._replace(files=after.files | fresh))
        self._born[wid] = {path: born.get(path) for path in after.files}
        for path, taken in fresh.items():
            self._born[wid][path] = take(worktree, path, taken)

    def give_back(self, wid: str, worktree: bytes | None = None, seek: Seek = nowhere) -> None:
        """Give back all of a worktree; None: at the place it was last. While none is there all is kept."""
        place = self._places.get(wid)
        if place is None:
            return
        at = place.worktree if worktree is None else worktree
        if is_there(at):
            self._keep(wid, returned(at, place, place.files, seek))
            self._born.pop(wid, None)

    def untold(self) -> Iterator[bytes]:
        """Files without write bits that may have them from here, but are not those that were locked."""
        for place in self._places.values():
            for path, taken in place.lost.values():
                found = found_at(place.worktree, path) if path not in place.files else None  # that was locked anew
                if found is not None and found.before == taken.left:
                    yield os.path.join(place.worktree, path)

    def waiting(self) -> list[bytes]:
        """Worktrees that are not where they were, whose files wait for their rights."""
        return [place.worktree for place in self._places.values() if not is_there(place.worktree)]

    def is_away(self, wid: str) -> bool:
        """Whether a worktree is not where it was."""
        return not is_there(self._places[wid].worktree)

    def forget(self, wid: str) -> None:
        """Remember nothing of a worktree that git has removed.

        Raises:
            OSError: the disk refused.
        """
        self._keep(wid, Place(b"", {}, {}))

    def begin_anew(self) -> str | None:
        """Give a damaged journal another name, which is returned; a newer one stays."""
        if self.trouble is None or isinstance(self.trouble, NewerState):
            return None
        aside = set_aside(self._path)
        self.trouble = None
        return aside

    def _keep(self, wid: str, place: Place) -> None:
        """Write the journal, if that is news."""
        places = {key: one for key, one in self._places.items() if key != wid}
        if place.files or place.lost:
            places[wid] = place
        if places == self._places:
            return
        if places:
            write_durably(self._path, encoded(places))
        elif os.path.exists(self._path):
            os.unlink(self._path)
        self._places = places


def returned(worktree: bytes, place: Place, unwanted: Iterable[bytes], seek: Seek) -> Place:
    """Give back to these files what was taken of them; what is left to be given back."""
    files, lost = dict(place.files), dict(place.lost)
    for path in list(unwanted):
        done = gave_back(worktree, path, files[path])
        if done is None:
            continue
        taken = files.pop(path)
        if not done:
            lost[taken.inode] = Lost(path, taken)
    for path in seek(lost.keys()) if lost else ():
        found = found_again(worktree, path, lost)
        if found is not None:
            del lost[found]
    return Place(worktree, files, dict(list(lost.items())[-MOST_LOST:]))


def encoded(places: dict[str, Place]) -> bytes:
    """The journal, as docs/format.md has it."""
    told = {
        wid: {
            "worktree": quote_path(place.worktree),
            "files": {quote_path(path): list(taken) for path, taken in place.files.items()},
            "lost": [[quote_path(path), *taken] for path, taken in place.lost.values()],
        }
        for wid, place in places.items()
    }
    return json.dumps({"format": FORMAT, "worktrees": told}).encode() + b"\n"


def read_journal(path: str) -> dict[str, Place]:
    """What was taken, as it was written; nothing where nothing was.

    Raises:
        NewerState: it is of a newer format.
        StateUnreadable: it cannot be read, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            told: Any = json.loads(file.read())
        if isinstance(told["format"], int) and told["format"] > FORMAT:
            raise NewerState(f"{path} is of format {told['format']}: a newer gitsessiond wrote it")
        if told["format"] != FORMAT:
            raise StateUnreadable(f"{path} is damaged: it has no format")
        return {str(wid): read_place(one) for wid, one in told["worktrees"].items()}
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise StateUnreadable(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StateUnreadable(f"{path} is damaged") from exc


def read_place(told: Any) -> Place:
    """One worktree of the journal."""
    files = {unquote_path(name): Taken(*map(int, taken)) for name, taken in told["files"].items()}
    lost = [Lost(unquote_path(name), Taken(*map(int, taken))) for name, *taken in told.get("lost", [])]
    return Place(unquote_path(told["worktree"]), files, {one.taken.inode: one for one in lost})


def is_there(worktree: bytes) -> bool:
    """Whether a worktree can be looked into: one that was moved, or is not mounted, may come back."""
    try:
        with opened(worktree, b""):
            return True
    except OSError:
        return False


@contextmanager
def opened_file(worktree: bytes, path: bytes) -> Iterator[tuple[int, os.stat_result]]:
    """A plain file below a worktree, by no link.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    above, name = os.path.split(path)
    with opened(worktree, above) as directory:
        handle = os.open(name, _FILE, dir_fd=directory)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("no plain file")
        yield handle, found
    finally:
        os.close(handle)


def found_at(worktree: bytes, path: bytes) -> Taken | None:
    """What there is to take at a path; None: nothing that could be given back."""
    try:
        with opened_file(worktree, path) as (_, found):
            mode = stat.S_IMODE(found.st_mode)
            taken = Taken(mode, mode & ~WRITE, found.st_ino, found.st_mtime_ns)
            return taken if found.st_nlink == 1 and is_ours(found) else None
    except OSError:
        return None


def is_ours(found: os.stat_result) -> bool:
    """Whether we may change the rights of a file: its owner may, and root (chmod(2))."""
    return os.geteuid() in (0, found.st_uid)


def is_another(worktree: bytes, path: bytes, taken: Taken, born: int | None) -> bool:
    """Whether a file that can be taken is where another was taken; ``born``: the generation of that, if it is known."""
    try:
        at = os.lstat(os.path.join(worktree, path))
        if at.st_ino == taken.inode and (born is None or not at.st_mode & WRITE):
            return False  # as it is but for few of many
        with opened_file(worktree, path) as (handle, found):
            if found.st_nlink != 1 or not is_ours(found) or not found.st_mode & WRITE:
                return False
            return found.st_ino != taken.inode or generation(handle) not in (None, born)
    except OSError:
        return False


def take(worktree: bytes, path: bytes, taken: Taken) -> int | None:
    """Take the write bits of a file, if it is still the one that was found; its generation."""
    try:
        with opened_file(worktree, path) as (handle, found):
            if found.st_ino == taken.inode and stat.S_IMODE(found.st_mode) == taken.before:
                os.fchmod(handle, taken.left)
            return generation(handle)
    except OSError:
        return None  # gone, or another's: it stays as it is, and so it is given back


def gave_back(worktree: bytes, path: bytes, taken: Taken) -> bool | None:
    """Give back what was taken of the file at a path; False: that is not there; None: it cannot be done now.

    Another file of one name with just these rights is what an editor that renames has made of it.
    """
    try:
        with opened_file(worktree, path) as (handle, found):
            is_made_anew = found.st_nlink == 1 and stat.S_IMODE(found.st_mode) == taken.left and is_ours(found)
            if found.st_ino != taken.inode and not is_made_anew:
                return False
            restore(handle, found, taken)
        return True
    except PermissionError:
        return None
    except OSError:
        return False


def restore(handle: int, found: os.stat_result, taken: Taken) -> None:
    """Give a file its rights; those that somebody else has given it since stay."""
    mode = stat.S_IMODE(found.st_mode)
    if mode == taken.left:
        os.fchmod(handle, taken.before)
    elif not (mode ^ taken.left) & ~EXECUTE:
        os.fchmod(handle, mode | (taken.before & WRITE))


def found_again(worktree: bytes, path: bytes, lost: dict[int, Lost]) -> int | None:
    """The inode of the lost file that is at this path and has its rights back; None: none is.

    A removed file's inode is soon another's: elsewhere than at its old path it is the same file only if it is as it
    was left, and written when that was.
    """
    try:
        with opened_file(worktree, path) as (handle, found):
            one = lost.get(found.st_ino)
            if one is None or found.st_nlink != 1:
                return None
            is_same = stat.S_IMODE(found.st_mode) == one.taken.left and found.st_mtime_ns == one.taken.written
            if path != one.path and not is_same:
                return None
            restore(handle, found, one.taken)
            return found.st_ino
    except OSError:
        return None
