"""What the repository's content brought to ``.gitsession/``: nobody's wish, also when git tracks it no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from gitsessiond.daemon.control_dir import Save, Signature
from gitsessiond.daemon.control_files import ControlFiles
from gitsessiond.daemon.control_texts import ASSIGN, PATCHES, REQUESTS, USE

BROUGHT = b".brought"
WHY, AGAIN = "it came with the repository's content", "save it again"


class Brought:
    """Remembers what was there while git tracked some of it, for the next daemon too."""

    def __init__(self, files: ControlFiles) -> None:
        self._files = files
        self._found: dict[bytes, Signature] = {}
        left = files.dir.read(BROUGHT)
        if isinstance(left, Save):
            try:
                for path, (inode, mtime, size) in json.loads(left.content).items():
                    self._found[os.fsencode(path)] = inode, mtime, size
            except (ValueError, TypeError, AttributeError):
                self._found = {}  # what was in it is looked at as any save

    def note(self, *, keep: bool) -> None:
        """Remember all that is there and might be taken for a wish; ``keep``: leave it to the next daemon too."""
        signed = {path: self._files.dir.signature(path) for path in self._names() if not self._files.is_ours(path)}
        found = {path: one for path, one in signed.items() if one is not None}
        if found == self._found:
            return
        self._found = found
        if keep:
            text = json.dumps({os.fsdecode(path): one for path, one in found.items()}).encode()
            try:
                self._files.dir.put(BROUGHT, text, self._files.dir.signature(BROUGHT))
            except OSError as exc:
                self._files.tell(f"{os.fsdecode(BROUGHT)}: {exc.strerror}")

    def _names(self) -> Iterator[bytes]:
        """All that may be a save or a new patch."""
        yield from (USE, ASSIGN)
        for one in self._files.dir.names(REQUESTS):
            yield REQUESTS + b"/" + one.name
        for directory in self._files.dir.names(PATCHES):
            above = PATCHES + b"/" + directory.name
            for one in self._files.dir.names(above):
                yield above + b"/" + one.name

    def has(self, path: bytes) -> bool:
        """Whether a file is as it was brought."""
        return path in self._found and self._files.dir.signature(path) == self._found[path]

    def has_in(self, directory: bytes) -> bool:
        """Whether a directory, with a slash at its end, has such a file."""
        return any(path.startswith(directory) and self.has(path) for path in self._found)
