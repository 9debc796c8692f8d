"""What ``git add`` would store for a file's bytes: line ends, clean filters, ``$Id$``, encodings.

Attributes are asked of git (one kept ``git check-attr`` child). Line ends are converted here, by the rule
of git's convert.c (``crlf_to_git``); whatever else applies is left to ``git hash-object --path``, which
writes into a scratch object directory of ours, never into the repository. One thing git itself knows only
with an index at hand: under ``auto``, a file whose indexed version has CRLF is not converted.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.names import quote_path
from gitsessiond.store.config import Config, Signature, signature_of
from gitsessiond.store.files import signature
from gitsessiond.store.git import KeptGit, run_git
from gitsessiond.store.ignore import outside_files
from gitsessiond.store.repository import Repository

ATTRIBUTES_FILE = b".gitattributes"
ATTRIBUTES = ("text", "crlf", "eol", "filter", "ident", "working-tree-encoding")
NOTHING = (b"unspecified",) * len(ATTRIBUTES)
NO_VALUE = (b"unspecified", b"unset", b"set")  # what check-attr says when there is no string
FILTER_SECONDS = 60.0
BULK = 8  # from this many on, one git for all

_PRINTABLE = bytes(code for code in range(256) if code > 127 or 32 <= code < 127 or code in b"\b\t\033\014")


class Raw(NamedTuple):
    """A file as read: its bytes, and the signature of the file they are from."""

    path: bytes
    data: bytes
    sig: bytes


class Unclean(NamedTuple):
    """Why there is no clean content."""

    why: str


class Filters:
    """Clean contents of one worktree's files, as of the attributes and configuration of now."""

    def __init__(self, repository: Repository, config: Config, scratch: str) -> None:
        self._repository, self._config, self._scratch = repository, config, scratch
        self._child = KeptGit(["check-attr", "--stdin", "-z", *ATTRIBUTES], cwd=repository.worktree)
        self._attributes: dict[bytes, tuple[bytes, ...]] = {}
        self._sources: tuple[object, ...] = ()
        self.has_files = False  # whether the worktree has any .gitattributes; the caller sees them

    def refresh(self) -> bool:
        """Look at the sources outside the worktree; tells whether one changed."""
        self._config.refresh()
        sources = (self._config.version, *self._outside())
        if sources == self._sources:
            return False
        first, self._sources = not self._sources, sources
        self.forget()
        return not first

    def forget(self) -> None:
        """Drop what is remembered of attributes (a ``.gitattributes`` changed)."""
        self._attributes.clear()
        self._child.close()

    def close(self) -> None:
        """End the child and remove the scratch directory."""
        self._child.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def active(self) -> bool:
        """Whether any content could differ from what git stores for it."""
        return self.has_files or self._autocrlf() != "false" or any(self._outside())

    def clean(self, files: Sequence[Raw]) -> list[bytes | Unclean]:
        """What git would store for each file."""
        if not self.active:
            return [file.data for file in files]
        attributes = self.attributes([file.path for file in files])
        out: list[bytes | Unclean] = [b""] * len(files)
        for_git: list[int] = []
        for number, (file, found) in enumerate(zip(files, attributes, strict=True)):
            answer = self._without_git(file, found)
            if answer is None:
                for_git.append(number)
            else:
                out[number] = answer
        for number, answer in zip(for_git, self._by_git([files[n] for n in for_git]), strict=True):
            out[number] = answer
        if for_git:  # else it would grow for as long as the daemon runs
            shutil.rmtree(self._scratch, ignore_errors=True)
        return out

    def smudge(self, path: bytes, oid: str, data: bytes) -> bytes:
        """What git would check out for a blob (``git cat-file --filters``).

        Raises:
            StoreFailed: the filter failed.
        """
        if not self.active or (self.attributes([path])[0] == NOTHING and self._autocrlf() == "false"):
            return data
        place = os.path.join(self._scratch, oid[:2])
        os.makedirs(place, mode=0o700, exist_ok=True)
        with open(os.path.join(place, oid[2:]), "wb") as file:
            file.write(zlib.compress(b"blob %d\0" % len(data) + data, 1))
        return run_git(
            ["cat-file", "--filters", b"--path=" + path, oid],
            cwd=self._repository.worktree,
            env={
                "GIT_OBJECT_DIRECTORY": self._scratch,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": _listed(self._repository.common_dir + "/objects"),
            },
            timeout=FILTER_SECONDS,
        ).out

    def may_change_unseen(self, paths: Sequence[bytes]) -> list[bool]:
        """For each path whether clean and raw content can differ although their sizes are the same."""
        if not self.active:
            return [False] * len(paths)
        return [self._needs_git(found) for found in self.attributes(paths)]

    def attributes(self, paths: Sequence[bytes]) -> list[tuple[bytes, ...]]:
        """The values of :data:`ATTRIBUTES` for each path."""
        new = [path for path in dict.fromkeys(paths) if path not in self._attributes]
        if new:
            fields = self._child.ask(b"".join(path + b"\0" for path in new), 3 * len(ATTRIBUTES) * len(new))
            known: dict[tuple[bytes, ...], tuple[bytes, ...]] = {NOTHING: NOTHING}
            values, width = fields[2::3], len(ATTRIBUTES)
            for number, path in enumerate(new):
                found = tuple(values[number * width : (number + 1) * width])
                self._attributes[path] = known.setdefault(found, found)
        return [self._attributes[path] for path in paths]

    def _needs_git(self, found: tuple[bytes, ...]) -> bool:
        """Whether more than line ends is to be done."""
        _, _, _, driver, ident, encoding = found
        return driver not in NO_VALUE or ident == b"set" or encoding not in NO_VALUE

    def _without_git(self, file: Raw, found: tuple[bytes, ...]) -> bytes | Unclean | None:
        """The answer where it needs no git; None: ask it."""
        _, _, _, driver, ident, encoding = found
        if driver not in NO_VALUE:
            way = self._driver(os.fsdecode(driver))
            if way != "":
                return None if way == "clean" else Unclean(way)
        if encoding not in NO_VALUE or (ident == b"set" and b"$Id" in file.data):
            return None
        if b"\r\n" not in file.data:
            return file.data
        if (self._config.get("core.safecrlf") or "warn").lower() in ("true", "yes", "on", "1"):
            return None
        return self._with_line_ends(file, found)

    def _driver(self, name: str) -> str:
        """How to run a filter driver: ``clean``; ``""`` when it does nothing; else why it is not run.

        An empty ``process`` switches ``clean`` off (convert.c: apply_filter).
        """
        process = self._config.get(f"filter.{name}.process")
        if process:
            return f"its filter {name} is a program that keeps its own store"
        if process is None and self._config.get(f"filter.{name}.clean"):
            return "clean"
        if self._config.flag(f"filter.{name}.required"):
            return f"its required filter {name} is not configured"
        return ""

    def _with_line_ends(self, file: Raw, found: tuple[bytes, ...]) -> bytes:
        """CRLF made LF where git would (convert.c: convert_attrs, crlf_to_git)."""
        action = self._line_end_action(found)
        if action == "binary":
            return file.data
        if action == "auto" and (looks_binary(file.data) or self._crlf_in_index(file.path)):
            return file.data
        return file.data.replace(b"\r\n", b"\n")

    def _line_end_action(self, found: tuple[bytes, ...]) -> str:
        """``text``, ``auto`` or ``binary``: by ``text``, else ``crlf``, else ``eol``, else configuration."""
        text, crlf, eol, *_ = found
        action = _asked_action(text) or _asked_action(crlf)
        if action == "" and eol in (b"lf", b"crlf"):
            action = "text"
        if action == "":
            action = "binary" if self._autocrlf() == "false" else "auto"
        return action

    def _crlf_in_index(self, path: bytes) -> bool:
        """Whether the indexed version is text with CRLF (convert.c: has_crlf_in_index)."""
        shown = run_git(["cat-file", "blob", b":0:" + path], cwd=self._repository.worktree, check=False)
        return shown.code == 0 and b"\r\n" in shown.out and not looks_binary(shown.out)

    def _by_git(self, files: Sequence[Raw]) -> list[bytes | Unclean]:
        """Clean contents by ``git hash-object``; many at once from the disk while it has the same bytes."""
        if len(files) < BULK:
            return [self._one_by_git(file) for file in files]
        names = b"".join(quote_path(file.path).encode("utf-8", "surrogateescape") + b"\n" for file in files)
        try:
            oids = self._hash_object(["--stdin-paths"], names).split()
        except StoreFailed:
            oids = []
        if len(oids) != len(files):
            return [self._one_by_git(file) for file in files]
        return [
            self._take(oid.decode()) if self._is_same(file) else self._one_by_git(file)
            for file, oid in zip(files, oids, strict=True)
        ]

    def _one_by_git(self, file: Raw) -> bytes | Unclean:
        """The clean content of these very bytes, whatever is on disk by now."""
        try:
            oid = self._hash_object(["--stdin", b"--path=" + file.path], file.data).strip().decode()
            return self._take(oid)
        except StoreFailed as exc:
            return Unclean(f"git cannot store it: {exc.message}")

    def _is_same(self, file: Raw) -> bool:
        """Whether the file on disk is still the one that was read."""
        try:
            found = os.lstat(os.path.join(os.fsencode(self._repository.worktree), file.path))
        except OSError:
            return False
        return signature(found) == file.sig

    def _hash_object(self, args: Sequence[str | bytes], given: bytes) -> bytes:
        """Run ``git hash-object -w`` into the scratch directory."""
        os.makedirs(self._scratch, mode=0o700, exist_ok=True)
        return run_git(
            ["-c", "core.fsync=none", "hash-object", "-w", *args],
            cwd=self._repository.worktree,
            input=given,
            env={"GIT_OBJECT_DIRECTORY": self._scratch},
            timeout=FILTER_SECONDS,
        ).out

    def _take(self, oid: str) -> bytes:
        """The content of a blob in the scratch directory, where only loose objects are (gitformat-loose)."""
        place = os.path.join(self._scratch, oid[:2], oid[2:])
        with open(place, "rb") as file:
            return zlib.decompress(file.read()).partition(b"\0")[2]

    def _autocrlf(self) -> str:
        """``core.autocrlf`` as ``true``, ``false`` or ``input``."""
        value = (self._config.get("core.autocrlf") or "false").lower()
        if value == "input":
            return value
        return "true" if value in ("true", "yes", "on", "1") else "false"

    def _outside(self) -> tuple[Signature, ...]:
        """The states of the attribute files outside the worktree (gitattributes(5))."""
        places = [*outside_files(self._config, "core.attributesFile", "attributes"), "/etc/gitattributes"]
        places.append(os.path.join(self._repository.common_dir, "info", "attributes"))
        return tuple(signature_of(path) for path in places)


def _listed(directory: str) -> str:
    """A directory as one item of a colon-separated list (git(1), GIT_ALTERNATE_OBJECT_DIRECTORIES)."""
    if ":" not in directory and not directory.startswith('"'):
        return directory
    return '"' + directory.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _asked_action(value: bytes) -> str:
    """What a ``text`` or ``crlf`` attribute asks for; ``""`` when it is silent (git_path_check_crlf)."""
    if value in (b"set", b"input"):
        return "text"
    if value == b"unset":
        return "binary"
    return "auto" if value == b"auto" else ""


def looks_binary(data: bytes) -> bool:
    """git's rule for line ends: a NUL, a lone CR, too few printables (convert.c: convert_is_binary)."""
    if b"\0" in data:
        return True
    rest = data.replace(b"\r\n", b"")
    if b"\r" in rest:
        return True
    rest = rest.replace(b"\n", b"")
    odd = len(rest.translate(None, _PRINTABLE))
    printable = len(rest) - odd
    if data.endswith(b"\032"):
        odd -= 1
    return (printable >> 7) < odd
