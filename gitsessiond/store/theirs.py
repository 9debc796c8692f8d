"""The objects of the user's repository, read with eyes fresh enough for their gc.

libgit2 remembers objects it has read and packs it has opened, and goes on saying "exists" after git removed
them. So existence is asked of the back ends, without the memory, and all is opened anew when the packs have
changed.
"""

from __future__ import annotations

import glob
import os

import pygit2

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.store.git import run_git
from gitsessiond.store.objects import KIND_NAMES, Object

FETCH_SECONDS = 60.0  # somebody waits, and nothing is recorded meanwhile
UNFETCHED = "this is a partial clone, and object"


class TheirObjects:
    """Read access to ``<common dir>/objects`` and its alternates."""

    def __init__(self, common_dir: str) -> None:
        self.common_dir = common_dir
        self._open()

    def _open(self) -> None:
        self._packs_at = self._packs_changed()
        self._odb = pygit2.Odb(os.path.join(self.common_dir, "objects"))
        self._backends = list(self._odb.backends)

    def _packs_changed(self) -> int:
        """When a pack last came or went, as the directory tells it (nanoseconds); 0: there is none."""
        try:
            return os.stat(os.path.join(self.common_dir, "objects", "pack")).st_mtime_ns
        except FileNotFoundError:
            return 0

    def has(self, oid: str) -> bool:
        """Whether the object is there now. A zero-length loose file, left by a power cut, is removed: git
        would take it for the object for ever.
        """
        if is_loose(self.common_dir, oid):
            return True
        if self._packs_changed() != self._packs_at:
            self._open()
        wanted = pygit2.Oid(hex=oid)
        return any(backend.exists(wanted) for backend in self._backends)

    def read(self, oid: str) -> Object | None:
        """An object; None when there is none. A partial clone fetches what it lacks, as for any git command.

        Raises:
            StateUnreadable: it is there, but damaged; or it was to be fetched, and could not be.
        """
        found = self._read(oid)
        if found is None and self._is_partial() and self._fetch(oid):
            self._open()
            found = self._read(oid)
        return found

    def _is_partial(self) -> bool:
        """Whether packs here may lack objects that a remote promised (gitformat-pack(5), ``.promisor``)."""
        pattern = os.path.join(glob.escape(self.common_dir), "objects", "pack", "*.promisor")
        return next(glob.iglob(pattern), None) is not None

    def _fetch(self, oid: str) -> bool:
        """Let git fetch a promised object; whether it has it now.

        Raises:
            StateUnreadable: the remote did not give it, or not in time.
        """
        try:
            told = run_git(["cat-file", "-e", oid], git_dir=self.common_dir, check=False, timeout=FETCH_SECONDS)
        except StoreFailed as exc:
            raise StateUnreadable(f"{UNFETCHED} {oid} could not be fetched: {exc.message}", hint="git fetch") from exc
        if told.code != 0 and b"promisor" in told.err + told.out:
            raise StateUnreadable(f"{UNFETCHED} {oid} could not be fetched: {told.words()}", hint="git fetch")
        return told.code == 0

    def _read(self, oid: str) -> Object | None:
        """An object that is here; raises as :meth:`read`."""
        wanted = pygit2.Oid(hex=oid)
        try:
            number, data = self._odb.read(wanted)
        except KeyError:
            return None
        except pygit2.GitError:
            self._open()  # its pack went away under us (their gc): look again, then believe it
            try:
                number, data = self._odb.read(wanted)
            except KeyError:
                return None
            except pygit2.GitError as exc:
                raise StateUnreadable(
                    f"object {oid} of the repository cannot be read: {exc}", hint="git session doctor --fix"
                ) from exc
        return Object(KIND_NAMES[int(number)], data)


def loose_path(common_dir: str, oid: str) -> str:
    """Where the repository keeps this object when it is loose."""
    return f"{common_dir}/objects/{oid[:2]}/{oid[2:]}"  # asked for thousands of times


def is_loose(common_dir: str, oid: str) -> bool:
    """Whether the repository has the object as a loose file; an empty one (a power cut) is removed."""
    path = loose_path(common_dir, oid)
    try:
        if os.stat(path).st_size > 0:
            return True
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise StoreFailed(f"the empty object file {path} cannot be removed: {exc}", hint="remove it") from exc
    return False
