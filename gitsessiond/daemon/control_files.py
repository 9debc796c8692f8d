"""The control files of one worktree: what was written there, what was saved since, what was refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from gitsessiond.daemon.control_dir import REFUSED, ControlDir, NoSave, Save, Signature
from gitsessiond.daemon.control_texts import ERRORS, PATCHES, REQUESTS, SHOWN_ONLY, STATUS, Head
from gitsessiond.daemon.log import log
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.moments import now_text
from gitsessiond.model.names import quote_path

KNOWN = b".known"
MOST_REFUSED = 50
MOST_TOLD = 100  # sentences in the log
MOST_WORDS, MOST_HINTS = 500, 20  # letters of a sentence or hint, and lines of hints, that are told of a refusal
MOST_KEPT = 64 << 10  # bytes of a refused save that are kept beside the words


class ControlFiles:
    """What is known of the files below one ``.gitsession/``, and the ways to change them."""

    def __init__(self, worktree: str) -> None:
        self.dir = ControlDir(worktree)
        self._ours: dict[bytes, Signature] = {}  # files that may be overwritten while they are these
        self._written: dict[bytes, bytes] = {}  # what they hold
        self._digests: dict[bytes, tuple[bytes, str]] = {}  # of what was told to the next daemon last
        self._former: dict[bytes, list[str]] = {}  # digests of what a former daemon wrote last
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
            self._former = known_in(found.content)
        errors = self.dir.read(ERRORS)
        if isinstance(errors, Save) and self.is_as_written(ERRORS, errors):
            for line in errors.content.decode("utf-8", "surrogateescape").splitlines(keepends=True):
                if line.startswith(" ") and self._refused:
                    self._refused[-1] += line
                else:
                    self._refused.append(line)

    def is_as_written(self, path: bytes, save: Save) -> bool:
        """Whether a file holds what was written to it last: whoever saved it changed nothing. It is ours then."""
        written = self._written.get(path)
        same = save.content == written if written is not None else digest(save.content) in self._former.get(path, ())
        if same:
            self._ours[path], self._written[path] = save.signature, save.content
        return same

    def take_in_copy(self) -> None:
        """If ``.known`` is another's now, all that it knows came along and is no wish: copied, or put back."""
        found = self.dir.read(KNOWN) if self.is_known(KNOWN) and not self.is_ours(KNOWN) else None
        if not isinstance(found, Save):
            return
        self.accept(KNOWN, found)
        for path, digests in known_in(found.content).items():
            if path not in self._written:
                self._former[path] = digests
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
            shown = [text for path, text in self._written.items() if os.path.basename(path) == name]
            if isinstance(save, Save) and (name in SHOWN_ONLY or save.content in shown):
                self.accept(directory + name, save)

    def is_ours(self, path: bytes) -> bool:
        """Whether a file is as it was left by us."""
        return path in self._ours and self.dir.signature(path) == self._ours[path]

    def is_known(self, path: bytes) -> bool:
        """Whether there was a file of ours."""
        return path in self._ours

    def missing(self) -> set[bytes]:
        """The files that were written and are not there any more."""
        return {path for path in self._ours if not path.endswith(REFUSED) and self.dir.signature(path) is None}

    def has_moved(self, before: bytes, directory: bytes) -> bool:
        """Whether a directory has a file that we wrote in another."""
        ours = [(path, found) for path, found in self._ours.items() if path.startswith(before)]
        return any(self.dir.signature(directory + path[len(before) :]) == found for path, found in ours)

    def has_ours_in(self, directory: bytes) -> bool:
        """Whether we wrote files in a directory."""
        return any(path.startswith(directory) for path in self._ours)

    def has_former(self, before: bytes, directory: bytes) -> bool:
        """Whether a directory has all that a former daemon left in another, as it left it."""
        former = {path[len(before) :]: told for path, told in self._former.items() if path.startswith(before)}
        saves = {name: self.dir.read(directory + name) for name in former if not name.endswith(REFUSED)}
        same = (isinstance(save, Save) and digest(save.content) in former[name] for name, save in saves.items())
        return bool(saves) and all(same)

    def was_ours(self, directory: bytes) -> bool:
        """Whether a former daemon had files in a directory: what is in it is no wish."""
        return any(path.startswith(directory) for path in self._former)

    def accept(self, path: bytes, save: Save) -> None:
        """A save was acted on: it may be overwritten now."""
        self._ours[path] = save.signature
        self._written[path] = save.content
        beside = path + REFUSED
        if beside in self._ours:
            self.dir.remove(beside, self._ours.pop(beside))

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
            self._ours[path] = save.signature
            self._written[path] = save.content
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
            self._ours[path], self._written[path] = found, text
        return found is not None

    def tell(self, trouble: str) -> None:
        """Log what keeps the files from being written, once."""
        if trouble not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(trouble)
            log(f"control files: {trouble}")

    def show(self, texts: Mapping[bytes, bytes]) -> list[bytes]:
        """Have the files hold these texts; returns those that somebody saved and nobody has read.

        Nothing is written where all is so already, and nothing where the worktree is being removed.
        """
        if not self.dir.is_there():
            return []
        try:
            self.dir.make(REQUESTS)
            self.dir.make(PATCHES)
        except OSError as exc:
            self.tell(str(exc.strerror))
            return []
        self._lapsed = ""
        if texts[STATUS] != self._panel:
            self._panel = texts[STATUS]
            self._status = headed(Head(now_text(), os.getpid()).kept(), self._panel)
        wanted = {**texts, STATUS: self._status, ERRORS: "".join(self._refused).encode("utf-8", "surrogateescape")}
        before = dict(self._written)
        if any(before.get(path) != text for path, text in wanted.items()):
            self._keep_known(before, wanted)
        unread = [path for path, text in wanted.items() if not self._show_one(path, text)]
        self._drop([path for path in self._ours if path not in texts and not is_kept(path)])
        self._drop_former(wanted)
        if self._written != before:
            self._keep_known(self._written)
        return unread

    def _show_one(self, path: bytes, text: bytes) -> bool:
        """One file; False where a save waits to be read."""
        if path in self.waiting:
            return True
        found = self.dir.signature(path)
        if found is not None:
            if found != self._ours.get(path):
                return False
            if self._written.get(path) == text:
                return True
        return self.put(path, text, found) or self.dir.signature(path) == found

    def _drop(self, paths: Iterable[bytes]) -> None:
        """Take files away that show nothing any more, and the directories that are empty then."""
        above = set()
        for path in paths:
            self.dir.remove(path, self._ours.pop(path))
            self._written.pop(path, None)
            self._digests.pop(path, None)
            above.add(os.path.dirname(path))
        for directory in sorted(above - {b"", PATCHES, REQUESTS}):
            self.dir.remove_directory(directory)

    def _drop_former(self, wanted: Mapping[bytes, bytes]) -> None:
        """Take away what a former daemon wrote and is shown no more, of another session even."""
        former = [path for path in self._former if path not in wanted and not is_kept(path)]
        for path in former:
            save = self.dir.read(path)
            if isinstance(save, Save) and self.is_as_written(path, save):
                continue  # it is ours now
            self._ours.pop(path, None)
        self._drop([path for path in former if path in self._ours])
        self._former = {path: told for path, told in self._former.items() if path in wanted}

    def _keep_known(self, *written: Mapping[bytes, bytes]) -> None:
        """Leave to the next daemon what was written; while that is being done, what was there and what is to be."""
        told: dict[str, list[str]] = {}
        for texts in written:
            for path, text in texts.items():
                if path != KNOWN:
                    told.setdefault(os.fsdecode(path), []).append(self._digest(path, text))
        text = json.dumps(told).encode()
        if self._written.get(KNOWN) != text or self.dir.signature(KNOWN) is None:
            self.put(KNOWN, text, self.dir.signature(KNOWN))

    def _digest(self, path: bytes, text: bytes) -> str:
        """What stands for a text, worked out once for as long as it is shown."""
        if path not in self._digests or self._digests[path][0] != text:
            self._digests[path] = text, digest(text)
        return self._digests[path][1]

    def stop(self) -> None:
        """The daemon ends: STATUS is not kept current from now on, and says so."""
        if self.dir.is_there() and self.is_ours(STATUS):
            self._last_status(Head(now_text(), os.getpid()).stopped())
            self._keep_known(self._written)

    def end(self) -> None:
        """The session ended: what would act goes, STATUS stays and says so."""
        if not self.dir.is_there():
            return
        self._drop([path for path in self._ours if path not in (STATUS, ERRORS)])
        for directory in (PATCHES, REQUESTS):
            self.dir.remove_directory(directory)
        if self.is_ours(STATUS):
            self._last_status(Head(now_text(), os.getpid()).ended())
            self._keep_known(self._written)

    def lapse(self, error: GitSessionError) -> None:
        """Nobody can tell what is: STATUS says so until somebody can."""
        if self._status and self._lapsed != error.message and self.dir.is_there() and self.is_ours(STATUS):
            self._lapsed = error.message
            self._last_status(Head(now_text(), os.getpid()).lapsed(one_line(error.message)))

    def _last_status(self, head: str) -> None:
        """Write STATUS once more, with another head."""
        self.put(STATUS, headed(head, self._panel), self._ours[STATUS])

    def reply(self, path: bytes, reply: Mapping[str, Any]) -> None:
        """Answer a request of ``requests/``; an earlier answer of the same name is replaced."""
        text = json.dumps(reply, indent=1).encode() + b"\n"
        self.put(path, text, self.dir.signature(path))
        self._ours.pop(path, None)  # it is the asker's from now on
        self._written.pop(path, None)


def headed(head: str, panel: bytes) -> bytes:
    """STATUS as it is written."""
    return head.encode("utf-8", "surrogateescape") + b"\n\n" + panel


def one_line(text: str) -> str:
    """A sentence as it is told."""
    return cut_short(" ".join(text.split()))


def cut_short(line: str) -> str:
    """A line that is not too long; what is no text in it as it would be written in a program."""
    line = line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 3] + "..."
    try:
        line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        line = line.encode("utf-8", "backslashreplace").decode()
    return line


def known_in(content: bytes) -> dict[bytes, list[str]]:
    """The digests in a ``.known``; nothing: each file is looked at as if somebody had saved it."""
    try:
        return {os.fsencode(path): [str(one) for one in told] for path, told in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def digest(content: bytes) -> str:
    """What stands for a content."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def is_kept(path: bytes) -> bool:
    """Whether a file of ours stays although no text is shown in it."""
    return path in (ERRORS, KNOWN) or path.endswith(REFUSED)
