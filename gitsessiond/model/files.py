"""One file of a session: its weave, its whole-file facts, and what any set of owners makes of it.

There is one :class:`File` for each path the session ever changed; a file that is as in the base has none. Its
id survives renames. What the disk shows is the version of all owners together.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gitsessiond.model.registers import EVERYONE, counts, held, moved, moved_bits, settled
from gitsessiond.model.registers import Fact as Fact  # noqa: PLC0414 - part of this module's words
from gitsessiond.model.values import (
    BASE,
    GITLINK,
    SYMLINK,
    UNASSIGNED,
    Diff,
    Entry,
    Merge3,
    ReadBlob,
    WriteBlob,
    is_binary,
    is_unassigned,
)
from gitsessiond.model.weave import (
    Run,
    Weave,
    is_patch,
    owners_of,
    remap_bits,
    version,
    version_at,
    weave_from,
)

Version = tuple[bytes, Entry] | None  # path and entry; None: there is no such file


@dataclass(frozen=True, eq=False)
class File:
    """One file. Files are compared by identity; a change makes a new one with the same id.

    ``path`` None is "deleted". ``content`` None is "text, in the weave", else the blob (or submodule commit)
    whole.
    """

    id: str
    base_path: bytes | None  # None: the base has no such file
    base: Entry | None
    path: tuple[Fact[bytes | None], ...] = ()
    mode: tuple[Fact[int | None], ...] = ()
    content: tuple[Fact[str | None], ...] = ()
    weave: Weave | None = None  # None: no version of it was ever text
    whole: bool = False  # the base's content is not lines: symlink, submodule, binary or too large
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)  # what was derived from it

    @property
    def base_mode(self) -> int | None:
        """The mode register's value in the base."""
        return self.base.mode if self.base else None

    @property
    def base_content(self) -> str | None:
        """The content register's value in the base."""
        return self.base.oid if self.base and self.whole else None


class Memory:
    """What was computed once: versions by File and owners, verdicts of the judge by what was merged."""

    def __init__(self) -> None:
        self.versions = object()  # the key in File.memo under which versions are kept
        self.verdicts: dict[bytes, bool] = {}


@dataclass(frozen=True)
class Tools:
    """What the model needs of git and the store, and what it remembers between calls.

    ``write`` hashes and keeps a blob. When the store forgot what it was given (a transaction failed), call
    :meth:`forget`: a remembered version would name a blob that is no longer there.
    """

    diff: Diff
    merge3: Merge3
    read: ReadBlob
    write: WriteBlob
    new_id: Callable[[], str]
    max_text: int = 50 * 1024 * 1024  # larger content is kept whole (bytes)
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def forget(self) -> None:
        """Drop every remembered version."""
        self.memory.versions = object()

    def text_of(self, entry: Entry) -> bytes | None:
        """The content if it is lines; None if it can only be taken whole."""
        if entry.mode in (SYMLINK, GITLINK):
            return None
        content = self.read(entry.oid)
        return None if len(content) > self.max_text or is_binary(content) else content


class Marks(NamedTuple):
    """Who has a part in a file (ghosts do not count)."""

    labels: frozenset[str]  # every owner, unassigned labels too
    patches: frozenset[str]
    lines: frozenset[str]  # owners with marks on lines
    commits: int  # mask of the chain positions at which the file differs from the position before


def marks_of(file: File) -> Marks:
    """The owners of a file's lines and facts, and the commits that changed it; computed once per File."""
    found: Marks | None = file.memo.get("marks")
    if found is None:
        lines = owners_of(file.weave) if file.weave else frozenset()
        labels = lines | {fact.owner for fact in facts_of(file)}
        changed = 0
        for mask in masks_of(file):
            changed |= (mask ^ (mask << 1)) if mask > 0 else 0
        found = Marks(labels, frozenset(label for label in labels if is_patch(label)), lines, changed)
        file.memo["marks"] = found
    return found


def facts_of(file: File) -> tuple[Fact[bytes | None] | Fact[int | None] | Fact[str | None], ...]:
    """All facts of all registers."""
    return (*file.path, *file.mode, *file.content)


def masks_of(file: File) -> Iterator[int]:
    """Every mask of chain positions in the file; base lines' is -1."""
    for run in file.weave.runs if file.weave else ():
        yield run.ins_in
        yield run.gone_in
    for fact in facts_of(file):
        yield fact.ins_in


def committed_part(file: File) -> tuple[object, ...]:
    """What the commits of the chain hold of a file; equal for Files that differ in uncommitted edits only."""
    facts = tuple(fact for fact in facts_of(file) if fact.ins_in)
    runs = weave_from(
        run if run.gone_in else run._replace(gone=None)
        for run in (file.weave.runs if file.weave else ())
        if run.ins_in > 0 or run.gone_in
    ).runs
    return (facts, runs) if runs or facts else ()


def is_plain(file: File) -> bool:
    """Whether the File says nothing that the base does not: no fact, no mark, no dead line, no ghost."""
    if file.base is None:
        return all(fact.value is None for fact in file.path)
    if facts_of(file):
        return False
    return file.weave is None or all(run.ins == BASE and run.gone is None for run in file.weave.runs)


def path_of(file: File, owners: Container[str] = EVERYONE, bit: int | None = None) -> bytes | None:
    """The path a set of owners gives the file; None: deleted, or not there."""
    return held(file.path, file.base_path, owners, bit)


def last_path(file: File) -> bytes:
    """The path on disk now, or the last one it had."""
    for fact in reversed(file.path):
        if fact.value is not None:
            return fact.value
    assert file.base_path is not None, "a file is in the base or was given a path"
    return file.base_path


def version_of(file: File, owners: Container[str], tools: Tools, bit: int | None = None) -> Version:
    """What base and these owners make of the file, now or as chain commit ``bit`` holds it."""
    if bit is not None:
        bit = last_change(file, bit)
        if bit is None:
            return in_base(file)
    labels = labels_in(file, owners)
    known: dict[tuple[frozenset[str], int | None], Version] = file.memo.setdefault(tools.memory.versions, {})
    key = (labels, bit)
    if key not in known:
        known[key] = make_version(file, labels, tools, bit)
    return known[key]


def last_change(file: File, bit: int) -> int | None:
    """The last chain commit up to ``bit`` that changed the file; None: there the file is as in the base."""
    commits = marks_of(file).commits & ((1 << bit + 1) - 1)
    return commits.bit_length() - 1 if commits else None


def in_base(file: File) -> Version:
    """The file as the base has it."""
    return None if file.base_path is None or file.base is None else (file.base_path, file.base)


def labels_in(file: File, owners: Container[str]) -> frozenset[str]:
    """The labels of a file that are of a set of owners."""
    labels = marks_of(file).labels
    if owners is EVERYONE:
        return labels
    if isinstance(owners, frozenset | set) and UNASSIGNED not in owners:
        return labels & owners
    return frozenset(label for label in labels if counts(label, owners))


def make_version(file: File, labels: frozenset[str], tools: Tools, bit: int | None) -> Version:
    """:func:`version_of` without its memory. A file without path, mode or content for them is not there."""
    path = held(file.path, file.base_path, labels, bit)
    mode = held(file.mode, file.base_mode, labels, bit)
    oid = held(file.content, file.base_content, labels, bit)
    if path is None or mode is None:
        return None
    if oid is not None:
        return path, Entry(mode, oid)
    if file.weave is None:
        return None
    if file.base is not None and not file.whole and not labels:
        return path, Entry(mode, file.base.oid)
    inside = labels | {UNASSIGNED} if any(is_unassigned(label) for label in labels) else labels
    text = version(file.weave, inside) if bit is None else version_at(file.weave, inside, bit)
    return path, Entry(mode, tools.write(text))


def live_version(file: File, tools: Tools) -> Version:
    """The file as it is on disk."""
    return version_of(file, EVERYONE, tools)


def text_on_disk(file: File) -> bool:
    """Whether the disk shows the weave's lines now (not deleted, not whole)."""
    whole = held(file.content, file.base_content) is not None
    return file.weave is not None and path_of(file) is not None and not whole


def from_base(fid: str, path: bytes, entry: Entry, weave: Weave | None) -> File:
    """The File of a path that is as in the base; ``weave`` None: its content is taken whole."""
    return File(fid, path, entry, weave=weave, whole=weave is None)


def with_bits(file: File, mapping: Mapping[int, int]) -> File:
    """The file with the chain's positions renumbered; what no commit holds any more may vanish."""
    if not marks_of(file).commits:
        return file
    fixed = sum(1 << old for old, new in mapping.items() if old == new)
    masks = {mask for mask in masks_of(file) if mask > 0 and mask & ~fixed}
    if all(moved(mask, mapping) == mask for mask in masks):
        return file
    return replace(
        file,
        path=settled(moved_bits(file.path, mapping), file.base_path),
        mode=settled(moved_bits(file.mode, mapping), file.base_mode),
        content=settled(moved_bits(file.content, mapping), file.base_content),
        weave=remap_bits(file.weave, mapping) if file.weave else None,
    )


def without_bit(file: File, bit: int) -> File:
    """The file with one chain commit holding nothing of it; the same object where that is so already."""
    if not marks_of(file).commits or not any(mask > 0 and mask >> bit & 1 for mask in masks_of(file)):
        return file
    return map_bits(file, lambda mask: mask & ~(1 << bit))


def map_bits(file: File, change: Callable[[int], int]) -> File:
    """The file with each mask of chain commits changed; base lines are in every commit and keep theirs."""

    def run_changed(run: Run) -> Run:
        ins_in = run.ins_in if run.ins_in < 0 else change(run.ins_in)
        return run._replace(ins_in=ins_in, gone_in=change(run.gone_in))

    return replace(
        file,
        path=tuple(fact._replace(ins_in=change(fact.ins_in)) for fact in file.path),
        mode=tuple(fact._replace(ins_in=change(fact.ins_in)) for fact in file.mode),
        content=tuple(fact._replace(ins_in=change(fact.ins_in)) for fact in file.content),
        weave=weave_from(run_changed(run) for run in file.weave.runs) if file.weave else None,
    )


def copy_bit(file: File, old: int, new: int) -> File:
    """The file with chain commit ``new`` holding exactly what ``old`` holds (the commit did not touch it)."""
    if not marks_of(file).commits or not any(mask > 0 and mask >> old & 1 for mask in masks_of(file)):
        return without_bit(file, new)
    return map_bits(file, lambda mask: mask & ~(1 << new) | (mask >> old & 1) << new)
