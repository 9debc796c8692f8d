"""The control files of one worktree: what was written there, what was saved since, what was refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from gitsessiond.daemon.control_dir import REFUSED, ControlDir, NoSave, Save, Signature
from gitsessiond.daemon.control_texts import (
    ERRORS,
    PATCHES,
    REQUESTS,
    SHOWN_ONLY,
    STATUS,
    Head,
    cut_short,
    headed,
    one_line,
)
from gitsessiond.daemon.log import log
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.moments import now_text
from gitsessiond.model.names import quote_path

KNOWN = b".known"
MOST_REFUSED = 50
MOST_TOLD = 100  # sentences in the log
MOST_HINTS = 20  # lines of hints that are told of a refusal
MOST_KEPT = 64 << 10  # bytes of a refused save that are kept beside the words

Told = dict[bytes, list[str]]  # digests by path


class ControlFiles:
    """What is known of the files below one ``.gitsession/``, and the ways to change them."""

    def __init__(self, worktree: str) -> None:
        self.dir = ControlDir(worktree)
        self.ours: dict[bytes, Signature] = {}  # files that may be overwritten while they are these
        self.written: dict[bytes, bytes] = {}  # what they hold
        self._digests: dict[bytes, tuple[bytes, str]] = {}  # of what was told to the next daemon last
        self.former: Told = {}  # of what a former daemon wrote last
        self.emptied: set[bytes] = set()  # directories from which files were taken away
        self.waiting: set[bytes] = set()  # somebody has them open for writing, or they cannot be put aside
        self._panel, self._status = b"", b""  # the panel, and STATUS with its head
        self._lapsed = ""  # why STATUS is not kept current
        self._refused: list[str] = []
        self._told: set[str] = set()  # what is in the log already
        self._read_known()

    def _read_known(self) -> None:
        """What a former daemon wrote, so that a save made since is known for one, and a copy is not."""
        found = self.dir.read(KNOWN)
        if isinstance(found, Save):
            self.former = known_in(found.content)
        errors = self.dir.read(ERRORS)
        if isinstance(errors, Save) and self.is_as_written(ERRORS, errors):
            for line in errors.content.decode("utf-8", "surrogateescape").splitlines(keepends=True):
                if line.startswith(" ") and self._refused:
                    self._refused[-1] += line
                else:
                    self._refused.append(line)

    def is_as_written(self, path: bytes, save: Save) -> bool:
        """Whether a file holds what was written to it last: whoever saved it changed nothing. It is ours then."""
        written = self.written.get(path)
        same = save.content == written if written is not None else digest(save.content) in self.former.get(path, ())
        if same:
            self.ours[path], self.written[path] = save.signature, save.content
        return same

    def take_in_copy(self) -> None:
        """If ``.known`` is another's now, all that it knows came along and is no wish: copied, or put back."""
        found = self.dir.read(KNOWN) if self.is_known(KNOWN) and not self.is_ours(KNOWN) else None
        if not isinstance(found, Save):
            return
        self.accept(KNOWN, found)
        for path, digests in known_in(found.content).items():
            if path not in self.written:
                self.former[path] = digests
            elif not self.is_ours(path):
                save = self.dir.read(path)
                if isinstance(save, Save) and digest(save.content) in digests:
                    self.accept(path, save)

    def accept_copied(self, directory: bytes) -> None:
        """A new patch's directory may be a copy of another's: what only came along with the description is no wish."""
        names = {one.name for one in self.dir.names(directory)}
        if names.isdisjoint(SHOWN_ONLY):
            return  # nobody makes these
        for name in names & {*SHOWN_ONLY, b"status", b"depends-on"}:
            save = self.dir.read(directory + name)
            shown = [text for path, text in self.written.items() if os.path.basename(path) == name]
            if isinstance(save, Save) and (name in SHOWN_ONLY or save.content in shown):
                self.accept(directory + name, save)

    def is_ours(self, path: bytes) -> bool:
        """Whether a file is as it was left by us."""
        return path in self.ours and self.dir.signature(path) == self.ours[path]

    def is_known(self, path: bytes) -> bool:
        """Whether there was a file of ours."""
        return path in self.ours

    def is_missing(self, path: bytes) -> bool:
        """Whether a file that was written is not there any more."""
        return path in self.ours and not path.endswith(REFUSED) and self.dir.signature(path) is None

    def has_moved(self, before: bytes, directory: bytes) -> bool:
        """Whether a directory has a file that we wrote in another."""
        ours = [(path, found) for path, found in self.ours.items() if path.startswith(before)]
        return any(self.dir.signature(directory + path[len(before) :]) == found for path, found in ours)

    def has_ours_in(self, directory: bytes) -> bool:
        """Whether we wrote files in a directory."""
        return any(path.startswith(directory) for path in self.ours)

    def has_former(self, before: bytes, directory: bytes) -> bool:
        """Whether a directory has all that a former daemon left in another, as it left it."""
        former = {path[len(before) :]: told for path, told in self.former.items() if path.startswith(before)}
        saves = {name: self.dir.read(directory + name) for name in former if not name.endswith(REFUSED)}
        same = (isinstance(save, Save) and digest(save.content) in former[name] for name, save in saves.items())
        return bool(saves) and all(same)

    def was_ours(self, directory: bytes) -> bool:
        """Whether a former daemon had files in a directory: what is in it is no wish."""
        return any(path.startswith(directory) for path in self.former)

    def accept(self, path: bytes, save: Save) -> None:
        """A save was acted on: it may be overwritten now."""
        self.ours[path] = save.signature
        self.written[path] = save.content
        beside = path + REFUSED
        if beside in self.ours:
            self.dir.remove(beside, self.ours.pop(beside))

    def note_refused(self, path: bytes, message: str, hint: str | None) -> list[str]:
        """Say in ``errors`` that a save was not acted on; returns the sentence and its hints."""
        words, hints = one_line(message), [cut_short(line) for line in (hint or "").splitlines()[:MOST_HINTS]]
        lines = [f"{now_text()} {quote_path(path)}: {words}", *(f"    {line}" for line in hints)]
        self._refused = [*self._refused, "".join(line + "\n" for line in lines)][-MOST_REFUSED:]
        return [words, *hints]

    def refuse(self, path: bytes, save: Save | NoSave | None, message: str, hint: str | None) -> None:
        """A save was not acted on: say why in ``errors``, and beside the file, where its words stay."""
        words = self.note_refused(path, message, hint)
        if isinstance(save, NoSave):
            if self.dir.put_aside(path) is None:
                self.waiting.add(path)
            return
        lines = [f"# Not done, {now_text()}: {words[0]}", *(f"# {line}" for line in words[1:])]
        if save is not None:
            lines.append("# What was saved:")
            self.ours[path] = save.signature
            self.written[path] = save.content
        text = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
        beside = path.rstrip(b"/") + REFUSED
        if save is None or len(save.content) <= MOST_KEPT:
            before = self.dir.read(beside)
            kept = b"\n" + before.content[:MOST_KEPT] if isinstance(before, Save) else b""
            self.put(beside, text + (save.content if save else b"") + kept, self.dir.signature(beside))
        elif self.dir.put_aside(path) is None:
            self.waiting.add(path)

    def forget_refused(self) -> None:
        """Somebody emptied ``errors``."""
        self._refused = []

    def put(self, path: bytes, text: bytes, expected: Signature | None) -> bool:
        """Write one file unless somebody saved it meanwhile; a disk that refuses is logged."""
        try:
            found = self.dir.put(path, text, expected)
        except OSError as exc:
            self.tell(f"{quote_path(path)}: {exc.strerror}")
            return False
        if found is not None:
            self.ours[path], self.written[path] = found, text
        return found is not None

    def tell(self, trouble: str) -> None:
        """Log what keeps the files from being written, once."""
        if trouble not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(trouble)
            log(f"control files: {trouble}")

    def wanted(self, texts: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """What each file is to hold: these texts, a head above the panel, and what was refused."""
        self._lapsed = ""
        if texts[STATUS] != self._panel:
            self._panel = texts[STATUS]
            self._status = headed(Head(now_text(), os.getpid()).kept(), self._panel)
        refused = "".join(self._refused).encode("utf-8", "surrogateescape")
        return {**texts, STATUS: self._status, ERRORS: refused}

    def drop(self, path: bytes) -> None:
        """Take a file away that shows nothing any more."""
        self.dir.remove(path, self.ours.pop(path))
        self.written.pop(path, None)
        self._digests.pop(path, None)
        self.emptied.add(os.path.dirname(path))

    def drop_emptied(self) -> None:
        """Take the directories away in which nothing is then."""
        for directory in sorted(self.emptied - {b"", PATCHES, REQUESTS}):
            self.dir.remove_directory(directory)
        self.emptied.clear()

    def told(self) -> Told:
        """What the next daemon is to know: what was written to each file, by a former one where not by us."""
        former = {path: told for path, told in self.former.items() if path not in self.written}
        return former | {path: [self.digest(path, text)] for path, text in self.written.items() if path != KNOWN}

    def hides_wish(self, told: Told) -> bool:
        """Whether what the next daemon has of this might hide a wish from it, or it has nothing.

        Of a file that is only shown it may have what that held before too: saving that asks for nothing either.
        """
        left = known_in(self.written.get(KNOWN, b""))
        if left.keys() != told.keys() or self.dir.signature(KNOWN) is None:
            return True
        wide = (path for path in told if left[path] != told[path])
        return not all(is_only_shown(path) and set(told[path]) <= set(left[path]) for path in wide)

    def keep_known(self, told: Told) -> None:
        """Leave to the next daemon what was written; while that is being done, what was there and what is to be."""
        text = json.dumps({os.fsdecode(path): digests for path, digests in told.items()}).encode()
        found = self.dir.signature(KNOWN)
        if self.written.get(KNOWN) != text or found is None:
            self.put(KNOWN, text, found)

    def digest(self, path: bytes, text: bytes) -> str:
        """What stands for a text, worked out once for as long as it is shown."""
        if path not in self._digests or self._digests[path][0] != text:
            self._digests[path] = text, digest(text)
        return self._digests[path][1]

    def stop(self) -> None:
        """The daemon ends: STATUS is not kept current from now on, and says so."""
        if self.dir.is_there() and self.is_ours(STATUS):
            self._last_status(Head(now_text(), os.getpid()).stopped())

    def end(self) -> None:
        """The session ended: what would act goes, STATUS stays and says so."""
        if not self.dir.is_there():
            return
        for path in [path for path in self.ours if path not in (STATUS, ERRORS)]:
            self.drop(path)
        self.drop_emptied()
        for directory in (PATCHES, REQUESTS):
            self.dir.remove_directory(directory)
        if self.is_ours(STATUS):
            self._last_status(Head(now_text(), os.getpid()).ended())

    def lapse(self, error: GitSessionError) -> None:
        """Nobody can tell what is: STATUS says so until somebody can."""
        if self._status and self._lapsed != error.message and self.dir.is_there() and self.is_ours(STATUS):
            self._lapsed = error.message
            self._last_status(Head(now_text(), os.getpid()).lapsed(one_line(error.message)))

    def _last_status(self, head: str) -> None:
        """Write STATUS once more, with another head, which the next daemon is not to take for a save."""
        text, told = headed(head, self._panel), self.told()
        self.keep_known(told | {STATUS: [*told.get(STATUS, ()), digest(text)]})
        self.put(STATUS, text, self.ours[STATUS])

    def reply(self, path: bytes, reply: Mapping[str, Any]) -> None:
        """Answer a request of ``requests/``; an earlier answer of the same name is replaced."""
        text = json.dumps(reply, indent=1).encode() + b"\n"
        self.put(path, text, self.dir.signature(path))
        self.ours.pop(path, None)  # it is the asker's from now on
        self.written.pop(path, None)


def known_in(content: bytes) -> Told:
    """The digests in a ``.known``; nothing: each file is looked at as if somebody had saved it."""
    try:
        return {os.fsencode(path): [str(one) for one in told] for path, told in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def digest(content: bytes) -> str:
    """What stands for a content."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def is_only_shown(path: bytes) -> bool:
    """Whether nothing that is saved there is a wish; ``errors`` saved empty is one that a new daemon need not hear."""
    return path in (STATUS, ERRORS) or os.path.basename(path) in SHOWN_ONLY


def is_kept(path: bytes) -> bool:
    """Whether a file of ours stays although no text is shown in it."""
    return path in (ERRORS, KNOWN) or path.endswith(REFUSED)
