"""Look at the disk: which paths are there, which differ from what is known, which nobody needs to look at.

Nothing is read but directories and ``lstat``. The order of questions matters for speed: a known path costs
one ``lstat`` and one comparison; only names that are unknown are put to git (``ignore.py``), a level at a
time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gitsessiond.model.values import GITLINK
from gitsessiond.store.files import signature
from gitsessiond.store.ignore import IGNORE_FILE, Ignore
from gitsessiond.store.known import Known, KnownPaths
from gitsessiond.store.tracked import Tracked, is_nested

CONTROL = b".gitsession"  # our own files, at the top of the worktree
NEVER_NAMES = (b".git", b"git~1")  # git adds neither, in any case of letters (read-cache.c: verify_path)


@dataclass
class Look:
    """What one look at (a part of) the worktree found."""

    present: set[bytes] = field(default_factory=set)  # known paths met while listing, in whatever form
    vanished: set[bytes] = field(default_factory=set)  # known paths that are not there, or no files now
    differs: list[tuple[bytes, os.stat_result]] = field(default_factory=list)  # known, to be read
    new: list[tuple[bytes, os.stat_result]] = field(default_factory=list)  # unknown; tracked or not ignored
    links: list[bytes] = field(default_factory=list)  # submodules
    ignored: list[bytes] = field(default_factory=list)  # directories that are not entered
    skipped: dict[bytes, str] = field(default_factory=dict)
    closed: list[bytes] = field(default_factory=list)  # directories that could not be listed


class Scan:
    """One look, at the whole worktree or at some paths; its findings gather in :attr:`look`."""

    def __init__(self, root: bytes, known: KnownPaths, ignore: Ignore, tracked: Tracked) -> None:
        self._root, self._known, self._ignore, self._tracked = root, known, ignore, tracked
        self._parents: dict[bytes, bytes | None] = {}
        self._listed: set[bytes] = set()  # directories that were looked at with everything below
        self.look = Look()

    def whole(self) -> Look:
        """Look at everything."""
        self._below([b""])
        self._note_vanished(self._known.names - self.look.present)
        return self.look

    def at(self, paths: Iterable[bytes]) -> Look:
        """Look at these paths, and at everything below those that are directories."""
        new: dict[bytes, os.stat_result] = {}
        wanted = {self._where(path) for path in paths}
        for path in sorted(path for path in wanted if path is not None):
            if not self._is_listed(path):
                self._at(path, new)
        allowed = allowed_among(new, self._ignore, self._tracked) if new else set()
        self.look.new += [(path, found) for path, found in new.items() if path in allowed]
        return self.look

    def _is_listed(self, path: bytes) -> bool:
        """Whether a directory above was looked at already."""
        end = path.rfind(b"/") if self._listed else -1
        while end > 0:
            if path[:end] in self._listed:
                return True
            end = path.rfind(b"/", 0, end)
        return False

    def _where(self, path: bytes) -> bytes | None:
        """What to look at when told of a path: itself, or the parent that is no plain directory of ours.

        None: the path is git's, ours, or another repository's.
        """
        parts = path.strip(b"/").split(b"/")
        if parts[0] == CONTROL or any(not part or part.lower() in NEVER_NAMES for part in parts):
            return None
        for end in range(1, len(parts)):
            parent = b"/".join(parts[:end])
            if parent not in self._parents:
                self._parents[parent] = self._judged(parent)
            if self._parents[parent] != b"":
                return self._parents[parent]
        return b"/".join(parts)

    def _judged(self, parent: bytes) -> bytes | None:
        """``b""`` for a plain directory of ours, else what :meth:`_where` answers for paths in it."""
        full = os.path.join(self._root, parent)
        have = self._known.get(parent)
        if have is not None and is_link(have):
            return parent
        try:
            found = os.lstat(full)
        except OSError:
            return parent
        if not stat.S_ISDIR(found.st_mode):
            return parent
        if parent not in self._known.directories and is_nested(full):
            return parent if parent in self._tracked.links else None
        return b""

    def _at(self, path: bytes, new: dict[bytes, os.stat_result]) -> None:
        """Look at one path, whatever is there now."""
        known = self._known
        have = known.packed.get(path)
        try:
            found = os.lstat(os.path.join(self._root, path))
        except PermissionError as exc:
            self._closed(path.rpartition(b"/")[0], exc)
            return
        except OSError:
            self._note_vanished([path] if have is not None else known.below(path))
            return
        if stat.S_ISDIR(found.st_mode):
            self._at_directory(path, was_file=have is not None)
            return
        self._note_vanished(known.below(path))
        if have is None:
            new[path] = found
        elif not have.startswith(signature(found)) or path in known.racy:
            self.look.differs.append((path, found))

    def _at_directory(self, path: bytes, *, was_file: bool) -> None:
        """Look at a directory and everything below it; ``was_file``: it was one, or is a submodule."""
        if path in self._tracked.links:
            self.look.links.append(path)
            return
        if was_file:
            self.look.vanished.add(path)
        enter = [path] if path in self._known.directories else self._admit_directories([path])
        self._below(enter)
        self._listed.update(enter)
        self._note_vanished(set(self._known.below(path)) - self.look.present)

    def _note_vanished(self, paths: Iterable[bytes]) -> None:
        """These known paths are not there - but some need not be, and of some nobody can tell."""
        gone = set(paths)
        if gone:
            gone -= self._tracked.left_out
        for directory in self.look.closed:
            start = directory + b"/" if directory else b""
            gone = {path for path in gone if not path.startswith(start)}
        self.look.vanished |= gone

    def _below(self, level: list[bytes]) -> None:
        """Look at everything under these directories."""
        while level:
            files: list[os.DirEntry[bytes]] = []
            names: list[bytes] = []
            unknown: list[bytes] = []
            following: list[bytes] = []
            for directory in level:
                self._list(directory, following, unknown, files, names)
            if any(item.name == IGNORE_FILE for item in files):
                self._note_rules(names, files)
            if unknown:
                following += self._admit_directories(unknown)
            if names:
                self._admit_files(names, files)
            level = following

    def _list(
        self,
        directory: bytes,
        following: list[bytes],
        unknown: list[bytes],
        files: list[os.DirEntry[bytes]],
        names: list[bytes],
    ) -> None:
        """Sort the names of one directory; the loop that a scan's time is spent in."""
        prefix = directory + b"/" if directory else b""
        known, racy, directories = self._known.packed, self._known.racy, self._known.directories
        present, differs = self.look.present, self.look.differs
        try:
            listing = os.scandir(os.path.join(self._root, directory))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            self._closed(directory, exc)
            return
        with listing:
            for item in listing:
                path = prefix + item.name
                have = known.get(path)
                if have is not None:
                    try:
                        found = item.stat(follow_symlinks=False)
                    except PermissionError as exc:  # its names can be read, what they stand for cannot
                        self._closed(directory, exc)
                        return
                    except OSError:
                        continue  # gone since it was listed
                    if have.startswith(signature(found)):
                        present.add(path)
                        if path in racy:
                            differs.append((path, found))
                    elif stat.S_ISDIR(found.st_mode):
                        self._known_directory(path, following, unknown)
                    else:
                        present.add(path)
                        differs.append((path, found))
                elif item.name.lower() in NEVER_NAMES or path == CONTROL:
                    continue
                elif not item.is_dir(follow_symlinks=False):
                    files.append(item)
                    names.append(path)
                elif path in directories:
                    following.append(path)
                else:
                    unknown.append(path)

    def _closed(self, directory: bytes, exc: OSError) -> None:
        """A directory that cannot be looked into: nothing in it is said to be gone."""
        self.look.closed.append(directory)
        self.look.skipped[directory] = f"unreadable directory: {exc.strerror}"

    def _known_directory(self, path: bytes, following: list[bytes], unknown: list[bytes]) -> None:
        """A known path is a directory now: a submodule, or a file that became one."""
        if path in self._tracked.links:
            self.look.present.add(path)
            self.look.links.append(path)
        elif path in self._known.directories:
            following.append(path)
        else:
            unknown.append(path)

    def _admit_directories(self, paths: list[bytes]) -> list[bytes]:
        """Those unknown directories that are to be listed."""
        enter = []
        ignored = self._ignore.ignored([path + b"/" for path in paths])
        for path, is_ignored in zip(paths, ignored, strict=True):
            if path in self._tracked.links:
                self.look.links.append(path)
            elif is_ignored and not self._tracked.any_below(path):
                self.look.ignored.append(path)
            elif is_nested(os.path.join(self._root, path)):
                self.look.ignored.append(path)
                self.look.skipped[path] = "nested repository"
            else:
                enter.append(path)
        return enter

    def _note_rules(self, names: list[bytes], files: list[os.DirEntry[bytes]]) -> None:
        """Rule files that are not recorded (new ones, ignored ones): what follows is judged by them too."""
        for name, item in zip(names, files, strict=True):
            if item.name == IGNORE_FILE:
                self._ignore.saw(name)

    def _admit_files(self, names: list[bytes], files: list[os.DirEntry[bytes]]) -> None:
        """Keep those unknown names that are tracked or not ignored."""
        allowed = allowed_among(names, self._ignore, self._tracked)
        for name, item in zip(names, files, strict=True):
            if name not in allowed:
                continue
            try:
                self.look.new.append((name, item.stat(follow_symlinks=False)))
            except OSError:
                continue


def is_link(known: Known) -> bool:
    """Whether a submodule is recorded there."""
    return known.entry is not None and known.entry.mode == GITLINK


def allowed_among(names: Collection[bytes], ignore: Ignore, tracked: Tracked) -> set[bytes]:
    """Those names of files that git does not ignore."""
    ordered = list(names)
    ignored = {name for name, answer in zip(ordered, ignore.ignored(ordered), strict=True) if answer}
    return set(ordered) - (ignored - tracked.among(ignored) if ignored else set())
