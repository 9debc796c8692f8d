"""Which owners a path's content had when it was last seen: how an editor's undo finds its way home.

Kept per path and content, newest last, and forgotten at every command that moves owners (assign, update, merge):
a return across those is a new edit. Nothing here lasts; at start it is filled again from recent steps.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from gitsessiond.model.files import File
from gitsessiond.model.values import Entry

LIMIT = 4096  # contents remembered per session; a path saved often keeps its newest ones


@dataclass
class Memory:
    """Content seen at a path -> the File that stood for it (None: the path had no edits then)."""

    seen: OrderedDict[tuple[bytes, Entry | None], tuple[File | None, tuple[str, ...]]] = field(
        default_factory=OrderedDict
    )

    def remember(self, path: bytes, entry: Entry | None, file: File | None, chain: tuple[str, ...]) -> None:
        """Note what ``path`` with this content looked like; ``chain`` is what the File's commit bits speak of."""
        key = (path, entry)
        self.seen[key] = (file, chain)
        self.seen.move_to_end(key)
        while len(self.seen) > LIMIT:
            self.seen.popitem(last=False)

    def recall(self, path: bytes, entry: Entry | None, chain: tuple[str, ...]) -> File | None:
        """The File of then, if the chain is still the same; None: nothing remembered."""
        found = self.seen.get((path, entry))
        return found[0] if found is not None and found[1] == chain else None

    def forget(self) -> None:
        """Forget everything (owners were moved by a command)."""
        self.seen.clear()
