"""The objects in our own packs, and in nothing else."""

from __future__ import annotations

import os

import pygit2

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.store.objects import KIND_NAMES, Object

# libgit2 keeps every pack open that it ever read from, ones removed since too: a daemon of many days would run out of
# descriptors. Past the limit it closes the one not used for longest (git_libgit2_opts, SET_MWINDOW_FILE_LIMIT:
# https://libgit2.org/docs/reference/main/common/git_libgit2_opts.html).
PACKS_OPEN = 128
pygit2.settings.mwindow_file_limit = PACKS_OPEN


class OwnPacks:
    """Read access to ``store.git/objects/pack``.

    libgit2's back end for packs is used without its object database, which would follow the alternates that
    store.git names for plain git: then "we have it" would be true of what only the user's repository has.
    """

    def __init__(self, git_dir: str) -> None:
        self._objects = os.path.join(git_dir, "objects")
        self.reopen()

    def reopen(self) -> None:
        """Forget packs that were removed."""
        self._packs = pygit2.OdbBackendPack(self._objects)

    def look_again(self) -> None:
        """Notice packs that were added."""
        self._packs.refresh()

    def has(self, oid: str) -> bool:
        """Whether a pack holds the object."""
        return self._packs.exists(pygit2.Oid(hex=oid))

    def kind(self, oid: str) -> str:
        """The kind of an object that :meth:`has` knows, without reading it whole.

        Raises:
            StateUnreadable: it is damaged.
        """
        try:
            return KIND_NAMES[int(self._packs.read_header(pygit2.Oid(hex=oid))[0])]
        except (KeyError, pygit2.GitError) as exc:
            raise StateUnreadable(f"object {oid} cannot be read: {exc}", hint="git session doctor") from exc

    def read(self, oid: str) -> Object | None:
        """An object; None when no pack holds it.

        Raises:
            StateUnreadable: it is damaged.
        """
        wanted = pygit2.Oid(hex=oid)
        if not self._packs.exists(wanted):
            return None
        try:
            number, data = self._packs.read(wanted)
        except (KeyError, pygit2.GitError):
            self.reopen()  # its pack was merged into another since it was opened
            try:
                number, data = self._packs.read(wanted)
            except (KeyError, pygit2.GitError) as exc:
                raise StateUnreadable(f"object {oid} cannot be read: {exc}", hint="git session doctor") from exc
        return Object(KIND_NAMES[int(number)], data)
