"""Which owners a path's content had when it was last seen: how an editor's undo finds its way home.

Kept per path and content, newest last, and forgotten at every command that moves owners (assign, update, merge):
a return across those is a new edit. Nothing here lasts; after a start it is filled again from recent steps, when it is
first asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gitsessiond.model.files import File, copy_bit, with_bits
from gitsessiond.model.values import Entry

LIMIT = 4096  # contents remembered per session; a path saved often keeps its newest ones

Seen = tuple[bytes, Entry | None, File | None, tuple[str, ...]]  # path, content, what stood for it, the chain then


@dataclass
class Memory:
    """Content seen at a path -> the File that stood for it (None: the path had no edits then)."""

    seen: OrderedDict[tuple[bytes, Entry | None], tuple[File | None, tuple[str, ...]]] = field(
        default_factory=OrderedDict
    )
    past: Callable[[], Iterable[Seen]] | None = None  # from before the recorder started, newest first; until read

    def remember(self, path: bytes, entry: Entry | None, file: File | None, chain: tuple[str, ...]) -> None:
        """Note what ``path`` with this content looked like; ``chain`` is what the File's commit bits speak of."""
        key = (path, entry)
        self.seen[key] = (file, chain)
        self.seen.move_to_end(key)
        while len(self.seen) > LIMIT:
            self.seen.popitem(last=False)

    def recall(self, path: bytes, entry: Entry | None, chain: tuple[str, ...]) -> File | None:
        """The File of then, its commit bits carried over to the chain of now; None: nothing remembered."""
        self.look_back()
        found = self.seen.get((path, entry))
        if found is None or found[0] is None:
            return None
        return found[0] if found[1] == chain else carried(found[0], found[1], chain)

    def look_back(self) -> None:
        """Put the past before what was seen since, once."""
        if self.past is None:
            return
        past, self.past = self.past, None
        for path, entry, file, chain in past():
            if len(self.seen) >= LIMIT:
                return
            if (path, entry) not in self.seen:
                self.seen[path, entry] = (file, chain)
                self.seen.move_to_end((path, entry), last=False)

    def forget(self) -> None:
        """Forget everything (owners were moved by a command)."""
        self.seen.clear()
        self.past = None


def carried(file: File, then: tuple[str, ...], now: tuple[str, ...]) -> File:
    """The File with its bits renumbered; a commit made since is taken to have left it alone.

    Whoever takes it back compares what its commits hold with what is known, so a wrong guess takes nothing back.
    """
    places = {oid: bit for bit, oid in enumerate(now)}
    file = with_bits(file, {bit: places[oid] for bit, oid in enumerate(then) if oid in places})
    for bit, oid in enumerate(now):
        if bit and oid not in then:
            file = copy_bit(file, bit - 1, bit)
    return file
